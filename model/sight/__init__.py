"""Where the faces are: pictures and footage read, faces found in them and followed. OpenCV, no torch."""
