"""What a face is and how it is seen. Nothing in here knows Blender."""
