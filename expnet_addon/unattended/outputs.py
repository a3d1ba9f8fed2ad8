"""Output files of a verb: early checks, and atomic writing."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...model import files
from ...model.errors import InputError, one_line
from ...model.files import atomic_path, exists, is_dir

if TYPE_CHECKING:
    import bpy


PERFORMANCE_FORMATS = (".npz", ".csv", ".json")
SCENE_FORMATS = (".blend", ".glb")


def check_outputs(inputs: Sequence[str], outputs: dict[Path, tuple[str, ...]]) -> None:
    """Check, before any long work, that the outputs can be written. Raises InputError."""
    for path, suffixes in outputs.items():
        if path.suffix.lower() not in suffixes:
            raise InputError(f"'{path}' does not end in {' or '.join(suffixes)}")
        if is_dir(path):
            raise InputError(f"'{path}' is a folder: give a file name")
        if any(os.path.abspath(i) == os.path.abspath(path) for i in inputs):
            raise InputError(f"'{path}' is also the input: give another name")
        check_writable(path.absolute().parent)
        _check_name(path)


def check_folder(path: Path) -> None:
    """Check, before any long work, that a folder can be created or written to. Raises InputError."""
    if exists(path) and not is_dir(path):
        raise InputError(f"'{path}' is a file: give a folder")
    check_writable(path if is_dir(path) else path.absolute().parent)
    _check_name(path)


def _check_name(path: Path) -> None:
    """Check that a file can have this name: file systems allow 255 bytes. Raises InputError."""
    try:
        path.lstat()
    except FileNotFoundError:
        pass
    except OSError as error:
        raise InputError(f"'{path}' cannot be written ({error.strerror}): choose another name") from error


def make_folder(path: Path) -> None:
    """Create a folder if it does not exist. Raises InputError if it cannot be written to."""
    files.make_folder(path)
    check_writable(path)


@contextlib.contextmanager
def made_folder(path: Path) -> Iterator[None]:
    """Create a folder as ``make_folder``; if the block raises InputError, remove the new folders that are empty."""
    missing = [folder for folder in (path, *path.parents) if not exists(folder)]
    make_folder(path)
    try:
        yield
    except InputError:
        with contextlib.suppress(OSError):  # it is not empty
            for folder in missing:
                folder.rmdir()
        raise


def check_writable(folder: Path) -> None:
    if not is_dir(folder):
        raise InputError(f"there is no folder '{folder}': make it first")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(f"'{folder}' cannot be written to ({error.strerror}): choose another folder") from error


def save_blend(path: Path) -> None:
    import bpy

    with atomic_path(path) as part:
        try:
            bpy.ops.wm.save_as_mainfile(filepath=str(part), copy=True, compress=True)
        except RuntimeError as error:  # such as a full disk
            raise InputError(f"'{path}' cannot be written: {one_line(error)}") from error


def save_scene(path: Path, objects: Sequence[bpy.types.Object]) -> None:
    """Save the scene as a .blend, or ``objects`` with their animation as a .glb."""
    if path.suffix.lower() != ".glb":
        save_blend(path)
        return
    from ..scene import gltf

    with atomic_path(path) as part:
        gltf.export_glb(part, objects)


def require_bpy(what: str) -> None:
    import importlib.util

    if importlib.util.find_spec("bpy") is None:
        raise InputError(
            f"{what} needs Blender: pip install bpy, or run it in Blender: "
            f"blender -b --python headless.py -- {what.split()[0]} …"
        )
