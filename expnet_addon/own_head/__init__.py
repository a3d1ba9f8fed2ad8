"""An artist's own head: its meshes, the points of its face, and the shape keys that are made for it."""
