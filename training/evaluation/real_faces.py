"""Real people: at rest, smiling, with warped brows, recognised in other pictures, and shrunk to thumbnails."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from matplotlib.figure import Figure
from tqdm import tqdm

from ...model.array_types import BoolArray, FloatArray, IntArray, UInt8Array
from ...model.camera import Crop
from ...model.errors import InputError
from ...model.face.semantics import OPEN_KEYS
from ...model.networks.estimate import FaceEstimate, SeesFaces, together
from ...model.networks.person import Acquaintance, PersonReader
from ...model.performance.hidden_mouth import SUSPECT
from ...model.sight.finder import find_faces
from ...model.sight.images import read_image
from ...model.sight.sequences import IMAGE_SUFFIXES
from ...model.sight.tracking import look
from . import hand_set
from .brow_warp import brow_height, with_brows_moved
from .finder import same_place
from .section import Cell, Plot, Score, Section, Table
from .subject import Subject

MEAN_BAR, PERSON_BAR = 0.05, 0.25  # of a key at rest
SMILE_BAR, NONE_BAR = 0.5, 0.1  # keys of a smile, and keys that are not part of it
FALSE = 0.3  # a brow key above this in a portrait counts as false
RAISES = (0, 4, 6, 8, 12, 16)  # mm by which brows are warped up
RAISE_ASKED, RAISE_BAR = 6, 0.55
LOWERED, INWARDS = 5.0, 2.5  # mm down, and each brow towards the other
FROWN_BAR = 0.6
LOW = 0.25  # of the people: those with the lowest brows
RANK_BAR, RMS_BAR = 0.9, 0.5
ROOMS = (1.0, 0.75)  # a thumbnail's width in widths of the face: from the forehead to the chin, and tighter than that
THUMBNAILS = {48: None, 38: None, 29: None, 19: 0.97, 10: 0.9}  # pixels across: share that must be found
BROWS = [i for i, key in enumerate(OPEN_KEYS) if key.startswith("brow")]
SMILES, FROWNS = ([OPEN_KEYS.index(f"{key}_{side}") for side in "LR"] for key in ("mouthSmile", "browDown"))
INNER, SNEER = OPEN_KEYS.index("browInnerUp"), OPEN_KEYS.index("noseSneer")
OUTERS = [OPEN_KEYS.index(f"browOuterUp_{side}") for side in "LR"]


@dataclass(frozen=True, eq=False)
class Person:
    """A person's neutral face.

    Holds its picture and its hand-set points (189, 2) in that picture's pixels. Holds also the path of a picture of the
    same person smiling, if there is one.
    """

    image: UInt8Array
    points: FloatArray
    smiling: Path | None


def measure(subject: Subject, folder: Path, portraits: Path | None = None) -> Section:
    """Measure the readings of real people.

    ``folder`` has ``neutral/`` (pictures and .tem files) and ``smiling/``; ``portraits`` are pictures with resting
    brows.
    """
    see = Seeing(subject.estimator)
    people = read_people(folder)
    posed = pictures_of(portraits) if portraits else []
    rest = see.all([p.image for p in people], "at rest")
    pairs = [(i, p.smiling) for i, p in enumerate(people) if p.smiling]
    smiling = see.all([read_image(path) for _, path in pairs], "smiling")
    warped = {up: see.warped(people, up) for up in RAISES}
    lowered = see.warped(people, -LOWERED, INWARDS)
    seen = see.all([read_image(path) for path in posed], "portraits") if posed else None
    everyone = np.arange(len(people))
    pictures = {
        "at rest": (rest, everyone),
        f"brows {RAISE_ASKED:+d} mm": (warped[RAISE_ASKED], everyone),
        f"brows {-LOWERED:+g} mm": (lowered, everyone),
        "smiling": (smiling, np.array([i for i, _ in pairs], int)),
    }
    reader = subject.estimator.person
    clips = read_as_clips(list(pictures.values()), reader) if reader else []
    small = found_small(people, subject.estimator)
    both = [(i, j) for j, (i, _) in enumerate(pairs) if rest.at(i) is not None and smiling.at(j) is not None]
    rest_alpha = rest.estimate.alpha[[rest.row[i] for i, _ in both]]
    smiling_alpha = smiling.estimate.alpha[[smiling.row[j] for _, j in both]]
    low = lowest(people)
    return Section(
        "Real faces",
        f"{len(people)} people photographed at rest, {len(pairs)} of them also smiling, and {len(posed)} portraits, "
        "each found and read as by `expnet estimate`. Brows are moved by a smooth warp of the neutral pictures "
        f"around hand-set points; lids and hair do not move, and no furrow is added. Low brows: the {LOW:.0%} of "
        "people with the lowest brows above their eyes. The same person: the smiling picture whose alpha is nearest "
        "to that of a face at rest. Thumbnails contain the face only, with and without the forehead. Found: the "
        "product's own search returns a crop at the same place as in the whole picture.",
        (
            *_rest_scores(rest, low),
            *_smile_scores(smiling),
            *_warp_scores(warped, lowered),
            *([Score("as a clip, at rest: largest mean of a key", _largest_mean(clips[0]), "lower")] if clips else ()),
            *(_portrait_scores(seen) if seen else ()),
            Score("the same person by alpha, rank 1", rank_one(smiling_alpha, rest_alpha), "higher", RANK_BAR),
            Score("alpha, rms", _rms(rest_alpha, smiling_alpha), "higher", RMS_BAR),
            Score("alpha, standard deviation between people", _deviation(rest_alpha, smiling_alpha), "higher"),
            *_thumbnail_scores(small),
            Score("pictures of people in which no face was found", float(rest.missed + smiling.missed), "lower", 0),
            *_mouth_scores([rest, smiling, *([seen] if seen else [])]),
        ),
        (
            _key_table(rest, smiling, seen),
            _warp_table(warped, lowered),
            *([_clip_table({what: part.eta for what, (part, _) in pictures.items()}, clips)] if clips else ()),
            _thumbnail_table(small),
        ),
        (Plot("real_brows", "Brow keys of real neutral faces whose brows are warped up", _warp_plot(warped), (6, 4)),),
    )


# --- pictures -------------------------------------------------------------------------------------------------------


def read_people(folder: Path) -> list[Person]:
    """Read the pictures with points. Raises InputError where there are none."""
    if not folder.is_dir():
        raise InputError(f"{folder}: is no folder: name the one that holds neutral/ and smiling/")
    faces = [(stem, points) for stem, points in hand_set.read_folder(folder / "neutral").items()]
    smiles = {path.stem.split("_")[0]: path for path in pictures_of(folder / "smiling")}
    people = []
    for stem, points in faces:
        image = read_image(folder / "neutral" / f"{stem}.jpg")
        scale = image.shape[1] / hand_set.ORIGINAL_WIDTH
        people.append(Person(image, points * scale, smiles.get(stem.split("_")[0])))
    return people


def pictures_of(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InputError(f"{folder}: is no folder: name one that holds pictures of faces")
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
    if not paths:
        raise InputError(f"{folder}: holds no pictures: name one that holds pictures of faces")
    return paths


def lowest(people: Sequence[Person]) -> BoolArray:
    """Which people's brows sit lowest, (N,) bool."""
    height = np.array([brow_height(p.points) for p in people])
    low: BoolArray = height <= np.quantile(height, LOW)
    return low


def thumbnail(person: Person, width: int, room: float) -> tuple[UInt8Array, Crop]:
    """Return the face alone, ``room`` of its width shown on ``width`` pixels; and the square that was cut out."""
    p = person.points
    side = room * float(np.linalg.norm(p[112] - p[109]))
    cx, cy = float(p[[109, 112], 0].mean()), float(p[129, 1]) + 0.02 * side - side / 2
    to = width / side
    matrix = np.array([[to, 0, width / 2 - 0.5 - to * cx], [0, to, width / 2 - 0.5 - to * cy]])
    large = max(1, round(side / width))  # first without loss, then averaged
    matrix = np.vstack([matrix[:1] * large, matrix[1:] * large])
    matrix[:, 2] += (large - 1) / 2
    whole = cv2.warpAffine(person.image, matrix, (width * large, width * large), borderMode=cv2.BORDER_REPLICATE)
    return cv2.resize(whole, (width, width), interpolation=cv2.INTER_AREA), Crop(cx, cy, side)


def found_small(people: Sequence[Person], estimator: SeesFaces) -> dict[int, list[float]]:
    """Map each width of a thumbnail to the share of people whose face is found at its true place, for each of ROOMS."""
    found: dict[int, list[list[float]]] = {width: [] for width in THUMBNAILS}
    for person in tqdm(people, "thumbnails", leave=False, disable=None):
        large = find_faces(person.image, estimator.finding)
        for width in THUMBNAILS if large else ():
            hits = []
            for room in ROOMS:
                small, square = thumbnail(person, width, room)
                truth = within(square, large[0].crop, width)
                crops = [face.crop for face in find_faces(small, estimator.finding)]
                hits.append(float(any(same_place(truth, crop) for crop in crops)))
            found[width].append(hits)
    nobody = np.full(len(ROOMS), np.nan)
    return {width: (np.mean(hits, 0) if hits else nobody).tolist() for width, hits in found.items()}


def within(square: Crop, crop: Crop, width: int) -> Crop:
    """Map a crop of the whole picture to the ``square`` that was cut out, shrunk to ``width`` pixels."""
    to, middle = width / square.side, (width - 1) / 2
    return Crop((crop.cx - square.cx) * to + middle, (crop.cy - square.cy) * to + middle, crop.side * to, crop.angle)


# --- what is seen ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Seen:
    """Estimates of N pictures: ``row`` (N,) of each in ``estimate``, -1 where no face was found."""

    estimate: FaceEstimate
    row: IntArray

    def at(self, picture: int) -> int | None:
        return int(self.row[picture]) if self.row[picture] >= 0 else None

    @property
    def eta(self) -> FloatArray:
        """Return the rows (M, 29) of the faces that were found."""
        return self.estimate.eta

    @property
    def missed(self) -> int:
        return int((self.row < 0).sum())

    def some(self, which: BoolArray) -> FloatArray:
        """eta of those of the pictures (N,) bool that were found."""
        rows = self.row[which]
        found: FloatArray = self.eta[rows[rows >= 0]]
        return found


@dataclass(frozen=True, eq=False)
class Seeing:
    estimator: SeesFaces

    def all(self, images: Sequence[UInt8Array], what: str) -> Seen:
        """Measure the faces of the pictures. Raises InputError where no picture shows a face."""
        estimates, row = [], []
        for image in tqdm(images, what, leave=False, disable=None):
            try:
                estimates.append(look(image, self.estimator))
                row.append(len(estimates) - 1)
            except InputError:  # no face was found
                row.append(-1)
        if not estimates:
            raise InputError(f"no face was found in any of {len(images)} pictures ({what}): name other folders")
        return Seen(together(estimates), np.array(row))

    def warped(self, people: Sequence[Person], up: float, inwards: float = 0.0) -> Seen:
        return self.all([with_brows_moved(p.image, p.points, up, inwards) for p in people], f"brows {up:+g} mm")


def read_as_clips(pictures: Sequence[tuple[Seen, IntArray]], reader: PersonReader) -> list[FloatArray]:
    """Return the rows (M, 29) of each ``Seen`` with all pictures of a person read as frames of one clip.

    The numbers beside it (N,) are the persons of its pictures.
    """
    moved = [seen.eta.copy() for seen, _ in pictures]
    for person in np.unique(np.concatenate([whose for _, whose in pictures])):
        looks = [(part, seen.row[i]) for part, (seen, whose) in enumerate(pictures)
                 for i in np.flatnonzero((whose == person) & (seen.row >= 0))]  # fmt: skip
        known = Acquaintance(reader)
        for part, row in looks:
            estimate = pictures[part][0].estimate.only(row)
            assert estimate.outputs is not None
            known.add(estimate.outputs, estimate.confidence)
        for (part, row), move in zip(looks, known.eta_moves if looks else (), strict=True):
            moved[part][row, : len(move)] += move
    return moved


def rank_one(gallery: FloatArray, probes: FloatArray) -> float:
    """Return the share of probes (N, K) whose nearest row of the gallery (N, K) is their own; NaN without any."""
    if not len(probes):
        return float("nan")
    distance = np.linalg.norm(probes[:, None] - gallery[None], axis=2)
    return float((distance.argmin(1) == np.arange(len(probes))).mean())


def _rms(*alphas: FloatArray) -> float:
    return float(np.sqrt(np.mean(np.square(np.concatenate(alphas)))))


def _deviation(*alphas: FloatArray) -> float:
    """Return ``_rms`` of what differs from the people's mean."""
    return _rms(*(alpha - alpha.mean(0) for alpha in alphas))


# --- as it reads ----------------------------------------------------------------------------------------------------


def _largest_mean(eta: FloatArray) -> float:
    return float(np.abs(eta.mean(0)).max())


def _rest_scores(rest: Seen, low: BoolArray) -> list[Score]:
    return [
        Score("at rest: largest mean of a key", _largest_mean(rest.eta), "lower", MEAN_BAR),
        Score("at rest: largest key of a person", float(np.abs(rest.eta).max()), "lower", PERSON_BAR),
        Score("at rest, low brows: browDown", float(rest.some(low)[:, FROWNS].mean()), "lower", NONE_BAR),
    ]


def _smile_scores(smiling: Seen) -> list[Score]:
    return [
        Score("smiling: smile", float(smiling.eta[:, SMILES].mean()), "higher", SMILE_BAR),
        Score("smiling: noseSneer", float(smiling.eta[:, SNEER].mean()), "lower", NONE_BAR),
        Score("smiling: browDown", float(smiling.eta[:, FROWNS].mean()), "lower", NONE_BAR),
    ]


def _warp_scores(warped: Mapping[int, Seen], lowered: Seen) -> list[Score]:
    asked, frown = warped[RAISE_ASKED].eta, float(lowered.eta[:, FROWNS].mean())
    return [
        Score(f"brows up by {RAISE_ASKED} mm: browInnerUp", float(asked[:, INNER].mean()), "higher", RAISE_BAR),
        Score(f"brows up by {RAISE_ASKED} mm: browOuterUp", float(asked[:, OUTERS].mean()), "higher"),
        Score(f"brows down and in by {LOWERED:g} mm: browDown", frown, "higher", FROWN_BAR),
    ]


def _portrait_scores(portraits: Seen) -> list[Score]:
    brows = portraits.eta[:, BROWS]
    return [
        Score("portraits: brow keys, mean", float(brows.mean()), "lower", NONE_BAR),
        Score("portraits: browDown, mean", float(portraits.eta[:, FROWNS].mean()), "lower", NONE_BAR),
        Score(f"portraits: share with a brow key above {FALSE}", float((brows > FALSE).any(1).mean()), "lower"),
        Score("portraits in which no face was found", float(portraits.missed), "lower", 0),
    ]


def _mouth_scores(seen: Sequence[Seen]) -> list[Score]:
    told = [s.estimate.mouth_hidden for s in seen if s.estimate.mouth_hidden is not None]
    what = "mouths that nothing hides: largest probability of being hidden"
    return [Score(what, float(np.concatenate(told).max()), "lower", SUSPECT)] if told else []


def _thumbnail_scores(found: Mapping[int, list[float]]) -> list[Score]:
    return [
        Score(f"thumbnails of {width} pixels, found", float(np.mean(shares)), "higher", THUMBNAILS[width])
        for width, shares in found.items()
    ]


def _thumbnail_table(found: Mapping[int, list[float]]) -> Table:
    rows: list[tuple[Cell, ...]] = [(f"{width} pixels", *shares) for width, shares in found.items()]
    return Table(
        ("", *(f"{room:g} of its width" for room in ROOMS)), tuple(rows), "Thumbnails in which a face is found"
    )


def _key_table(rest: Seen, smiling: Seen, portraits: Seen | None) -> Table:
    eta = rest.eta
    worst = np.take_along_axis(eta, np.abs(eta).argmax(0)[None], 0)[0]
    parts = [eta.mean(0), eta.std(0), worst, smiling.eta.mean(0), smiling.eta.std(0)]
    columns = ["key", "at rest, mean", "SD", "largest of a person", "smiling, mean", "SD"]
    if portraits is not None:
        parts += [portraits.eta.mean(0), (portraits.eta > FALSE).mean(0)]
        columns += ["portraits, mean", f"above {FALSE}"]
    rows: list[tuple[Cell, ...]] = [(key, *(float(part[i]) for part in parts)) for i, key in enumerate(OPEN_KEYS)]
    return Table(tuple(columns), tuple(rows), "Per key")


def _warp_table(warped: Mapping[int, Seen], lowered: Seen) -> Table:
    steps = [(f"{up:+d} mm" if up else "as they are", seen) for up, seen in warped.items()]
    rows: list[tuple[Cell, ...]] = []
    for what, seen in [*steps, (f"{-LOWERED:+g} mm, each {INWARDS:g} inwards", lowered)]:
        means = (float(seen.eta[:, keys].mean()) for keys in ([INNER], OUTERS, FROWNS))
        rows.append((what, *means, float(seen.eta[:, INNER].std())))
    columns = ("brows", "browInnerUp", "browOuterUp", "browDown", "browInnerUp, SD")
    return Table(columns, tuple(rows), "Real neutral faces, brows warped")


def _clip_table(alone: Mapping[str, FloatArray], clips: Sequence[FloatArray]) -> Table:
    keys = {"browInnerUp": [INNER], "browOuterUp": OUTERS, "browDown": FROWNS, "smile": SMILES}
    rows: list[tuple[Cell, ...]] = [
        (what, *(float(read[:, columns].mean()) for columns in keys.values() for read in (eta, clip)))
        for (what, eta), clip in zip(alone.items(), clips, strict=True)
    ]
    columns = [f"{key}{how}" for key in keys for how in ("", ", as a clip")]
    return Table(("pictures", *columns), tuple(rows), "Each person's pictures, read alone and as one clip")


def _warp_plot(warped: Mapping[int, Seen]) -> Callable[[Figure], None]:
    def draw(figure: Figure) -> None:
        axis = figure.add_subplot()
        for name, keys in (("browInnerUp", [INNER]), ("browOuterUp", OUTERS), ("browDown", FROWNS)):
            axis.plot(list(warped), [seen.eta[:, keys].mean() for seen in warped.values()], "o-", label=name)
        axis.plot([RAISE_ASKED], [RAISE_BAR], "k_", markersize=14, label="target")
        axis.set_xlabel("brows moved up, mm")
        axis.set_ylabel("mean of the key")
        axis.set_ylim(-0.1, 1.05)
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8)

    return draw
