"""Make the photographic skins of the open head: ``python -m expnet.training.open_head.skins REALISM_FOLDER``.

REALISM_FOLDER holds makehuman_cc0/ (head_crops, mesh, brows); its terms are CC0 1.0. MakeHuman's base head is
registered to the open head, and each texel of the open head's own texture takes the colour of its place in MakeHuman's.
What is not skin there, or not in sight, is filled from its surroundings: eyes, nostrils, scalp, neck. Brows are
MakeHuman's, laid along the open head's brow line.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from scipy.interpolate import CubicSpline
from scipy.ndimage import map_coordinates
from scipy.spatial import cKDTree

from ...model.array_types import AnyArray, BoolArray, FloatArray, UInt8Array
from ...model.builtin import OPEN
from ...model.errors import InputError
from ...model.face.face_model import FaceModel
from ...model.files import write_whole
from ...model.formats import open_face_model
from ...model.likeness.chart import texels_in
from ..realism import makehuman
from ..realism.brows import read_brows
from ..realism.warp import place_of_vertices
from ..synthetic.realism import BROW_ACROSS, BROW_ALONG

OUT = Path(__file__).resolve().parents[2] / "model" / "data" / "skins"
SIZE = 2048  # texels of a side
JPEG_QUALITY = 90
FILLS = (3.0, 6.0, 12.0, 24.0, 48.0, 96.0, 192.0)  # texels: standard deviations of the blurs that fill
RIM_MM = 1.3  # half width of the lids' reddish edge
EYE_MM, PARTING_MM = 2.2, 1.2  # about the eyes' openings, and between the lips: not MakeHuman's colours
LIP_EDGE_MM = (-0.9, 1.1)  # about the lips' outline: where their colour begins, and is full
SCALP_MM = 22.0  # from the scalp: stubble there does not fill neck and shoulders
TORN = 2.5  # times the median of the texels on a millimetre
MIRRORED_MM = 2.0  # from a texel's place on the other side of the scalp to one with a colour
ARCH_DEGREE = 2  # of the polynomial along the middle of a brow's mask
BROW_REACH_MM = 9.0  # from the line to the last hairs
BROW_POINTS = 33  # of the curve along which a brow is laid
LINES_MM = 1.1  # between the fine lines of the lips


@dataclass(frozen=True)
class Choice:
    """The sources of a skin.

    picture   a head crop's name
    brow      number of a brow, from 0;  hair  its colour, BGR 0..255;  cover  0..1
    lips      factors of the skin's colour, BGR
    """

    picture: str
    brow: int
    hair: tuple[int, int, int]
    cover: float
    lips: tuple[float, float, float]


CHOICES = {
    "light": Choice("young_lightskinned_female_diffuse3", 1, (44, 62, 88), 0.72, (0.70, 0.62, 0.88)),
    "medium": Choice("middleage_lightskinned_male_diffuse2", 1, (30, 42, 60), 0.9, (0.74, 0.66, 0.86)),
    "dark": Choice("middleage_darkskinned_male_diffuse", 1, (16, 18, 22), 0.95, (0.95, 0.84, 0.98)),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="REALISM_FOLDER")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        for name, picture in skins(options.folder / "makehuman_cc0").items():
            file = options.out / f"{name}.jpg"
            write_whole(file, cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes())
            print(f"{file}: {file.stat().st_size / 1e6:.2f} MB")
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def skins(folder: Path) -> dict[str, UInt8Array]:
    """Return the pictures by name, (SIZE, SIZE, 3) uint8 BGR with v upwards from the last row. Raises InputError."""
    model = open_face_model(OPEN)
    other = makehuman.read_head(folder / "mesh" / "base.obj")
    at = place_of_vertices(model, other.points, other.faces, other.uv, makehuman.inner_landmarks(other.points))
    chart = _chart(model, makehuman.crop_texel(at))
    brows = read_brows(folder)
    out = {}
    for name, choice in CHOICES.items():
        crop = makehuman.read_skin(folder / "head_crops" / f"{choice.picture}.png")
        out[name] = _skin(model, chart, crop, brows[choice.brow % len(brows)], choice)[::-1]
    return out


@dataclass(frozen=True, eq=False)
class Chart:
    """What lies at the texels of the open head's texture, first row at v = 0.

    drawn (SIZE, SIZE) bool; place (SIZE, SIZE, 3) mm on the mean face; texel (SIZE, SIZE, 2) in a head crop, not a
    number where unknown.
    """

    drawn: BoolArray
    place: FloatArray
    texel: FloatArray


def _chart(model: FaceModel, texel: FloatArray) -> Chart:
    assert model.uv is not None
    values = np.concatenate([model.neutral, texel], axis=1).astype(np.float32)
    skin = np.zeros(model.vertex_count, bool)
    skin[model.regions["skin"]] = True
    chosen = np.flatnonzero(skin[model.faces].all(axis=1))
    # The unwrapped skin overlaps itself at the nostrils and behind the ears: the outer layer is drawn last.
    outward = np.hypot(model.neutral[:, 0], model.neutral[:, 2])[model.faces[chosen]].mean(axis=1)
    grid = np.full((SIZE, SIZE, 5), np.nan, np.float32)
    drawn = np.zeros((SIZE, SIZE), bool)
    stretch = _stretch(model, texel)
    torn = stretch > TORN * np.nanmedian(stretch[chosen])  # its corners are on both sides of a seam of MakeHuman's
    for face in chosen[np.argsort(outward)]:
        for corners in ((0, 1, 2), (0, 2, 3)):
            at_corners = values[model.faces[face][list(corners)]]
            if torn[face]:
                at_corners[:, 3:] = np.nan
            _draw(grid, drawn, model.uv[face][list(corners)] * SIZE - 0.5, at_corners)
    return Chart(drawn, np.nan_to_num(grid[..., :3]), grid[..., 3:])


def _stretch(model: FaceModel, texel: FloatArray) -> FloatArray:
    """Return how many texels of a head crop a millimetre of each face spans at most, by its edges; (F,)."""
    ends = model.faces, np.roll(model.faces, 1, axis=1)
    across = np.linalg.norm(texel[ends[0]] - texel[ends[1]], axis=-1)
    length = np.linalg.norm(model.neutral[ends[0]] - model.neutral[ends[1]], axis=-1)
    stretch: FloatArray = (across / np.maximum(length, 0.3)).max(axis=1)
    return stretch


def _draw(grid: FloatArray, drawn: BoolArray, p: FloatArray, values: FloatArray) -> None:
    """Draw a triangle at texels ``p`` (3, 2), half a texel wider on all sides than it is."""
    where, shares = texels_in(p, SIZE)
    r, c = np.divmod(where, SIZE)
    grid[r, c] = shares @ values
    drawn[r, c] = True


def _skin(model: FaceModel, chart: Chart, crop: UInt8Array, brow: UInt8Array, choice: Choice) -> UInt8Array:
    assert model.landmarks is not None
    marks = model.neutral[model.landmarks].astype(float)
    size = np.array(crop.shape[1::-1])
    known = np.isfinite(chart.texel).all(-1)
    texel = np.nan_to_num(chart.texel, nan=-1.0)
    known &= ((texel >= 1) & (texel <= size - 2)).all(-1)
    known = cv2.erode(known.astype(np.uint8), np.ones((7, 7))) > 0
    colours = cv2.remap(crop, texel[..., 0], texel[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    colours = colours.astype(np.float32)

    eyes = np.minimum(*(_distance(chart, np.vstack([marks[k : k + 6], marks[k]])) for k in (36, 42)))
    parting = _distance(chart, marks[[48, 60, 61, 62, 63, 64, 54]])
    nostrils = _distance_to(chart, _inside_nostrils(model), 5.0)
    lips = _lips(chart, model)
    trusted = known & chart.drawn & (eyes > EYE_MM) & (nostrils > 1.5) & (lips < 0.02)
    colours, trusted = _other_side_of_scalp(chart, model, colours, trusted)
    bare = _distance_to(chart, model.neutral[model.regions["scalp"]], SCALP_MM + 1) > SCALP_MM
    filled = _filled(colours, trusted & bare)
    sure = cv2.GaussianBlur(cv2.erode(trusted.astype(np.uint8), np.ones((5, 5))).astype(np.float32), (0, 0), 2.5)
    out = filled + (sure * trusted)[..., None] * (colours - filled)
    x, y = chart.place[..., 0], chart.place[..., 1]
    waver = 0.8 * np.sin(y) + 1.7 * np.sin(0.37 * x + 0.9) + 1.1 * np.sin(0.83 * x + 0.21 * y)  # no two lines alike
    lines = 1 + 0.02 * np.sin(2 * np.pi * x / LINES_MM + waver) * (0.5 + 0.5 * np.sin(0.61 * x - 0.45 * y))
    full = out * np.array(choice.lips, np.float32) * lines[..., None]
    out += lips[..., None] * (full - out)
    rim = np.exp(-((eyes / RIM_MM) ** 2))[..., None]
    out *= 1 - rim * (1 - np.array([0.62, 0.62, 0.78], np.float32))  # reddish and darker
    out *= 1 - 0.35 * np.exp(-((parting / 0.9) ** 2))[..., None]
    out *= 1 - 0.45 * np.exp(-((nostrils / 1.6) ** 2))[..., None]
    cover = choice.cover * _brow_cover(chart, marks, brow)[..., None]
    out += cover * (np.array(choice.hair, np.float32) - out)
    skin: UInt8Array = np.clip(np.round(out), 0, 255).astype(np.uint8)
    return skin


def _inside_nostrils(model: FaceModel) -> FloatArray:
    """Return points (n, 3) on the nostrils' faces, less than a millimetre apart."""
    corners = model.neutral[model.faces[np.isin(model.faces, model.regions["nostrils"]).all(axis=1)]]
    t = np.linspace(0, 1, 6)
    a, b = (each.ravel() for each in np.meshgrid(t, t))
    weights = np.stack([(1 - a) * (1 - b), a * (1 - b), a * b, (1 - a) * b], 1)
    points: FloatArray = (weights @ corners).reshape(-1, 3)
    return points


def _other_side_of_scalp(
    chart: Chart, model: FaceModel, colours: FloatArray, trusted: BoolArray
) -> tuple[FloatArray, BoolArray]:
    """Give texels of the scalp without a colour that of the other side's: MakeHuman's own texture has a seam there.

    Where the other side has none either, the coloured scalp continues as a reflection at its edge. Returns the colours,
    and where they are trusted now.
    """
    scalp = chart.drawn & (_distance_to(chart, model.neutral[model.regions["scalp"]], SCALP_MM) < SCALP_MM)
    missing, there = np.nonzero(scalp & ~trusted), np.nonzero(scalp & trusted)
    tree = cKDTree(chart.place[there])
    mirrored = chart.place[missing] * np.array([-1.0, 1.0, 1.0], np.float32)
    away, nearest = tree.query(mirrored)
    edge = chart.place[there][tree.query(chart.place[missing])[1]]
    reflected = tree.query(2 * edge - chart.place[missing])[1]
    found = np.where(away < MIRRORED_MM, nearest, reflected)
    colours, trusted = colours.copy(), trusted.copy()
    colours[missing] = colours[there][found]
    trusted[missing] = True
    return colours, trusted


def _filled(colours: FloatArray, keep: AnyArray) -> FloatArray:
    """Return a blur over the kept texels, with a wider kernel where few are kept."""
    keep = keep.astype(np.float32)
    mean = (colours * keep[..., None]).sum((0, 1)) / keep.sum()
    out, missing = np.zeros_like(colours), np.ones(keep.shape, np.float32)
    for sigma in FILLS:
        shrink = max(1, int(sigma / 3))  # wide blurs on smaller pictures
        small = (SIZE // shrink, SIZE // shrink)
        weight = cv2.resize(keep, small, interpolation=cv2.INTER_AREA)
        sums = cv2.resize(colours * keep[..., None], small, interpolation=cv2.INTER_AREA)
        weight, sums = (cv2.GaussianBlur(a, (0, 0), sigma / shrink) for a in (weight, sums))
        share = np.clip(weight * 4 - 0.4, 0, 1)
        blurred = sums / np.maximum(weight, 1e-4)[..., None]
        share, blurred = (cv2.resize(a, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR) for a in (share, blurred))
        share = missing * share
        out += share[..., None] * blurred
        missing = missing - share
    filled: FloatArray = out + missing[..., None] * mean
    return filled


def _lips(chart: Chart, model: FaceModel) -> FloatArray:
    """Return the coverage of the lips, 0..1: inside the landmarks' outline and in the mouth; (SIZE, SIZE) float32."""
    assert model.landmarks is not None
    marks = model.neutral[model.landmarks[48:60]].astype(float)
    a, b, c, d = (np.roll(marks, shift, axis=0)[:, None] for shift in (1, 0, -1, -2))
    t = np.linspace(0, 1, 12, endpoint=False)[None, :, None]
    outline = (b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))).reshape(-1, 3)
    near = chart.drawn & (np.abs(chart.place[..., :2] - outline[:, :2].mean(0)) < [40, 24]).all(-1)
    near &= chart.place[..., 2] > outline[:, 2].min() - 25
    scale = 16  # of the polygon's picture, per mm
    low = outline[:, :2].min(0) - 4
    size = np.ceil((outline[:, :2].max(0) + 4 - low) * scale).astype(int)
    flat = np.zeros((size[1], size[0]), np.uint8)
    cv2.fillPoly(flat, [np.round((outline[:, :2] - low) * scale).astype(np.int32)], 1)
    signed = cv2.distanceTransform(flat, cv2.DIST_L2, 5) - cv2.distanceTransform(1 - flat, cv2.DIST_L2, 5)
    column, row = ((chart.place[near][:, :2] - low) * scale).T
    inside = map_coordinates(signed / scale, [row, column], order=1, mode="nearest")
    first, last = LIP_EDGE_MM
    out = np.zeros(chart.drawn.shape, np.float32)
    share = np.clip((inside - first) / (last - first), 0, 1)
    out[near] = share * share * (3 - 2 * share)
    return out


def _distance(chart: Chart, line: FloatArray) -> FloatArray:
    """Return the distance of each texel to a polyline (n, 3), mm; (SIZE, SIZE) float32."""
    steps = np.linspace(0, 1, 24, endpoint=False)[:, None]
    points = np.concatenate([a + steps * (b - a) for a, b in zip(line, line[1:])])
    return _distance_to(chart, np.vstack([points, line[-1:]]), 12.0)


def _distance_to(chart: Chart, points: FloatArray, most: float) -> FloatArray:
    """Return the distance of each texel to the nearest of ``points`` (n, 3) mm, at most ``most``."""
    out = np.full(chart.drawn.shape, most, np.float32)
    near = chart.drawn & ((chart.place > points.min(0) - most) & (chart.place < points.max(0) + most)).all(-1)
    found = cKDTree(points).query(chart.place[near], distance_upper_bound=most)[0]
    out[near] = np.minimum(found, most)
    return out


def _brow_cover(chart: Chart, marks: FloatArray, brow: UInt8Array) -> FloatArray:
    """Return how much of each texel the brows cover, 0..1; ``brow`` is a mask along and across the line."""
    cover = np.zeros(chart.drawn.shape, np.float32)
    rows, columns = brow.shape
    arch = _arch(brow)
    for line in (marks[22:27], marks[21:16:-1]):
        flat = _rounded(line[:, :2])
        steps = np.linalg.norm(np.diff(flat, axis=0), axis=1)
        length, before = steps.sum(), np.r_[0, np.cumsum(steps)]
        box = (np.abs(chart.place[..., :2] - flat.mean(0)) < [40, 26]).all(-1)
        where = np.nonzero(chart.drawn & box & (chart.place[..., 2] > line[:, 2].min() - 18))
        points = chart.place[where][:, :2]
        best = np.full(len(points), 1e9)
        along, across = np.zeros(len(points)), np.zeros(len(points))
        for i, (a, b) in enumerate(zip(flat, flat[1:])):
            way = (b - a) / steps[i]
            t = (points - a) @ way
            inside = np.clip(t, -1e9 if i == 0 else 0, 1e9 if i == len(steps) - 1 else steps[i])
            off = points - a - inside[:, None] * way
            distance = np.linalg.norm(off, axis=1)
            closer = distance < best
            best[closer] = distance[closer]
            along[closer] = (before[i] + inside[closer]) / length
            across[closer] = (distance * np.where(off[:, 1] < 0, -1, 1))[closer]
        column = (along - BROW_ALONG[0]) / (BROW_ALONG[1] - BROW_ALONG[0]) * (columns - 1)
        row = (across - BROW_ACROSS[0]) / (BROW_ACROSS[1] - BROW_ACROSS[0]) * (rows - 1)
        row += arch(np.clip(column / (columns - 1), 0, 1)) - (rows - 1) / 2  # only the line itself has an arch
        seen = map_coordinates(brow.astype(np.float32) / 255, [row, column], order=1)
        cover[where] = np.maximum(cover[where], seen * (best < BROW_REACH_MM))
    return cover


def _arch(brow: UInt8Array) -> np.polynomial.Polynomial:
    """Return the middle row of a brow's mask, by the share of its columns from 0 to 1."""
    weights = brow.sum(0, dtype=float)
    middle = np.arange(len(brow)) @ brow / np.maximum(weights, 1)
    share = np.linspace(0, 1, brow.shape[1])
    arch: np.polynomial.Polynomial = np.polynomial.Polynomial.fit(share, middle, ARCH_DEGREE, domain=[], w=weights)
    return arch


def _rounded(line: FloatArray) -> FloatArray:
    """Return points (BROW_POINTS, 2) on the curve through a brow's landmarks (n, 2): brows have no corners."""
    along = np.r_[0, np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))]
    curve: FloatArray = CubicSpline(along, line)(np.linspace(0, along[-1], BROW_POINTS))
    return curve


if __name__ == "__main__":
    sys.exit(main())
