"""Faces in real time: from a camera, a file or another program's stream, and out to other programs."""
