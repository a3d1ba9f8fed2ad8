"""What all looks at one person tell together: alpha, and the error that their readings of eta share.

The network's own alpha comes from one picture, and its errors are the same in all pictures of a person, so a mean
over views gains little. Here each look gives a linear reading of alpha from all outputs of the network. The readings
of a clip are combined by a Gaussian model: alpha varies by 1 around people's mean, a person's mean reading by
``spread`` around the prediction from alpha, and a single reading by 1 more (both diagonal in the coordinates of the
reading). Each look has its own precision. The same outputs tell whether a hand or a thing hides the mouth.

A picture leaves open whether its brows are raised or high at rest, and the answer is the same in all pictures of a
person. So the mean look of a clip tells a part of the error of every frame: one offset of eta as read, before the
responses.

``training.person`` learns the reader for one set of weights, then ``training.hidden_mouth`` what hides a mouth and
``training.offset`` the offset of eta. It is kept in their file as tensors named ``person.…``. Needs numpy only: both
engines use it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..array_types import FloatArray, IntArray
from .architectures import split_outputs
from .responses import Responses
from .weights.weights_file import check_shapes

MOST_LOOKS = 24.0  # upper limit of the counted looks: frames close together are not independent
INDEPENDENT = 2.0  # the same where people are compared: looks of a clip share an expression, light and pose
LEAST_LOOKS = 1e-3  # a look without confidence says nothing
TOGETHER = 64  # looks that are read at once
FARTHEST = 5.0  # deviations from its mean at which an input is clipped
PRECISION = 0.02, 50.0  # bounds for one look
# The network's outputs that are read besides the points. ``face`` goes into the weights.
READ = ("eta", "gaze", "crop", "alpha", "eta_log_variance")
POINTS = ("landmarks", "points")
COLUMNS = range(6)  # of the rotation
HIDDEN = "hidden.weight"
OFFSET = "offset.weight"
PEOPLES_MEAN = "alpha.bias"
MOST_LOGIT = 30.0


@dataclass(frozen=True, eq=False)
class PersonReader:
    """The trained reader of alpha, for N inputs and Ks components.

    ``tensors`` by name:

    mean, deviation      (N,) of the inputs
    reading.weight       (Ks, N), reading.bias (Ks,): normal inputs to a reading
    precision.weight     (1, N), precision.bias (1,): to the logarithm of its precision, on average 0
    spread               (Ks,) variances of people's mean readings, in units of a single look's
    alpha.weight         (Ks, Ks): readings to alpha;  alpha.bias (Ks,) the mean alpha of people; older weights, whose
                         people are spread around 0, lack it
    hidden.weight        (1, N), hidden.bias (1,): normal inputs to the logit of a hidden mouth; older weights lack them
    offset.weight        (Ke, N), offset.bias (Ke,): the mean of a person's normal inputs to what their eta as read
                         lacks, the same in all looks; older weights lack them

    ``widths`` of a network's outputs by name, in their order. ``responses`` from eta as read to eta as shown.
    """

    tensors: Mapping[str, FloatArray]
    widths: Mapping[str, int]
    responses: Responses | None = None

    @staticmethod
    def of(path: str | Path, tensors: Mapping[str, FloatArray], widths: Mapping[str, int]) -> PersonReader | None:
        """Build the reader from ``weights_file.load_all``, without responses; None where the file has none.

        Raises InputError for tensors of other shapes than a network with such outputs needs.
        """
        if not tensors:
            return None
        wanted = shapes(widths)
        for part in ("hidden.", "offset."):
            if part + "weight" not in tensors:
                wanted = {name: shape for name, shape in wanted.items() if not name.startswith(part)}
        if PEOPLES_MEAN not in tensors:
            del wanted[PEOPLES_MEAN]
        check_shapes(path, tensors, wanted)
        return PersonReader(tensors, widths)

    def readings(self, outputs: FloatArray) -> FloatArray:
        """Return readings and precision of B looks, (B, Ks + 1) float32.

        ``outputs`` are all outputs of the network side by side.
        """
        return self.readings_of(self._inputs(outputs))

    def mouth_hidden(self, outputs: FloatArray) -> FloatArray | None:
        """Return the probability (B,) that something hides the mouth; None from weights that do not tell it."""
        return self.mouth_hidden_of(self._inputs(outputs)) if HIDDEN in self.tensors else None

    def mouth_hidden_of(self, read: FloatArray) -> FloatArray:
        """Return the same for ``inputs``, (B, N), from weights that tell it."""
        logit = _product(self.normal(read), self.tensors[HIDDEN]) + self.tensors["hidden.bias"]
        probability: FloatArray = 1 / (1 + np.exp(-np.clip(logit[:, 0], -MOST_LOGIT, MOST_LOGIT)))
        return probability

    def offsets(self, outputs: FloatArray) -> FloatArray:
        """Return the offset that each look tells, and its eta as read, (B, 2, Ke) float32.

        The offset of several looks is their mean. Empty, (B, 2, 0), from weights that do not tell it.
        """
        if OFFSET not in self.tensors:
            return np.empty((len(outputs), 2, 0), np.float32)
        told, eta = self.offsets_of(self._inputs(outputs)), split_outputs(outputs, self.widths)["eta"]
        both: FloatArray = np.stack([told, eta], 1).astype(np.float32)
        return both

    def offsets_of(self, read: FloatArray) -> FloatArray:
        """Return the offset (B, Ke) that each of ``inputs``, (B, N), tells, from weights that tell it."""
        told: FloatArray = _product(self.normal(read), self.tensors[OFFSET]) + self.tensors["offset.bias"]
        return told

    def shown(self, eta: FloatArray) -> FloatArray:
        """Return eta (B, Ke) as shown, from eta as read."""
        return self.responses(eta) if self.responses is not None else eta

    def _inputs(self, outputs: FloatArray) -> FloatArray:
        return inputs(split_outputs(outputs, self.widths))

    def normal(self, read: FloatArray) -> FloatArray:
        """Return ``inputs``, (B, N), in deviations from their mean."""
        normal: FloatArray = np.clip((read - self.tensors["mean"]) / self.tensors["deviation"], -FARTHEST, FARTHEST)
        return normal

    def readings_of(self, read: FloatArray) -> FloatArray:
        """Return the same for ``inputs``, (B, N)."""
        t, normal = self.tensors, self.normal(read)
        readings = _product(normal, t["reading.weight"]) + t["reading.bias"]
        precision = np.exp(_product(normal, t["precision.weight"]) + t["precision.bias"])
        out: FloatArray = np.concatenate([readings, np.clip(precision, *PRECISION)], 1).astype(np.float32)
        return out

    def alpha(self, readings: FloatArray, weights: FloatArray) -> FloatArray:
        """Return alpha (Ks,), sigma, from F looks' readings.

        ``weights`` (F,) from 0 to 1 are the looks' weights; some are positive.
        """
        mean, looks = self.mean(readings, weights)
        alpha: FloatArray = self._alpha_of(mean[None], np.array([looks]))[0]
        return alpha

    def alpha_by_look(self, outputs: FloatArray) -> FloatArray:
        """Return alpha (B, Ks), sigma, from each of B looks alone, given all outputs of the network."""
        readings = self.readings(outputs)
        return self._alpha_of(readings[:, :-1], np.minimum(readings[:, -1], MOST_LOOKS))

    def _alpha_of(self, means: FloatArray, looks: FloatArray) -> FloatArray:
        """Return the alphas (B, Ks) of mean readings (B, Ks) that are worth so many looks (B,)."""
        alpha: FloatArray = _product(means / (self._spread + 1 / looks[:, None]), self.tensors["alpha.weight"])
        return alpha + self.tensors.get(PEOPLES_MEAN, np.zeros(alpha.shape[1]))

    def mean(self, readings: FloatArray, weights: FloatArray) -> tuple[FloatArray, float]:
        """Return the mean reading (Ks,) of F looks, and how many looks of usual precision it is worth."""
        precision = readings[:, -1].astype(np.float64) * weights
        total = float(precision.sum())
        return np.einsum("f,fk->k", precision, readings[:, :-1]) / total, min(total, MOST_LOOKS)

    def evidence(
        self, a: FloatArray, looks_a: FloatArray | float, b: FloatArray, looks_b: FloatArray | float
    ) -> FloatArray:
        """Return the logarithm of how much likelier mean readings are for one person than for two, (…).

        Positive for one person. ``a`` and ``b`` (…, Ks) are mean readings of ``looks_a`` and ``looks_b`` (…) looks. It
        is the ratio of likelihoods of the Gaussian model (probabilistic linear discriminant analysis, Prince and Elder
        2007). More looks than ``INDEPENDENT`` count as so many: a change of the expression would soon weigh more than
        any difference of people.
        """
        spread = self._spread
        var_a, var_b = (
            spread + 1 / np.clip(looks, LEAST_LOOKS, INDEPENDENT)[..., None] for looks in (looks_a, looks_b)
        )
        apart = a**2 / var_a + b**2 / var_b + np.log(var_a * var_b)
        left = var_a * var_b - spread**2
        joint = (var_b * a**2 - 2 * spread * a * b + var_a * b**2) / left + np.log(left)
        evidence: FloatArray = (apart - joint).sum(-1) / 2
        return evidence

    @property
    def _spread(self) -> FloatArray:
        spread: FloatArray = np.maximum(self.tensors["spread"], 0).astype(np.float64)
        return spread


class Acquaintance:
    """Accumulator of the readings of one person's looks, 640 bytes each."""

    def __init__(self, reader: PersonReader) -> None:
        self._reader = reader
        self._waiting: list[FloatArray] = []
        self._readings: list[FloatArray] = []
        self._offsets: list[FloatArray] = []
        self._weights: list[FloatArray] = []
        self._mean_of_all: tuple[FloatArray, float] | None = None

    def add(self, outputs: FloatArray, weights: FloatArray) -> None:
        """Add the network's outputs (B, N) for some looks, and their weights (B,)."""
        self._mean_of_all = None
        self._waiting.append(outputs)
        self._weights.append(weights)
        if len(self._waiting) == TOGETHER:
            self._read()

    @property
    def alpha(self) -> FloatArray:
        """Return alpha (Ks,) after one look or more."""
        self._read()
        return self._reader.alpha(np.concatenate(self._readings), np.concatenate(self._weights))

    @property
    def eta_moves(self) -> FloatArray:
        """Return by how much eta as shown moves in each look for the offset of all, (F, Ke).

        Empty, (F, 0), from weights that do not tell an offset.
        """
        self._read()
        told, eta = np.concatenate(self._offsets).astype(np.float64).transpose(1, 0, 2)
        weights = np.concatenate(self._weights)
        if not told.size or not weights.any():
            return np.zeros_like(told)
        offset = np.einsum("f,fk->k", weights, told) / weights.sum()
        return self._reader.shown(eta + offset) - self._reader.shown(eta)

    def evidence(self, other: Acquaintance) -> float:
        """Return ``PersonReader.evidence`` of these looks and the others', after one look or more at each."""
        return float(self._reader.evidence(*self._mean(), *other._mean()))

    def evidence_by_look(self, other: Acquaintance) -> FloatArray:
        """Return the same for each of these looks alone, (F,)."""
        self._read()
        readings = np.concatenate(self._readings).astype(np.float64)
        return self._reader.evidence(readings[:, :-1], self.precision(), *other._mean())

    def evidence_of_change(self, around: int, between: int) -> FloatArray:
        """Return ``evidence`` that the face stays one person's at each look, (F,).

        It compares the ``around`` looks that end ``between`` looks before it with as many that begin so many after it;
        NaN where either side has none.
        """
        sums, totals = self._sums()
        count = len(totals) - 1
        at = np.arange(count)

        def mean(first: IntArray, last: IntArray) -> tuple[FloatArray, FloatArray]:
            looks = totals[last] - totals[first]
            return (sums[last] - sums[first]) / np.maximum(looks, LEAST_LOOKS)[:, None], looks

        before = mean(np.clip(at - between - around, 0, count), np.clip(at - between, 0, count))
        after = mean(np.clip(at + between, 0, count), np.clip(at + between + around, 0, count))
        there = (at > between) & (at + between < count)
        return np.where(there, self._reader.evidence(*before, *after), np.nan)

    def place_of_change(self, first: int, last: int) -> int:
        """Return the look between ``first`` and ``last`` from which on the looks of this range differ most."""
        sums, totals = (each[first : last + 1] - each[first] for each in self._sums())
        before, after = totals[1:-1, None], totals[-1] - totals[1:-1, None]
        apart = sums[1:-1] / before - (sums[-1] - sums[1:-1]) / after
        weight = (before * after)[:, 0] / totals[-1]
        return first + 1 + int((weight * (apart**2).sum(1)).argmax())

    def _sums(self) -> tuple[FloatArray, FloatArray]:
        """Return the sums of the readings of the first looks, of none, one, two … (F + 1, Ks), and of their weights."""
        self._read()
        precision = np.maximum(self.precision(), LEAST_LOOKS)
        sums = np.cumsum(precision[:, None] * np.concatenate(self._readings)[:, :-1], 0)
        return np.pad(sums, ((1, 0), (0, 0))), np.pad(np.cumsum(precision), (1, 0))

    @property
    def looks(self) -> int:
        """Return the number of looks."""
        self._read()
        return sum(map(len, self._readings))

    def precision(self) -> FloatArray:
        """Return the weighted precision of each look, (F,); 1 is usual."""
        self._read()
        if not self._readings:
            return np.zeros(0)
        precision: FloatArray = np.concatenate(self._readings)[:, -1] * np.concatenate(self._weights)
        return precision

    def part(self, which: slice | list[int]) -> Acquaintance:
        """Return some of the looks, in their order."""
        self._read()
        part = Acquaintance(self._reader)
        if self._readings:
            part._readings = [np.concatenate(self._readings)[which]]
            part._offsets = [np.concatenate(self._offsets)[which]]
            part._weights = [np.concatenate(self._weights)[which]]
        return part

    def _mean(self) -> tuple[FloatArray, float]:
        """Return ``PersonReader.mean`` of the looks, computed once: everyone is compared with everyone."""
        if self._mean_of_all is None:
            self._read()
            self._mean_of_all = self._reader.mean(np.concatenate(self._readings), np.concatenate(self._weights))
        return self._mean_of_all

    @staticmethod
    def together(parts: Sequence[Acquaintance]) -> Acquaintance:
        """Return the looks of several parts of a clip as one person's."""
        whole = Acquaintance(parts[0]._reader)
        for part in parts:
            part._read()
            whole._readings += part._readings
            whole._offsets += part._offsets
            whole._weights += part._weights
        return whole

    def _read(self) -> None:
        if self._waiting:
            outputs = np.concatenate(self._waiting)
            self._readings.append(self._reader.readings(outputs))
            self._offsets.append(self._reader.offsets(outputs))
            self._waiting.clear()


def _product(rows: FloatArray, weight: FloatArray) -> FloatArray:
    """Multiply rows (B, N) by a weight (K, N).

    A BLAS sums in another order with another number of threads; a shot is to be the same on every machine of a farm.
    """
    product: FloatArray = np.einsum("bn,kn->bk", rows, weight)
    return product


def shapes(widths: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    """Return the tensors' names and shapes for a network with such outputs."""
    read, alpha = len(COLUMNS) + sum(widths.get(name, 0) for name in (*READ, *POINTS)), widths["alpha"]
    return {
        "mean": (read,),
        "deviation": (read,),
        "reading.weight": (alpha, read),
        "reading.bias": (alpha,),
        "precision.weight": (1, read),
        "precision.bias": (1,),
        "spread": (alpha,),
        "alpha.weight": (alpha, alpha),
        PEOPLES_MEAN: (alpha,),
        HIDDEN: (1, read),
        "hidden.bias": (1,),
        OFFSET: (widths["eta"], read),
        "offset.bias": (widths["eta"],),
    }


def inputs(outputs: Mapping[str, FloatArray]) -> FloatArray:
    """Return the reader's inputs, (B, N) float32, from a network's ``outputs``.

    The outputs are named as in ``architectures.output_widths``, each (B, width), with ``points`` (B, 2 P) in the unit
    crop where there are any. Points and the rotation are relative to the face's own upright crop.
    """
    six = outputs["rotation"]
    x = six[:, :3] / np.linalg.norm(six[:, :3], axis=1, keepdims=True)
    y = six[:, 3:] - (x * six[:, 3:]).sum(1, keepdims=True) * x
    y = y / np.linalg.norm(y, axis=1, keepdims=True)
    lean = np.arctan2(y[:, 0], y[:, 1])[:, None]
    cos, sin = np.cos(lean), np.sin(lean)
    rows = [outputs[name] for name in READ]
    rows += [np.concatenate([cos * v[:, :1] - sin * v[:, 1:2], sin * v[:, :1] + cos * v[:, 1:2], v[:, 2:]], 1)
             for v in (x, y)]  # fmt: skip
    scale = np.exp(np.clip(outputs["crop"][:, 2:3], -1, 1))
    for name in POINTS:
        if name in outputs:
            points = outputs[name].reshape(len(six), -1, 2) - 0.5 - outputs["crop"][:, None, :2]
            right, down = points[..., 0], points[..., 1]
            rows += [(cos * right + sin * down) / scale, (cos * down - sin * right) / scale]
    return np.concatenate(rows, 1).astype(np.float32)
