"""How coefficients of one expression basis get onto a head of another.

The worker makes a map between a foreign face model and the open head when it converts the model; it is kept in the
user's folder under the name of the basis. ICT-FaceKit's keys need none: they have the open keys' meaning. Between two
foreign bases the way leads over the open one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np

from ...model.bases.basis_map import BasisMap, arkit_performance, converted, load_maps
from ...model.builtin import OPEN
from ...model.errors import InputError
from ...model.face.face_model import FaceModel
from ...model.face.semantics import ICT_BASIS, OPEN_BASIS, arkit_weights
from ...model.official import is_official
from ...model.performance.face_performance import FacePerformance
from ...model.worker.protocol import ConvertResult
from . import face_models

OFFICIAL_BASIS = "expnet-29"  # as in model/formats/bfm_expnet.py
IDENTITY = 99  # components that both the open and the official networks give
USUAL_FILES = {OFFICIAL_BASIS: "BaselFaceModel_mod.mat", "3ddfa-29": "Model_Shape.mat", ICT_BASIS: "FaceXModel"}


def seen_basis(estimator: str) -> str | None:
    """The basis of what an estimator (``open`` or a path) gives; None for somebody's weights, which only the worker
    can read."""
    if estimator == OPEN:
        return OPEN_BASIS
    return OFFICIAL_BASIS if is_official(estimator) else None


def map_file(basis: str) -> Path:
    """Where the maps between ``basis`` and the open one are kept."""
    return face_models.user_folder() / "basis_maps" / f"{quote(basis, safe=' ')}.npz"


def keep(reply: ConvertResult) -> None:
    """Keep the maps that the worker made while it converted a face model, if it made any."""
    if reply.basis_map:
        face_models.keep(Path(reply.basis_map), map_file(reply.basis))


@dataclass(frozen=True)
class Route:
    """The maps that lead to a head's basis, none if it is the same, and ICT's keys where they are the end of it."""

    maps: tuple[BasisMap, ...] = ()
    by_meaning: tuple[str, ...] = ()

    def numbers(self, eta: dict[str, float], alpha: np.ndarray) -> tuple[dict[str, float], np.ndarray]:
        """One expression by key, and the identity, for the head."""
        for basis_map in self.maps:
            values = basis_map.expression(np.array([eta[key] for key in basis_map.from_keys]))
            eta, alpha = dict(zip(basis_map.to_keys, values.tolist())), basis_map.identity(alpha)
        if self.by_meaning:
            values = arkit_weights(np.array(list(eta.values())), self.by_meaning)
            eta, alpha = dict(zip(self.by_meaning, values.tolist())), np.zeros(1)
        return eta, alpha

    def performance(self, performance: FacePerformance) -> FacePerformance:
        """The whole performance for the head. The poses of the official networks are of that head already."""
        for basis_map in self.maps:
            performance = converted(performance, basis_map, pose=performance.basis == OPEN_BASIS)
        return arkit_performance(performance, self.by_meaning) if self.by_meaning else performance


def route(seen: str, head: FaceModel, name: str) -> Route:
    """From coefficients of the basis ``seen`` to ``head``, which the user calls ``name``. Raises InputError."""
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
    """Refuse, before any long work, a head of fewer identity ``components`` than it would be given."""
    if seen == wanted and components < IDENTITY:
        raise InputError(
            f"'{name}' has {components} identity components, the estimator gives {IDENTITY}: "
            "take the whole face model, or leave the face's shape as it is (--no-identity)"
        )


def check(seen: str, wanted: str, name: str) -> None:
    """Refuse what ``route`` would, before any long work."""
    if seen == wanted:
        return
    for basis in (seen, wanted):
        if basis == OPEN_BASIS or (basis == ICT_BASIS and basis == wanted) or map_file(basis).is_file():
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
