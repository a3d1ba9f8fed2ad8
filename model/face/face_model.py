"""FaceModel, the 3D morphable face model of Eq. (1): S' = s + S.alpha + E.eta (Chang et al. 2018, section III-A).

Millimetres; x to the subject's left, y up, z out of the face. numpy only, so that Blender can use it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ..array_types import FloatArray, IntArray
from ..errors import InputError

# The angle kappa, from the line of sight outwards to the eye's axis: people's mean, radians (Basmak et al. 2007). Gaze
# is the line of sight.
KAPPA = float(np.radians(4.5))


@dataclass(frozen=True, eq=False)
class FaceModel:
    """A linear model of identity and expression.

    name               short name, e.g. ``open``, ``bfm-expnet``
    mean               (V, 3) float32, the mean face s
    identity           (Ks, V, 3) float32, S: offset for one sigma of each component
    expression         (Ke, V, 3) float32, E: offset for one unit of each key
    expression_offset  (V, 3) float32, the neutral's offset from ``mean`` (BFM models carry one; else zeros)
    faces              (F, 4) quads or (F, 3) triangles, int32, 0-based, wound outward (counter-clockwise from outside);
                       a triangle among quads has -1 as its fourth corner
    expression_keys    Ke names
    expression_bounds  (Ke, 2) float32, the intended range of each key
    basis              name of the expression basis (``semantics.OPEN_BASIS`` or a format's own)
    identity_sigma     (Ks,) float32, standard deviation of each component in the file's own unit (for reports)
    uv                 (F, k, 2) float32 per face corner, or None
    landmarks          (68,) int32 vertex indices in iBUG order, or None
    regions            name -> int32 vertex indices (``skin``, ``lips``, ``eyeball_L``, ``teeth_upper`` ...), or empty
    gaze_lids          (4, V, 3) float32, offsets of the lids when both eyes look up, down, left, right by 30°; or None
    average_alpha      (Ks,) float32, alpha of a face with people's average proportions, which a new head gets; None: 0
    license, source    its licence, and where it comes from
    """

    name: str
    mean: FloatArray
    identity: FloatArray
    expression: FloatArray
    expression_offset: FloatArray
    faces: IntArray
    expression_keys: tuple[str, ...]
    expression_bounds: FloatArray
    basis: str
    identity_sigma: FloatArray
    uv: FloatArray | None = None
    landmarks: IntArray | None = None
    regions: Mapping[str, IntArray] = field(default_factory=dict)
    gaze_lids: FloatArray | None = None
    average_alpha: FloatArray | None = None
    license: str = ""
    source: str = ""

    @property
    def vertex_count(self) -> int:
        return len(self.mean)

    @cached_property
    def neutral(self) -> FloatArray:
        """Return the neutral face of the mean identity, (V, 3): Eq. (1) at alpha = 0, eta = 0."""
        return self.mean + self.expression_offset

    @property
    def new_alpha(self) -> FloatArray:
        """Return the alpha (Ks,) of a new head: ``average_alpha``, or zeros if the model has none."""
        return np.zeros(len(self.identity), np.float32) if self.average_alpha is None else self.average_alpha

    @cached_property
    def rest(self) -> FloatArray:
        """Return the expression (Ke,) that is nearest to ``mean``, the scans' resting face.

        It cancels ``expression_offset``, by least squares over about 5,000 vertices, without rigid motion. Zero for a
        model without such an offset. 3DDFA's offset is the mean of many expressions, so a resting face is not zero in
        its basis.
        """
        if not self.expression_offset.any():
            return np.zeros(len(self.expression))
        some = slice(None, None, max(1, self.vertex_count // 5000))
        at = self.mean[some].astype(np.float64)
        x, y, z = (at - at.mean(axis=0)).T
        zero, one = np.zeros_like(x), np.ones_like(x)
        motions = [[one, zero, zero], [zero, one, zero], [zero, zero, one], [zero, -z, y], [z, zero, -x], [-y, x, zero]]
        rigid = np.linalg.qr(np.array(motions).transpose(2, 1, 0).reshape(-1, 6))[0]

        def without_motion(offsets: FloatArray) -> FloatArray:
            flat = offsets.reshape(-1, rigid.shape[0])
            remainder: FloatArray = flat - flat @ rigid @ rigid.T
            return remainder

        moves = without_motion(self.expression[:, some].astype(np.float64))
        offset = without_motion(self.expression_offset[some].astype(np.float64))[0]
        # A component that moves the face by less than 0.1 mm stays at zero.
        damped = moves @ moves.T + 0.01 * len(at) * np.eye(len(moves))
        return np.linalg.solve(damped, -moves @ offset)

    def identity_offset(self, alpha: FloatArray) -> FloatArray:
        """Compute S.alpha: (..., Ks) -> (..., V, 3). Fewer than Ks numbers mean zeros for the rest."""
        return _combine(self.identity, alpha, "alpha")

    def expression_displacement(self, eta: FloatArray) -> FloatArray:
        """Compute E.eta: (..., Ke) -> (..., V, 3)."""
        return _combine(self.expression, eta, "eta")

    def vertices(self, alpha: FloatArray | None = None, eta: FloatArray | None = None) -> FloatArray:
        """Evaluate Eq. (1), (V, 3) float32 mm; with a leading batch axis on alpha or eta, (B, V, 3).

        Raises ValueError if there are more numbers than components.
        """
        out = self.neutral
        if alpha is not None:
            out = out + self.identity_offset(alpha)
        if eta is not None:
            out = out + self.expression_displacement(eta)
        return out


def _combine(basis: FloatArray, weights: FloatArray, what: str) -> FloatArray:
    weights = np.asarray(weights, np.float32)
    count = weights.shape[-1]
    if count > len(basis):
        raise ValueError(f"{what} has {count} numbers, the face model has {len(basis)} components")
    flat = basis[:count].reshape(count, 3 * basis.shape[1])
    return (weights @ flat).reshape(*weights.shape[:-1], basis.shape[1], 3)


def triangles(faces: IntArray) -> IntArray:
    """Split quads (F, 4) along their first diagonal into (T, 3); triangles (fourth corner -1) stay."""
    if faces.shape[1] == 3:
        return faces
    quads = faces[faces[:, 3] >= 0]
    return np.concatenate([faces[:, :3], quads[:, [0, 2, 3]]])


def gaze_pivot(model: FaceModel, vertices: FloatArray, side: str) -> FloatArray:
    """Return the centre of rotation (3,) of the eyeball of ``side`` (``L`` or ``R``): the mean of its vertices."""
    centre: FloatArray = vertices[model.regions[f"eyeball_{side}"]].mean(axis=0)
    return centre


def check_face_model(model: FaceModel, where: str) -> None:
    """Check shapes, indices and values. Raises InputError, one line that begins with ``where``, if they do not fit."""
    v, ks, ke = len(model.mean), len(model.identity), len(model.expression)
    for name, array, shape in (
        ("mean", model.mean, (v, 3)),
        ("expression_offset", model.expression_offset, (v, 3)),
        ("identity", model.identity, (ks, v, 3)),
        ("expression", model.expression, (ke, v, 3)),
        ("identity_sigma", model.identity_sigma, (ks,)),
        ("expression_bounds", model.expression_bounds, (ke, 2)),
        ("gaze_lids", model.gaze_lids, (4, v, 3)),
        ("average_alpha", model.average_alpha, (ks,)),
        ("uv", model.uv, (*np.shape(model.faces), 2)),
    ):
        if array is None:
            continue
        if array.shape != shape:
            raise InputError(f"{where}: {name} is {array.shape}, not {shape}; the file does not fit together")
        if not np.isfinite(array).all():
            raise InputError(f"{where}: {name} has values that are not numbers; get an intact file")
    if v == 0 or ks == 0:
        raise InputError(f"{where}: no {'identity components' if v else 'vertices'}; get an intact file")
    if model.faces.ndim != 2 or model.faces.shape[1] not in (3, 4) or len(model.faces) == 0:
        raise InputError(f"{where}: faces are {model.faces.shape}, not (F, 3) or (F, 4); get an intact file")
    if model.landmarks is not None and model.landmarks.shape != (68,):
        raise InputError(f"{where}: {len(model.landmarks)} landmarks, not 68; get an intact file")
    corners = model.faces[:, :3] if model.faces.shape[1] == 3 else model.faces[model.faces != -1]
    if model.faces.shape[1] == 4 and (model.faces[:, :3] == -1).any():
        raise InputError(f"{where}: faces with fewer than three corners; get an intact file")
    indices = {"faces": corners, **{f"region {k}": r for k, r in model.regions.items()}}
    if model.landmarks is not None:
        indices["landmarks"] = model.landmarks
    for name, index in indices.items():
        if index.size and (index.min() < 0 or index.max() >= v):
            raise InputError(f"{where}: {name} point at vertices outside 0..{v - 1}; get an intact file")
    if len(model.expression_keys) != ke:
        raise InputError(f"{where}: {len(model.expression_keys)} key names for {ke} expressions; get an intact file")
    if len(set(model.expression_keys)) != ke or not all(model.expression_keys):
        raise InputError(f"{where}: its key names are empty or not unique; get an intact file")
    if (model.expression_bounds[:, 0] > model.expression_bounds[:, 1]).any():
        raise InputError(f"{where}: a key's lower bound is above its upper bound; get an intact file")
