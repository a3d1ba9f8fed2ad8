"""The head model and the networks that estimate its coefficients from images, independent of Blender."""
