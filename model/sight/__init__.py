"""Input images and clips, face detection and face tracking. Uses OpenCV, not torch."""
