"""Annotation of clips with one identity and an expression for each frame, as Koujan et al. 2020 annotated FaceVid."""
