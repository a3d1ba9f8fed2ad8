"""Fitting of the face model to points over a whole clip: one identity, and an expression and a pose in each frame."""
