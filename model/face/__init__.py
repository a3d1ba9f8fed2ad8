"""What a face is: the 3D morphable model, the open expression keys, and how two sets of points are aligned."""
