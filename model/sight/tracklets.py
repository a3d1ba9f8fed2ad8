"""Tracking of all faces of a clip at once, as tracklets: stretches in which one face is followed without any doubt.

A tracklet ends where its face could be mistaken for another: at a loss, at a cut, where two faces meet, and where the
look of the face changes suddenly. ``people.py`` joins the tracklets of one person.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..array_types import FloatArray, UInt8Array
from ..camera import Camera, Crop
from ..networks.cutting import cut
from ..networks.estimate import FindsFaces, Located
from ..networks.person import Acquaintance
from ..opencv import cv2
from .batches import WeightedSum
from .candidates import Candidate, candidates
from .finder import FoundFace, find_faces, lies_in, same_face
from .tracking import BACK, FIND_EVERY, JUMP, LOST, NOTHING, Cuts, followed

SEARCH_SOON = 3  # frames between searches while a person has been lost for less than WAIT
WAIT = 60  # frames
LOOK_AROUND, LOOK_CELLS = 1.25, 8  # the sampled square, in sides of the crop, and its cells each way
LEAP = 0.6  # of a side, or in log size: a face that moves farther in one frame may be another one
CHANGED = 12.0  # Lab units, root mean square: a look that differs by more from the last ones may be another person
PORTRAIT = 96  # pixels
SPEED_OVER = 6  # frames over which a face's speed is taken

Search = Callable[[UInt8Array, FindsFaces, list[Crop]], list[FoundFace]]


@dataclass(eq=False)
class Tracklet:
    """A face over some frames of one shot of a clip.

    ``shot`` counts the cuts before it. ``frames`` and ``crops`` are those in which it was seen; ``looks`` are its
    colours in each of them, (CELLS, CELLS, 3) uint8 BGR. ``rows`` are the estimates, in the order of the frames.
    ``met`` says whether it begins where two faces meet. ``portrait`` is its best picture, (PORTRAIT, PORTRAIT,
    3) uint8 BGR, of quality ``best``, from the frame ``portrayed``.
    """

    shot: int
    known: Acquaintance | None = None
    frames: list[int] = field(default_factory=list)
    crops: list[Crop] = field(default_factory=list)
    looks: list[UInt8Array] = field(default_factory=list)
    rows: list[FloatArray] = field(default_factory=list)
    alphas: WeightedSum = field(default_factory=WeightedSum)
    met: bool = False
    portrait: UInt8Array | None = None
    best: float = 0.0
    portrayed: int = -1

    def speed(self, at_end: bool) -> FloatArray:
        """Return the speed of the face at its end or its start, (2,) pixels a frame."""
        part = slice(-SPEED_OVER, None) if at_end else slice(0, SPEED_OVER)
        crops, frames = self.crops[part], self.frames[part]
        if len(frames) < 3:
            return np.zeros(2)
        way = np.array([crops[-1].cx - crops[0].cx, crops[-1].cy - crops[0].cy])
        return way / (frames[-1] - frames[0])

    @property
    def look_of_each_frame(self) -> Acquaintance | None:
        """``known``, if it has one look for each frame, in their order."""
        return self.known if self.known is not None and self.known.looks == len(self.frames) else None

    def clear_frames(self) -> float:
        """Return how many frames show the face clearly. Patterns that look like a face are never clear."""
        if self.known is None:
            return len(self.frames)
        return float(np.minimum(self.known.precision(), 1).sum())

    def part(self, which: slice) -> Tracklet:
        """Return some of its frames as another tracklet, without ``alphas``; its portrait, if it is of such a frame."""
        here = self.portrayed in self.frames[which]
        return replace(
            self,
            known=self.known.part(which) if self.known is not None else None,
            frames=self.frames[which],
            crops=self.crops[which],
            looks=self.looks[which],
            rows=self.rows[which],
            alphas=WeightedSum(),
            portrait=self.portrait if here else None,
            best=self.best if here else 0.0,
        )

    def keep(self, which: Sequence[int]) -> None:
        """Drop all frames but the ``which``-th ones."""
        self.frames, self.crops = [self.frames[i] for i in which], [self.crops[i] for i in which]
        self.looks, self.rows = [self.looks[i] for i in which], [self.rows[i] for i in which]
        self.known = self.known.part(list(which)) if self.known is not None else None


@dataclass(eq=False)
class _Followed:
    """A tracklet that goes on, the crop to look at next, and its recent look."""

    tracklet: Tracklet
    crop: Crop
    look: FloatArray


@dataclass(eq=False)
class _Missing:
    """Where a face was lost: its crop, speed and frame."""

    crop: Crop
    speed: FloatArray
    since: int


_Face = tuple["_Followed | None", Located]


class Crowd:
    """Tracker of all faces, frame by frame."""

    def __init__(
        self,
        estimator: FindsFaces,
        camera: Camera,
        acquaint: Callable[[], Acquaintance | None] = lambda: None,
        search: Search | None = None,
    ) -> None:
        self.tracklets: list[Tracklet] = []
        self._estimator = estimator
        self._camera = camera
        self._acquaint = acquaint
        self._search = search or search_for_others
        self._cuts = Cuts()
        self._shot = 0
        self._active: list[_Followed] = []
        self._missing: list[_Missing] = []
        self._meeting: list[Located] = []  # the faces of this frame that are two people's
        self._frame = -1
        self.cut = False  # whether the last picture begins another shot

    def see(self, image: UInt8Array) -> list[tuple[Tracklet, Located]]:
        """Look at the next frame, (H, W, 3) uint8 BGR. Returns each face that is seen, a batch of one each."""
        self._frame += 1
        is_cut = self._cuts.is_cut(image)
        self.cut = is_cut
        if is_cut:
            self._shot += 1
            self._missing.clear()
            places = [each.crop for each in self._active]
            self._active.clear()
            seen = self._looked(image, places, BACK)
        else:
            seen = self._looked(image, [each.crop for each in self._active], NOTHING)
            for followed_face, estimate in zip(self._active, seen):
                if estimate is None:
                    self._lose(followed_face.tracklet)
        known: Sequence[_Followed | None] = self._active or [None] * len(seen)
        faces = [(who, own) for who, own in zip(known, seen) if own is not None]
        faces = self._told_apart(faces)
        faces += self._returned(image, [own for _, own in faces])
        if is_cut or self._is_time_to_search():
            faces += self._others(image, [own for _, own in faces])
        self._active = [self._kept(image, who, own) for who, own in faces]
        return [(who.tracklet, own) for who, (_, own) in zip(self._active, faces)]

    def _looked(self, image: UInt8Array, crops: list[Crop], least: float) -> list[Located | None]:
        """Look at each crop, and once more at the faces that moved; None where there is no face."""
        height, width = image.shape[:2]
        seen: list[Located | None] = [None] * len(crops)
        wanted, enough = list(range(len(crops))), least
        crops = list(crops)
        for again in (True, False):
            if not wanted:
                break
            looks = self._estimator.estimate(
                [image] * len(wanted), [crops[i] for i in wanted], [self._camera] * len(wanted)
            )
            jumped = []
            for look, i in enumerate(wanted):
                own = looks.crop[look]
                seen[i] = None
                if looks.confidence[look] < enough or not lies_in(own, width, height):
                    continue
                if again and np.abs(crops[i].offset_to(own)).max() > JUMP:
                    crops[i] = own
                    jumped.append(i)
                elif looks.confidence[look] >= LOST:
                    seen[i] = looks.only(look)
            wanted, enough = jumped, LOST
        return seen

    def _told_apart(self, faces: list[_Face]) -> list[_Face]:
        """Keep one of the faces that meet in one place, as a new tracklet: it is not known whose face it is.

        A face that leaps becomes a new tracklet, too.
        """
        kept: list[_Face] = []
        self._meeting.clear()
        for who, own in sorted(faces, key=lambda face: _leap(*face)):
            twin = next((i for i, (_, other) in enumerate(kept) if same_face(own.crop[0], other.crop[0])), None)
            if twin is not None:
                other, place = kept[twin]
                for each in (who, other):
                    if each is not None:
                        self._lose(each.tracklet)
                kept[twin] = (None, place)
                self._meeting.append(place)
            elif who is not None and _leap(who, own) > LEAP:
                kept.append((None, own))
            else:
                kept.append((who, own))
        return kept

    def _lose(self, tracklet: Tracklet) -> None:
        self._missing.append(_Missing(tracklet.crops[-1], tracklet.speed(at_end=True), self._frame - 1))

    def _returned(self, image: UInt8Array, there: list[Located]) -> list[_Face]:
        """Look for the lost faces where they would be now."""
        self._missing = [m for m in self._missing if self._frame - m.since < WAIT]
        height, width = image.shape[:2]
        crops = []
        for missing in self._missing:
            way = missing.speed * min(self._frame - missing.since, 2 * SPEED_OVER)
            crop = Crop(missing.crop.cx + way[0], missing.crop.cy + way[1], missing.crop.side, missing.crop.angle)
            if lies_in(crop, width, height) and not any(same_face(crop, own.crop[0]) for own in there):
                crops.append(crop)
        found: list[Located] = []
        for own in self._looked(image, crops, BACK):
            if own is None or own.confidence[0] < BACK:
                continue
            if not any(same_face(own.crop[0], other.crop[0]) for other in (*there, *found)):
                found.append(own)
        self._missing = [m for m in self._missing if not any(_is_near(m.crop, own.crop[0]) for own in found)]
        return [(None, own) for own in found]

    def _is_time_to_search(self) -> bool:
        return self._frame % (SEARCH_SOON if self._missing else FIND_EVERY) == 0

    def _others(self, image: UInt8Array, there: list[Located]) -> list[_Face]:
        """Search for the faces that are not ``there`` yet."""
        found = self._search(image, self._estimator, [own.crop[0] for own in there])
        if not found and not self._frame:
            found = find_faces(image, self._estimator)
        seen = [own for own in self._looked(image, [face.crop for face in found], NOTHING) if own is not None]
        new: list[Located] = []
        for own in seen:
            if not any(same_face(own.crop[0], other.crop[0]) for other in (*there, *new)):
                new.append(own)
        return [(None, own) for own in new]

    def _kept(self, image: UInt8Array, who: _Followed | None, own: Located) -> _Followed:
        """Add the estimate to its tracklet, or to a new one."""
        crop = own.crop[0]
        colours = colours_of(image, crop)
        look = looks_of([colours])[0]
        if who is not None and distance(look, who.look) > CHANGED:
            who = None
        if who is None:
            who = _Followed(Tracklet(self._shot, self._acquaint()), crop, look)
            who.tracklet.met = any(own is place for place in self._meeting)
            self.tracklets.append(who.tracklet)
        else:
            who.crop = followed(who.crop, crop)
        tracklet = who.tracklet
        tracklet.frames.append(self._frame)
        tracklet.crops.append(crop)
        tracklet.looks.append(colours)
        who.look = 0.93 * who.look + 0.07 * look
        _portray(tracklet, image, own)
        return who


def search_for_others(image: UInt8Array, estimator: FindsFaces, there: list[Crop]) -> list[FoundFace]:
    """Find the faces of an image (H, W, 3) uint8 BGR that are not ``there``, fast enough for clips."""

    def propose(image: UInt8Array, side: int, least: float) -> list[Candidate]:
        return [c for c in candidates(image, side, least) if not any(_is_near(crop, c.crop) for crop in there)]

    return find_faces(image, estimator, thorough=False, propose=propose)


def colours_of(image: UInt8Array, crop: Crop) -> UInt8Array:
    """Return the colours of a face and its surroundings, (CELLS, CELLS, 3) uint8 BGR."""
    around = Crop(crop.cx, crop.cy, crop.side * LOOK_AROUND, crop.angle)
    small = cut(image, around, 3 * LOOK_CELLS)
    cells: UInt8Array = cv2.resize(small, (LOOK_CELLS, LOOK_CELLS), interpolation=cv2.INTER_AREA)
    return cells


def looks_of(colours: Sequence[UInt8Array]) -> FloatArray:
    """Return the looks (N, CELLS * CELLS * 3) float32, Lab, of N faces' colours."""
    pixels = np.asarray(colours, np.float32).reshape(-1, 1, 3) / 255
    looks: FloatArray = cv2.cvtColor(pixels, cv2.COLOR_BGR2Lab).reshape(len(colours), -1)
    return looks


def _weights() -> FloatArray:
    """Return the weight of each number of a look: the face counts, the hair little, the background nothing."""
    cells = (np.arange(LOOK_CELLS) + 0.5) / LOOK_CELLS - 0.5
    away = np.hypot(cells[None], 0.85 * (cells[:, None] + 0.03)) * LOOK_AROUND
    shares = np.clip((0.42 - away) / 0.15, 0, 1)
    shares = np.repeat(shares[..., None], 3, 2) * [0.5, 1.0, 1.0]  # light changes with the place more than colour
    weights: FloatArray = (shares / shares.sum()).ravel().astype(np.float32)
    return weights


WEIGHTS = _weights()


def distance(a: FloatArray, b: FloatArray) -> float:
    """Return how far two looks are apart, Lab units, root mean square."""
    return float(np.sqrt(((a - b) ** 2) @ WEIGHTS))


def _leap(who: _Followed | None, own: Located) -> float:
    """Return how far a face has moved since the last frame, in sides or log size."""
    return float(np.abs(who.crop.offset_to(own.crop[0])[:3]).max()) if who is not None else 1.0


def _is_near(a: Crop, b: Crop) -> bool:
    return float(np.hypot(a.cx - b.cx, a.cy - b.cy)) < 0.5 * max(a.side, b.side)


def _portray(tracklet: Tracklet, image: UInt8Array, own: Located) -> None:
    """Keep the picture of the face that is the largest and surest so far."""
    quality = float(own.confidence[0] * min(own.crop[0].side / PORTRAIT, 1.0))
    if tracklet.portrait is None or quality > 1.05 * tracklet.best:
        crop = own.crop[0]
        tracklet.best, tracklet.portrayed = quality, tracklet.frames[-1]
        tracklet.portrait = cut(image, Crop(crop.cx, crop.cy, 1.1 * crop.side, crop.angle), PORTRAIT)
