"""Expression keys for an artist's own head: parts, named points, registration of the open head, deformation transfer.

Needs SciPy: for the worker, not for Blender.
"""
