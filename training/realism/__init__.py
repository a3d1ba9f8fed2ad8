"""Photographs for the synthetic face engine: skins, brows and light of open sources, warped onto the open head."""
