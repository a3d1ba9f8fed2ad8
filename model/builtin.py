"""The names of the built-in head and network. Imports nothing, so that Blender's registered properties can use it."""

# Stands in place of a path: for the head in ``face_model``, for the network in ``estimator``.
OPEN = "open"
