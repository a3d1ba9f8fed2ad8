"""A classifier of emotions that ``expnet research emotions --save`` trained, as a file without pickles. numpy only.

One support vector machine for each emotion against all others, over standardised coefficients.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..array_types import AnyArray, FloatArray
from ..errors import InputError
from ..files import write_whole
from ..npz_arrays import NpzArrays
from ..reading import json_object, memory_limit, reading

FORMAT = "expnet-emotions-1"
MAX_BYTES = 2**28
MAX_EMOTIONS, MAX_KEYS = 100, 2000
STEEPNESS = 2.0  # of the strengths over the machines' margins
AT_ONCE = 4096  # frames


@dataclass(frozen=True, eq=False)
class EmotionClassifier:
    """C machines over K coefficients, with S support vectors in all.

    emotions (C), keys (K)   names;  basis  of the coefficients
    mean, scale (K,)         of the standardisation
    vectors (S, K), owner (S,)   standardised support vectors, and the machine that each belongs to
    weights (S,), intercepts (C,)   of the machines
    gamma                    of the kernel exp(-gamma d²); 0: the kernel is linear
    """

    emotions: tuple[str, ...]
    keys: tuple[str, ...]
    basis: str
    mean: FloatArray
    scale: FloatArray
    vectors: FloatArray
    owner: AnyArray
    weights: FloatArray
    intercepts: FloatArray
    gamma: float

    def margins(self, eta: FloatArray) -> FloatArray:
        """Return the machines' decision values (N, C) of eta (N, K)."""
        rows = [self._margins(eta[i : i + AT_ONCE]) for i in range(0, len(eta), AT_ONCE)]
        return np.concatenate(rows) if rows else np.empty((0, len(self.emotions)))

    def _margins(self, eta: FloatArray) -> FloatArray:
        at = (eta - self.mean) / self.scale
        kernel = at @ self.vectors.T
        if self.gamma:
            squared = (at**2).sum(1)[:, None] + (self.vectors**2).sum(1) - 2 * kernel
            kernel = np.exp(-self.gamma * np.maximum(squared, 0))
        of = self.owner[:, None] == np.arange(len(self.emotions))
        margins: FloatArray = kernel @ (self.weights[:, None] * of) + self.intercepts
        return margins

    def strengths(self, eta: FloatArray) -> FloatArray:
        """Return 0 to 1 for each emotion, (N, C): the margins through a logistic curve. They are no probabilities."""
        strengths: FloatArray = 1 / (1 + np.exp(-STEEPNESS * np.clip(self.margins(eta), -20, 20)))
        return strengths


def save_classifier(classifier: EmotionClassifier, path: str | Path) -> None:
    """Write an .npz atomically."""
    header = {"format": FORMAT, "emotions": classifier.emotions, "keys": classifier.keys, "basis": classifier.basis}
    numbers = {f.name: np.asarray(getattr(classifier, f.name), np.float64) for f in fields(EmotionClassifier)[3:]}
    arrays: dict[str, Any] = {"header": np.frombuffer(json.dumps(header).encode(), np.uint8), **numbers}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    write_whole(path, buffer.getvalue())


def load_classifier(path: str | Path) -> EmotionClassifier:
    """Read what ``save_classifier`` wrote. Raises InputError."""
    path = Path(path)
    with reading(path, "classifier of emotions", "train it again with 'expnet research emotions --save'"):
        with NpzArrays(path) as stored:
            if stored.bytes > min(MAX_BYTES, memory_limit(path.stat().st_size)):
                raise ValueError("it is larger than any classifier")
            arrays = {name: stored.read(name) for name in stored.declared}
        header = json_object(arrays["header"].tobytes())
        if header["format"] != FORMAT:
            raise ValueError("it is of another format")
        return _checked(header, arrays)


def _checked(header: dict[str, Any], arrays: dict[str, AnyArray]) -> EmotionClassifier:
    emotions, keys, basis = tuple(header["emotions"]), tuple(header["keys"]), header["basis"]
    if not all(isinstance(name, str) and name for name in (*emotions, *keys, basis)):
        raise ValueError("its names are no text")
    c, k, s = len(emotions), len(keys), len(arrays["weights"])
    if not (1 < c <= MAX_EMOTIONS and 0 < k <= MAX_KEYS and len(set(emotions)) == c):
        raise ValueError(f"it has {c} emotions of {k} coefficients")
    shapes = {
        "mean": (k,), "scale": (k,), "vectors": (s, k), "owner": (s,), "weights": (s,), "intercepts": (c,), "gamma": (),
    }  # fmt: skip
    for name, shape in shapes.items():
        array = arrays[name]
        if array.shape != shape or array.dtype != np.float64 or not np.isfinite(array).all():
            raise ValueError(f"{name} has another shape or type, or holds NaN")
    if (arrays["scale"] <= 0).any() or float(arrays["gamma"]) < 0:
        raise ValueError("a scale or the kernel's gamma is negative")
    numbers = {name: arrays[name] for name in shapes if name != "gamma"}
    return EmotionClassifier(emotions, keys, basis, gamma=float(arrays["gamma"]), **numbers)


class OfCoefficients(Protocol):
    """What labels coefficients: an ``EmotionClassifier`` or an emotion head."""

    @property
    def emotions(self) -> tuple[str, ...]: ...

    @property
    def keys(self) -> tuple[str, ...]: ...

    @property
    def basis(self) -> str: ...

    def strengths(self, eta: FloatArray) -> FloatArray: ...


def check_keys(classifier: OfCoefficients, basis: str, keys: tuple[str, ...], what: str) -> None:
    """Raise InputError where ``what`` has another expression basis than the classifier."""
    if classifier.keys != keys:
        raise InputError(
            f"{what} has the expression basis {basis}, the classifier {classifier.basis}: train one on these keys"
        )
