"""Builds the open head, ``model/data/open_head.npz``, from ICT-FaceKit."""
