"""Synthetic faces, training and evaluation of the open network. Not part of the extension's zip; knows no Blender."""
