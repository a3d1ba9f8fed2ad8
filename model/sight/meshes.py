"""Export of the estimated faces as meshes in a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..builtin import OPEN
from ..errors import InputError
from ..files import is_dir, is_file, make_folder
from ..formats import open_face_model
from ..formats.ply import save_ply
from ..formats.texture import read_texture
from ..networks.estimate import FaceEstimate


class MeshFolder:
    """Writer of ``NAME.ply`` for each face: Eq. (1) in the face model's own coordinates, without the head's pose.

    The mesh has colours where the estimator read a texture and the face model's file holds one. Raises InputError
    before anything is written: the face model has another basis than ``basis``, two faces have one name, the folder
    cannot be made.
    """

    def __init__(self, folder: str | Path, names: Sequence[str], face_model: str, basis: str) -> None:
        self._folder, self._names = Path(folder), list(names)
        twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
        if twice is not None:
            raise InputError(f"{folder}: two images would become {twice}.ply: rename one, or estimate them apart")
        self._model = open_face_model(face_model)
        if self._model.basis != basis:
            raise InputError(
                f"{face_model}: has the expression basis {self._model.basis!r}, the estimator {basis!r}: give the face "
                "model that belongs to it"
            )
        self._texture = None if face_model == OPEN else read_texture(face_model, self._model.vertex_count)
        if not is_dir(self._folder.parent) or is_file(self._folder):
            raise InputError(f"{folder}: no folder can be made there: choose another place")

    def save(self, i: int, seen: FaceEstimate) -> None:
        """Save the i-th face, a batch of one."""
        colours = self._texture.colours(seen.texture[0]) if self._texture and seen.texture is not None else None
        make_folder(self._folder)
        vertices = self._model.vertices(seen.alpha[0, : len(self._model.identity)], seen.eta[0])
        save_ply(self._folder / f"{self._names[i]}.ply", vertices, self._model.faces, colours)
