"""Non-rigid ICP with an affine map for each vertex (Amberg, Romdhani and Vetter, CVPR 2007).

A surface is deformed onto another: neighbouring vertices' maps are pulled together (stiffness), each vertex is pulled
to the other surface's nearest point, and key points to their places. One sparse linear system for each step.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from ...model.face.meshes import half_edges
from .meshes import Floats, Indices, Mesh, Surface

# REALY's schedule: a step on the key points alone, then three stiffnesses. Lengths are in units of about 9 mm.
FIRST_STIFFNESS = 150.0
STIFFNESS = tuple(50.0 * np.exp(-0.5 * np.arange(3)))
KEY_POINT_WEIGHT = 50.0
KEY_POINT_LATER, KEY_POINT_DECAY = 0.1, 0.9
STEPS = 10  # of each stiffness, at most
SETTLED = 1e-3  # mean motion of a step, units
FAR = 2.0  # times the mean distance, at least FAR_LEAST: a vertex beyond has no correspondence
FAR_LEAST = 1.0


def deformed(region: Mesh, target: Surface, key_vertices: Indices, key_points: Floats) -> Floats:
    """Return the vertices (V, 3) of ``region`` on the surface ``target``, in the unit of FIRST_STIFFNESS.

    ``key_vertices`` (K,) of the region lie at ``key_points`` (K, 3) on the target; K may be 0.
    """
    stiff = _differences(region)
    at = region.points
    done = 0
    if len(key_vertices):
        weight = np.zeros(len(at))
        weight[key_vertices] = KEY_POINT_WEIGHT
        goal = at.copy()
        goal[key_vertices] = key_points
        at = _step(at, stiff * FIRST_STIFFNESS, weight, goal)
        done = 1
    for stiffness in STIFFNESS:
        for _ in range(STEPS):
            nearest = target.nearest(at)
            distance = np.linalg.norm(nearest - at, axis=1)
            weight = (distance < max(FAR * distance.mean(), FAR_LEAST)).astype(np.float64)
            goal = nearest
            if len(key_vertices):
                pull = KEY_POINT_LATER * KEY_POINT_WEIGHT * np.exp(-KEY_POINT_DECAY * done)
                goal, weight = _with_key_points(goal, weight, key_vertices, key_points, pull)
            moved = _step(at, stiff * stiffness, weight, goal)
            settled = np.linalg.norm(moved - at, axis=1).mean() < SETTLED
            at = moved
            done += 1
            if settled:
                break
    return at


def _with_key_points(
    goal: Floats, weight: Floats, key_vertices: Indices, key_points: Floats, pull: float
) -> tuple[Floats, Floats]:
    """Return goals and weights (V, 3), (V,) in which key points pull with ``pull`` beside the nearest points."""
    goal, weight = goal.copy(), weight.copy()
    own = weight[key_vertices] ** 2
    both = own + pull**2
    goal[key_vertices] = (own[:, None] * goal[key_vertices] + pull**2 * key_points) / both[:, None]
    weight[key_vertices] = np.sqrt(both)
    return goal, weight


def _differences(mesh: Mesh) -> sparse.csr_matrix:
    """Return the incidence matrix of the mesh's edges, (E, V)."""
    sides = half_edges(mesh.triangles)
    edges = np.unique(np.sort(sides, 1), axis=0)
    rows = np.repeat(np.arange(len(edges)), 2)
    signs = np.tile([1.0, -1.0], len(edges))
    return sparse.csr_matrix((signs, (rows, edges.ravel())), (len(edges), len(mesh.points)))


def _step(at: Floats, stiff: sparse.csr_matrix, weight: Floats, goal: Floats) -> Floats:
    """Solve for all maps and return the moved vertices (V, 3)."""
    count = len(at)
    whole = np.concatenate([at, np.ones((count, 1))], 1)
    rows = np.repeat(np.arange(count), 4)
    places = sparse.csr_matrix((whole.ravel(), (rows, np.arange(4 * count))), (count, 4 * count))
    weighted = sparse.diags(weight) @ places
    laplacian = sparse.kron(stiff.T @ stiff, sparse.identity(4))
    # A vertex that nothing pulls keeps its place.
    matrix = laplacian + weighted.T @ weighted + 1e-9 * sparse.identity(4 * count)
    still = np.tile(np.eye(4)[:, :3], (count, 1))
    right = weighted.T @ (weight[:, None] * goal) + 1e-9 * still
    solution = splu(sparse.csc_matrix(matrix), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True}).solve(right)
    moved: Floats = places @ solution
    return moved
