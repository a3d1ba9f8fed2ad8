"""A row of the retarget table and the values of its fields. Blender's properties use it, so it needs no numpy."""

from __future__ import annotations

from dataclasses import dataclass

SHAPE_KEY, BONE = "SHAPE_KEY", "BONE"
ROTATIONS = ("ROTATION_X", "ROTATION_Y", "ROTATION_Z")
LOCATIONS = ("LOCATION_X", "LOCATION_Y", "LOCATION_Z")
CHARACTER, OWN = "CHARACTER", "OWN"


@dataclass(frozen=True)
class Row:
    """One row of the table: value = offset + gain x channel, clamped to ``low`` .. ``high``.

    channel    one of CHANNELS
    target     name of the shape key or bone;  kind  SHAPE_KEY or BONE
    component  of a bone: ROTATION_X.. (radians) or LOCATION_X.. (metres);  empty for a shape key
    axes       of a bone: CHARACTER (x to the head's left, y to its back, z up) or OWN (the bone's)
    invert     use 1 - channel, or -channel where the channel is signed
    """

    channel: str
    target: str
    kind: str = SHAPE_KEY
    component: str = ""
    axes: str = CHARACTER
    gain: float = 1.0
    offset: float = 0.0
    invert: bool = False
    low: float = 0.0
    high: float = 1.0
    enabled: bool = True
