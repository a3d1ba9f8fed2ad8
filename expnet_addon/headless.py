"""The command line: ``estimate``, ``animate``, ``retarget``, ``rig`` and ``import-weights``.

The same verbs four ways: ``expnet …`` (pip), ``python -m expnet …``, with the extension installed
``blender --command expnet …``, and ``blender -b --python expnet_addon/headless.py -- …``. Exit status 0: done; 2: wrong
use or bad input, one line on stderr says what and what to do; 1: a fault of ours. Every output appears complete or not
at all.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":  # run by its path, by Blender: import the package around this file and go on in there
    import importlib
    import importlib.util
    from pathlib import Path

    root = Path(__file__).resolve().parents[1]
    spec = importlib.util.spec_from_file_location(
        "expnet", root / "__init__.py", submodule_search_locations=[str(root)]
    )
    sys.modules["expnet"] = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
    spec.loader.exec_module(sys.modules["expnet"])  # type: ignore[union-attr]
    inside = importlib.import_module("expnet.expnet_addon.headless")
    sys.exit(inside.main(sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []))

import argparse
import contextlib
import json
import os
import re
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from ..model.errors import InputError
from ..model.face_names import SCHEMES
from ..model.formats.live_link import read_performance, write_live_link
from ..model.formats.npz import load_face_model
from ..model.official.box_list import read_box_list
from ..model.retargeting import save_preset
from . import requests
from .batch.outcome import SomeFailed
from .clips import check_there, shown_file
from .jobs import Job, Progress, WorkerFault
from .requests import Listed, Seeing

if TYPE_CHECKING:
    import bpy

    from ..model.performance import FacePerformance
    from .rendering import Quality

DONE, FAULT, BAD_INPUT, SOME_FAILED = 0, 1, 2, 3
PERFORMANCE_FORMATS = (".npz", ".csv", ".json")
SCENE_FORMATS = (".blend", ".glb")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line (default: this process's) and return its exit status."""
    try:
        arguments = parser().parse_args(argv)
        arguments.run(arguments)
    except InputError as error:
        return _say(error, BAD_INPUT)
    except SomeFailed as error:
        return _say(error, SOME_FAILED)
    except WorkerFault as error:
        if os.environ.get("EXPNET_DEBUG") and error.details:
            print(error.details, file=sys.stderr)
        return _say(error, FAULT)
    except KeyboardInterrupt:
        return _say("cancelled, nothing was written", 130)
    except SystemExit as error:  # argparse: --help
        return int(error.code or 0)
    except BrokenPipeError:
        return DONE  # whoever reads our table has seen enough
    except Exception as error:
        traceback.print_exc()
        return _say(f"a fault of ours: {error}", FAULT)
    return DONE


def _say(error: object, status: int) -> int:
    print(f"expnet: {error}", file=sys.stderr)
    return status


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than one")
    return number


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message} (see '{self.prog} --help')")


def parser() -> argparse.ArgumentParser:
    """Of the whole command line; raises InputError for wrong use."""
    seeing = _Parser(add_help=False)
    seeing.add_argument("--estimator", default="open", metavar="open|PATH", help="weights: open, a file or a folder")
    seeing.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"))
    seeing.add_argument(
        "--runtime",
        default="auto",
        choices=("auto", "full", "light"),
        help="what runs the network: full is torch, light is OpenCV alone; auto: full where it is",
    )
    which = seeing.add_mutually_exclusive_group()
    which.add_argument(
        "--box", type=float, nargs=4, metavar=("X", "Y", "W", "H"), help="where the face is at first, pixels"
    )
    which.add_argument("--face", type=int, metavar="N", help="which face when there are several; 0 is the largest")
    official = seeing.add_argument_group("with the authors' networks (import-weights)")
    official.add_argument(
        "--preprocessing", default="release", choices=("release", "paper"),
        help="how the face is cut out: as their program does it, or as their paper says",
    )  # fmt: skip
    official.add_argument(
        "--jpeg", action=argparse.BooleanOptionalAction, default=True,
        help="pass the crop through a JPEG file, as their program does",
    )  # fmt: skip
    model = _Parser(add_help=False)
    model.add_argument(
        "--face-model", default="open", metavar="open|PATH", help="the head: open, or a face model's file"
    )
    keying = _Parser(add_help=False)
    keying.add_argument("--smoothing", type=float, default=0.5, metavar="S", help="0 is off, 1 the calmest (0.5)")
    keying.add_argument(
        "--neutral", default="none", metavar="none|auto|FRAME",
        help="the actor's face at rest, which becomes the head's: found in the quietest frames, or a frame from 0",
    )  # fmt: skip
    keying.add_argument(
        "--identity", action=argparse.BooleanOptionalAction, default=True, help="give the head the clip's face shape"
    )
    keying.add_argument(
        "--fps", choices=("clip", "keep"), default="clip", help="the scene's frame rate: the clip's, or Blender's own"
    )
    keying.add_argument("--lens", type=float, default=50.0, metavar="MM", help="focal length on a 36 mm sensor (50)")
    look = _Parser(add_help=False)
    look.add_argument(
        "--engine", choices=("auto", "workbench", "eevee", "cycles"), help="what renders; auto: the quickest that works"
    )
    look.add_argument("--samples", type=_positive, metavar="N", help="of EEVEE (16) or Cycles (12)")
    look.add_argument("--height", type=_positive, metavar="PIXELS", help="of the picture (the footage's, at most 720)")
    video = _Parser(add_help=False)
    video.add_argument("--layout", choices=("beside", "over"), default="beside", help="the head and the footage")

    whole = _Parser(prog="expnet", description="Reads the expression of a face from images and footage.")
    verbs = whole.add_subparsers(dest="verb", required=True, metavar="VERB")

    estimate = verbs.add_parser(
        "estimate", parents=[model, seeing], help="expression, identity and pose of the face in images"
    )
    estimate.add_argument(
        "images", nargs="+", metavar="IMAGE|LIST.csv",
        help="images, or lists of them with boxes: ID,FILE,FACE_X,FACE_Y,FACE_WIDTH,FACE_HEIGHT",
    )  # fmt: skip
    estimate.add_argument("--json", type=Path, metavar="FILE", help="write everything to FILE")
    estimate.add_argument("--ply", type=Path, metavar="FOLDER", help="write each face as a mesh, NAME.ply or ID.ply")
    estimate.set_defaults(run=_estimate)

    animating = verbs.add_parser(
        "animate", parents=[model, seeing, keying, look, video], help="a head keyed from a clip"
    )
    animating.add_argument("clip", metavar="CLIP", help="a movie, or a folder of images")
    animating.add_argument("--out", type=Path, metavar="SHOT.blend|glb", help="the scene: head, keys, camera, footage")
    animating.add_argument("--render", type=Path, metavar="SHOT.mp4", help="a video of footage and head")
    animating.add_argument(
        "--performance", type=Path, action="append", default=[], metavar="SHOT.npz|csv|json",
        help="the coefficients over time, smoothed like the keys; may be repeated",
    )  # fmt: skip
    animating.add_argument(
        "--live-link", type=Path, action="append", default=[], metavar="SHOT.csv",
        help="the same as the Live Link Face app records it: ARKit's 52 shapes, head and eyes, with time code",
    )  # fmt: skip
    animating.add_argument("--first", type=int, metavar="FRAME", help="first frame of the clip to read, from 0")
    animating.add_argument("--last", type=int, metavar="FRAME", help="last frame of the clip to read")
    animating.set_defaults(run=animate)

    retarget = verbs.add_parser("retarget", help="a performance, or a Live Link Face recording, on your own character")
    retarget.add_argument("--performance", type=Path, required=True, metavar="SHOT.npz|RECORDING.csv")
    retarget.add_argument("--character", type=Path, metavar="HERO.blend", help="without it: the head in the box")
    retarget.add_argument(
        "--object", action="append", default=[], metavar="NAME",
        help="the character's meshes or armature in the .blend; may be repeated (found by their shape keys)",
    )  # fmt: skip
    retarget.add_argument(
        "--names", type=str.upper, default="AUTO", choices=("AUTO", *SCHEMES), help="what they are named after"
    )
    retarget.add_argument("--preset", type=Path, metavar="TABLE.json", help="a table, instead of one by the names")
    retarget.add_argument("--save-preset", type=Path, metavar="TABLE.json", help="write the table that was used")
    retarget.add_argument("--out", type=Path, metavar="HERO_SHOT.blend|glb", help="the character, keyed")
    retarget.add_argument("--live-link", type=Path, metavar="SHOT.csv", help="the performance as the app records it")
    retarget.add_argument("--fps", choices=("clip", "keep"), default="clip", help="the scene's: the clip's, or its own")
    retarget.add_argument("--recording-fps", type=float, metavar="N", help="the recording's true rate, such as 29.97")
    retarget.add_argument(
        "--swap-sides", action="store_true",
        help="exchange left and right of jaw and mouth, which some versions of the app name the wrong way round",
    )  # fmt: skip
    retarget.set_defaults(run=_retarget)

    rig = verbs.add_parser("rig", parents=[model], help="a head without animation")
    rig.add_argument("--out", type=Path, required=True, metavar="RIG.blend")
    rig.set_defaults(run=_rig)

    render = verbs.add_parser("render", parents=[look], help="frames of a scene, such as a share of a farm's work")
    render.add_argument("scene", type=Path, metavar="SHOT.blend")
    render.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="for 0001.png and so on")
    render.add_argument("--frames", metavar="A-B", help="which (the scene's)")
    render.set_defaults(run=_render)

    encode = verbs.add_parser("encode", help="a folder of rendered frames as a video")
    encode.add_argument("folder", type=Path, metavar="FOLDER")
    encode.add_argument("--out", type=Path, required=True, metavar="SHOT.mp4")
    encode.add_argument("--fps", type=float, default=24.0, metavar="N", help="(24)")
    encode.set_defaults(run=_encode)

    batch = verbs.add_parser(
        "batch", parents=[model, seeing, keying, look, video], help="animate for every clip of a folder"
    )
    batch.add_argument("clips", nargs="+", metavar="FOLDER|GLOB", help="folders of clips, patterns such as '*.mov'")
    batch.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="for the scenes, report.html, records")
    batch.add_argument("--csv", action="store_true", help="write the coefficients as tables too")
    batch.add_argument("--render", action="store_true", help="write videos too: footage and head side by side")
    batch.add_argument("--jobs", type=int, metavar="N", help="clips at once (one for each GPU or two cores)")
    batch.add_argument("--cluster", choices=("ray",), help="spread the clips over a Ray cluster")
    batch.add_argument("--address", metavar="ADDRESS", help="of the Ray cluster; without it one is started here")
    batch.set_defaults(run=_batch)

    serve = verbs.add_parser("serve-shots")  # not for people: what batch starts
    serve.set_defaults(run=_serve_shots)

    weights = verbs.add_parser("import-weights", help="convert the authors' own networks, once")
    weights.add_argument("folder", metavar="FOLDER", help="with the unpacked files of the ExpNet release")
    weights.add_argument("--out", metavar="FOLDER", help="where official.safetensors goes (the same folder)")
    weights.add_argument("--half", action="store_true", help="16-bit weights: half the size")
    weights.set_defaults(run=_import_weights)

    mapping = verbs.add_parser("map-basis", help="let other networks drive a head, and ours another's, once for each")
    mapping.add_argument("face_model", metavar="PATH", help="a face model with landmarks, BaselFaceModel_mod.mat say")
    mapping.add_argument("--out", type=Path, metavar="MAP.npz", help="write the map here too")
    mapping.set_defaults(run=_map_basis)
    return whole


# The verbs -------------------------------------------------------------------------------------------------------


def _estimate(a: argparse.Namespace) -> None:
    listed = [face for given in a.images for face in _listed(given, a.box)]
    _check_outputs([face.image for face in listed], {a.json: (".json",)} if a.json else {})
    if a.ply:
        _check_folder(a.ply)
    request = requests.estimate_listed(listed, seeing_of(a), a.ply)
    with Job(request) as job, bar() as shown:
        reply = job.wait(shown)
    estimates = [
        {**e, "id": face.name, "image": face.image} for face, e in zip(listed, reply["estimates"], strict=True)
    ]
    if a.json:
        with _appearing(a.json) as part:
            part.write_text(
                json.dumps({"pack": reply["pack"], "notes": reply["notes"], "estimates": estimates}, indent=1)
            )
    print(_table(estimates))
    _print_notes(reply)
    failed = [e for e in estimates if "error" in e]
    if failed:
        name, why = Path(failed[0]["image"]).name, failed[0]["error"]
        more = f" ({len(failed)} of {len(estimates)} images failed)" if len(estimates) > 1 else ""
        raise InputError(f"{why if name in why else f'{name}: {why}'}{more}")


def _listed(given: str, box: Sequence[float] | None) -> list[Listed]:
    """The images that an argument stands for: itself, or the rows of a list."""
    if Path(given).suffix.lower() != ".csv":
        check_there(given, "image")
        return [Listed(given, Path(given).stem, box)]
    check_there(given, "list")
    if box:
        raise InputError(f"'{given}' says where the faces are: leave --box out")
    return [Listed(str(face.image), face.name, face.box) for face in read_box_list(given)]


def animate(a: argparse.Namespace) -> None:
    """One clip: ``a`` holds the options of ``expnet animate`` by their names. Raises InputError, WorkerFault."""
    outputs = {a.out: SCENE_FORMATS, a.render: (".mp4",), **dict.fromkeys(a.performance, PERFORMANCE_FORMATS)}
    outputs |= dict.fromkeys(a.live_link, (".csv",))
    outputs.pop(None, None)
    if not outputs:
        raise InputError("nothing to write: give --out SHOT.blend, --render SHOT.mp4 or --performance SHOT.npz")
    check_there(a.clip, "clip")
    if not 0.0 <= a.smoothing <= 1.0:
        raise InputError(f"--smoothing {a.smoothing:g} is not between 0 and 1")
    if a.neutral not in ("none", "auto") and not a.neutral.isdecimal():
        raise InputError(f"--neutral {a.neutral} is not none, auto or a frame of the clip, such as 120")
    _check_outputs([a.clip], outputs)
    head_file = None
    if a.neutral != "none" and a.face_model != "open":  # where its resting face is, tables need to know too
        head_file = face_model_file(a.face_model)
    if a.out or a.render:
        _need_bpy("animate --out")
        head_file = face_model_file(a.face_model)
        from . import capture

        capture.check_basis(seeing_of(a), load_face_model(head_file).basis, a.face_model)
    performance = _see(a)
    if not performance.seen.any():
        name = Path(a.clip).name
        raise InputError(f"no face was found in '{name}': use another clip, or say where the face is with --box")
    _write_performances(performance, head_file, a)
    if head_file and (a.out or a.render):
        _write_scene(performance, head_file, a)


def _print_notes(reply: dict) -> None:
    for note in reply["notes"]:
        print(note)


def _render(a: argparse.Namespace) -> None:
    check_there(str(a.scene), "scene")
    frames = re.fullmatch(r"(-?\d+)(?:-(-?\d+))?", a.frames) if a.frames else None
    if a.frames and not frames:
        raise InputError(f"--frames {a.frames}: give one frame or a range, such as 1-48")
    _need_bpy("render --out")
    import bpy

    from . import rendering

    try:
        a.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"'{a.out}' cannot be made ({error.strerror}): choose another folder") from error
    _check_outputs([], {a.out / "0001.png": (".png",)})
    with _quiet_stdout(), bar() as shown:
        try:
            bpy.ops.wm.open_mainfile(filepath=str(a.scene.absolute()), load_ui=False)
        except RuntimeError as error:
            raise InputError(f"'{a.scene}' is no scene that this Blender can open") from error
        scene = bpy.context.scene
        first = int(frames[1]) if frames else scene.frame_start
        last = int(frames[2] or frames[1]) if frames else scene.frame_end
        quality = _quality(a) if a.engine or a.samples or a.height else None
        files = rendering.render_frames(
            scene, a.out, first, last, quality, lambda done, total: shown(Progress(done, total, "rendering"))
        )
    print(f"{a.out}: {len(files)} frames, {files[0].name} to {files[-1].name}")


def _encode(a: argparse.Namespace) -> None:
    check_there(str(a.folder), "folder")
    _check_outputs([str(a.folder)], {a.out: (".mp4",)})
    if not 1 <= a.fps <= 1000:
        raise InputError(f"--fps {a.fps:g} is no frame rate")
    files = sorted(p for p in a.folder.iterdir() if re.fullmatch(r"-?\d+\.png", p.name))
    files.sort(key=lambda p: int(p.stem))
    if not files:
        raise InputError(f"'{a.folder}' holds no rendered frames (0001.png …): render them first")
    missing = sorted(set(range(int(files[0].stem), int(files[-1].stem) + 1)) - {int(p.stem) for p in files})
    if missing:
        raise InputError(f"'{a.folder}' lacks frame {missing[0]} and {len(missing) - 1} more: render them first")
    _need_bpy("encode --out")
    from . import rendering

    with _quiet_stdout():
        rendering.encode_frames(files, a.fps, a.out)
    print(f"{a.out}: {len(files)} frames at {a.fps:g}/s")


def _quality(a: argparse.Namespace) -> Quality:
    from .rendering import Quality

    return Quality((a.engine or "auto").upper(), a.samples, a.height)


def _batch(a: argparse.Namespace) -> None:
    _need_bpy("batch --out")
    from .batch import run

    run.batch(a)


def _serve_shots(a: argparse.Namespace) -> None:
    from .batch import serve

    serve.serve()


def _retarget(a: argparse.Namespace) -> None:
    outputs = {a.out: SCENE_FORMATS, a.save_preset: (".json",), a.live_link: (".csv",)}
    outputs.pop(None, None)
    if not outputs:
        raise InputError("nothing to write: give --out HERO_SHOT.blend, --live-link SHOT.csv or --save-preset FILE")
    inputs = [str(path) for path in (a.performance, a.character, a.preset) if path]
    check_there(str(a.performance), "performance")
    _check_outputs(inputs, outputs)
    if a.character is None and (a.object or a.preset or a.save_preset):
        raise InputError("whose? --object, --preset and --save-preset need --character HERO.blend")
    if a.character is not None:
        check_there(str(a.character), "character")
    performance = read_performance(a.performance, a.recording_fps, a.swap_sides)
    if a.live_link:
        write_live_link(performance, a.live_link)
        print(f"{a.live_link}: {len(performance.times)} frames at {performance.fps:g}/s")
    if not (a.out or a.save_preset):
        return
    _need_bpy("retarget --out")
    from . import retarget_shot

    with _quiet_stdout():
        if a.character is None:
            report, objects = retarget_shot.onto_open_head(performance, a.fps == "keep")
        else:
            report, objects, rows = retarget_shot.onto_character(
                performance, a.character, a.object, a.names, a.preset, a.fps == "keep"
            )
            if a.save_preset:
                save_preset(rows, a.save_preset)
        if a.out:
            _save_scene(a.out, objects)
    print(report)


def _rig(a: argparse.Namespace) -> None:
    _check_outputs([a.face_model], {a.out: (".blend",)})
    _need_bpy("rig")
    from . import scene as staging

    file = face_model_file(a.face_model)
    with _quiet_stdout():
        blender_scene, head = _fresh_head(file, a.face_model)
        staging.light_head(blender_scene)
        _save_blend(a.out)
    print(f"{a.out}: {head.name}, {len(head.data.vertices)} vertices")


def _import_weights(a: argparse.Namespace) -> None:
    check_there(a.folder, "folder")
    with Job(requests.import_weights(a.folder, a.out, a.half)) as job, bar() as shown:
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


def _map_basis(a: argparse.Namespace) -> None:
    from . import basis_maps, face_models

    check_there(a.face_model, "face model")
    _check_outputs([a.face_model], {a.out: (".npz",)} if a.out else {})
    with Job(requests.convert(a.face_model)) as job, bar() as shown:
        reply = job.wait(shown)
        if not reply["basis_map"]:
            raise InputError(f"no map for {a.face_model}: {reply['no_map']}")
        basis_maps.keep(reply)
        if a.out:
            face_models.keep(Path(reply["basis_map"]), a.out.absolute())
    print("\n\n".join(reply["tables"]))
    print(f"\nKept in {basis_maps.map_file(reply['basis'])}")


# Their parts -----------------------------------------------------------------------------------------------------


def seeing_of(a: argparse.Namespace) -> Seeing:
    return Seeing(
        estimator=a.estimator,
        device=a.device,
        engine=a.runtime,
        box=a.box,
        face=a.face,
        face_model=a.face_model,
        preprocessing=a.preprocessing,
        jpeg=a.jpeg,
    )


def _see(a: argparse.Namespace) -> FacePerformance:
    """The raw performance of the clip."""
    from ..model.performance import load_performance

    request = requests.animate(a.clip, replace(seeing_of(a), lens_mm=a.lens), a.first, a.last)
    with Job(request) as job, bar() as shown:
        _print_notes(job.wait(shown))
        return load_performance(job.out)


def _write_performances(performance: FacePerformance, head_file: Path | None, a: argparse.Namespace) -> None:
    from ..model.performance import REGIONS, save_performance, usual_bounds
    from ..model.treatment import Treatment, calm_from_neutral, named_neutral

    treatment = Treatment(dict.fromkeys(REGIONS, a.smoothing), *named_neutral(performance, a.neutral))
    head = load_face_model(head_file) if head_file and a.neutral != "none" else None
    rest = head.rest if head and head.basis == performance.basis else None
    calm = calm_from_neutral(performance, treatment, usual_bounds(performance), rest)
    for path in a.performance:
        save_performance(calm, path)
    for path in a.live_link:
        write_live_link(calm, path)


def _write_scene(performance: FacePerformance, head_file: Path, a: argparse.Namespace) -> None:
    with _quiet_stdout():
        report = _scene_files(performance, head_file, a)
    print(report)


def _scene_files(performance: FacePerformance, head_file: Path, a: argparse.Namespace) -> str:
    from . import capture, comparison
    from . import scene as staging

    blender_scene, head = _fresh_head(head_file, a.face_model)
    keying = capture.Keying(
        smoothing=a.smoothing,
        neutral=a.neutral,
        identity=a.identity,
        scene_timing=a.fps == "clip",
        match_camera=True,
    )
    report = capture.key_performance(blender_scene, head, performance, keying)
    staging.light_head(blender_scene)
    if a.out:
        _save_scene(a.out, [head, *head.children])
    if a.render:
        with _appearing(a.render) as part, bar() as shown:
            comparison.render_comparison(
                blender_scene,
                shown_file(a.clip),
                part,
                head,
                performance,
                quality=_quality(a),
                layout=a.layout,
                progress=lambda done, total: shown(Progress(done, total, "rendering")),
            )
    return report


def _fresh_head(file: Path, face_model: str) -> tuple[bpy.types.Scene, bpy.types.Object]:
    """An empty scene with one head in it."""
    import bpy

    from . import rig

    model = load_face_model(file)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    scene = bpy.context.scene
    return scene, rig.create_rig(model, model_path="open" if face_model == "open" else str(file))


def face_model_file(face_model: str) -> Path:
    """The npz of a face model; other formats are converted by the worker, once."""
    from . import basis_maps, face_models

    file = face_models.readable_file(face_model)
    if file is None:
        file = face_models.cache_file(Path(face_model))
        with Job(requests.convert(face_model)) as job, bar() as shown:
            basis_maps.keep(job.wait(shown))
            face_models.keep(job.out, file)
    return file


def _save_blend(path: Path) -> None:
    import bpy

    with _appearing(path) as part:
        bpy.ops.wm.save_as_mainfile(filepath=str(part), copy=True, compress=True)


def _save_scene(path: Path, objects: Sequence[bpy.types.Object]) -> None:
    """The scene as a .blend, or ``objects`` with their animation as a .glb."""
    if path.suffix.lower() != ".glb":
        return _save_blend(path)
    from . import gltf

    with _appearing(path) as part:
        gltf.export_glb(part, objects)


def _need_bpy(what: str) -> None:
    import importlib.util

    if importlib.util.find_spec("bpy") is None:
        raise InputError(
            f"{what} needs Blender: pip install bpy, or run it in Blender: "
            f"blender -b --python {Path(__file__).name} -- {what.split()[0]} …"
        )


# Files and the terminal ------------------------------------------------------------------------------------------


def _check_outputs(inputs: Sequence[str], outputs: dict[Path, tuple[str, ...]]) -> None:
    """Refuse, before any long work, what could not be written at its end."""
    for path, suffixes in outputs.items():
        if path.suffix.lower() not in suffixes:
            raise InputError(f"'{path}' does not end in {' or '.join(suffixes)}")
        if path.is_dir():
            raise InputError(f"'{path}' is a folder: give a file name")
        if any(os.path.abspath(i) == os.path.abspath(path) for i in inputs):
            raise InputError(f"'{path}' is also the input: give another name")
        _check_writable(path.absolute().parent)


def _check_folder(path: Path) -> None:
    """The same for a folder that is made where it is not there."""
    if path.exists() and not path.is_dir():
        raise InputError(f"'{path}' is a file: give a folder")
    _check_writable(path if path.is_dir() else path.absolute().parent)


def _check_writable(folder: Path) -> None:
    if not folder.is_dir():
        raise InputError(f"there is no folder '{folder}': make it first")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(f"'{folder}' cannot be written to ({error.strerror}): choose another folder") from error


@contextlib.contextmanager
def _appearing(path: Path) -> Iterator[Path]:
    """A temporary name beside ``path``, with its suffix; renamed to it at the end, or removed."""
    part = path.absolute().with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        yield part
        os.replace(part, path)
    except OSError as error:
        raise InputError(f"'{path}' cannot be written: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def _quiet_stdout() -> Iterator[None]:
    """Blender tells of every frame and file it writes; here only results go to stdout."""
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 1)
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


@contextlib.contextmanager
def bar() -> Iterator[Bar]:
    shown = Bar()
    try:
        yield shown
    finally:
        shown.end()


class Bar:
    """A progress bar on one line of stderr, where that is a terminal."""

    def __init__(self) -> None:
        self._shown = 0

    def __call__(self, progress: Progress) -> None:
        if not sys.stderr.isatty():
            return
        filled = round(30 * progress.fraction)
        line = f"[{'#' * filled}{'.' * (30 - filled)}] {progress}" if progress.total else str(progress)
        print("\r" + line.ljust(self._shown), end="", file=sys.stderr, flush=True)
        self._shown = len(line)

    def end(self) -> None:
        if self._shown:
            print("\r" + " " * self._shown, end="\r", file=sys.stderr, flush=True)
            self._shown = 0


def _column(estimate: dict) -> str:
    """A list calls a face by its ID; otherwise it is called as its image."""
    name = Path(estimate["image"]).name
    return name if estimate["id"] == Path(name).stem else estimate["id"]


def _table(estimates: Sequence[dict]) -> str:
    """One image per column: the keys that are felt at all, then pose and confidence."""
    seen = [e for e in estimates if "error" not in e]
    if not seen:
        return ""
    keys = [k for k in seen[0]["eta"] if any(abs(e["eta"][k]) >= 0.05 for e in seen)]
    names = [_column(e) for e in seen]
    widths = [max(len(name), 7) for name in names]

    def row(name: str, cells: Sequence[str]) -> str:
        return f"{name:<18}" + "".join(f"  {cell:>{width}}" for cell, width in zip(cells, widths))

    lines = [row("", names)]
    lines += [row(k, [f"{e['eta'][k]:.2f}" for e in seen]) for k in keys]
    lines += [row(name, [f"{e['gaze'][i]:.2f}" for e in seen]) for i, name in enumerate(("gaze yaw", "gaze pitch"))]
    lines += [row("distance mm", [f"{-e['translation'][2]:.0f}" for e in seen])]
    lines += [row("confidence", [f"{e['confidence']:.2f}" for e in seen])]
    return "\n".join(lines)


# Inside Blender --------------------------------------------------------------------------------------------------

_command: object | None = None


def register() -> None:
    """``blender --command expnet …``"""
    global _command
    import bpy

    _command = bpy.utils.register_cli_command("expnet", main)


def unregister() -> None:
    global _command
    import bpy

    bpy.utils.unregister_cli_command(_command)
    _command = None
