"""The 3D morphable face model, the open expression keys, and the alignment of point sets."""
