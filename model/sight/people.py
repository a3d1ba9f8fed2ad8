"""All people of a clip: a performance for each, through crossings, losses, cuts and leaving the picture.

``tracklets.py`` follows faces as long as there is no doubt whose they are. Here the tracklets become people. A tracklet
is split where its face becomes another person's. Ends and starts of tracklets that are close in time are assigned to
each other jointly, by place, size and identity. The chains that result are then joined over longer gaps and cuts by
identity alone. Each short tracklet is given to the person whom it clearly fits best, or left out: a few frames without
a face are better than another person's. At last the frames that do not show their person are dropped. Two
tracklets with a frame in common are never one person.

Where the estimator has a reader of people, the identity of two faces is compared by the likelihood ratio of their looks
(``PersonReader.evidence``); colours count little then, since they change where a face is half hidden. Without the
reader, colours and alpha count alike.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType

import numpy as np

from ..array_types import FloatArray, UInt8Array
from ..camera import Camera
from ..errors import InputError
from ..networks.estimate import FaceEstimate, Located, SeesFaces, together
from ..networks.person import Acquaintance
from ..opencv import cv2
from ..performance.face_performance import FacePerformance
from .batches import BEGUN, NO_PICTURE, WeightedSum, identity_weight, move_eta, nothing_seen, row_of
from .tracking import camera_of, performance_of
from .tracklets import PORTRAIT, WEIGHTS, Crowd, Search, Tracklet, looks_of
from .video import Clip

STAYS = 0.5  # seconds for which a person has to be seen
SOON = 2.5  # seconds: the longest gap over which place and size count
LOOK = 9.0  # Lab units: the usual difference between looks of one person
UNLIKE = 0.25  # 1 - cosine: the usual difference between alphas of one person from few looks
SURE_LOOKS, LEAST_SURE = 12.0, 0.4  # looks from which alpha is known well, and how well it is known from one
MOST_LOOKS = 100  # colours of a person of which the median is taken
STRANGE = 8.0  # Lab units: an end of a tracklet that differs by more from the rest may be another person's
PLACE, SLOWLY = 0.35, 0.9  # sides: how far a face is from where it was expected, at once and for each second of the gap
SIZE = 0.2  # log
MOST_PLACE = 16.0  # limit of the cost of place and size: a person may walk away behind others
LINKED, ALIKE = 9.0, 3.75  # greatest costs of two tracklets of one person: over a short gap, and by the looks alone
ALIKE_NEAR = 4.5  # the latter where place and size fit, too
USUAL, EVIDENCE = 20.0, 5.6  # of one person (``PersonReader.evidence``): how much costs 1, and how much less 1 more
HARDLY, MOST_LOOK = 0.2, 1.0  # how much and how far looks count beside that: they change where a face is half hidden
CHANGES, AROUND, BETWEEN = 0.0, 8, 2  # evidence below which a face changes, frames on both sides, and left out at it
RATHER = 5.0  # evidence in a frame by which it is rather another person's
MEETING = 3  # frames after two faces meet, in which the one that is seen may be either's
SHORT, TOO_SHORT = 6, 4  # frames: shorter tracklets are given to people last, or left out
CLEAR = 2.5  # by how much a short tracklet has to cost less with one person than with the others


@dataclass(frozen=True, eq=False)
class Person:
    """A person of a clip: the performance, and the best picture of the face, (96, 96, 3) uint8 BGR."""

    performance: FacePerformance
    portrait: UInt8Array


def perform_everyone(
    clip: Clip,
    estimator: SeesFaces,
    lens_mm: float = 50.0,
    on_frame: Callable[[int], None] = lambda done: None,
    search: Search | None = None,
) -> list[Person]:
    """Track all people through a clip and return their performances, the most prominent person first.

    Every performance has all frames of the clip. ``on_frame`` gets the number of finished frames and may raise to stop.
    Raises InputError if nobody is seen for half a second.
    """
    camera = camera_of(clip, lens_mm)
    reader = estimator.person
    crowd = Crowd(estimator.finding, camera, lambda: Acquaintance(reader) if reader else None, search)
    cuts: list[int] = []
    pictures = 0
    with _Reading(estimator, camera) as reading:
        for pictures, frame in enumerate(clip, 1):
            reading.add(frame.image, crowd.see(frame.image))
            if crowd.cut:
                cuts.append(pictures - 1)
            on_frame(pictures)
        reading.finish()
    rate = float(clip.placement().rate)
    people = lasting(joined(crowd.tracklets, rate), rate)
    if not people:
        raise InputError(f"{clip.source}: nobody is seen for half a second: use a longer clip, or larger faces")
    people.sort(key=_prominence, reverse=True)

    def performance(person: list[Tracklet]) -> FacePerformance:
        rows = np.tile(nothing_seen(len(estimator.expression_keys)), (pictures, 1))
        for tracklet in person:
            rows[tracklet.frames] = tracklet.rows
        known = _known(person)
        if known is not None:
            move_eta(rows, np.array([frame for each in person for frame in each.frames]), known)
        return performance_of(clip, estimator, rows, _alpha(person), lens_mm, cuts)

    return [Person(performance(person), portrait_of(person)) for person in people]


class _Reading:
    """The reading of all tracklets' faces in batches, in a thread of its own; use it in a ``with``."""

    def __init__(self, estimator: SeesFaces, camera: Camera) -> None:
        self._estimator = estimator
        self._camera = camera
        self._thread = ThreadPoolExecutor(1)
        self._waiting: list[tuple[UInt8Array, Tracklet, Located]] = []
        self._frames = 0
        self._begun: deque[tuple[tuple[Tracklet, ...], Future[FaceEstimate]]] = deque()

    def __enter__(self) -> _Reading:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown(cancel_futures=True)

    def add(self, image: UInt8Array, faces: Sequence[tuple[Tracklet, Located]]) -> None:
        """Add the next frame and its faces. Raises what the reading of a batch raises."""
        picture = image if self._estimator.rereads else NO_PICTURE
        self._waiting += [(picture, tracklet, own) for tracklet, own in faces]
        self._frames += 1
        if self._frames >= self._estimator.frames_at_once:
            self._begin()
        while len(self._begun) > BEGUN:
            self._take()

    def finish(self) -> None:
        """Read what is left."""
        self._begin()
        while self._begun:
            self._take()

    def _begin(self) -> None:
        self._frames = 0
        if not self._waiting:
            return
        images, tracklets, found = zip(*self._waiting, strict=True)
        cameras = [self._camera] * len(images)
        self._begun.append((tracklets, self._thread.submit(self._estimator.read, images, cameras, together(found))))
        self._waiting = []

    def _take(self) -> None:
        tracklets, reading = self._begun.popleft()
        seen = reading.result()
        weights = identity_weight(seen)
        for i, tracklet in enumerate(tracklets):
            tracklet.rows.append(row_of(seen, i))
            tracklet.alphas.add(seen.alpha[i : i + 1], weights[i : i + 1])
            if tracklet.known is not None and seen.outputs is not None:
                tracklet.known.add(seen.outputs[i : i + 1], seen.confidence[i : i + 1])


def joined(tracklets: Sequence[Tracklet], rate: float) -> list[list[Tracklet]]:
    """Join the tracklets of each person, in the order of time. ``rate`` is in frames a second."""
    tracklets = [part for tracklet in tracklets for trimmed in _trimmed(tracklet) for part in _split(trimmed)]
    long = [tracklet for tracklet in tracklets if len(tracklet.frames) >= SHORT]
    people = _reunited(_linked(long, rate))
    left = _given(people, [each for each in tracklets if TOO_SHORT <= len(each.frames) < SHORT], rate)
    people += _reunited([[tracklet] for tracklet in left])
    _cleared(people)
    return people


def lasting(people: Sequence[list[Tracklet]], rate: float) -> list[list[Tracklet]]:
    """Return the people of ``joined`` who are clearly seen for half a second, and whose alpha is known."""
    return [
        person
        for person in people
        if sum(tracklet.clear_frames() for tracklet in person) >= STAYS * rate
        and (_known(person) is not None or any(tracklet.alphas.mean.size for tracklet in person))
    ]


def _trimmed(tracklet: Tracklet) -> list[Tracklet]:
    """Cut off the ends of a tracklet in which the face does not look like the rest: there it may be another one."""
    if tracklet.met:
        tracklet.keep(range(MEETING, len(tracklet.frames)))
    if len(tracklet.frames) < 2 * SHORT:
        return [tracklet] if tracklet.frames else []
    looks = looks_of(tracklet.looks)
    away = np.sqrt(((looks - np.median(looks, axis=0)) ** 2) @ WEIGHTS)
    alike = np.flatnonzero(away < max(STRANGE, 2.0 * float(np.median(away))))
    first, last = int(alike[0]), int(alike[-1]) + 1
    parts = [tracklet.part(slice(0, first)), tracklet.part(slice(last, None))]
    if first or last < len(tracklet.frames):
        tracklet.keep(range(first, last))
    return [tracklet, *(part for part in parts if part.frames)]


def _split(tracklet: Tracklet) -> list[Tracklet]:
    """Split a tracklet where the face becomes another person's, if it does."""
    each = tracklet.look_of_each_frame
    if each is None:
        return [tracklet]
    evidence = each.evidence_of_change(AROUND, BETWEEN)[SHORT : len(tracklet.frames) - SHORT + 1]
    if not evidence.size or not evidence.min() < CHANGES:
        return [tracklet]
    near = SHORT + int(evidence.argmin())
    at = each.place_of_change(max(near - AROUND, 0), min(near + AROUND, len(tracklet.frames)))
    return [*_split(tracklet.part(slice(0, at))), *_split(tracklet.part(slice(at, None)))]


def _linked(ones: Sequence[Tracklet], rate: float) -> list[list[Tracklet]]:
    """Assign the ends of tracklets to the starts of later ones of the same shot, all of them jointly."""
    from scipy.optimize import linear_sum_assignment

    count = len(ones)
    features = [_Features.of([one]) for one in ones]
    # The second half of the columns are ends without a continuation.
    costs = np.full((count, 2 * count), 1e6)
    costs[:, count:] = LINKED
    for i, before in enumerate(ones):
        for j, after in enumerate(ones):
            gap = (after.frames[0] - before.frames[-1]) / rate
            if i != j and after.frames[0] > before.frames[-1] and gap <= SOON and before.shot == after.shot:
                unlike = features[i].unlike(features[j])
                if unlike < ALIKE_NEAR:  # nearness alone does not make two faces one person's
                    costs[i, j] = _way(before, after, rate) + unlike + 0.4 * gap
    ends, starts = linear_sum_assignment(costs)
    following = {int(i): int(j) for i, j in zip(ends, starts) if j < count and costs[i, j] < LINKED}
    result = []
    for first in sorted(set(range(count)) - set(following.values())):
        chain, at = [ones[first]], first
        while at in following:
            at = following[at]
            chain.append(ones[at])
        result.append(chain)
    return result


def _reunited(chains: list[list[Tracklet]]) -> list[list[Tracklet]]:
    """Join chains by their looks, the most alike first, while they have no frame in common."""
    groups = list(chains)
    features = [_Features.of(group) for group in groups]
    frames = [_frames(group) for group in groups]
    while True:
        best, pair = ALIKE, None
        for i in range(len(groups)):
            for j in range(i):
                if frames[i].isdisjoint(frames[j]):
                    cost = features[i].unlike(features[j])
                    if cost < best:
                        best, pair = cost, (j, i)
        if pair is None:
            return [sorted(group, key=lambda tracklet: tracklet.frames[0]) for group in groups]
        j, i = pair
        groups[j] = groups[j] + groups[i]
        features[j], frames[j] = _Features.of(groups[j]), frames[j] | frames[i]
        del groups[i], features[i], frames[i]


def _given(people: list[list[Tracklet]], short: Sequence[Tracklet], rate: float) -> list[Tracklet]:
    """Give each short tracklet to the person whom it clearly fits best. Returns those that are like nobody."""
    features = [_Features.of(person) for person in people]
    frames = [_frames(person) for person in people]
    left = []
    for tracklet in sorted(short, key=lambda each: -len(each.frames)):
        own = _Features.of([tracklet])
        costs = [
            own.unlike(features[i]) + _way_to(tracklet, person, rate)
            if frames[i].isdisjoint(tracklet.frames)
            else np.inf
            for i, person in enumerate(people)
        ]
        if not np.isfinite(costs).any():
            left.append(tracklet)
            continue
        best, second = sorted([*costs, np.inf])[:2]
        if best > LINKED:
            left.append(tracklet)
        elif second - best > CLEAR:
            i = int(np.argmin(costs))
            people[i] = sorted([*people[i], tracklet], key=lambda each: each.frames[0])
            frames[i] |= set(tracklet.frames)
    return left


def _cleared(people: Sequence[list[Tracklet]]) -> None:
    """Drop the frames of tracklets in which the face is another person's: one face slides onto another there.

    At the ends of a tracklet, frames without evidence for the person go, too.
    """
    known = [_known(person) for person in people]
    for person, own in zip(people, known, strict=True):
        others = [other for other in known if other is not None and other is not own]
        for tracklet in person:
            each = tracklet.look_of_each_frame
            if own is None or each is None:
                continue
            evidence = each.evidence_by_look(own)
            elsewhere = [each.evidence_by_look(other) for other in others]
            theirs = np.max(elsewhere, axis=0) if elsewhere else np.full_like(evidence, -np.inf)
            clear = np.flatnonzero(evidence > 0)
            wanted = theirs < evidence + RATHER
            if len(clear):
                wanted[: clear[0]] = wanted[clear[-1] + 1 :] = False
            if wanted.any() and not wanted.all():
                tracklet.keep(np.flatnonzero(wanted).tolist())


def _way_to(tracklet: Tracklet, person: Sequence[Tracklet], rate: float) -> float:
    """Return the cost of a person's way from the tracklet before this one, or to the one after it, at best."""
    before = [each for each in person if each.frames[-1] < tracklet.frames[0] and each.shot == tracklet.shot]
    after = [each for each in person if each.frames[0] > tracklet.frames[-1] and each.shot == tracklet.shot]
    ways = [_way(before[-1], tracklet, rate)] if before else []
    ways += [_way(tracklet, after[0], rate)] if after else []
    return min(ways, default=0.0)


def _frames(group: Sequence[Tracklet]) -> set[int]:
    return {frame for tracklet in group for frame in tracklet.frames}


@dataclass(frozen=True, eq=False)
class _Features:
    """What tells people apart: the median look, the number of looks, and what they tell of the person.

    ``alpha``, of unit length, serves without ``known`` and is 0 beside it.
    """

    look: FloatArray
    alpha: FloatArray
    looks: float
    known: Acquaintance | None

    @staticmethod
    def of(group: Sequence[Tracklet]) -> _Features:
        known = _known(group)
        alpha = np.zeros(1) if known is not None else _alpha(group)
        length = float(np.linalg.norm(alpha))
        looks = [look for tracklet in group for look in tracklet.looks]
        look = np.median(looks_of(looks[:: 1 + len(looks) // MOST_LOOKS]), axis=0)
        frames = float(sum(len(tracklet.frames) for tracklet in group))
        return _Features(look, alpha / length if length else alpha, frames, known)

    def unlike(self, other: _Features) -> float:
        """Return the cost of being one person: about 1 for the same person, and more than ``ALIKE`` for others."""
        look = float(((self.look - other.look) ** 2) @ WEIGHTS) / LOOK**2
        if self.known is not None and other.known is not None:
            unlike = 1 + (USUAL - self.known.evidence(other.known)) / EVIDENCE
            return max(0.0, unlike) + HARDLY * min(look, MOST_LOOK)
        if not (self.alpha.any() and other.alpha.any()):
            return look
        sure = max(min(self.looks, other.looks) / SURE_LOOKS, LEAST_SURE)
        return look + min(sure, 1.0) * (1 - float(self.alpha @ other.alpha)) / UNLIKE


def _way(before: Tracklet, after: Tracklet, rate: float) -> float:
    """Return the cost of a face's way from the end of one tracklet to the start of another."""
    frames = after.frames[0] - before.frames[-1]
    end, start = before.crops[-1], after.crops[0]
    side = float(np.sqrt(end.side * start.side))
    lead = min(frames, 0.4 * rate)
    there = np.array([start.cx - end.cx, start.cy - end.cy])
    # where the lost face would be, and where the found face would have been
    off = min(
        float(np.linalg.norm(there - lead * speed))
        for speed in (before.speed(at_end=True), after.speed(at_end=False), np.zeros(2))
    )
    place = off / side / (PLACE + SLOWLY * frames / rate)
    size = np.log(start.side / end.side) / (SIZE + 0.5 * SIZE * frames / rate)
    return float(min(place**2 + size**2, MOST_PLACE))


def _alpha(group: Sequence[Tracklet]) -> FloatArray:
    """Return one alpha from all looks at a person."""
    known = _known(group)
    if known is not None:
        return known.alpha
    sums = WeightedSum()
    for tracklet in group:
        sums.include(tracklet.alphas)
    return sums.mean if sums.mean.size else np.zeros(1)


def _known(group: Sequence[Tracklet]) -> Acquaintance | None:
    known = [tracklet.known for tracklet in group if tracklet.known is not None and tracklet.known.looks]
    return Acquaintance.together(known) if known else None


def _prominence(group: Sequence[Tracklet]) -> float:
    return sum(crop.side for tracklet in group for crop in tracklet.crops)


def portrait_of(group: Sequence[Tracklet]) -> UInt8Array:
    """Return the best picture of a person's face, (PORTRAIT, PORTRAIT, 3) uint8 BGR; without one, its colours."""
    best = max(group, key=lambda tracklet: tracklet.best)
    if best.portrait is not None:
        return best.portrait
    colours = best.looks[len(best.looks) // 2]
    blurred: UInt8Array = cv2.resize(colours, (PORTRAIT, PORTRAIT), interpolation=cv2.INTER_CUBIC)
    return blurred
