"""``fine_tune``: weights of the open network for one actor, from clips of this actor.

Labels come from the network itself with what is known about the person over a whole clip: the mean over mirrored and
moved views, one identity, and smoothness over time (model/fitting). Only the last two layers learn, so that the
features of all views are computed once. A fifth of the frames is held out. Weights that are not better there are not
written: measures that need no label judge beside the labels (measures.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from ..array_types import FloatArray, IntArray
from ..builtin import OPEN
from ..errors import InputError
from ..formats import open_face_model
from ..networks.torch_engine.by_name import CONFIGS, build_network
from ..networks.torch_engine.estimator import Estimator
from ..networks.torch_engine.glimpse import GlimpseNet
from ..networks.torch_engine.loading import loaded
from ..networks.weights.open_pack import load_open, weights_path
from ..networks.weights.weights_file import PERSON, save_weights
from .comparison import write_comparison
from .curves import write_curves
from .head import Head, corrected, trained
from .material import Material, Report, joined, material_of, shown_eta
from .measures import Measures, judge, worse_in
from .reprojection import squared_distances

MOST_FRAMES = 1500  # of all clips together, which is some minutes on one thread
LEAST_FRAMES = 100  # with a face; a fifth of them is held out
TRAINED = ("hidden", "closer_head")


@dataclass(frozen=True)
class FineTuned:
    """The result. ``kept``: the new weights are better on held-out frames and were written. ``step`` of training.

    ``worse``: the measures that keep them from being written, by their names in ``Measures``.
    """

    kept: bool
    frames: int
    step: int
    before: Measures
    after: Measures
    worse: tuple[str, ...] = ()


def fine_tune(
    clips: Sequence[Path],
    out: Path,
    source: str | Path = OPEN,
    lens_mm: float = 50.0,
    seed: int = 0,
    most_frames: int = MOST_FRAMES,
    report: Report = lambda done, total, message: None,
    rejected: Path | None = None,
) -> FineTuned:
    """Fine-tune the weights ``source`` and write them to ``out``.

    Curves and a video of the held-out frames are written beside (.svg, .mp4), also where the weights are not.
    ``rejected`` is a file for weights that are not better, for studies.
    Raises InputError for other networks than the open one, for clips without a face, and for too few frames.
    """
    path = weights_path(source)
    header, tensors, person = load_open(path, CONFIGS)
    if header.architecture != "glimpse" or not person:
        raise InputError(f"{path}: only the open network is fine-tuned: use its weights, or others trained from them")
    config = {**header.config, "size": header.input_size}
    network = loaded(path, header, tensors, lambda: build_network(header.architecture, config))
    assert isinstance(network, GlimpseNet)
    network.eval().requires_grad_(False)
    estimator = Estimator.load(path, "cpu")
    model = open_face_model(OPEN)
    most = max(1, most_frames // len(clips))
    parts = [material_of(clip, estimator, network, model, most, lens_mm, seed, report) for clip in clips]
    material = joined(parts)
    if len(material.label) < LEAST_FRAMES or not (material.test.any() and material.validation.any()):
        raise InputError(
            f"{clips[0]}: {len(material.label)} frames show the face, and {LEAST_FRAMES} are needed: give more clips"
        )
    old = Head(network.hidden, network.closer_head)
    new, step = trained(old, material, estimator.responses, seed, lambda done, total: report(done, total, "training"))
    rows = np.flatnonzero(material.test)
    before, after = (_shown(head, material, rows, estimator) for head in (old, new))
    label, block = material.label[rows], material.block[rows]
    judged = [judge(eta, label, block, squared_distances(material.located, eta[:, 0])) for eta in (before, after)]
    worse = worse_in(judged[1], judged[0], block) if step else ("agreement",)
    kept = not worse
    was, is_ = judged[0].measures, judged[1].measures
    result = FineTuned(kept, len(material.label), step, was, is_, worse)
    target = out if kept else rejected
    if target is not None:
        names = ", ".join(clip.name for clip in clips)
        record = {"clips": len(clips), "frames": result.frames, "before": asdict(was), "after": asdict(is_)}
        changed = replace(
            header,
            training_data=f"{header.training_data}; fine-tuned on {result.frames} frames of {names}"[:2000],
            evaluation={**header.evaluation, "fine_tuned": record},
            seed=seed,
        )
        state = {name: value.numpy() for name, value in new.state_dict().items()}
        whole = {**tensors, **state, **{f"{PERSON}{name}": value for name, value in person.items()}}
        save_weights(target, changed, whole)
    write_curves(
        out.with_suffix(".svg"),
        estimator.expression_keys,
        {"whole clip": label, "before": before[:, 0], "after": after[:, 0]},
    )
    part = rows[: len(material.pictures)]
    report(0, None, "writing the video")
    write_comparison(
        out.with_suffix(".mp4"),
        model,
        material.pictures,
        material.number[part],
        material.alpha[part],
        material.rotation[part],
        before[: len(part), 0],
        after[: len(part), 0],
        kept,
        material.fps,
    )
    return result


def _shown(head: Head, material: Material, rows: IntArray, estimator: Estimator) -> FloatArray:
    return shown_eta(corrected(head, material, rows), estimator)
