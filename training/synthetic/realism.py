"""The file of photographs for the skins, brows and environment maps of synthetic faces.

``training.realism.skins`` makes it from open sources. ``photographs.py`` samples from it.
"""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...model.array_types import FloatArray
from ...model.errors import InputError

FORMAT = 1
LOW, FINE = 128, 512  # texels of slow and fine factors across the chart (``Surface.coords``), rows upward
NONE = 128  # of a detail, a byte: does not change the colour
BROW_ALONG, BROW_ACROSS = (-0.25, 1.25), (-14.0, 14.0)  # of the brow line's length; mm, upward
BROW_SHAPE = 112, 144
MOVED = 0.008  # of the chart: landmarks further off belong to another head. Brows are placed by those of the head used
INNER = slice(27, 68)
MOST_BYTES = 400_000_000


@dataclass(frozen=True, eq=False)
class Realism:
    """S skins, B brows and M environment maps.

    landmarks    (68, 2) where the landmarks lie in the chart of the head that the skins are made for
    low          (S, LOW, LOW, 3) factors of the skin's own colour that change slowly over the chart (Surface.coords)
    detail       (S, FINE, FINE, 3) uint8, NONE times the factors of what is finer
    tones        (S, 3) BGR 0..1, the colour of the skin that was photographed
    brows        (B, *BROW_SHAPE) uint8: how much a left brow covers, along the line of landmarks 22 to 26 and across it
    ambient      (M, 3, 9) spherical harmonics as in ``Light``, y up;  lamps (M, 2, 3) unit vectors or zeros;
    lamp_colors  (M, 2, 3) BGR
    """

    landmarks: FloatArray
    low: FloatArray
    detail: FloatArray
    tones: FloatArray
    brows: FloatArray
    ambient: FloatArray
    lamps: FloatArray
    lamp_colors: FloatArray


def read_realism(path: Path) -> Realism:
    """Read the file. Raises InputError where it is missing, damaged or of another kind."""
    again = "make it again: python -m expnet.training.realism.skins"
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        with np.load(path, allow_pickle=False) as file:
            same = file["format"].shape == () and int(file["format"]) == FORMAT
            names = Realism.__dataclass_fields__ if same and size <= MOST_BYTES else ()
            arrays = {name: file[name] for name in names}
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file: {again}") from error
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path}: not a file of photographs: {again}") from error
    if not arrays:
        raise InputError(f"{path}: photographs of another version, or too large: {again}")
    skins, brows, maps = (len(arrays[name]) if arrays[name].ndim else 0 for name in ("detail", "brows", "ambient"))
    shapes = {
        "landmarks": (68, 2), "low": (skins, LOW, LOW, 3), "detail": (skins, FINE, FINE, 3), "tones": (skins, 3),
        "brows": (brows, *BROW_SHAPE), "ambient": (maps, 3, 9), "lamps": (maps, 2, 3), "lamp_colors": (maps, 2, 3),
    }  # fmt: skip
    for name, shape in shapes.items():
        kinds = (np.uint8,) if name in ("detail", "brows") else (np.float16, np.float32)
        if arrays[name].shape != shape or arrays[name].dtype not in kinds or not len(arrays[name]):
            raise InputError(f"{path}: {name} is {arrays[name].dtype} {arrays[name].shape}, not {shape}: {again}")
        if not np.isfinite(arrays[name]).all():
            raise InputError(f"{path}: {name} holds numbers that are none: {again}")
    if not arrays["brows"].any((1, 2)).all():
        raise InputError(f"{path}: a brow is empty: {again}")
    return Realism(**{k: a if a.dtype == np.uint8 else a.astype(np.float32) for k, a in arrays.items()})


def fits(realism: Realism, landmarks: FloatArray) -> bool:
    """Return whether the skins are made for the head with these landmarks in the chart, (68, 2)."""
    return bool(np.abs(realism.landmarks - landmarks)[INNER].max() < MOVED)
