"""A head of another make, for tests: the open head's face as another person, in another topology, place and size.

It is laid out like BaselFaceModel_mod.mat, and of every vertex it is known where on the open head it came from.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import scipy.io
from scipy import sparse
from scipy.spatial.transform import Rotation

from expnet.model.bases.basis_fit import maps_over, point_weights, rigid_motions
from expnet.model.bases.basis_map import BasisMap
from expnet.model.bases.registration import Registration, register
from expnet.model.face.face_model import FaceModel, triangles
from expnet.model.formats import OPEN_HEAD, load_face_model, open_face_model

NECK_Y, EARS_Z, EYES_Z = -97.0, -20.0, 84.0  # what lies below and behind is cut off
SCALE, ROTATION, TRANSLATION = 1.06, Rotation.from_euler("xyz", [6, -4, 3], degrees=True), np.array([4.0, -11, 25])


@dataclass(frozen=True, eq=False)
class OtherHead:
    """A head whose keys are mixtures of the open ones.

    origin   (V', V_open) sparse: each vertex as a mixture of the open head's
    mixing   (29, 29): key j moves like the open keys times ``mixing[j]``
    rest     (29,) the open keys that its zero shows
    outside  the share of each key's energy that no open key has, without motion of the whole head
    """

    points: np.ndarray
    triangles: np.ndarray
    landmarks: np.ndarray
    origin: sparse.csr_matrix
    expression: np.ndarray
    expression_mean: np.ndarray
    mixing: np.ndarray
    rest: np.ndarray
    outside: float

    def write_mat(self, path: Path) -> Path:
        """As the ExpNet release's file: unit-norm columns, their sigmas, 1-based triangles."""
        flat = self.expression.reshape(len(self.expression), -1).T
        sigma = np.linalg.norm(flat, axis=0)
        shape = np.random.default_rng(5).normal(size=(flat.shape[0], 4)).astype(np.float32)
        fields = {
            "faces": (self.triangles + 1).astype(np.int32),
            "shapeMU": self.points.reshape(-1, 1),
            "shapePC": shape / np.linalg.norm(shape, axis=0),
            "shapeEV": np.ones((4, 1)),
            "expMU": self.expression_mean.reshape(-1, 1),
            "expPC": flat / sigma,
            "expEV": sigma[:, None],
            "outerLandmarkIndex": (self.landmarks + 1).astype(float)[:, None],
        }
        scipy.io.savemat(path, {"BFM": fields})
        return path


def make_other_head(model: FaceModel, seed: int = 0, outside: float = 0.1, sigma: float = 1.0) -> OtherHead:
    """``sigma``: how unlike the mean person it is; ``outside``: how much of its keys' energy no open key has."""
    rng = np.random.default_rng(seed)
    origin, faces = _other_topology(model, rng)
    person = model.vertices(alpha=sigma * rng.normal(size=len(model.identity))).astype(float)
    points = _placed(origin @ (person + _wave(person, rng, 2.0)))

    turn, _ = np.linalg.qr(rng.normal(size=(29, 29)))
    mixing = turn * np.geomspace(0.8, 0.35, 29)[:, None]
    inside = np.einsum("jk,kvc->jvc", mixing, model.expression.astype(float))
    strange = np.stack([_wave(model.mean.astype(float), rng, 1.0, 0.06) for _ in range(29)])
    strange *= np.sqrt((inside**2).sum(2).mean(0))[None, :, None]  # where a face moves at all
    nods = rigid_motions(model.mean.astype(float))
    strange = _outside_of(strange, np.concatenate([model.expression.astype(float), nods]), model)
    fields = inside + _at_share(strange, _outside_of(inside, nods, model), model, outside)
    rest = rng.uniform(0, 0.3, 29)
    shift = np.array([0.0, -8.0, 1.0])  # the mean expression of the Basel files carries one of this kind

    def carried(field: np.ndarray) -> np.ndarray:
        return SCALE * ROTATION.apply(origin @ field)

    expression = np.stack([carried(f) for f in fields])
    return OtherHead(
        points=points,
        triangles=faces,
        landmarks=np.asarray([_nearest(points, _placed(p)) for p in (person)[model.landmarks]]),
        origin=origin,
        expression=expression,
        expression_mean=carried(np.einsum("k,kvc->vc", rest, model.expression.astype(float))) + shift,
        mixing=mixing,
        rest=rest,
        outside=outside,
    )


def _placed(points: np.ndarray) -> np.ndarray:
    return SCALE * ROTATION.apply(points) + TRANSLATION


def _nearest(points: np.ndarray, place: np.ndarray) -> int:
    return int(((points - place) ** 2).sum(1).argmin())


def _wave(points: np.ndarray, rng: np.random.Generator, size: float, frequency: float = 0.025) -> np.ndarray:
    """Return a smooth displacement, (V, 3) mm, with waves of about a face's half."""
    out = np.zeros_like(points)
    for _ in range(6):
        phase = points @ rng.normal(0, frequency, 3) + rng.uniform(0, 6)
        out += size / 6**0.5 * np.sin(phase)[:, None] * rng.normal(size=3)
    return out


def _outside_of(fields: np.ndarray, basis: np.ndarray, model: FaceModel) -> np.ndarray:
    """Return what of the fields the basis cannot show, as the map weighs it."""
    weights = point_weights(model)[:, None]
    a, b = (basis * weights).reshape(len(basis), -1), (fields * weights).reshape(len(fields), -1)
    return fields - np.tensordot(np.linalg.solve(a @ a.T, a @ b.T).T, basis, 1)


def _at_share(fields: np.ndarray, others: np.ndarray, model: FaceModel, share: float) -> np.ndarray:
    """Return the fields so large that they are ``share`` of the energy of both together."""
    weights = point_weights(model)[:, None]

    def size(f: np.ndarray) -> np.ndarray:
        return np.linalg.norm(f * weights, axis=(1, 2))

    return fields * (np.sqrt(share / (1 - share)) * size(others) / size(fields))[:, None, None]


def _other_topology(model: FaceModel, rng: np.random.Generator) -> tuple[sparse.csr_matrix, np.ndarray]:
    """Return the dual of the subdivided face: a vertex somewhere in each triangle, a polygon around each old vertex."""
    inside = np.zeros(model.vertex_count, bool)
    # A mask has the front of the eyes behind its lids, and nothing else inside.
    for region, from_z in (("skin", EARS_Z), ("eyeball_L", EYES_Z), ("eyeball_R", EYES_Z)):
        vertices = model.regions[region]
        inside[vertices[(model.mean[vertices, 2] > from_z) & (model.mean[vertices, 1] > NECK_Y)]] = True
    faces = triangles(model.faces)
    faces = faces[inside[faces].all(axis=1)]
    mixture = sparse.identity(model.vertex_count, format="csr")
    mixture, faces = _subdivided(mixture, faces)
    shares = rng.dirichlet([3, 3, 3], len(faces))
    rows = np.repeat(np.arange(len(faces)), 3)
    origin = sparse.csr_matrix((shares.ravel(), (rows, faces.ravel())), shape=(len(faces), mixture.shape[0])) @ mixture

    following: dict[int, dict[int, tuple[int, int]]] = {}
    for index, (a, b, c) in enumerate(faces.tolist()):
        for v, start, end in ((a, b, c), (b, c, a), (c, a, b)):
            following.setdefault(v, {})[start] = (end, index)
    polygons = []
    for around in following.values():
        start = at = next(iter(around))
        ring = []
        while at in around and len(ring) < len(around):
            at, index = around[at]
            ring.append(index)
        if at == start and len(ring) == len(around):  # not at the rim
            polygons += [(ring[0], ring[i], ring[i + 1]) for i in range(1, len(ring) - 1)]
    used, out = np.unique(np.array(polygons), return_inverse=True)
    return origin[used].tocsr(), out.reshape(-1, 3).astype(np.int32)


def _subdivided(mixture: sparse.csr_matrix, faces: np.ndarray) -> tuple[sparse.csr_matrix, np.ndarray]:
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    unique, number = np.unique(edges, axis=0, return_inverse=True)
    middle = sparse.csr_matrix(
        (np.full(unique.size, 0.5), (np.repeat(np.arange(len(unique)), 2), unique.ravel())),
        shape=(len(unique), mixture.shape[0]),
    )
    n = mixture.shape[0]
    ab, bc, ca = number.reshape(3, -1) + n
    a, b, c = faces.T
    parts = ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))
    return sparse.vstack([mixture, middle @ mixture]).tocsr(), np.concatenate([np.stack(t, 1) for t in parts])


# One head and its maps for all tests: the registration takes seconds --------------------------------------------------

OPEN = load_face_model(OPEN_HEAD)


@cache
def an_other_head(outside: float = 0.1) -> OtherHead:
    """Return the same person for any ``outside``."""
    return make_other_head(OPEN, outside=outside)


def as_model(head: OtherHead) -> FaceModel:
    """As the reader of its file gives it."""
    with TemporaryDirectory() as folder:
        return open_face_model(head.write_mat(Path(folder) / "BaselFaceModel_mod.mat"))


@cache
def a_registration() -> Registration:
    return register(OPEN, as_model(an_other_head()))


@cache
def maps_to_it(outside: float = 0.1) -> tuple[BasisMap, BasisMap]:
    return maps_over(a_registration(), OPEN, as_model(an_other_head(outside)))
