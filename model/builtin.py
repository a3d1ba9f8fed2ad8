"""The head and the network that ship with expnet. Imports nothing, so that what Blender registers can read it."""

# Stands in the place of a path: for the head in ``face_model``, for the network in ``estimator``.
OPEN = "open"
