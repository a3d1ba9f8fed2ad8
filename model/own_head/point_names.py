"""The names of the points on an artist's head. Standard library only: the panel shows them.

R and L are the subject's.
"""

from __future__ import annotations

from collections.abc import Mapping

# What a message and a panel call them, by name.
LABELS: Mapping[str, str] = {
    "brow_outer_R": "outer end of the right brow", "brow_middle_R": "middle of the right brow",
    "brow_inner_R": "inner end of the right brow", "brow_inner_L": "inner end of the left brow",
    "brow_middle_L": "middle of the left brow", "brow_outer_L": "outer end of the left brow",
    "eye_outer_R": "outer corner of the right eye", "lid_upper_R": "middle of the right upper lid",
    "eye_inner_R": "inner corner of the right eye", "lid_lower_R": "middle of the right lower lid",
    "eye_inner_L": "inner corner of the left eye", "lid_upper_L": "middle of the left upper lid",
    "eye_outer_L": "outer corner of the left eye", "lid_lower_L": "middle of the left lower lid",
    "nose_bridge": "top of the nose", "nose_tip": "tip of the nose", "nose_wing_R": "right wing of the nose",
    "nose_base": "base of the nose", "nose_wing_L": "left wing of the nose",
    "mouth_corner_R": "right corner of the mouth", "lip_upper": "middle of the upper lip's upper edge",
    "mouth_corner_L": "left corner of the mouth", "lip_lower": "middle of the lower lip's lower edge",
    "chin": "chin", "jaw_R": "right side of the jaw", "jaw_L": "left side of the jaw",
    "ear_R": "in front of the right ear", "ear_L": "in front of the left ear",
}  # fmt: skip

# Without these the place, size and turn of the face are not certain.
REQUIRED: tuple[str, ...] = (
    "eye_outer_R", "eye_inner_R", "eye_inner_L", "eye_outer_L", "nose_tip", "mouth_corner_R", "mouth_corner_L", "chin",
)  # fmt: skip
