"""Linear maps from one face model's coefficients to another's, limited to the other model's bounds. numpy only.

``basis_fit.py`` makes a map from a registration of the two heads. This module applies, saves and loads maps, so that
Blender can use them. The numbers of a map do not contain the heads' shapes, but they derive from the user's own files.
So maps are made on the user's machine, and none is shipped.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..array_types import AnyArray, FloatArray
from ..errors import InputError
from ..face.semantics import ICT_BASIS, OPEN_BASIS, arkit_weights
from ..files import write_whole
from ..npz_arrays import NpzArrays
from ..performance.face_performance import FacePerformance
from ..reading import json_object, memory_limit, reading

FORMAT = "expnet-basis-map-1"
MAX_BYTES = 2**26  # unpacked; two maps of 29 keys take about 100 kB
_MAX_COUNT = 2000  # keys or components of a model
_SWEEPS = 200
_SETTLED = 1e-6


@dataclass(frozen=True, eq=False)
class BasisMap:
    """A map from expression eta (K) of one basis to expression (L) of another: ``matrix @ eta + offset``.

    from_basis, to_basis     names;  from_keys (K), to_keys (L) names of the keys
    matrix (L, K), offset (L,)   the offset is needed because a neutral face is not zero in every basis
    bounds (L, 2)            the range of the keys it maps to
    metric (L, L)            cost of an error of these keys, in weighted square millimetres
    unexplained (K,)         0..1, the part of each key's weighted energy that the other basis cannot show
    lips_mm, lids_mm (K,)    root mean square of the residual there at one unit of the key
    alpha_matrix (M, N), alpha_offset (M,)   the same map for the identity components
    rotation (3, 3), translation (3,), scale   from points p of this head to the other: scale * rotation @ p + t
    """

    from_basis: str
    to_basis: str
    from_keys: tuple[str, ...]
    to_keys: tuple[str, ...]
    matrix: FloatArray
    offset: FloatArray
    bounds: FloatArray
    metric: FloatArray
    unexplained: FloatArray
    lips_mm: FloatArray
    lids_mm: FloatArray
    alpha_matrix: FloatArray
    alpha_offset: FloatArray
    rotation: FloatArray
    translation: FloatArray
    scale: float

    def expression(self, eta: FloatArray) -> FloatArray:
        """Map (..., K) to the closest point by the metric inside the bounds, (..., L). NaN stays NaN."""
        eta = np.asarray(eta, np.float64)
        free = eta @ self.matrix.T + self.offset
        return _inside(free.reshape(-1, free.shape[-1]), self.metric, self.bounds).reshape(free.shape)

    def identity(self, alpha: FloatArray) -> FloatArray:
        """Map identity (N,), or fewer numbers, to (M,)."""
        alpha = np.asarray(alpha, np.float64)[: self.alpha_matrix.shape[1]]
        return self.alpha_matrix[:, : len(alpha)] @ alpha + self.alpha_offset

    def pose(self, rotation: FloatArray, translation: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Convert poses (..., 3, 3), (..., 3) mm of this head to poses of the other head.

        The heads differ in size and a pose has no scale. So the other head is placed nearer or farther, and has the
        same size in the image.
        """
        turned = rotation @ self.rotation.T
        # p = (q - t) R / s on the first head; R' q + t' with t' scaled about the camera's centre.
        moved = self.scale * translation - np.einsum("...ij,j->...i", turned, self.translation)
        return turned, moved

    def __str__(self) -> str:
        """Return the table of the residuals, one row per key."""
        lines = [
            f"{self.from_basis} -> {self.to_basis}",
            f"{'key':<16}{'not explained':>14}{'lips mm':>9}{'lids mm':>9}  strongest",
        ]
        for j, key in enumerate(self.from_keys):
            strongest = sorted(range(len(self.to_keys)), key=lambda i: -abs(self.matrix[i, j]))[:2]
            parts = ", ".join(f"{self.to_keys[i]} {self.matrix[i, j]:+.2f}" for i in strongest)
            lines.append(
                f"{key:<16}{self.unexplained[j]:>13.0%} {self.lips_mm[j]:>9.2f}{self.lids_mm[j]:>9.2f}  {parts}"
            )
        lines.append(
            f"{'mean':<16}{self.unexplained.mean():>13.0%} {self.lips_mm.mean():>9.2f}{self.lids_mm.mean():>9.2f}"
        )
        return "\n".join(lines)


def converted(performance: FacePerformance, basis_map: BasisMap, pose: bool = True) -> FacePerformance:
    """Convert the expression, identity and pose of a performance to the map's other basis; gaze stays.

    pose  False if the poses are already those of the other head (the official estimator takes the head as an option)

    Raises InputError if the basis of the performance is not the map's ``from_basis``.
    """
    p, m = performance, basis_map
    if p.basis != m.from_basis or p.expression_keys != m.from_keys:
        raise InputError(f"the performance has expression basis {p.basis!r}, the map is from {m.from_basis!r}")
    rotation, translation = m.pose(p.rotation, p.translation) if pose else (p.rotation, p.translation)
    return replace(
        p,
        eta=m.expression(p.eta),
        alpha=m.identity(p.alpha) if len(p.alpha) else p.alpha,
        rotation=rotation,
        translation=translation,
        basis=m.to_basis,
        expression_keys=m.to_keys,
    )


def arkit_performance(performance: FacePerformance, keys: Sequence[str]) -> FacePerformance:
    """Convert an open performance to ICT-FaceKit's ``keys`` by their meaning. Only the identity is lost.

    Both heads have the same frame, so the pose stays.
    """
    if performance.basis != OPEN_BASIS:
        raise InputError(f"the performance has expression basis {performance.basis!r}, not {OPEN_BASIS!r}")
    eta = arkit_weights(performance.eta, keys)
    return replace(performance, eta=eta, alpha=np.zeros(0), basis=ICT_BASIS, expression_keys=tuple(keys))


def _inside(free: FloatArray, metric: FloatArray, bounds: FloatArray) -> FloatArray:
    """Return the points of the box ``bounds`` closest to ``free`` (F, L) in ``metric``, by coordinate descent."""
    low, high = np.asarray(bounds, np.float64).T
    out = np.clip(free, low, high)  # keeps NaN
    rows = np.flatnonzero(((free < low) | (free > high)).any(axis=1))
    x, goal = out[rows], free[rows]
    unit = np.maximum(np.diag(metric), 1e-12)
    for _ in range(_SWEEPS):
        before = x.copy()
        pull = (goal - x) @ metric
        for i in range(x.shape[1]):
            new = np.clip(x[:, i] + pull[:, i] / unit[i], low[i], high[i])
            pull -= (new - x[:, i])[:, None] * metric[i]
            x[:, i] = new
        if not x.size or np.abs(x - before).max() < _SETTLED * np.abs(bounds).max():
            break
    out[rows] = x
    return out


# --- files: both directions of one pair of models in one .npz -------------------------------------------------------

_NAMES = ("from_basis", "to_basis", "from_keys", "to_keys")


def save_maps(maps: Sequence[BasisMap], path: str | Path) -> None:
    """Write an .npz atomically."""
    header = {"format": FORMAT, "maps": [{name: getattr(m, name) for name in _NAMES} for m in maps]}
    arrays: dict[str, Any] = {
        f"{f.name}_{i}": np.asarray(getattr(m, f.name), np.float64)
        for i, m in enumerate(maps)
        for f in fields(m)
        if f.name not in _NAMES
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, header=np.frombuffer(json.dumps(header).encode(), np.uint8), **arrays)
    write_whole(path, buffer.getvalue())


def load_maps(path: str | Path) -> list[BasisMap]:
    """Read what ``save_maps`` wrote. Raises InputError if the file is missing, damaged or of another kind."""
    path = Path(path)
    with reading(path, "map between expression bases", "make it again with 'expnet map-basis'"):
        with NpzArrays(path) as stored:
            if stored.bytes > min(MAX_BYTES, memory_limit(path.stat().st_size)):
                raise ValueError("it is larger than any map")
            arrays = {name: stored.read(name) for name in stored.declared}
        header = json_object(arrays["header"].tobytes())
        if header["format"] != FORMAT or len(header["maps"]) > 2:
            raise ValueError("it is of another format")
        return [_loaded(names, arrays, i) for i, names in enumerate(header["maps"])]


def _loaded(names: dict[str, Any], arrays: dict[str, AnyArray], i: int) -> BasisMap:
    text: dict[str, Any] = {n: names[n] if n.endswith("basis") else tuple(names[n]) for n in _NAMES}
    strings = [text["from_basis"], text["to_basis"], *text["from_keys"], *text["to_keys"]]
    if not all(isinstance(s, str) for s in strings):
        raise ValueError("its names are no text")
    k, el = len(text["from_keys"]), len(text["to_keys"])
    m, n = np.shape(arrays[f"alpha_matrix_{i}"])
    shapes = {
        "matrix": (el, k), "offset": (el,), "bounds": (el, 2), "metric": (el, el),
        "unexplained": (k,), "lips_mm": (k,), "lids_mm": (k,),
        "alpha_matrix": (m, n), "alpha_offset": (m,),
        "rotation": (3, 3), "translation": (3,), "scale": (),
    }  # fmt: skip
    numbers: dict[str, Any] = {}
    for name, shape in shapes.items():
        array = arrays[f"{name}_{i}"]
        if array.shape != shape or array.dtype != np.float64 or not np.isfinite(array).all():
            raise ValueError(f"{name} has another shape or type, or holds NaN")
        numbers[name] = array
    numbers["scale"] = float(numbers["scale"])
    if (
        max(k, el, m, n) > _MAX_COUNT
        or numbers["scale"] <= 0
        or (numbers["bounds"][:, 0] > numbers["bounds"][:, 1]).any()
    ):
        raise ValueError("its values are out of range")
    return BasisMap(**text, **numbers)
