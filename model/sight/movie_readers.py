"""The choice of the movie reader: PyAV where it is installed, else OpenCV."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from .movies import Movie


def open_movie(source: str, path: Path) -> Movie:
    """Open a movie. Raises InputError where it has no picture that can be decoded."""
    if find_spec("av") is not None:
        from .movies_pyav import PyAvMovie

        return PyAvMovie(source, path)
    from .movies_opencv import OpenCvMovie

    return OpenCvMovie(source, path)
