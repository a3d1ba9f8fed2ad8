"""A row of the retarget table, and the words that may stand in it. Blender registers by it, so it needs no numpy."""

from __future__ import annotations

from dataclasses import dataclass

SHAPE_KEY, BONE = "SHAPE_KEY", "BONE"
ROTATIONS = ("ROTATION_X", "ROTATION_Y", "ROTATION_Z")
LOCATIONS = ("LOCATION_X", "LOCATION_Y", "LOCATION_Z")
CHARACTER, OWN = "CHARACTER", "OWN"


@dataclass(frozen=True)
class Row:
    """One line of the table: value = offset + gain x channel, kept between ``low`` and ``high``.

    channel    one of CHANNELS
    target     name of the shape key or bone;  kind  SHAPE_KEY or BONE
    component  of a bone: ROTATION_X.. (radians) or LOCATION_X.. (metres);  empty for a shape key
    axes       of a bone: CHARACTER (x to its left, y to its back, z up, in the armature's space) or OWN (the bone's)
    invert     the channel the other way round: 1 at rest and 0 at its most; a signed one with its sign changed
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
