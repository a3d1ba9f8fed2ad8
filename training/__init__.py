"""Synthetic faces, training and evaluation of the open network. Not in the extension's zip; independent of Blender."""
