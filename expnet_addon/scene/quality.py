"""How a scene is rendered. Free of bpy, so that options can name it outside Blender."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Quality:
    """``engine``: AUTO is Workbench where a graphics driver is (in software will do), else Cycles with few samples.
    ``samples`` of EEVEE or Cycles, ``height`` of the picture in pixels; None: few, and the footage's."""

    engine: str = "AUTO"
    samples: int | None = None
    height: int | None = None


def named_quality(engine: str | None, samples: int | None, height: int | None) -> Quality:
    """A quality by the renderer's name as the command line writes it."""
    return Quality((engine or "auto").upper(), samples, height)
