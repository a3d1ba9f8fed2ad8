"""Optional ingredients of the pictures, to measure the effect of each (evaluation/ablations.py)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Ingredients:
    """Ingredients of a picture that can be left out.

    wrinkles      furrows that expressions and age fold, in the shape and painted
    hair          hair and beards that stand off the skin
    covers        headwear, glasses, hands, things in front
    degradations  blur, motion, fewer pixels, noise, JPEG, black borders

    Without one of them the same seed makes a picture that is otherwise the same.
    """

    wrinkles: bool = True
    hair: bool = True
    covers: bool = True
    degradations: bool = True


EVERYTHING = Ingredients()
