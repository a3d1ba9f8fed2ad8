"""People's alpha: that of their average face, and the direction in which mouths get wider.

The source's mean head is wider than people are, its eyes are farther apart, its mouth lies lower. The average is the
alpha closest to 0 at which all means over 102 people with hand-set points are matched (people_at_rest.toml, mm with
pupils 63 mm apart). The widths of the source's mouths vary more than people's: ``shape.MOUTH_WIDTHS``. This command
writes training/open_head/people_alpha.npz, which ``training.open_head.build`` puts into the open head:

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
from ..open_head.identity import PEOPLE
from ..synthetic.shape import landmarks_of, turned_eyes
from ..synthetic.surface import Surface, build_surface
from .rest import known_people, of_landmarks

GAUSS_NEWTON_STEPS = 3
TOLERANCE_MM = 0.7  # one standard deviation of alpha counts as much as this error of one measure


def average_alpha(surface: Surface, people: Mapping[str, float]) -> FloatArray:
    """Return alpha (99,) float32 from the means of ``people``, mm by name: of a symmetric face."""
    names = list(people)
    target = np.array(list(people.values()))
    alpha = np.zeros(len(surface.model.identity))
    for _ in range(GAUSS_NEWTON_STEPS):
        jacobian = _jacobian(surface, alpha, names) / TOLERANCE_MM
        error = (target - _measures(surface, alpha, names)) / TOLERANCE_MM + jacobian @ alpha
        alpha = np.linalg.solve(jacobian.T @ jacobian + np.eye(len(alpha)), jacobian.T @ error)
    symmetric: FloatArray = (alpha + mirror_open_alpha(alpha)) / 2
    return symmetric.astype(np.float32)


def mouth_width(surface: Surface, alpha: FloatArray) -> FloatArray:
    """Return the direction (99,) float32 of length 1 in which the mouth of the head ``alpha`` gets wider soonest."""
    gradient = _jacobian(surface, alpha, ["mouth width"])[0]
    symmetric = gradient + mirror_open_alpha(gradient)
    direction: FloatArray = (symmetric / np.linalg.norm(symmetric)).astype(np.float32)
    return direction


def _jacobian(surface: Surface, alpha: FloatArray, names: list[str]) -> FloatArray:
    """Return the change (N, 99) of the measures ``names``, mm for one standard deviation of each component."""
    steps = np.eye(len(alpha))
    ends = [(_measures(surface, alpha + s, names), _measures(surface, alpha - s, names)) for s in steps]
    return np.stack([(more - less) / 2 for more, less in ends], 1)


def _measures(surface: Surface, alpha: FloatArray, names: list[str]) -> FloatArray:
    vertices = turned_eyes(surface, surface.model.vertices(alpha.astype(np.float32)))
    found = of_landmarks(landmarks_of(surface, vertices))
    return np.array([found[name] for name in names])


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    surface = build_surface(open_face_model(OPEN))
    alpha = average_alpha(surface, known_people().mean)
    with atomic_path(PEOPLE) as partial, partial.open("wb") as file:
        np.savez(file, mean=alpha, mouth_width=mouth_width(surface, alpha))
    print(f"{PEOPLE.name}: distance from the mean head {np.linalg.norm(alpha):.2f} standard deviations")


if __name__ == "__main__":
    main()
