"""Learn what the open keys lack of ARKit's 52 shapes from ICT-FaceKit's FaceXModel, on the open head.

    python -m expnet.training.open_head.arkit FACEXMODEL [--out model/data/arkit_keys.npz]

The file has half the difference of both sides for the open keys that ARKit splits, and the shapes without an open key.
Each is symmetric or antisymmetric, so the vertices with x >= 0 suffice: int16 in steps of 0.02 mm. Needs bpy, as
``build`` does. Prints the size of the file and the greatest offset of each field.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ...model.array_types import FloatArray
from ...model.files import atomic_path
from ...model.own_head.arkit import FILE, PAIRED, STEP_MM, SYMMETRIC, mirror_of, on_left
from ...model.own_head.template import open_head
from . import ict
from .build import INNER_PARTS, learn
from .expressions import mirror_field
from .identity import COORDINATES

NOISE_MM = 0.05  # the source's shapes touch vertices far off by less


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("facexmodel", type=Path)
    parser.add_argument("--out", type=Path, default=FILE)
    options = parser.parse_args()
    source = ict.read_facex(options.facexmodel)
    built = learn(source, np.load(COORDINATES, allow_pickle=False).astype(float))
    head = open_head()
    if not np.allclose(built.model.mean, head.mean, atol=0.01):
        raise SystemExit("this source does not give the open head of model/data: build it first")
    fields = parts(source.shapes)
    inner = np.concatenate([head.regions[name] for name in INNER_PARTS])
    mirror, left = mirror_of(head.mean), on_left(head.mean)
    stored = {}
    for name, field in fields.items():
        own = np.zeros(head.mean.shape)
        carried = built.topology.embedding(field)
        own[: len(carried)] = carried
        own = (own + (-1 if name in PAIRED else 1) * mirror_field(own, mirror)) / 2
        if name != "jawForward":
            own[inner] = 0
        own[np.linalg.norm(own, axis=1) < NOISE_MM] = 0
        stored[name] = np.round(own[left] / STEP_MM).astype(np.int16)
        print(f"{name:18} {np.linalg.norm(own, axis=1).max():6.2f} mm")
    with atomic_path(options.out) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **stored)
    print(f"{options.out}: {options.out.stat().st_size / 1e3:.0f} kB")


def parts(shapes: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Return the fields of the source that the file has, by name, (N, 3) mm."""
    found = {name: (shapes[f"{name}_L"] - shapes[f"{name}_R"]) / 2 for name in PAIRED}
    for name in SYMMETRIC:
        found[name] = shapes[name] if name in shapes else (shapes["mouthLeft"] + shapes["mouthRight"]) / 2
    return found


if __name__ == "__main__":
    main()
