"""Recognise the keys that the artist changed, added or removed, and keep them when a take is written again.

``Written`` holds the keys as they were generated. A key in the scene that differs from it is the artist's.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, replace

import numpy as np

from ...model.array_types import BoolArray, FloatArray, IntArray
from ...model.npz_arrays import NpzArrays
from ...model.performance.decimate import bezier_handles
from ...model.reading import json_object, memory_limit, parsing
from .keyframes import GENERATED, KeyArray, bezier_keys, linear_keys

SAME_FRAME = 1e-3
HANDLE_SLACK = 1e-4  # relative; rounding of handles
NEAR = 0.5 + 1e-3  # frames; keys move that far when a take goes between whole frames and the clip's times


@dataclass(frozen=True, eq=False)
class Written:
    """The generated keys of a take: C curves over F scene frames.

    names    C names, see ``animation.Channel.name``
    frames   (F,) float32 scene frames, increasing
    values   (C, F) float32
    kept     (C, F) bool: the keys that were generated; others were left out by decimation
    removed  (C, F) bool: the keys that the artist removed
    smooth   the keys have Bézier handles
    """

    names: tuple[str, ...]
    frames: FloatArray
    values: FloatArray
    kept: BoolArray
    removed: BoolArray
    smooth: bool = False

    def row(self, name: str) -> Row | None:
        """Return the curve of that name, or None."""
        if name not in self.names:
            return None
        i = self.names.index(name)
        return Row(self.frames, self.values[i], self.kept[i], self.removed[i], self.smooth)


@dataclass(frozen=True, eq=False)
class Row:
    """One curve of ``Written``: (F,) each."""

    frames: FloatArray
    values: FloatArray
    kept: BoolArray
    removed: BoolArray
    smooth: bool = False

    def keys(self, types: IntArray | int = GENERATED) -> KeyArray:
        """Return the curve's keys as they are generated; only the kept ones are meant."""
        if not self.smooth:
            return linear_keys(self.frames, self.values, types)
        left, right = bezier_handles(self.frames, self.values, self.kept)
        return bezier_keys(self.frames, self.values, left, right, types)


def pack(written: Written) -> bytes:
    """Return bytes that ``unpack`` reads."""
    buffer = io.BytesIO()
    header = np.frombuffer(json.dumps({"names": written.names, "smooth": written.smooth}).encode(), np.uint8)
    bits = {name: np.packbits(getattr(written, name), axis=1) for name in ("kept", "removed")}
    np.savez(buffer, header=header, frames=written.frames, values=written.values, **bits)
    return buffer.getvalue()


def unpack(content: bytes, name: str) -> Written:
    """Return the generated keys in ``pack``'s bytes. Raises InputError, with ``name`` as the path, if damaged."""
    with parsing(name, "record of a take's keys", "discard the hand edits"), NpzArrays(io.BytesIO(content)) as stored:
        if stored.bytes > memory_limit(len(content)):
            raise ValueError("it unpacks to more than it can hold")
        header = json_object(stored.read("header").tobytes())
        names, smooth = header["names"], header.get("smooth", False)
        frames, values = stored.read("frames").astype(np.float32), stored.read("values").astype(np.float32)
        shape = (len(names), len(frames))
        kept, removed = (
            np.unpackbits(stored.read(key).astype(np.uint8), axis=1, count=shape[1]).astype(bool)
            for key in ("kept", "removed")
        )
        whole = all(isinstance(each, str) for each in names) and frames.ndim == 1 and np.isfinite(frames).all()
        if not whole or not isinstance(smooth, bool) or not values.shape == kept.shape == removed.shape == shape:
            raise ValueError("its arrays do not fit together")
        return Written(tuple(names), frames, values, kept, removed, smooth)


@dataclass(frozen=True, eq=False)
class _Found:
    """What the artist did to a curve.

    at       (N,) index into the row's frames of each current key, -1 for keys between them
    edited   (N,) bool: keys that were changed or added
    removed  (F,) bool: generated keys that are not there
    """

    at: IntArray
    edited: BoolArray
    removed: BoolArray


def _found(co: FloatArray, row: Row) -> _Found:
    """Compare the current keys ``co`` (N, 2) with the generated ones."""
    at = nearest(row.frames, co[:, 0])
    if len(row.frames):
        at = np.where(np.abs(row.frames[at] - co[:, 0]) <= SAME_FRAME, at, -1)
        there = at >= 0
        value = row.values[at]
        same = there & row.kept[at] & (np.abs(co[:, 1] - value) <= 1e-6 * np.maximum(1, np.abs(value)))
    else:
        same = there = np.zeros(len(co), bool)
    present = np.zeros(len(row.frames), bool)
    present[at[there]] = True
    return _Found(at, ~same, (row.kept | row.removed) & ~present)


def has_edits(co: FloatArray, row: Row) -> bool:
    """Return whether the artist changed the curve with the keys ``co`` (N, 2)."""
    found = _found(co, row)
    return bool(found.edited.any() or found.removed.any())


def as_generated(current: KeyArray, old: Row, at: IntArray) -> BoolArray:
    """Return which of the keys (N,), generated as ``old``'s keys ``at`` (N,), have the attributes of generated keys."""
    made = old.keys()[at]
    same: BoolArray = np.ones(len(current), bool)
    for field in ("interpolation", "handle_left_type", "handle_right_type"):
        same &= current[field] == made[field]
    if old.smooth:
        for field in ("handle_left", "handle_right"):
            near = np.abs(current[field] - made[field]) <= HANDLE_SLACK * np.maximum(1, np.abs(made[field]))
            same &= near.all(axis=1)
    return same


def is_as_generated(current: KeyArray, old: Row) -> bool:
    """Return whether all keys (N,) of a curve without edits have the attributes of generated keys."""
    return bool(as_generated(current, old, _found(current["co"], old).at).all())


def removed_keys(co: FloatArray, row: Row) -> BoolArray:
    """Return which generated keys the artist removed, (F,) bool; all of them where the whole curve is gone."""
    return _found(co, row).removed


def merged(current: KeyArray, old: Row, new: Row, types: IntArray) -> tuple[KeyArray, BoolArray, BoolArray]:
    """Merge the artist's edits into newly generated keys.

    current  the curve's keys (N,) of dtype ``KEY``
    old      the keys as they were generated last
    new      the keys as they are generated now; its ``removed`` is not read
    types    (F,) keyframe type of each of ``new``

    Edited keys keep all of their attributes. The others get the new values, and keep the interpolation and handles that
    the artist gave them; such keys are never left out. Returns the keys, sorted by frame, and the removed and the kept
    keys as (F,) of ``new``.
    """
    found = _found(current["co"], old)
    target = _moved(old.frames, new.frames)  # (F old,) index into new.frames or -1
    edits = current[found.edited].copy()
    where = found.at[found.edited]
    goes = np.where(where >= 0, target[where], -1) if len(target) else np.full(len(where), -1)
    onto = goes >= 0
    shift = np.zeros(len(edits), np.float32)
    shift[onto] = new.frames[goes[onto]] - edits["co"][onto, 0]
    for field in ("co", "handle_left", "handle_right"):
        edits[field][:, 0] += shift
    removed = np.zeros(len(new.frames), bool)
    gone = target[found.removed]
    removed[gone[gone >= 0]] = True
    blocked = removed.copy()
    blocked[goes[onto]] = True

    unedited = ~found.edited
    into = target[found.at[unedited]] if len(target) else np.zeros(0, int)
    before, after = current[unedited][into >= 0], into[into >= 0]
    own = ~as_generated(before, old, found.at[unedited][into >= 0])
    kept = new.kept.copy()
    kept[after[own]] = True
    keys = replace(new, kept=kept).keys(types)
    keys["type"][after] = before["type"]
    before, after = before[own], after[own]
    there = keys[after]
    co = there["co"].copy()
    mine = before.copy()
    mine["co"] = co
    for field in ("handle_left", "handle_right"):
        mine[field] = before[field] + (co - before["co"])
    keys[after] = mine
    result = np.concatenate([keys[kept & ~blocked], edits])
    return result[np.argsort(result["co"][:, 0], kind="stable")], removed, kept


def _moved(old: FloatArray, new: FloatArray) -> IntArray:
    """Return for each old frame the index of the new frame that replaces it, or -1."""
    if len(new) == 0:
        return np.full(len(old), -1)
    if np.array_equal(old, new):
        return np.arange(len(old))
    index = nearest(new, old)
    return np.where(np.abs(new[index] - old) <= NEAR, index, -1)


def nearest(frames: FloatArray, wanted: FloatArray) -> IntArray:
    """Return the indices (N,) of the ``frames`` (F,), increasing, that are nearest to the ``wanted`` ones (N,)."""
    if len(frames) == 0:
        return np.full(len(wanted), -1)
    after = np.clip(np.searchsorted(frames, wanted), 1, max(len(frames) - 1, 1))
    before = after - 1
    after = np.minimum(after, len(frames) - 1)
    return np.where(np.abs(frames[after] - wanted) < np.abs(frames[before] - wanted), after, before)
