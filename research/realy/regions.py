"""REALY's regional error (Chai et al., ECCV 2022) of a reconstructed head.

1. A similarity by seven key points brings the head to the scan.
2. For each region of the scan: rigid ICP of the head to it, with the region's key points.
3. The region is deformed onto the head without rigidity; each of its points then has a correspondence there.
4. The error is the mean distance between the region's points and their correspondences, in millimetres. REALY calls it
   NMSE.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ...model.face.alignment import similarity
from .meshes import Floats, Mesh, Surface
from .nonrigid import deformed

REGIONS = ("nose", "mouth", "forehead", "cheek")
# Indices into REALY's 85 key points, whose first 68 are iBUG's.
SEVEN = (36, 39, 42, 45, 33, 48, 54)
LIPS = (*range(48, 61), 64)
KEY_POINTS = {
    "nose": tuple(range(27, 36)),
    "mouth": LIPS,
    "forehead": (*range(36, 48), *range(17, 27)),
    "cheek": (*LIPS, 76, 77, 36, 41, 40, 39, 42, 47, 46, 45, 7, 8, 9),
}
RIGID_KEY_POINTS = {**KEY_POINTS, "nose": (*range(27, 36), 70, 71)}
CHEEK_SHARE = 0.25  # of the weight that key points have in the other regions
STEPS, SETTLED_MM2 = 100, 1e-4
UNIT_MM = 9.0  # the mean of REALY's metric scales: lengths of the non-rigid step
KEY_POINT_COUNT = 85


@dataclass(frozen=True, eq=False)
class Scan:
    """A person's scan: regions by name; key points (85, 3), NaN where there is none; millimetres per unit."""

    regions: dict[str, Mesh]
    key_points: Floats
    mm: float


@dataclass(frozen=True, eq=False)
class RegionError:
    """The error of a region: its mean in mm, and the distance of each of its points (V,), mm.

    ``nearest``: the mean distance to the nearest points after step 2, which other benchmarks report.
    """

    mean: float
    points: Floats
    nearest: float


def regional_errors(head: Mesh, key_points: Floats, scan: Scan, what: str) -> dict[str, RegionError]:
    """Measure a ``head`` with ``key_points`` (85, 3; NaN where unknown) against the scan. ``what`` names the head."""
    there = np.isfinite(key_points).all(1) & np.isfinite(scan.key_points).all(1)
    seven = [i for i in SEVEN if there[i]]
    scale, rotation, translation = similarity(key_points[seven], scan.key_points[seven])
    points = scale * head.points @ rotation.T + translation
    keys = scale * key_points @ rotation.T + translation
    return {
        name: _region_error(name, Mesh(points, head.triangles), keys, there, scan, what)
        for name in REGIONS
        if name in scan.regions
    }


def _region_error(name: str, head: Mesh, keys: Floats, there: NDArray[np.bool_], scan: Scan, what: str) -> RegionError:
    region = scan.regions[name]
    rigid = [i for i in RIGID_KEY_POINTS[name] if there[i]]
    share = CHEEK_SHARE if name == "cheek" else 1.0
    rotation, translation = _rigid_icp(
        region.points, Surface(head, what), keys[rigid], scan.key_points[rigid], share, scan.mm
    )
    unit = scan.mm / UNIT_MM
    surface = Surface(Mesh((head.points @ rotation.T + translation) * unit, head.triangles), what)
    local = Mesh(region.points * unit, region.triangles)
    chosen = [] if name == "cheek" else [i for i in KEY_POINTS[name] if there[i]]
    at = cKDTree(local.points).query(scan.key_points[chosen] * unit)[1] if chosen else np.empty(0, np.int64)
    goals = (keys[chosen] @ rotation.T + translation) * unit
    on_head = surface.nearest(deformed(local, surface, np.asarray(at, np.int64), goals))
    distances = UNIT_MM * np.linalg.norm(on_head - local.points, axis=1)
    nearest = UNIT_MM * np.linalg.norm(surface.nearest(local.points) - local.points, axis=1)
    return RegionError(float(distances.mean()), distances, float(nearest.mean()))


def _rigid_icp(
    region: Floats, surface: Surface, keys: Floats, scan_keys: Floats, share: float, mm: float
) -> tuple[Floats, Floats]:
    """Return rotation and translation of the head's surface to the points of a region, by ICP with key points.

    All key points together weigh ``share`` times as much as all points of the region. ``mm`` is a unit's length.
    """
    rotation, translation = np.eye(3), np.zeros(3)
    weights = np.concatenate([np.ones(len(region)), np.full(len(keys), share * len(region) / max(len(keys), 1))])
    target = np.concatenate([region, scan_keys])
    before = np.inf
    for _ in range(STEPS):
        # The region is moved to the head's frame, so that the surface need not be built again.
        nearest = surface.nearest((region - translation) @ rotation)
        source = np.concatenate([nearest, keys])
        _, rotation, translation = similarity(source, target, weights, scaled=False)
        error = float((weights * ((source @ rotation.T + translation - target) ** 2).sum(1)).sum() / weights.sum())
        if abs(before - error) < SETTLED_MM2 / mm**2:
            break
        before = error
    return rotation, translation
