"""Keys made symmetric: each is averaged with the mirror image of the key of the other side."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from ..array_types import BoolArray, FloatArray
from ..face.meshes import vertex_normals
from .fit import Fit, Target
from .sources import Source
from .template import Template

SAME_MM = 0.05  # a vertex this near to a mirror image is its partner
PLANE_ROUNDS = 8
SURFACE_MM = 2.5  # farther from the other side's surface a vertex keeps its own keys


def symmetrised(
    template: Template, fitted: Fit, target: Target, keys: Source, offsets: FloatArray, movable: BoolArray
) -> tuple[FloatArray, float]:
    """Return offsets (K, V, 3), symmetric where the surface is, and the share of ``movable`` (V,) where it is."""
    tree = cKDTree(target.points)
    origin, normal = _refined(*_plane(template, fitted), target.points[movable], tree)

    def mirrored(vectors: FloatArray) -> FloatArray:
        image: FloatArray = vectors - 2 * (vectors @ normal)[..., None] * normal
        return image

    images = mirrored(target.points - origin) + origin
    normals = mirrored(vertex_normals(target.points, target.faces))
    found = target.surface.nearest(images, normals)
    corners, shares, distance = found.corners, found.shares, found.distance
    apart, partner = tree.query(images)
    exact = apart < SAME_MM
    corners[exact] = partner[exact][:, None]
    distance[exact] = apart[exact]
    near = distance < SURFACE_MM
    out = np.empty_like(offsets)
    for k, (other, sign) in enumerate(keys.mirror):
        image = sign * mirrored(np.einsum("nkc,nk->nc", offsets[other][corners], shares))
        out[k] = np.where(near[:, None], (offsets[k] + image) / 2, offsets[k])
    share = float(near[movable].mean()) if movable.any() else 1.0
    return out, share


def _refined(
    origin: FloatArray, normal: FloatArray, points: FloatArray, tree: cKDTree
) -> tuple[FloatArray, FloatArray]:
    """Return the plane moved so that mirror images of ``points`` (n, 3) come nearest to vertices of the ``tree``."""
    some = points[:: max(1, len(points) // 20_000)]
    for _ in range(PLANE_ROUNDS):
        images = some - 2 * ((some - origin) @ normal)[:, None] * normal
        distance, partner = tree.query(images)
        near = distance <= np.quantile(distance, 0.8)
        here, there = some[near], tree.data[partner[near]]
        middle = (here.mean(axis=0) + there.mean(axis=0)) / 2
        product = (here - middle).T @ (there - middle)
        # The reflection that brings ``here`` to ``there``: its normal has the least sum of products of both heights.
        candidate = np.linalg.eigh(product + product.T)[1][:, 0]
        origin, normal = middle, candidate * np.sign(candidate @ normal)
    return origin, normal


def _plane(template: Template, fitted: Fit) -> tuple[FloatArray, FloatArray]:
    """Return a point (3,) and the unit normal (3,) of the plane between the fitted face's sides."""
    left = np.flatnonzero((template.rest[:, 0] > 5) & template.data & (template.rest[:, 2] > 40))
    _, right = cKDTree(template.rest).query(template.rest[left] * [-1, 1, 1])
    across = fitted.skin[left] - fitted.skin[right]
    normal = across.sum(axis=0)
    normal /= np.linalg.norm(normal)
    return (fitted.skin[left] + fitted.skin[right]).mean(axis=0) / 2, normal
