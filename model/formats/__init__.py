"""Face models from files: ``open_face_model`` reads every format. Each format is a module that knows its own units.

The result is always a FaceModel in millimetres, per one sigma, 0-based, wound outward. npz.py needs numpy only; the
other readers are imported when they are needed.
"""

from __future__ import annotations

from pathlib import Path

from ..builtin import OPEN
from ..errors import InputError
from ..face.face_model import FaceModel, check_face_model
from ..files import exists, is_dir
from .npz import OPEN_HEAD, is_face_model, load_face_model, save_face_model

__all__ = ["OPEN_HEAD", "load_face_model", "open_face_model", "save_face_model"]

KNOWN = (
    "our .npz, BaselFaceModel_mod.mat, 3DDFA's Model_Shape.mat, 01_MorphableModel.mat, a BFM .h5, LSFM, or FaceXModel"
)


def open_face_model(path: str | Path, identity_components: int | None = 99) -> FaceModel:
    """Read the face model ``path``: ``open``, a file or a folder. The content decides the format, not the name.

    identity_components  how many to keep of a foreign model (99 as in the ExpNet release; None keeps all)

    Raises InputError, one line, for a file that is no face model and for a broken one.
    """
    if str(path) == OPEN:
        return load_face_model(OPEN_HEAD)
    path = Path(path)
    model = _read(path, identity_components)
    check_face_model(model, str(path))
    return model


def _read(path: Path, identity_components: int | None) -> FaceModel:
    from . import bfm2009, bfm2017, bfm_3ddfa, bfm_expnet, ict_facekit, lsfm
    from .sidecars import stored_arrays

    if is_dir(path):
        if ict_facekit.matches(path):
            return ict_facekit.read(path, identity_components)
        return _read(_only_model_in(path), identity_components)
    if not exists(path):
        raise InputError(f"{path}: no such file; give a face model's path or 'open'")
    if path.name == ict_facekit.NEUTRAL:
        return ict_facekit.read(path.parent, identity_components)
    if is_face_model(path):
        return load_face_model(path)
    arrays = stored_arrays(path)
    if arrays is not None:
        for reader in (bfm_expnet, bfm2009, bfm_3ddfa, bfm2017, lsfm):
            if reader.matches(arrays):
                model: FaceModel = reader.read(path, arrays, identity_components)
                return model
    raise InputError(f"{path}: not a supported face model; give {KNOWN}")


def _only_model_in(folder: Path) -> Path:
    """Return the only face model among a folder's files. Files that only complete another one do not count."""
    from . import bfm2009, bfm2017, bfm_3ddfa, bfm_expnet, lsfm
    from .arrays import group_with
    from .sidecars import stored_arrays

    found: list[Path] = []
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in (".npz", ".mat", ".h5"):
            continue
        if is_face_model(path):
            found.append(path)
            continue
        arrays = stored_arrays(path) or {}
        if group_with(arrays, *bfm_3ddfa.SHAPE_FIELDS) or any(
            reader.matches(arrays) for reader in (bfm_expnet, bfm2009, bfm2017, lsfm)
        ):
            found.append(path)
    if not found:
        raise InputError(f"{folder}: no face model in this folder; give {KNOWN}")
    if len(found) > 1:
        raise InputError(f"{folder}: several face models ({', '.join(p.name for p in found)}); give one of them")
    return found[0]
