"""The shape keys of an artist's head: written, scaled by their strength, and shown one after another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import bpy
import numpy as np

from ...model.array_types import FloatArray
from ...model.errors import InputError
from ...model.face.semantics import OPEN_KEYS, open_bounds
from .chosen import parts_of
from .meshes import points

_RANGES = {name: (float(low), float(high)) for name, (low, high) in zip(OPEN_KEYS, open_bounds())}


def same_names(parts: Iterable[bpy.types.Object], names: Iterable[str]) -> list[str]:
    """Return which of the names are shape keys of the parts already, in the order of ``names``."""
    there = {block.name for obj in parts if obj.data.shape_keys for block in list(obj.data.shape_keys.key_blocks)[1:]}
    return [name for name in names if name in there]


def write(
    parts: Sequence[bpy.types.Object], names: Sequence[str], offsets: Mapping[int, FloatArray], keep: bool
) -> tuple[str, ...]:
    """Write the keys ``names``: ``offsets`` (K, V, 3) in the world's frame, by the number of the part.

    A key that does not move a part is not written to it. Keys of the same names are replaced, or kept with ``keep``.
    The vertices and the Basis stay. Returns the names of the keys that were written. Raises InputError, with nothing
    changed, if a mesh is no longer the one that the keys were made for.
    """
    for number, moves in offsets.items():
        if moves.shape[1:] != (len(parts[number].data.vertices), 3):
            raise InputError(f"'{parts[number].name}' was changed meanwhile: make the keys again")
    present = set(same_names(parts, names)) if keep else set()
    written = []
    for place, name in enumerate(names):
        if name in present:
            continue
        written.append(name)
        for number, moves in offsets.items():
            if moves[place].any():
                _write_key(parts[number], name, moves[place])
            elif not keep:
                _forget_key(parts[number], name)
    return tuple(written)


def _write_key(obj: bpy.types.Object, name: str, world: FloatArray) -> None:
    """Write one key from its offsets (V, 3) in the world's frame."""
    if obj.data.shape_keys is None:
        obj.shape_key_add(name="Basis", from_mix=False)
    block = _block(obj, name) or obj.shape_key_add(name=name, from_mix=False)
    block.relative_key = obj.data.shape_keys.reference_key
    low, high = _RANGES.get(name, (0.0, 1.0))
    # Values set from Python and F-curves clamp to the slider's range: set the range first.
    block.slider_min, block.slider_max = low, high
    block.value = 0.0
    back = np.linalg.inv(np.array(obj.matrix_world, np.float64)[:3, :3])
    at = points(obj) + world.astype(np.float64) @ back.T
    block.data.foreach_set("co", at.astype(np.float32).ravel())


def _forget_key(obj: bpy.types.Object, name: str) -> None:
    """Remove a key that an earlier run made and that no longer moves the part."""
    block = _block(obj, name)
    if block is not None:
        obj.shape_key_remove(block)


def _block(obj: bpy.types.Object, name: str) -> bpy.types.ShapeKey | None:
    """Return the shape key ``name`` of ``obj``; None if there is none, or if it is the Basis."""
    key = obj.data.shape_keys
    block = key.key_blocks.get(name) if key is not None else None
    return None if key is None or block == key.reference_key else block


def scale(head: bpy.types.Object, name: str, factor: float) -> None:
    """Multiply the offsets of a key of all the head's parts by ``factor``."""
    for obj in parts_of(head):
        block = _block(obj, name)
        if block is None:
            continue
        rest = points(obj)
        flat = np.empty(3 * len(block.data), np.float32)
        block.data.foreach_get("co", flat)
        scaled = rest + factor * (flat.reshape(-1, 3) - rest)
        block.data.foreach_set("co", scaled.astype(np.float32).ravel())
        obj.data.update()


def show(head: bpy.types.Object, values: Mapping[str, float], names: Iterable[str]) -> None:
    """Set the keys ``names`` of all the head's parts to ``values``, and to 0 where there is none."""
    for obj in parts_of(head):
        for name in names:
            block = _block(obj, name)
            if block is not None:
                block.value = values.get(name, 0.0)


def at_share(names: Sequence[str], share: float) -> tuple[str, float]:
    """Return the key that a preview shows at ``share`` 0..1 of its way, and its value: each comes and goes."""
    if not names or share <= 0:
        return "", 0.0
    place = min(share * len(names), len(names) - 1e-6)
    number = int(place)
    return names[number], float(np.sin(np.pi * (place - number)))
