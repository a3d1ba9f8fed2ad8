"""Capture a face: the source, the choice of the face, the request to the worker, and the take on the head."""
