"""The face at rest, and the motion of brows: the engine's and the open head's against people's hand-set points.

It needs no weights, so it also runs alone: ``python -m expnet.training.evaluation.rest``.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ...model.array_types import FloatArray
from ...model.builtin import OPEN
from ...model.errors import InputError
from ...model.face.face_model import FaceModel
from ...model.face.semantics import OPEN_KEYS
from ...model.formats import open_face_model
from ..synthetic.realism import Realism, read_realism
from ..synthetic.shape import landmarks_of, turned_eyes
from ..synthetic.surface import Surface, build_surface
from . import hand_set
from .brow_lines import EYE_CORNERS, Lines, Places, alpha_of, brow_skin, shown
from .hand_set import heights, upright
from .section import Cell, Score, Section, Table, as_text
from .subject import Subject

PEOPLE = Path(__file__).with_name("people_at_rest.toml")  # the results of ``--real-faces``, used when it is not given
HEADS = 300
BROW_AT = (13.0, 24.0, 38.0, 52.0)  # mm from the midline
HEAD_MM = 3.0  # distance from its end at which a brow's head is measured
JAW_AT = (-26.0, -66.0, -97.0)  # mm below the eyes' line: about the cheeks, the mouth, the chin's sides
MEAN_BAR, SPREAD_BAR = 1.0, 0.25  # mm; a share of people's deviation
RAISE, LOWER, NEARER = (6.0, 8.0), (4.0, 6.0), (5.0, 8.0)  # mm: motion of people's brows at full strength
EYES = ((36, 37, 38, 39), (39, 40, 41, 36)), ((42, 43, 44, 45), (45, 46, 47, 42))  # upper and lower lids

GAP = "brows, gap between their heads"
BROW_ROWS = tuple(f"brow, height at {x:g}" for x in BROW_AT)
RAISED = {"browInnerUp": 1.0, "browOuterUp_L": 1.0, "browOuterUp_R": 1.0}
LOWERED = {"browDown_L": 1.0, "browDown_R": 1.0}

Measures = Mapping[str, float]  # of one face, in mm


@dataclass(frozen=True)
class Statistics:
    """Of some faces: mean and standard deviation of every measure, mm."""

    mean: Mapping[str, float]
    spread: Mapping[str, float]
    faces: int

    @staticmethod
    def of(faces: list[Measures]) -> Statistics:
        table = {name: np.array([face[name] for face in faces]) for name in faces[0]}
        return Statistics(
            {name: float(np.nanmean(v)) for name, v in table.items()},
            {name: float(np.nanstd(v)) for name, v in table.items()},
            len(faces),
        )


def measure(subject: Subject, real_faces: Path | None = None) -> Section:
    return of_model(subject.model, real_faces)


def of_model(
    model: FaceModel, real_faces: Path | None = None, heads: int = HEADS, realism: Realism | None = None
) -> Section:
    """``real_faces``: folder with ``neutral/`` and its .tem files; without it the numbers in people_at_rest.toml.

    With ``realism``, two of five people have photographed brows, as in pictures for training.
    """
    people = people_of(real_faces / "neutral") if real_faces else known_people()
    engine, head, moves = ours(model, heads, realism)
    return Section(
        "The face at rest",
        "Millimetres above the line through the four eye corners, with pupils 63 mm apart, seen from the front. "
        f"People: {people.faces} neutral faces with hand-set points. Engine: {engine.faces} people at rest as "
        "rendered, with the painted brows. Head: the open head as artists get it, with the same alphas and the brows "
        "of landmarks 17-26, and the eyes turned outwards by people's mean angle kappa. "
        "Spread: standard deviation between people. The height of a "
        "brow is that of its centre line. The last table shows the movement of a brow with its keys at full "
        "strength: for the engine the painted brow, with the brows drawn together; for the head the skin at the "
        "height of people's brows.",
        (*_scores("engine", people, engine), *_scores("head", people, head), *_movement_scores(moves)),
        (
            _table(people, engine, head, spread=False),
            _table(people, engine, head, spread=True),
            _movement_table(moves),
        ),
    )


@lru_cache(maxsize=4)
def ours(
    model: FaceModel, heads: int, realism: Realism | None = None
) -> tuple[Statistics, Statistics, Mapping[str, Mapping[str, float]]]:
    """Return the engine's people, the open head's, and the motion of both heads' brows; independent of the weights."""
    surface = build_surface(model, realism=realism)
    persons = [Person.drawn(surface, i) for i in tqdm(range(heads), "faces at rest", leave=False, disable=None)]
    engine = Statistics.of([p.painted for p in persons])
    head = Statistics.of([p.plain for p in persons])
    return engine, head, movements(surface, max(1, heads // 4))


# --- people ---------------------------------------------------------------------------------------------------------


def people_of(folder: Path) -> Statistics:
    """From the .tem files of a folder of neutral faces. Raises InputError."""
    return Statistics.of([of_points(hand_set.in_mm(points)) for points in hand_set.read_folder(folder).values()])


def known_people() -> Statistics:
    table = tomllib.loads(PEOPLE.read_text(encoding="utf-8"))
    rows = table["measures"]
    return Statistics({k: v[0] for k, v in rows.items()}, {k: v[1] for k, v in rows.items()}, table["people"])


def of_points(p: FloatArray) -> Measures:
    """Return the measures of a face by its hand-set points (189, 2), upright, in mm."""
    contour = [109, 110, 111, 125, 126, 127, 128, 129, 130, 131, 132, 133, 114, 113, 112]
    return {
        **dict(zip(BROW_ROWS, map(float, hand_set.brow_centres(p, BROW_AT).mean(0)), strict=True)),
        GAP: _width(p, 76, 77),
        "brows, distance of their tails": _width(p, 71, 82),
        "eye opening": float((p[list(hand_set.UPPER_LIDS), 1] - p[list(hand_set.LOWER_LIDS), 1]).mean()),
        "upper lid, height": float(p[list(hand_set.UPPER_LIDS), 1].mean()),
        "eye length": (_width(p, 18, 22) + _width(p, 23, 27)) / 2,
        "eyes, distance of the inner corners": _width(p, 22, 23),
        "nose base, height": float(p[55, 1]),
        "mouth width": _width(p, 87, 93),
        "mouth corners, height": float(p[[87, 93], 1].mean()),
        "upper lip, height of its edge": float(p[90, 1]),
        "lips' parting, height": float(p[[96, 101], 1].mean()),
        "lips, gap between them": float((p[[95, 96, 97], 1] - p[[100, 101, 102], 1]).mean()),
        "lower lip, height of its edge": float(p[106, 1]),
        "chin, height": float(p[129, 1]),
        **_jaw(p[contour]),
    }


def _width(p: FloatArray, right: int, left: int) -> float:
    return float(p[left, 0] - p[right, 0])


def _jaw(contour: FloatArray) -> Measures:
    """Width of the face at some heights, from its contour (K, 2), which runs from the subject's right to the left."""
    middle = len(contour) // 2
    right, left = contour[: middle + 1], contour[middle:]
    widths = heights(left[:, ::-1], JAW_AT) - heights(right[:, ::-1], JAW_AT)
    return {f"face, width at {y:g}": float(w) for y, w in zip(JAW_AT, widths, strict=True)}


# --- ours -----------------------------------------------------------------------------------------------------------


def of_landmarks(marks: FloatArray) -> Measures:
    """Return the same measures of a head by its 68 landmarks and two pupils (70, 3) mm."""
    p = upright(marks[:, :2], marks[68:, :2], marks[EYE_CORNERS, :2])
    brows = p[17:22] * [-1, 1], p[22:27]
    lids = np.array([[_lid(p[list(line)], abs(p[pupil, 0])) for line in eye] for eye, pupil in zip(EYES, (68, 69))])
    return {
        **_brow_measures(*brows),
        "eye opening": float((lids[:, 0] - lids[:, 1]).mean()),
        "upper lid, height": float(lids[:, 0].mean()),
        "eye length": (_width(p, 36, 39) + _width(p, 42, 45)) / 2,
        "eyes, distance of the inner corners": _width(p, 39, 42),
        "nose base, height": float(p[33, 1]),
        "mouth width": _width(p, 48, 54),
        "mouth corners, height": float(p[[48, 54], 1].mean()),
        "upper lip, height of its edge": float(p[51, 1]),
        "lips' parting, height": float(p[[62, 66], 1].mean()),
        "lips, gap between them": float((p[[61, 62, 63], 1] - p[[67, 66, 65], 1]).mean()),
        "lower lip, height of its edge": float(p[57, 1]),
        "chin, height": float(p[8, 1]),
        **_jaw(p[:17]),
    }


def _brow_measures(right: FloatArray, left: FloatArray) -> Measures:
    """Of the middle lines of both brows (K, 2), x outwards."""
    return {
        **dict(zip(BROW_ROWS, np.mean([heights(b, BROW_AT) for b in (right, left)], 0).tolist(), strict=True)),
        GAP: float(right[:, 0].min() + left[:, 0].min()),
        "brows, distance of their tails": float(right[:, 0].max() + left[:, 0].max()),
    }


def _lid(line: FloatArray, pupil: float) -> float:
    """Height of a lid (4, 2) over or under the pupil, on the cubic through its landmarks."""
    return float(np.polyval(np.polyfit(np.abs(line[:, 0]), line[:, 1], 3), pupil))


@dataclass(frozen=True, eq=False)
class Person:
    """One face at rest: ``painted`` as pictures show it, ``plain`` by alpha alone."""

    painted: Measures
    plain: Measures

    @staticmethod
    def drawn(surface: Surface, number: int) -> Person:
        marks, brows = shown(surface, number, {})
        plain = landmarks_of(surface, turned_eyes(surface, surface.model.vertices(alpha_of(surface, number))))
        nowhere = dict.fromkeys(_brow_measures(np.zeros((1, 2)), np.zeros((1, 2))), float("nan"))  # who has no brows
        return Person(
            {**of_landmarks(marks), **(_brow_measures(*brows) if brows is not None else nowhere)}, of_landmarks(plain)
        )


# --- movement -------------------------------------------------------------------------------------------------------


def movements(surface: Surface, heads: int) -> Mapping[str, Mapping[str, float]]:
    """Measure brows in mm, of the engine (mean of ``heads`` people) and of the average head: {whose: {what: mm}}."""
    rows = []
    for number in tqdm(range(heads), "brows that move", leave=False, disable=None):
        lines = [line for line in (shown(surface, number, keys)[1] for keys in ({}, RAISED, LOWERED)) if line]
        if len(lines) == 3:
            rows.append(movement(*lines))
    return {
        "engine": Statistics.of(rows).mean,
        "head": movement(*(skin_lines(surface, k) for k in ({}, RAISED, LOWERED))),
    }


def skin_lines(surface: Surface, keys: Mapping[str, float]) -> Lines:
    """Find the average head's skin at the middle of people's resting brows, when the head makes ``keys``."""
    model, people, alpha = surface.model, known_people(), surface.average_alpha
    still = model.vertices(alpha)
    marks = landmarks_of(surface, turned_eyes(surface, still))
    eyes = marks[68:, :2], marks[EYE_CORNERS, :2]
    places = Places.build(brow_skin(surface), upright(still[:, :2], *eyes), still[:, 2])
    from_midline = (people.mean[GAP] / 2, *BROW_AT[1:])  # a brow begins at its head
    line: FloatArray = np.column_stack([from_midline, [people.mean[row] for row in BROW_ROWS]])
    vertices = model.vertices(alpha, np.array([keys.get(key, 0.0) for key in OPEN_KEYS], np.float32))
    right, left = (places.on(vertices, line * [sign, 1])[:, :2] for sign in (-1, 1))
    return upright(right, *eyes) * [-1, 1], upright(left, *eyes)


def movement(rest: Lines, raised: Lines, lowered: Lines) -> Measures:
    up = np.mean([heights(b, BROW_AT) - heights(a, BROW_AT) for a, b in zip(rest, raised)], 0)
    down = [_head_height(a) - _head_height(b) for a, b in zip(rest, lowered)]
    return {
        "raise: the brow's middle rises": float(up.mean()),
        **{f"raise: rises at {x:g}": float(v) for x, v in zip(BROW_AT, up, strict=True)},
        "frown: the brow's head sinks": float(np.mean(down)),
        "frown: the heads come nearer by": _brow_measures(*rest)[GAP] - _brow_measures(*lowered)[GAP],
    }


def _head_height(line: FloatArray) -> float:
    """Of a brow's inner end, wherever that is now."""
    return float(heights(line, [line[:, 0].min() + HEAD_MM])[0])


ASKED = {
    "raise: the brow's middle rises": RAISE,
    "frown: the brow's head sinks": LOWER,
    "frown: the heads come nearer by": NEARER,
}

# --- as it reads ----------------------------------------------------------------------------------------------------


def _within(people: Statistics, mine: Statistics) -> dict[str, tuple[bool, bool]]:
    """Return whether each measure's mean and spread are like people's."""
    return {
        name: (
            abs(mine.mean[name] - mean) <= MEAN_BAR,
            abs(mine.spread[name] / people.spread[name] - 1) <= SPREAD_BAR,
        )
        for name, mean in people.mean.items()
    }


def _scores(who: str, people: Statistics, mine: Statistics) -> list[Score]:
    met = _within(people, mine)
    off = {name: abs(mine.mean[name] - mean) for name, mean in people.mean.items()}
    count, means, spreads = len(met), sum(m for m, _ in met.values()), sum(s for _, s in met.values())
    return [
        Score(f"{who}: brows, height, largest error", max(off[r] for r in BROW_ROWS), "lower", MEAN_BAR, "mm"),
        Score(f"{who}: any measure, largest error", max(off.values()), "lower", MEAN_BAR, "mm"),
        Score(f"{who}: means within {MEAN_BAR:g} mm, of {count}", float(means), "higher", count),
        Score(f"{who}: spreads within {SPREAD_BAR:.0%}, of {count}", float(spreads), "higher", count),
    ]


def _outside(value: float, span: tuple[float, float]) -> float:
    return max(span[0] - value, value - span[1], 0.0)


def _movement_scores(moves: Mapping[str, Mapping[str, float]]) -> list[Score]:
    return [
        Score(f"{who}: {what}, outside {span[0]:g} to {span[1]:g}", _outside(found[what], span), "lower", 0, "mm")
        for who, found in moves.items() for what, span in ASKED.items()
    ]  # fmt: skip


def _table(people: Statistics, engine: Statistics, head: Statistics, spread: bool) -> Table:
    of: Callable[[Statistics], Mapping[str, float]] = (lambda s: s.spread) if spread else (lambda s: s.mean)
    rows: list[tuple[Cell, ...]] = []
    for name, theirs in of(people).items():
        row: list[Cell] = [name, theirs]
        for mine in (engine, head):
            value = of(mine)[name]
            row += [value, value / theirs if spread else value - theirs]
            row.append("yes" if _within(people, mine)[name][spread] else "NO")
        rows.append(tuple(row))
    what = "ratio" if spread else "error"
    title = "Spread between people, mm" if spread else "Mean, mm"
    return Table(("", "people", "engine", what, "met", "head", what, "met"), tuple(rows), title)


def _movement_table(moves: Mapping[str, Mapping[str, float]]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for what in moves["engine"]:
        asked = "{:g} to {:g}".format(*ASKED[what]) if what in ASKED else ""
        rows.append((what, *(float(found[what]) for found in moves.values()), asked))
    return Table(("", *moves, "people"), tuple(rows), "Movement at full strength, mm")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--real-faces", type=Path, metavar="FOLDER", help="people with neutral/ and its .tem files")
    parser.add_argument("--realism", type=Path, metavar="FILE", help="photographed brows (training.realism.skins)")
    args = parser.parse_args(arguments)
    try:
        realism = read_realism(args.realism) if args.realism else None
        print(as_text(of_model(open_face_model(OPEN), args.real_faces, realism=realism)))
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
