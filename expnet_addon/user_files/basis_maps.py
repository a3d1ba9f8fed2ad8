"""Conversion of coefficients from one expression basis to a head with another basis.

The worker makes a map between a foreign face model and the open head when it converts the model. The map is stored in
the user's folder under the name of the basis. ICT-FaceKit's keys need no map, because they have the meaning of the open
keys. A conversion between two foreign bases goes through the open basis.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np

from ...model.array_types import FloatArray
from ...model.bases.basis_map import BasisMap, arkit_performance, converted, load_maps
from ...model.builtin import OPEN
from ...model.errors import InputError
from ...model.face.face_model import FaceModel
from ...model.face.semantics import ICT_BASIS, OPEN_BASIS, arkit_weights
from ...model.files import is_file
from ...model.official import is_official
from ...model.performance.face_performance import FacePerformance
from ...model.worker.messages import ConvertResult
from . import face_models

OFFICIAL_BASIS = "expnet-29"  # as in model/formats/bfm_expnet.py
IDENTITY = 99  # components of both the open and the official networks
USUAL_FILES = {OFFICIAL_BASIS: "BaselFaceModel_mod.mat", "3ddfa-29": "Model_Shape.mat", ICT_BASIS: "FaceXModel"}


def seen_basis(estimator: str) -> str | None:
    """Return the basis of an estimator's output (``open`` or a path).

    None for other weights, because only the worker can read them.
    """
    if estimator == OPEN:
        return OPEN_BASIS
    return OFFICIAL_BASIS if is_official(estimator) else None


def map_file(basis: str) -> Path:
    """Return the path of the stored maps between ``basis`` and the open basis."""
    return face_models.user_folder() / "basis_maps" / f"{quote(basis, safe=' ')}.npz"


def keep(reply: ConvertResult) -> None:
    """Store the maps that the worker made during the conversion of a face model, if any."""
    if reply.basis_map:
        face_models.keep(Path(reply.basis_map), map_file(reply.basis))


@dataclass(frozen=True)
class Route:
    """The chain of maps to a head's basis, empty if it is the same, and ICT's keys if the head has them."""

    maps: tuple[BasisMap, ...] = ()
    by_meaning: tuple[str, ...] = ()

    def numbers(self, eta: dict[str, float], alpha: FloatArray) -> tuple[dict[str, float], FloatArray]:
        """Convert one expression by key, and the identity, for the head."""
        for basis_map in self.maps:
            values = basis_map.expression(np.array([eta[key] for key in basis_map.from_keys]))
            eta, alpha = dict(zip(basis_map.to_keys, values.tolist())), basis_map.identity(alpha)
        if self.by_meaning:
            values = arkit_weights(np.array(list(eta.values())), self.by_meaning)
            eta, alpha = dict(zip(self.by_meaning, values.tolist())), np.zeros(1)
        return eta, alpha

    def performance(self, performance: FacePerformance) -> FacePerformance:
        """Convert a whole performance for the head. The poses of the official networks are already for that head."""
        for basis_map in self.maps:
            performance = converted(performance, basis_map, pose=performance.basis == OPEN_BASIS)
        return arkit_performance(performance, self.by_meaning) if self.by_meaning else performance


def route(seen: str, head: FaceModel, name: str) -> Route:
    """Find the route from the basis ``seen`` to ``head``; messages call it ``name``. Raises InputError."""
    if seen == head.basis:
        return Route()
    check(seen, head.basis, name)
    to_open = (_map(seen, OPEN_BASIS),) if seen != OPEN_BASIS else ()
    if head.basis == OPEN_BASIS:
        return Route(to_open)
    if head.basis == ICT_BASIS:
        return Route(to_open, head.expression_keys)
    return Route((*to_open, _map(OPEN_BASIS, head.basis)))


def check_identity(seen: str | None, wanted: str, components: int, name: str) -> None:
    """Check, before any long work, that a head has enough identity ``components``. Raises InputError."""
    if seen == wanted and components < IDENTITY:
        raise InputError(
            f"'{name}' has {components} identity components, the estimator gives {IDENTITY}: "
            "take the whole face model, or leave the face's shape as it is (--no-identity)"
        )


def check(seen: str, wanted: str, name: str) -> None:
    """Check, before any long work, that ``route`` can find the maps. Raises InputError."""
    if seen == wanted:
        return
    for basis in (seen, wanted):
        if basis == OPEN_BASIS or (basis == ICT_BASIS and basis == wanted) or is_file(map_file(basis)):
            continue
        file = USUAL_FILES.get(basis, "its face model")
        raise InputError(
            f"The estimator gives keys of the basis '{seen}', '{name}' has '{wanted}': "
            f"make a map between them once with 'expnet map-basis PATH', PATH being {file}"
        )


def _map(start: str, end: str) -> BasisMap:
    path = map_file(end if start == OPEN_BASIS else start)
    for basis_map in load_maps(path):
        if (basis_map.from_basis, basis_map.to_basis) == (start, end):
            return basis_map
    raise InputError(f"{path}: no map from '{start}' to '{end}' in it: make it again with 'expnet map-basis'")
