"""Cache of converted face models.

Blender reads only expnet's npz. The worker converts any other format (MAT, HDF5, a folder of OBJ files) once, into the
extension's user folder. The conversion is valid while the original's name, size and date do not change.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from pathlib import Path

from ...model.builtin import OPEN
from ...model.errors import InputError
from ...model.files import atomic_path, exists, is_dir, is_file, make_folder
from ...model.formats.npz import OPEN_HEAD, is_face_model

MAX_STEM = 120  # bytes of the original's name in the name of its conversion; file systems allow 255


def readable_file(face_model: str) -> Path | None:
    """Return the npz of ``face_model`` (``open`` or a path), or None if ``cache_file`` does not exist yet.

    Raises InputError if the path does not exist.
    """
    if face_model == OPEN:
        return OPEN_HEAD
    path = Path(face_model)
    if not exists(path):
        raise InputError(f"There is no face model at '{face_model}'")
    if is_file(path) and is_face_model(path):
        return path
    cached = cache_file(path)
    return cached if exists(cached) else None


def cache_file(path: Path) -> Path:
    """Return the path of the conversion of ``path`` in the cache."""
    files = sorted(p for p in path.rglob("*") if is_file(p)) if is_dir(path) else [path]
    state = hashlib.sha256(os.fsencode(path.resolve()))
    for file in files:
        stat = file.stat()
        state.update(os.fsencode(f"{file.name}|{stat.st_size}|{stat.st_mtime_ns}\n"))
    stem = os.fsencode(path.stem)[:MAX_STEM].decode("utf-8", "ignore")
    return user_folder() / "face_models" / f"{stem}-{state.hexdigest()[:16]}.npz"


def keep(converted: Path, target: Path) -> None:
    """Copy a conversion into the cache, atomically."""
    make_folder(target.parent)
    with atomic_path(target) as partial:
        shutil.copyfile(converted, partial)  # the job's folder may be on another file system


def user_folder() -> Path:
    """Return the user folder: Blender's for this extension, or the system's cache folder outside Blender."""
    package = __package__.removesuffix(".expnet_addon.user_files")
    if package.startswith("bl_ext."):
        import bpy

        return Path(bpy.utils.extension_path_user(package))
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "expnet"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "expnet"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "expnet"
