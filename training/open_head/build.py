"""Build the open head from ICT-FaceKit's FaceXModel and write it as one face-model file.

    python -m expnet.training.open_head.build FACEXMODEL [--out model/data/open_head.npz]

FACEXMODEL is the unpacked folder or its .tar.xz. Needs bpy in this Python for one step (``remesh.py``). Prints the
figures of docs/open_head.md: variance kept, surface error against the source, lid gaps.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from ...model.array_types import AnyArray, FloatArray, IntArray
from ...model.builtin import OPEN
from ...model.face.face_model import FaceModel
from ...model.face.semantics import IBUG_MIRROR, OPEN_BASIS, OPEN_KEYS, open_bounds
from ...model.formats.npz import save_face_model
from . import brows, crowns, eyes, ict, lids, lips
from .embedding import nearest_on_triangles
from .expressions import JAW_KEYS, gaze_lids, mirror_field, open_keys
from .identity import COORDINATES, PEOPLE, alpha_of, components, principal_coordinates
from .mouth import left_gums_and_tongue, left_teeth
from .quads import Topology, mirrored, triangulated
from .regions import regions
from .skin import EYE_STEPS, MOUTH_CONTACT, MOUTH_INNER, MOUTH_STEPS, left_skin
from .uv import corner_uv

SKIN_QUADS = 2000
INNER_LIPS = (61, 62, 63, 65, 66, 67)  # landmarks, without the corners
INNER_PARTS = ("teeth_upper", "teeth_lower", "gums_upper", "gums_lower", "tongue")
DEFAULT_OUT = Path(__file__).resolve().parents[2] / "model" / "data" / "open_head.npz"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("facexmodel", type=Path)
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT)
    parser.add_argument("--new-coordinates", action="store_true", help="give alpha new axes; trained weights break")
    options = parser.parse_args()
    source = ict.read_facex(options.facexmodel)
    coordinates = None if options.new_coordinates else np.load(COORDINATES, allow_pickle=False).astype(float)
    head = learn(source, coordinates)
    if options.new_coordinates:
        np.save(COORDINATES, head.coordinates.astype(np.float32))
    save_face_model(head.model, options.out)
    size = options.out.stat().st_size / 1e6
    print(f"{options.out}: {head.model.vertex_count} vertices, {len(head.model.faces)} quads, {size:.2f} MB")
    print(f"variance of the source's heads kept by 99 components: {100 * head.variance_kept:.3f} %")
    for line in surface_report(head, source):
        print(line)


@dataclass(frozen=True)
class Head:
    """The model, and the figures of its construction for the report."""

    model: FaceModel
    topology: Topology
    lid_grid: lids.LidGrid
    coordinates: FloatArray  # (200, 99) what alpha's axes are in terms of the source's modes
    variance_kept: float


def learn(source: ict.FaceX, coordinates: FloatArray | None) -> Head:
    """Return the open head from the source; without ``coordinates`` alpha gets new axes, and no average is known."""
    average_alpha = None
    if coordinates is not None:
        with np.load(PEOPLE, allow_pickle=False) as people:
            average_alpha = people["mean"]
    skin = brows.with_brow_line(left_skin(source, SKIN_QUADS), source)
    topology = mirrored([skin, *left_teeth(source), *left_gums_and_tongue(source)], source.mirror)
    grid = lids.LidGrid(topology.marks["eye_rings"], 1 + len(EYE_STEPS))
    part = topology.part.astype(object)
    socket = topology.marks["mouth_socket"]
    part[socket] = part[topology.mirror[socket]] = "mouth_socket"

    def flip(field: FloatArray) -> FloatArray:
        return mirror_field(field, topology.mirror)

    def on_head(field: FloatArray) -> FloatArray:
        return topology.embedding(field)

    mean = on_head(source.neutral)
    mean = (mean + flip(mean)) / 2
    mean[topology.side == 0, 0] = 0
    lip_rings = topology.marks["lip_rings"]
    contact = len(MOUTH_STEPS) + 2 + MOUTH_INNER.index(MOUTH_CONTACT)
    mean += lips.resting_correction(mean, lip_rings, contact)
    eye = eyes.left_eyeball(mean[grid.rows[grid.margin + 2 : grid.margin + 5]].reshape(-1, 3))
    _keep_linings_off(mean, grid, eye)
    for teeth in ("teeth_upper", "teeth_lower"):
        rows = np.flatnonzero((part == teeth) & (topology.side == 1))
        on_source = mean[rows].reshape(-1, crowns.PER_TOOTH, 3)
        mean[rows] = crowns.row(on_source, upper=teeth == "teeth_upper").reshape(-1, 3)
    mean = np.where((topology.side == -1)[:, None], flip(mean), mean)

    expression = open_keys(source.shapes, on_head, flip)
    gaze = gaze_lids(source.shapes, on_head, flip)
    left, right = OPEN_KEYS.index("lid_L"), OPEN_KEYS.index("lid_R")
    expression[left] += lids.closing_correction(mean, expression[left], grid, eye)
    expression[right] = flip(expression[left])
    eye_line = brows.eye_line(source.neutral[source.landmarks])
    outside = np.setdiff1d(np.flatnonzero(part == "skin"), topology.marks["eye_rings"][grid.margin :])
    outside = np.setdiff1d(outside, topology.mirror[topology.marks["eye_rings"][grid.margin :]])
    brows.at_peoples_height(expression, mean, outside, eye_line, flip)
    inner = np.isin(part, INNER_PARTS)
    still = np.array([name not in JAW_KEYS for name in OPEN_KEYS])
    expression[np.ix_(still, inner)] = 0
    gaze[:, inner] = 0

    modes = on_head(source.identity)
    sclera = source.neutral[ict.SCLERA_L_VERTICES]
    sclera_centre = sclera.mean(axis=0)
    mirrored_modes = source.identity[:, source.mirror] * ict.MIRROR
    balls = [
        eyes.ball_offsets(sclera, side_modes[:, ict.SCLERA_L_VERTICES])
        for side_modes in (source.identity, mirrored_modes)
    ]
    # the right eye is handled as the left eye of the mirrored heads
    flipped = flip(modes)
    for fields, ball in zip((modes, flipped), balls):
        lids.hold_margins(fields, mean, grid, eye, partial(_ball_offsets, ball, sclera_centre))
    on_left = (topology.side == 1)[:, None]
    held = np.where(on_left, modes, np.where((topology.side == -1)[:, None], flip(flipped), modes))
    held = np.where((topology.side == 0)[:, None], on_head(source.identity), held)
    for half in (lip_rings, topology.mirror[lip_rings]):
        lips.hold_contact(held, mean, half, contact)

    body = _Body(mean, topology.faces, part, topology.mirror)
    body.add_eyes(eye)
    body.add_lashes(grid, eye)
    mean, faces, part, mirror = body.mean, body.faces, body.part, body.mirror
    expression, gaze = body.carried(expression), body.carried(gaze)
    ball_fields = [eyes.place_ball(b, eye.centre + eye.vertices - sclera_centre) for b in balls]
    modes = body.carried(held, ball_fields[0], eyes.mirrored_eye(ball_fields[1]))

    mirrored_fields = mirror_field(modes, mirror)
    if coordinates is None:
        coordinates = principal_coordinates(modes, mirrored_fields)
    identity, kept = components(coordinates, modes, mirrored_fields)
    landmarks = _landmarks(mean, expression[OPEN_KEYS.index("jawOpen")], part, mirror, source)
    brow_line = topology.marks["brow_line"]
    landmarks[17:27] = np.concatenate([mirror[brow_line[::-1]], brow_line])
    iris = body.ball_start + np.flatnonzero(eye.angles <= eyes.LIMBUS + 1e-6)
    model = FaceModel(
        name=OPEN,
        mean=mean.astype(np.float32),
        identity=identity.astype(np.float32),
        expression=expression.astype(np.float32),
        expression_offset=np.zeros(mean.shape, np.float32),
        faces=faces,
        expression_keys=OPEN_KEYS,
        expression_bounds=open_bounds(),
        basis=OPEN_BASIS,
        identity_sigma=np.sqrt((identity**2).sum(axis=2).mean(axis=1)).astype(np.float32),
        uv=corner_uv(mean, faces, part, mirror, grid.rows, lip_rings, eye.uv),
        landmarks=landmarks,
        regions=regions(mean, part, mirror, triangulated(faces), landmarks, grid, lip_rings, contact, iris),
        gaze_lids=gaze.astype(np.float32),
        average_alpha=average_alpha,
        license="MIT",
        source="learned from ICT-FaceKit, copyright 2020 USC Institute for Creative Technologies (MIT)",
    )
    return Head(model, topology, grid, coordinates, kept)


def _ball_offsets(shift_scale: FloatArray, centre: FloatArray, points: FloatArray) -> FloatArray:
    return eyes.place_ball(shift_scale, points - centre)


def _keep_linings_off(mean: FloatArray, grid: lids.LidGrid, eye: eyes.Eyeball) -> None:
    """Move vertices of the resting lids that lie in the ball to just outside it."""
    rows = grid.rows[1:]
    d = mean[rows] - eye.centre
    distance = np.linalg.norm(d, axis=-1, keepdims=True)
    floor = eyes.clearance_radius(eye, d / distance)[..., None] + eyes.CLEARANCE_MM
    mean[rows] = eye.centre + d / distance * np.maximum(distance, floor)


class _Body:
    """The head's vertices with eyeballs and lashes put behind them."""

    def __init__(self, mean: FloatArray, faces: IntArray, part: AnyArray, mirror: IntArray) -> None:
        self.mean, self.faces, self.part, self.mirror = mean, faces, part, mirror
        self.ball_start = self.lash_start = 0

    def _add_pair(self, left: FloatArray, faces: IntArray, name: str) -> int:
        start, n = len(self.mean), len(left)
        self.mean = np.concatenate([self.mean, left, left * ict.MIRROR])
        self.faces = np.concatenate([self.faces, faces + start, faces[:, ::-1] + start + n]).astype(np.int32)
        self.part = np.r_[self.part, [f"{name}_L"] * n, [f"{name}_R"] * n]
        self.mirror = np.r_[self.mirror, start + n + np.arange(n), start + np.arange(n)]
        return start

    def add_eyes(self, eye: eyes.Eyeball) -> None:
        self.ball_start = self._add_pair(eye.centre + eye.vertices, eye.faces, "eyeball")

    def add_lashes(self, grid: lids.LidGrid, eye: eyes.Eyeball) -> None:
        columns = grid.rows.shape[1]
        row = np.r_[grid.rows[grid.margin, columns // 2 :], grid.rows[grid.margin, :1]][::-1]
        vertices, faces, column, part = eyes.left_lashes(self.mean[row], eye.centre)
        self.roots = np.stack([row[column], row[column + 1]], 1), part
        self.lash_start = self._add_pair(vertices, faces, "lashes")

    def carried(
        self, field: FloatArray, left_ball: FloatArray | float = 0.0, right_ball: FloatArray | float = 0.0
    ) -> FloatArray:
        """Return a field (k, V, 3) of the head with the balls' offsets and, for lashes, those of their roots."""
        k, n = len(field), (self.lash_start - self.ball_start) // 2
        zeros = np.zeros((k, n, 3))
        (a, b), part = self.roots[0].T, self.roots[1][:, None]
        left = field[:, a] * (1 - part) + field[:, b] * part
        a, b = self.mirror[a], self.mirror[b]
        right = field[:, a] * (1 - part) + field[:, b] * part
        return np.concatenate([field, zeros + left_ball, zeros + right_ball, left, right], axis=1)


def _landmarks(mean: FloatArray, jaw_open: FloatArray, part: AnyArray, mirror: IntArray, source: ict.FaceX) -> IntArray:
    """Return the vertices nearest to the source's 68 landmarks, mirror images of each other.

    Shut lips are at the same place, so those of the inner lips are compared by their motion, too: ``jaw_open`` (V, 3)
    is the key's offset.
    """
    skin = np.flatnonzero(part == "skin")
    middle = skin[mirror[skin] == skin]
    found = np.zeros(68, np.int32)
    for k, other in enumerate(IBUG_MIRROR):
        at, opened = source.neutral[source.landmarks[k]], source.shapes["jawOpen"][source.landmarks[k]]
        near = middle if other == k else skin
        away = ((mean[near] - at) ** 2).sum(1)
        if k in INNER_LIPS:
            away += ((jaw_open[near] - opened) ** 2).sum(1)
        found[k] = near[away.argmin()]
    for k, other in enumerate(IBUG_MIRROR):
        if other != k and mean[found[k], 0] > 0:
            found[other] = mirror[found[k]]
    return found


def surface_report(head: Head, source: ict.FaceX, heads: int = 20) -> list[str]:
    """Return the distance of our surface from the source's, and the lids' gaps when closed, over random heads."""
    model = head.model
    z = np.random.default_rng(1).standard_normal((heads, ict.IDENTITIES))
    rebuilt = model.vertices(alpha_of(head.coordinates, z))
    skin = np.setdiff1d(model.regions["skin"], [*model.regions["eye_socket_L"], *model.regions["eye_socket_R"]])
    face = skin[(model.mean[skin, 2] > 20) & (model.mean[skin, 1] > -85)]
    outside = triangulated(source.faces[ict.SKIN])
    distances = []
    for one, ours in zip(z, rebuilt):
        target = source.neutral + np.tensordot(one, source.identity, 1)
        foot = nearest_on_triangles(ours[face].astype(float), target, outside)(target)
        distances.append(np.linalg.norm(foot - ours[face], axis=1))
    d = np.array(distances)
    closed = np.zeros(len(OPEN_KEYS), np.float32)
    closed[OPEN_KEYS.index("lid_L")] = 1
    shut = model.expression_displacement(closed)
    gaps = [lids.gap_mm(v + shut, head.lid_grid) for v in (model.mean, *rebuilt)]
    clearances = [
        min(_clearance(model, v + lid * shut, head.lid_grid) for lid in np.linspace(0, 1, 9))
        for v in (model.mean, *rebuilt)
    ]
    return [
        f"surface error on the face over {heads} random heads: mean {d.mean():.3f} mm, "
        f"95 % below {np.quantile(d, 0.95):.3f} mm, 99.9 % below {np.quantile(d, 0.999):.3f} mm",
        f"lid gap at lid = 1: mean face {gaps[0]:.4f} mm, largest of {heads} random heads {max(gaps[1:]):.4f} mm",
        f"lids' outside to eyeball, smallest over lid = 0..1: mean face {clearances[0]:.2f} mm, "
        f"{heads} random heads {min(clearances[1:]):.2f} mm",
    ]


def _clearance(model: FaceModel, vertices: FloatArray, grid: lids.LidGrid) -> float:
    """Return the smallest distance of the left lids' outside, margin included, to the eyeball (negative: inside)."""
    ball = model.regions["eyeball_L"]
    centre = vertices[ball].mean(axis=0)
    outside = vertices[grid.rows[2 : grid.margin + 1].ravel()] - centre
    surface = vertices[ball] - centre
    reach, distance = (np.linalg.norm(p, axis=1) for p in (surface, outside))
    near, which = cKDTree(surface / reach[:, None]).query(outside / distance[:, None], k=3)
    weight = 1 / (near + 1e-6)
    return float((distance - (reach[which] * weight).sum(axis=1) / weight.sum(axis=1)).min())


if __name__ == "__main__":
    main()
