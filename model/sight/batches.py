"""Reading of a followed face in batches, while the next frames are tracked."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType

import numpy as np

from ..array_types import FloatArray, IntArray, UInt8Array
from ..camera import Camera
from ..networks.estimate import FaceEstimate, Located, SeesFaces, together
from ..networks.person import Acquaintance
from ..networks.two_looks import read_with_mirror_images

BEGUN = 2  # batches that may be waiting or being read while further frames are tracked
NO_PICTURE = np.empty((0, 0, 3), np.uint8)  # in place of an image that is not needed again

OnRead = Callable[[UInt8Array, FaceEstimate | None, int], None]  # a batch's last picture, its face, frames in the batch


class ReadInBatches:
    """The reading of one face in a clip, in a thread of its own; use it in a ``with``, which ends the thread.

    ``on_read`` is called in the caller's thread after each batch.
    """

    def __init__(self, estimator: SeesFaces, camera: Camera, on_read: OnRead = lambda image, read, count: None) -> None:
        self._estimator = estimator
        self._camera = camera
        self._on_read = on_read
        self._thread = ThreadPoolExecutor(1)
        self._waiting: list[tuple[UInt8Array, Located | None]] = []  # the next batch
        self._begun: deque[_Batch] = deque()
        self._rows: list[FloatArray] = []  # one for each picture
        self._alphas = WeightedSum()
        self._known = Acquaintance(estimator.person) if estimator.person else None

    def __enter__(self) -> ReadInBatches:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown(cancel_futures=True)

    def add(self, image: UInt8Array, seen: Located | None) -> None:
        """Add the next frame and what ``Follower.see`` returned for it. Raises what the reading of a batch raises."""
        if self._waiting and not self._estimator.rereads:
            self._waiting[-1] = NO_PICTURE, self._waiting[-1][1]
        self._waiting.append((image, seen))
        if len(self._waiting) >= self._estimator.frames_at_once:
            self._begin()
        while self._begun and (len(self._begun) > BEGUN or self._begun[0].is_done):
            self._take()

    def finish(self) -> tuple[FloatArray, FloatArray]:
        """Return a row (``row_of``) for each frame, (F, …), and the face's alpha; empty where no face was seen."""
        if self._waiting:
            self._begin()
        while self._begun:
            self._take()
        rows, mean = np.array(self._rows), self._alphas.mean
        if not self._known or not mean.size:
            return rows, mean
        move_eta(rows, np.flatnonzero(rows[:, -1] > 0), self._known)
        return rows, self._known.alpha

    def _begin(self) -> None:
        """Start to read the waiting batch."""
        there = [(image, seen) for image, seen in self._waiting if seen is not None]
        reading = None
        if there:
            images, found = zip(*there, strict=True)
            cameras = [self._camera] * len(there)
            reading = self._thread.submit(
                lambda: read_with_mirror_images(self._estimator, images, cameras, together(found))
            )
        seen = tuple(seen is not None for _, seen in self._waiting)
        self._begun.append(_Batch(seen, self._waiting[-1][0], reading))
        self._waiting = []

    def _take(self) -> None:
        """Take the first batch that was begun, once it is read."""
        batch = self._begun.popleft()
        nothing, shown = nothing_seen(len(self._estimator.expression_keys)), None
        if batch.reading is None:
            self._rows += [nothing] * len(batch.seen)
        else:
            read = batch.reading.result()
            self._alphas.add(read.alpha, identity_weight(read))
            if self._known and read.outputs is not None:
                self._known.add(read.outputs, read.confidence)
            in_order = iter(range(len(read.crop)))
            self._rows += [row_of(read, next(in_order)) if seen else nothing for seen in batch.seen]
            shown = read.only(len(read.crop) - 1) if batch.seen[-1] else None
        self._on_read(batch.last_image, shown, len(batch.seen))


@dataclass(frozen=True)
class _Batch:
    """Frames that are being read: which of them show the face, the last one's picture, and the estimates of those."""

    seen: tuple[bool, ...]
    last_image: UInt8Array
    reading: Future[FaceEstimate] | None

    @property
    def is_done(self) -> bool:
        return self.reading is None or self.reading.done()


class WeightedSum:
    """A running weighted mean of rows; empty without any."""

    def __init__(self) -> None:
        self._sum, self._weight = np.zeros(0), 0.0

    def add(self, rows: FloatArray, weights: FloatArray) -> None:
        # einsum: a BLAS sums in an order that depends on its number of threads
        self._sum = np.einsum("f,fk->k", weights, rows) + (self._sum if self._sum.size else 0.0)
        self._weight += float(weights.sum())

    def include(self, other: WeightedSum) -> None:
        """Add the rows of another sum."""
        if other._sum.size:
            self._sum = other._sum + (self._sum if self._sum.size else 0.0)
            self._weight += other._weight

    @property
    def mean(self) -> FloatArray:
        return self._sum / self._weight if self._weight else self._sum


def row_of(seen: FaceEstimate, i: int) -> FloatArray:
    """Return all numbers of the i-th face, in the order of ``tracking.performance_of``."""
    crop = seen.crop[i]
    place = np.array([crop.cx, crop.cy, crop.side, crop.angle])
    hidden = np.array([np.nan]) if seen.mouth_hidden is None else seen.mouth_hidden[i : i + 1]
    pose = seen.rotation[i].ravel(), seen.translation[i]
    return np.concatenate((seen.eta[i], seen.gaze[i], *pose, place, hidden, seen.confidence[i : i + 1]))


def move_eta(rows: FloatArray, looked: IntArray, known: Acquaintance) -> None:
    """Move eta by what all looks tell together, in the ``looked``-th rows, if ``known`` has one look for each."""
    moves = known.eta_moves
    if len(moves) == len(looked):
        rows[looked, : moves.shape[1]] += moves


def nothing_seen(keys: int) -> FloatArray:
    """Return the row of a frame without a face."""
    row = np.full(keys + 2 + 9 + 3 + 4 + 1 + 1, np.nan)
    row[-1] = 0.0
    return row


def identity_weight(seen: FaceEstimate) -> FloatArray:
    """Return the weight of each of B views in the pooled alpha, (B,): a frontal face weighs most."""
    return seen.confidence * np.maximum(0.05, seen.rotation[:, 2, 2]) ** 2
