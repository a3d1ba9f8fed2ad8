"""``expnet rig``, ``import-weights`` and ``map-basis``: face models, and the authors' own networks."""

from __future__ import annotations

import argparse
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from ...model.errors import InputError
from ...model.formats.npz import load_face_model
from ...model.sight.clips import check_there
from ..engine import requests
from ..engine.jobs import Job
from .options import preferred_python
from .outputs import check_outputs, need_bpy, save_blend
from .terminal import bar, quiet_stdout

if TYPE_CHECKING:
    import bpy

    from ...model.face.face_model import FaceModel


def rig(a: argparse.Namespace) -> None:
    check_outputs([a.face_model], {a.out: (".blend",)})
    need_bpy("rig")
    from ..scene import camera_and_light as staging

    file = face_model_file(a.face_model)
    with quiet_stdout():
        blender_scene, head = fresh_head(file, a.face_model)
        staging.light_head(blender_scene)
        save_blend(a.out)
    print(f"{a.out}: {head.name}, {len(head.data.vertices)} vertices")


def import_weights(a: argparse.Namespace) -> None:
    check_there(a.folder, "folder")
    with Job(requests.import_weights(a.folder, a.out, a.half), preferred_python()) as job, bar() as shown:
        reply = job.wait(shown)
    for source in reply["sources"]:
        print(f"found    {source['file']} ({source['bytes'] / 1e6:.1f} MB): {source['gave']}")
    if reply["face_model"]:
        print(f"found    {reply['face_model']}: give it as --face-model")
    for file, why in reply["passed_over"]:
        print(f"left     {Path(file).name}: {why}")
    for file, adds in reply["missing"]:
        print(f"missing  {file}: {adds}")
    for network, trunk in reply["networks"].items():
        if trunk not in ("", network):
            print(f"{network} and {trunk} have the same trunk: it is stored once")
    print(f"{reply['out']}: {', '.join(reply['networks'])}")


def map_basis(a: argparse.Namespace) -> None:
    from ..user_files import basis_maps, face_models

    check_there(a.face_model, "face model")
    check_outputs([a.face_model], {a.out: (".npz",)} if a.out else {})
    with Job(requests.convert(a.face_model), preferred_python()) as job, bar() as shown:
        reply = job.wait(shown)
        if not reply["basis_map"]:
            raise InputError(f"no map for {a.face_model}: {reply['no_map']}")
        basis_maps.keep(reply)
        if a.out:
            face_models.keep(Path(reply["basis_map"]), a.out.absolute())
    print("\n\n".join(reply["tables"]))
    print(f"\nKept in {basis_maps.map_file(reply['basis'])}")


def face_model_file(face_model: str) -> Path:
    """The npz of a face model; other formats are converted by the worker, once."""
    from ..user_files import basis_maps, face_models

    file = face_models.readable_file(face_model)
    if file is None:
        file = face_models.cache_file(Path(face_model))
        with Job(requests.convert(face_model), preferred_python()) as job, bar() as shown:
            basis_maps.keep(job.wait(shown))
            face_models.keep(job.out, file)
    return file


def fresh_head(file: Path, face_model: str) -> tuple[bpy.types.Scene, bpy.types.Object]:
    """An empty scene with one head in it."""
    import bpy

    from ..scene import rig

    model = read_head(file)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    scene = bpy.context.scene
    return scene, rig.create_rig(model, model_path="open" if face_model == "open" else str(file))


def read_head(file: Path) -> FaceModel:
    """A converted face model, read once: a process may make one head after the other, and the very same model's skin
    is painted once, too."""
    return _read_head(file, file.stat().st_mtime_ns)


@lru_cache(maxsize=1)
def _read_head(file: Path, changed: int) -> FaceModel:
    return load_face_model(file)
