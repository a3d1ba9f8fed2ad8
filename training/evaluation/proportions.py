"""The mean alpha of the engine's people: the alpha closest to 0 at which the head has people's mean proportions.

The source's mean head is wider than people are, its eyes are farther apart, its mouth lies lower. The means over 102
people with hand-set points (people_at_rest.toml), in millimetres with pupils 63 mm apart, are matched except for the
brows, which the engine paints at people's height. This command writes training/synthetic/mean_alpha.npy:

    python -m expnet.training.evaluation.proportions
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping

import numpy as np

from ...model.array_types import FloatArray
from ...model.builtin import OPEN
from ...model.face.semantics import mirror_open_alpha
from ...model.files import atomic_path
from ...model.formats import open_face_model
from ..synthetic.shape import landmarks_of, turned_eyes
from ..synthetic.surface import MEAN_ALPHA_FILE, Surface, build_surface
from .rest import known_people, of_landmarks

GAUSS_NEWTON_STEPS = 3
TOLERANCE_MM = 0.7  # one standard deviation of alpha counts as much as this error of one measure


def mean_alpha(surface: Surface, people: Mapping[str, float]) -> FloatArray:
    """Return alpha (99,) float32 from the means of ``people``, mm by name: of a symmetric face."""
    names = [name for name in people if not name.startswith("brow")]
    target = np.array([people[name] for name in names])

    def measures(alpha: FloatArray) -> FloatArray:
        vertices = turned_eyes(surface, surface.model.vertices(alpha.astype(np.float32)))
        found = of_landmarks(landmarks_of(surface, vertices))
        return np.array([found[name] for name in names]) / TOLERANCE_MM

    alpha = np.zeros(len(surface.model.identity))
    for _ in range(GAUSS_NEWTON_STEPS):
        steps = np.eye(len(alpha))
        jacobian = np.stack([(measures(alpha + s) - measures(alpha - s)) / 2 for s in steps], 1)
        error = target / TOLERANCE_MM - measures(alpha) + jacobian @ alpha
        alpha = np.linalg.solve(jacobian.T @ jacobian + np.eye(len(alpha)), jacobian.T @ error)
    symmetric: FloatArray = (alpha + mirror_open_alpha(alpha)) / 2
    return symmetric.astype(np.float32)


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    alpha = mean_alpha(build_surface(open_face_model(OPEN)), known_people().mean)
    with atomic_path(MEAN_ALPHA_FILE) as partial, partial.open("wb") as file:
        np.save(file, alpha)
    print(f"{MEAN_ALPHA_FILE.name}: distance from the mean head {np.linalg.norm(alpha):.2f} standard deviations")


if __name__ == "__main__":
    main()
