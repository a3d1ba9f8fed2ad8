"""Subject of the evaluation: weights, and the held-out faces that are the same for all versions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...model.array_types import AnyArray, BoolArray, FloatArray
from ...model.face.face_model import FaceModel
from ...model.face.semantics import OPEN_KEYS
from ...model.networks.expression import expression_of
from ...model.networks.responses import Responses, responses_of
from ...model.networks.torch_engine.by_name import Network
from ...model.networks.torch_engine.compact import rotation_matrix
from ...model.networks.torch_engine.estimator import Estimator
from ...model.networks.weights.weights_file import load_weights
from ...model.rotations import euler_degrees
from ..dataset import Batch
from .measures import load_network, predict_with_mirror_images

NATURAL_DETAIL = 80  # real pixels across the crop


@dataclass(frozen=True, eq=False)
class Subject:
    """One set of weights with the held-out pictures (faces and others) and the open head.

    Rows of ``truth`` and ``seen`` are the held-out faces only, in order; ``everything`` is all pictures. ``outputs``
    replace those of the network if given.
    """

    weights: Path
    held_out: Batch
    model: FaceModel
    outputs: Batch | None = None

    @cached_property
    def network(self) -> Network:
        return load_network(self.weights)

    @cached_property
    def estimator(self) -> Estimator:
        """The weights in use: folded, batched, with poses and crops; on the CPU."""
        return Estimator.load(self.weights, "cpu")

    @cached_property
    def responses(self) -> Responses | None:
        return responses_of(load_weights(self.weights)[0].responses, OPEN_KEYS)

    @cached_property
    def raw(self) -> Batch:
        """The mean of the network's outputs for each held-out picture and its mirror image."""
        return predict_with_mirror_images(self.network, self.held_out["image"])

    @cached_property
    def everything(self) -> Batch:
        """The outputs for all held-out pictures, as ``read`` returns them."""
        return self._shown(self.raw) if self.outputs is None else self.outputs

    def read(self, images: Tensor) -> Batch:
        """Return the outputs for pictures (N, S, S, 3) uint8 as stills and footage are read, with their mirror images.

        eta is as it is shown (``expression_of``). A GlimpseNet's outputs have ``eta_read``, too: eta with the responses
        applied, before lips are shut.
        """
        return self._shown(predict_with_mirror_images(self.network, images))

    def _shown(self, seen: Batch) -> Batch:
        raw = {name: value.double().numpy() for name, value in seen.items()}
        eta = {"eta": expression_of(raw, self.responses)[0]}
        if "points" in raw:
            eta["eta_read"] = expression_of({k: v for k, v in raw.items() if k != "points"}, self.responses)[0]
        return {**seen, **{name: torch.from_numpy(value).to(seen["eta"]) for name, value in eta.items()}}

    @cached_property
    def face(self) -> torch.Tensor:
        return self.held_out["face"] > 0.5

    @cached_property
    def seen(self) -> Batch:
        return {k: v[self.face] for k, v in self.everything.items()}

    @cached_property
    def truth(self) -> Batch:
        return {k: v[self.face] for k, v in self.held_out.items() if k != "image"}

    @cached_property
    def conditions(self) -> Conditions:
        return conditions(self.truth, self.held_out["image"].shape[1])


@dataclass(frozen=True, eq=False)
class Conditions:
    """Difficulty of each of N faces.

    ``yaw`` is in degrees, absolute. ``detail`` counts real pixels across the crop. ``visible`` (N, 70) marks visible
    landmarks and ``share`` is their share. ``natural`` (N,) bool marks faces as everyday cameras show them.
    """

    yaw: FloatArray
    detail: FloatArray
    visible: AnyArray
    natural: BoolArray

    @property
    def share(self) -> FloatArray:
        share: FloatArray = self.visible.mean(1)
        return share

    @property
    def clear(self) -> BoolArray:
        """Return which faces are nearly frontal, sharp enough and nearly free of occlusion."""
        return (self.yaw < 30) & (self.detail >= 64) & (self.share >= 0.9)


def conditions(truth: Batch, size: int) -> Conditions:
    """Return the conditions read from the labels.

    Shards of the first engine have no ``visible`` and ``detail``: all landmarks count as visible, all pictures as
    sharp. In shards without ``natural``, faces count as natural where they are nearly frontal, sharp and visible.
    """
    count = len(truth["eta"])
    yaw = np.abs(euler_degrees(rotation_matrix(truth["rotation"]).numpy())[:, 0])
    detail = truth["detail"].numpy() if "detail" in truth else np.full(count, float(size))
    visible = truth["visible"].numpy() if "visible" in truth else np.ones(truth["landmarks"].shape[:2])
    natural: BoolArray = (yaw < 30) & (detail >= NATURAL_DETAIL) & (visible.mean(1) >= 0.9)
    if "natural" in truth:
        label = truth["natural"].numpy()
        natural = np.where(np.isnan(label), natural, label > 0.5)
    return Conditions(yaw, detail, visible, natural)
