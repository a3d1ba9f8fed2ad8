"""Make the file of photographs that provides the engine's skins, brows and light.

``python -m expnet.training.realism.skins REALISM_FOLDER --out FILE.npz``; then ``synthetic.generate --realism FILE``.
This is done once.

REALISM_FOLDER holds makehuman_cc0/ (head_crops, brows, mesh), leeperrysmith_ccby3/ and hdri_cc0/. The scan needs the
package DracoPy. Without the scan's folder the file holds only MakeHuman's skins.
"""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path

import cv2
import numpy as np

from ...model.array_types import AnyArray
from ...model.builtin import OPEN
from ...model.errors import InputError
from ...model.files import write_whole
from ...model.formats import open_face_model
from ..synthetic.realism import FORMAT
from ..synthetic.surface import Surface, build_surface
from . import makehuman, scan
from .brows import read_brows
from .environments import light_of, read_environment
from .split import Skin, split
from .warp import look_up


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="REALISM_FOLDER")
    parser.add_argument("--out", type=Path, required=True, help="the .npz to write")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    try:
        surface = build_surface(open_face_model(OPEN))
        content = io.BytesIO()
        np.savez_compressed(content, **photographs_of(surface, options.folder))
        write_whole(options.out, content.getvalue())
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{options.out}: {options.out.stat().st_size / 1e6:.1f} MB")
    return 0


def photographs_of(surface: Surface, folder: Path) -> dict[str, AnyArray]:
    """Return the arrays of the file, see ``synthetic.realism``. Raises InputError."""
    skins = _makehuman_skins(surface, folder / "makehuman_cc0")
    if (folder / "leeperrysmith_ccby3").is_dir():
        skins["LeePerrySmith"] = _scanned_skin(surface, folder / "leeperrysmith_ccby3")
    maps = sorted((folder / "hdri_cc0").glob("*.exr"))
    if not maps:
        raise InputError(f"{folder / 'hdri_cc0'}: no environment maps (*.exr) there")
    ambient, lamps, lamp_colors = zip(*(light_of(read_environment(path)) for path in maps), strict=True)
    return {
        "format": np.array(FORMAT),
        "landmarks": surface.coords[surface.model.landmarks].astype(np.float32),
        "skins": np.array(list(skins)),
        "low": np.stack([s.low for s in skins.values()]).astype(np.float16),
        "detail": np.stack([s.detail for s in skins.values()]),
        "tones": np.stack([s.tone for s in skins.values()]),
        "brows": read_brows(folder / "makehuman_cc0"),
        "maps": np.array([path.stem for path in maps]),
        "ambient": np.array(ambient, np.float32),
        "lamps": np.array(lamps, np.float32),
        "lamp_colors": np.array(lamp_colors, np.float32),
    }


def _makehuman_skins(surface: Surface, folder: Path) -> dict[str, Skin]:
    crops = sorted((folder / "head_crops").glob("*.png"))
    if not crops:
        raise InputError(f"{folder / 'head_crops'}: no skins (*.png) there")
    head = makehuman.read_head(folder / "mesh" / "base.obj")
    found = look_up(surface, head.points, head.faces, head.uv, makehuman.inner_landmarks(head.points))
    texel = makehuman.crop_texel(found.uv)
    skins = {}
    for path in crops:
        picture = makehuman.read_skin(path)
        inside = ((texel >= 0) & (texel <= np.array(picture.shape[1::-1]) - 1)).all(-1)
        skins[path.stem] = split(surface, found.resampled(picture, texel), found.known & inside)
    return skins


def _scanned_skin(surface: Surface, folder: Path) -> Skin:
    mesh, colors = scan.read_scan(folder)
    found = look_up(surface, mesh.points, mesh.faces, mesh.uv, scan.inner_landmarks(mesh))
    return split(surface, found.resampled(colors, scan.texel(found.uv)), found.known, browed=True)


if __name__ == "__main__":
    sys.exit(main())
