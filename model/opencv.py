"""OpenCV's environment variables, set before the first import: OpenCV reads them only once."""

import os

# InputError names the fault of a file. The log messages of OpenCV and FFmpeg would hide it.
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
os.environ.setdefault("OPENCV_IO_ENABLE_OPENEXR", "1")  # off by default; renders come as EXR

import cv2

__all__ = ["cv2"]
