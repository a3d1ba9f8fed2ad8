"""Scans of synthetic people, with a photograph of each: to try ``realy`` without REALY's data.

A scan is the person's skin with the shape that the photograph shows, subdivided, so that it has another topology than
the open head, and with noise of a scanner.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ...model.builtin import OPEN
from ...model.errors import InputError
from ...model.face.face_model import FaceModel, triangles
from ...model.face.meshes import half_edges
from ...model.files import atomic_folder
from ...model.formats import open_face_model
from ...model.formats.ply import save_ply
from ...model.rotations import rotation_of_euler
from ...training.synthetic.surface import build_surface
from ..emotions.synthetic import picture
from .meshes import Floats, Indices, Mesh

NOISE_MM = 0.1  # of a scanned point
NOSE_MM, MOUTH_MM = 13.0, 11.0  # from the landmarks to the region's rim
TOP_MM = 45.0  # of the forehead above the brows
PEOPLE, SCANS, HEADS = "people", "scans", "heads"  # folders of the photographs, the scans, the true heads


def make(out: Path, count: int, seed: int) -> None:
    """Write scans/N/REGION.ply with key points, people/N.png and heads/N.ply into ``out``. Raises InputError.

    The heads are the people's own, turned, moved and scaled: their error is the scanner's noise.
    """
    if out.exists():
        raise InputError(f"{out}: exists already: give the name of a new folder")
    model = open_face_model(OPEN)
    surface = build_surface(model)
    regions = head_regions(model)
    with atomic_folder(out) as part:
        for name in (PEOPLE, HEADS):
            (part / name).mkdir(parents=True)
        for person in tqdm(range(count), desc="people"):
            rest = np.zeros(len(model.expression))
            drawn = picture(surface, seed, person, 0, rest)
            vertices = drawn.vertices
            cv2.imwrite(str(part / PEOPLE / f"{person + 1}.png"), drawn.image)
            folder = part / SCANS / str(person + 1)
            folder.mkdir(parents=True)
            rng = np.random.default_rng([seed, person, 7])
            write_scan(folder, vertices.astype(np.float64), model, regions, rng)
            turned = vertices @ rotation_of_euler(*rng.normal(0, 0.3, 3)).T * rng.uniform(0.5, 2) + rng.normal(0, 50, 3)
            save_ply(part / HEADS / f"{person + 1}.ply", turned, model.faces)
    print(f"{out}: scans and photographs of {count} synthetic people, seed {seed}")


def write_scan(
    folder: Path, vertices: Floats, model: FaceModel, regions: dict[str, Indices], rng: np.random.Generator
) -> None:
    """Write the regions of a head (V, 3) as PLY, and its 68 key points, as landmarks without noise."""
    assert model.landmarks is not None
    for name, faces in regions.items():
        region = subdivided(Mesh(vertices, faces))
        save_ply(folder / f"{name}.ply", region.points + rng.normal(0, NOISE_MM, region.points.shape), region.triangles)
    rows = "\n".join(",".join(f"{v:.4f}" for v in point) for point in vertices[model.landmarks])
    (folder / "keypoints.csv").write_text(f"x,y,z\n{rows}\n")


def head_regions(model: FaceModel) -> dict[str, Indices]:
    """Return the triangles (T, 3) of the four regions of the open head's skin."""
    assert model.landmarks is not None
    at, marks = model.neutral.astype(np.float64), model.neutral[model.landmarks].astype(np.float64)
    skin = np.zeros(len(at), bool)
    for name in ("skin", "lips"):
        skin[model.regions[name]] = True
    for name in ("nostrils", "eye_socket_L", "eye_socket_R", "mouth_socket"):
        skin[model.regions[name]] = False
    corners = triangles(model.faces).astype(np.int64)
    corners = corners[skin[corners].all(1)]
    middle = at[corners].mean(1)

    def near(which: slice) -> Floats:
        gaps: Floats = np.linalg.norm(middle[:, None] - marks[which], axis=2).min(1)
        return gaps

    eyes, brows, chin = marks[36:48, 1].mean(), marks[17:27, 1].max(), marks[8, 1]
    front = (middle[:, 2] > marks[36:48, 2].min() - 15) & (
        np.abs(middle[:, 0]) < np.abs(marks[[36, 45], 0]).mean() + 22
    )
    nose: NDArray[np.bool_] = near(slice(27, 36)) < NOSE_MM
    nose &= middle[:, 1] < eyes + 5
    mouth = (near(slice(48, 68)) < MOUTH_MM) & ~nose & (middle[:, 1] < marks[33, 1])
    forehead = front & ~nose & (middle[:, 1] > eyes - 8) & (middle[:, 1] < brows + TOP_MM)
    cheek = front & ~nose & ~mouth & ~forehead & (middle[:, 1] > chin + 5) & (middle[:, 1] < eyes)
    return {"nose": corners[nose], "mouth": corners[mouth], "forehead": corners[forehead], "cheek": corners[cheek]}


def subdivided(mesh: Mesh) -> Mesh:
    """Split each triangle into four, and leave out vertices without a triangle."""
    used, corners = np.unique(mesh.triangles, return_inverse=True)
    corners = corners.reshape(mesh.triangles.shape)
    points = mesh.points[used]
    sides = half_edges(corners)
    edges, of = np.unique(np.sort(sides, 1), axis=0, return_inverse=True)
    ab, bc, ca = of.reshape(3, -1) + len(points)
    a, b, c = corners.T
    split = np.concatenate([np.stack(t, 1) for t in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))])
    return Mesh(np.concatenate([points, points[edges].mean(1)]), split)
