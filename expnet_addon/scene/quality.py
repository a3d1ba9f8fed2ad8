"""The render settings of a scene. Needs no bpy, so that options can name them outside Blender."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Quality:
    """The renderer, its samples and the picture's height.

    engine   AUTO is Workbench if there is a graphics driver (a software driver is enough), else Cycles with few samples
    samples  of EEVEE or Cycles; None: few
    height   of the picture in pixels; None: the footage's
    """

    engine: str = "AUTO"
    samples: int | None = None
    height: int | None = None


def named_quality(engine: str | None, samples: int | None, height: int | None) -> Quality:
    """Return a quality from the renderer's name on the command line."""
    return Quality((engine or "auto").upper(), samples, height)
