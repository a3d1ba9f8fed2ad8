"""Emotions of a take as a curve each and as timeline markers.

The curves animate custom properties of the head, from 0 to 1, in the take's own action. A marker stands where another
emotion becomes the strongest, or none is strong any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ...model.array_types import FloatArray, IntArray
from ...model.errors import InputError
from ...model.face.semantics import OPEN_BASIS
from ...model.networks.emotion_head import SHIPPED, load_emotion_head
from ...model.performance.emotion_classifier import OfCoefficients, check_keys, load_classifier
from ...model.performance.emotion_prototypes import NEUTRAL, PROTOTYPES, heuristic_strengths
from ...model.performance.face_performance import FacePerformance
from .. import compat
from . import emotion_text, keyframes
from .current_take import take_of
from .take_keys import frames_of, unpacked_performance

PROPERTY = "emotion "  # begins the names of the head's custom properties
LEAST = 0.5  # strength of an emotion that is marked
SHORTEST = 0.2  # seconds; shorter labels have no marker
NO_EMOTION = "No emotion"
MARKED = "emotions marked"  # a property of the head: the names that have markers
HEURISTIC = "heuristic EMFACS scores"
BUILT_IN = "the built-in emotion head"
BY_HEAD, BY_EMFACS = "HEAD", "EMFACS"  # what labels a take without a file


@dataclass(frozen=True, eq=False)
class Labelled:
    """``strengths`` (F, C) 0 to 1 of C ``emotions``, 0 where no face is seen; ``origin`` tells what made them."""

    emotions: tuple[str, ...]
    strengths: FloatArray
    origin: str


def labelled(performance: FacePerformance, classifier: str, by: str = BY_HEAD) -> Labelled:
    """Label a raw performance by the ``classifier`` file, or without one ``by`` the built-in head or EMFACS.

    The built-in emotion head learned from renders of prototypes. EMFACS compares coefficients of the open basis with
    the prototypes: a heuristic, nothing is learned. Raises InputError.
    """
    eta = np.nan_to_num(performance.eta)
    if classifier or by == BY_HEAD:
        is_head = not classifier or Path(classifier).suffix.lower() == ".safetensors"
        trained: OfCoefficients = load_emotion_head(classifier or SHIPPED) if is_head else load_classifier(classifier)
        check_keys(trained, performance.basis, performance.expression_keys, "the take")
        names, strengths = trained.emotions, trained.strengths(eta)
        origin = Path(classifier).name if classifier else BUILT_IN
    else:
        if performance.basis != OPEN_BASIS:
            raise InputError(
                f"EMFACS scores need the basis {OPEN_BASIS}, the take has {performance.basis}: choose a classifier file"
            )
        names, strengths, origin = tuple(PROTOTYPES), heuristic_strengths(eta), HEURISTIC
    return Labelled(names, strengths * performance.seen[:, None], origin)


def label_take(
    scene: bpy.types.Scene,
    head: bpy.types.Object,
    classifier: str = "",
    curves: bool = True,
    markers: bool = True,
    text: bool = False,
    by: str = BY_HEAD,
) -> str:
    """Write the emotions of the head's current take in place of earlier ones, and return a line about them.

    ``text``: the strongest emotion stands before the camera, too. Raises InputError, with nothing written.
    """
    action = take_of(head)
    if action is None:
        raise InputError(f"'{head.name}' shows no take: choose one in the list")
    raw = unpacked_performance(action.expnet.performance, action.name)
    found = labelled(raw, classifier, by)
    frames = frames_of(action, raw)
    assigned: Any = compat.assigned_curves(head)
    if curves and assigned is None:
        raise InputError(f"'{head.name}' has no action for its own properties: apply the take again")
    if text:
        emotion_text.check_camera(scene)
    _remove(scene, head)
    if curves:
        for name, values in zip(found.emotions, found.strengths.T):
            key = f"{PROPERTY}{name}"
            head[key] = 0.0
            head.id_properties_ui(key).update(min=0.0, max=1.0, description=f"Strength of {name}, by {found.origin}")
            curve = assigned.new(f'["{bpy.utils.escape_identifier(key)}"]')
            keyframes.write_keys(curve, keyframes.linear_keys(frames, values))
        head.update_tag()
    changes = label_changes(found, raw.times)
    if markers:
        for frame, name in changes:
            scene.timeline_markers.new(_marker_name(head, name), frame=round(float(frames[frame])))
        head[MARKED] = sorted({name for _, name in changes})
    if text:
        emotion_text.show_text(scene, head, emotion_text.spans_of(found, changes), frames)
    spans = sum(name != NO_EMOTION for _, name in changes)
    return f"{spans} emotions of at least {SHORTEST:g} s, by {found.origin}"


def label_changes(found: Labelled, times: FloatArray) -> list[tuple[int, str]]:
    """Return the frames, from 0, at which another emotion becomes the strongest, with its name or NO_EMOTION.

    Each frame has the most frequent label within SHORTEST seconds about it. Labels that are still shorter are left out.
    """
    step = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
    strongest = np.where(found.strengths.max(1) >= LEAST, found.strengths.argmax(1), -1)
    if NEUTRAL in found.emotions:
        strongest[strongest == found.emotions.index(NEUTRAL)] = -1
    strongest = _most_frequent(strongest, max(1, round(SHORTEST / step)))
    starts = np.flatnonzero(np.concatenate([[True], strongest[1:] != strongest[:-1]]))
    ends = np.append(times[starts[1:]], times[-1] + step)
    changes: list[tuple[int, str]] = []
    for start, end in zip(starts, ends):
        if end - times[start] < SHORTEST - 1e-6:
            continue
        name = NO_EMOTION if strongest[start] < 0 else found.emotions[strongest[start]]
        if (changes[-1][1] if changes else NO_EMOTION) != name:
            changes.append((int(start), name))
    return changes


def emotion_lines(performance: FacePerformance) -> list[emotion_text.Span]:
    """Return name and share of the strongest emotion in spans of a raw performance, by what needs no file."""
    found = labelled(performance, "")
    return emotion_text.spans_of(found, label_changes(found, performance.times))


def _most_frequent(labels: IntArray, window: int) -> IntArray:
    """Return for each of the labels (F,), from -1 on, the most frequent in a window; the label itself among equals."""
    half = window // 2
    kinds = np.arange(-1, labels.max() + 1)
    own = labels[:, None] == kinds
    sums = np.concatenate([np.zeros((1, len(kinds)), int), np.cumsum(own, 0)])
    first = np.maximum(np.arange(len(labels)) - half, 0)
    last = np.minimum(np.arange(len(labels)) + half + 1, len(labels))
    chosen: IntArray = kinds[(2 * (sums[last] - sums[first]) + own).argmax(1)]
    return chosen


def _remove(scene: bpy.types.Scene, head: bpy.types.Object) -> None:
    """Remove earlier curves, properties, markers and lines. The artist's markers stay."""
    emotion_text.remove_text(scene, head)
    assigned: Any = compat.assigned_curves(head)
    for curve in list(assigned or ()):
        if curve.data_path.startswith(f'["{PROPERTY}'):
            assigned.remove(curve)
    unmark(scene, head)
    for key in [key for key in head.keys() if key.startswith(PROPERTY)]:
        del head[key]


def unmark(scene: bpy.types.Scene, head: bpy.types.Object) -> None:
    """Remove the markers of the head's emotions. The artist's markers stay."""
    names = {_marker_name(head, str(name)) for name in head.get(MARKED, ())}
    for marker in [each for each in scene.timeline_markers if each.name in names]:
        scene.timeline_markers.remove(marker)


def _marker_name(head: bpy.types.Object, name: str) -> str:
    return f"{name} ({head.name})"
