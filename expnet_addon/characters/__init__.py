"""Retargeting in the scene: a performance as keys or drivers on an artist's own character."""
