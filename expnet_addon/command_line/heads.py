"""``expnet rig``, ``import-weights`` and ``map-basis``: face models, and the authors' own networks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...model.builtin import OPEN
from ...model.errors import InputError
from ...model.sight.sequences import check_there
from ..engine import requests
from ..engine.jobs import Job
from ..unattended.heads import face_model_file, fresh_head
from ..unattended.outputs import check_outputs, require_bpy, save_blend
from ..unattended.terminal import bar, quiet_stdout
from ..unattended.worker_python import preferred_python


@dataclass(frozen=True)
class RigOptions:
    """A head of ``face_model`` (``open`` or a path) in the scene ``out`` (.blend)."""

    out: Path
    face_model: str = OPEN


@dataclass(frozen=True)
class ImportOptions:
    """The checkpoints in ``folder``, converted into the folder ``out`` (None: the same); ``half``: 16-bit weights."""

    folder: str
    out: str | None = None
    half: bool = False


@dataclass(frozen=True)
class FineTuneOptions:
    """One actor's ``clips``, and the file ``out`` (.safetensors) for the weights trained from ``estimator``."""

    clips: tuple[str, ...]
    out: Path
    estimator: str = OPEN
    lens_mm: float = 50.0


@dataclass(frozen=True)
class MapOptions:
    """The maps between ``face_model``'s basis and the open one, also written to ``out`` (.npz) if it is given."""

    face_model: str
    out: Path | None = None


def rig(a: RigOptions) -> None:
    """Write a scene with a head. Raises InputError, WorkerFault."""
    check_outputs([a.face_model], {a.out: (".blend",)})
    require_bpy("rig")
    from ..scene import camera_and_light as staging

    file = face_model_file(a.face_model)
    with quiet_stdout():
        blender_scene, head = fresh_head(file, a.face_model)
        staging.light_head(blender_scene)
        save_blend(a.out)
    print(f"{a.out}: {head.name}, {len(head.data.vertices)} vertices")


def import_weights(a: ImportOptions) -> None:
    """Convert the authors' checkpoints. Raises InputError, WorkerFault."""
    check_there(a.folder, "folder")
    with Job(requests.import_weights(a.folder, a.out, a.half), preferred_python()) as job, bar() as shown:
        reply = job.wait(shown)
    for source in reply.sources:
        print(f"found    {source.file} ({source.bytes / 1e6:.1f} MB): {source.gave}")
    if reply.face_model:
        print(f"found    {reply.face_model}: give it as --face-model")
    for file, why in reply.passed_over:
        print(f"left     {Path(file).name}: {why}")
    for file, adds in reply.missing:
        print(f"missing  {file}: {adds}")
    for network, trunk in reply.networks.items():
        if trunk not in ("", network):
            print(f"{network} and {trunk} have the same trunk: it is stored once")
    print(f"{reply.out}: {', '.join(reply.networks)}")


def fine_tune(a: FineTuneOptions) -> None:
    """Write weights of one actor if they are better. Raises InputError, WorkerFault."""
    from ..engine.packs import fine_tune_report

    for clip in a.clips:
        check_there(clip, "clip")
    outputs = {a.out.with_suffix(suffix): (suffix,) for suffix in (".svg", ".mp4")}
    check_outputs([*a.clips, a.estimator], {a.out: (".safetensors",), **outputs})
    request = requests.fine_tune(a.clips, str(a.out), a.estimator, a.lens_mm)
    with Job(request, preferred_python()) as job, bar() as shown:
        reply = job.wait(shown)
    print(fine_tune_report(reply, str(a.out)))


def map_basis(a: MapOptions) -> None:
    """Make and store the maps of a face model's basis. Raises InputError, WorkerFault."""
    from ..user_files import basis_maps, face_models

    check_there(a.face_model, "face model")
    check_outputs([a.face_model], {a.out: (".npz",)} if a.out else {})
    with Job(requests.convert(a.face_model), preferred_python()) as job, bar() as shown:
        reply = job.wait(shown)
        if not reply.basis_map:
            raise InputError(f"no map for {a.face_model}: {reply.no_map}")
        basis_maps.keep(reply)
        if a.out:
            face_models.keep(Path(reply.basis_map), a.out.absolute())
    print("\n\n".join(reply.tables))
    print(f"\nKept in {basis_maps.map_file(reply.basis)}")
