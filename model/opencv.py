"""OpenCV, set up before it is imported: it reads these only once."""

import os

# Our own line says what is wrong with a file; OpenCV's and FFmpeg's complaints would only bury it.
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
os.environ.setdefault("OPENCV_IO_ENABLE_OPENEXR", "1")  # off by default; renders come as EXR

import cv2

__all__ = ["cv2"]
