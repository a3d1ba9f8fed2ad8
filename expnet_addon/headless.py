"""The command line: ``estimate``, ``animate``, ``rig`` and ``import-weights``.

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
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from ..model.errors import InputError
from ..model.formats.npz import load_face_model
from . import requests
from .batch.outcome import SomeFailed
from .clips import check_there, shown_file
from .jobs import Job, Progress, WorkerFault
from .requests import Seeing

if TYPE_CHECKING:
    import bpy

    from ..model.performance import FacePerformance

DONE, FAULT, BAD_INPUT, SOME_FAILED = 0, 1, 2, 3
PERFORMANCE_FORMATS = (".npz", ".csv", ".json")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line (default: this process's) and return its exit status."""
    try:
        arguments = _parser().parse_args(argv)
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


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message} (see '{self.prog} --help')")


def _parser() -> argparse.ArgumentParser:
    seeing = _Parser(add_help=False)
    seeing.add_argument("--estimator", default="open", metavar="open|PATH", help="weights: open, a file or a folder")
    seeing.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"))
    which = seeing.add_mutually_exclusive_group()
    which.add_argument(
        "--box", type=float, nargs=4, metavar=("X", "Y", "W", "H"), help="where the face is at first, pixels"
    )
    which.add_argument("--face", type=int, metavar="N", help="which face when there are several; 0 is the largest")
    model = _Parser(add_help=False)
    model.add_argument(
        "--face-model", default="open", metavar="open|PATH", help="the head: open, or a face model's file"
    )
    keying = _Parser(add_help=False)
    keying.add_argument("--smoothing", type=float, default=0.5, metavar="S", help="0 is off, 1 the calmest (0.5)")
    keying.add_argument(
        "--identity", action=argparse.BooleanOptionalAction, default=True, help="give the head the clip's face shape"
    )
    keying.add_argument(
        "--fps", choices=("clip", "keep"), default="clip", help="the scene's frame rate: the clip's, or Blender's own"
    )
    keying.add_argument("--lens", type=float, default=50.0, metavar="MM", help="focal length on a 36 mm sensor (50)")

    parser = _Parser(prog="expnet", description="Reads the expression of a face from images and footage.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    estimate = verbs.add_parser(
        "estimate", parents=[seeing], help="expression, identity and pose of the face in images"
    )
    estimate.add_argument("images", nargs="+", metavar="IMAGE")
    estimate.add_argument("--json", type=Path, metavar="FILE", help="write everything to FILE")
    estimate.set_defaults(run=_estimate)

    animating = verbs.add_parser("animate", parents=[model, seeing, keying], help="a head keyed from a clip")
    animating.add_argument("clip", metavar="CLIP", help="a movie, or a folder of images")
    animating.add_argument("--out", type=Path, metavar="SHOT.blend", help="the scene: head, keys, camera, footage")
    animating.add_argument("--render", type=Path, metavar="SHOT.mp4", help="footage and head side by side")
    animating.add_argument(
        "--performance", type=Path, action="append", default=[], metavar="SHOT.npz|csv|json",
        help="the coefficients over time, smoothed like the keys; may be repeated",
    )  # fmt: skip
    animating.add_argument("--first", type=int, metavar="FRAME", help="first frame of the clip to read, from 0")
    animating.add_argument("--last", type=int, metavar="FRAME", help="last frame of the clip to read")
    animating.set_defaults(run=animate)

    rig = verbs.add_parser("rig", parents=[model], help="a head without animation")
    rig.add_argument("--out", type=Path, required=True, metavar="RIG.blend")
    rig.set_defaults(run=_rig)

    batch = verbs.add_parser("batch", parents=[model, seeing, keying], help="animate for every clip of a folder")
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
    return parser


# The verbs -------------------------------------------------------------------------------------------------------


def _estimate(a: argparse.Namespace) -> None:
    for image in a.images:
        check_there(image, "image")
    _check_outputs(a.images, {a.json: (".json",)} if a.json else {})
    request = requests.estimate(a.images, seeing_of(a))
    with Job(request) as job, bar() as shown:
        estimates = job.wait(shown)["estimates"]
    for given, estimate in zip(a.images, estimates, strict=True):
        estimate["image"] = given
    if a.json:
        with _appearing(a.json) as part:
            part.write_text(json.dumps({"estimates": estimates}, indent=1))
    print(_table(estimates))
    failed = [e for e in estimates if "error" in e]
    if failed:
        name, why = Path(failed[0]["image"]).name, failed[0]["error"]
        more = f" ({len(failed)} of {len(estimates)} images failed)" if len(estimates) > 1 else ""
        raise InputError(f"{why if name in why else f'{name}: {why}'}{more}")


def animate(a: argparse.Namespace) -> None:
    """One clip: ``a`` holds the options of ``expnet animate`` by their names. Raises InputError, WorkerFault."""
    outputs = {a.out: (".blend",), a.render: (".mp4",), **dict.fromkeys(a.performance, PERFORMANCE_FORMATS)}
    outputs.pop(None, None)
    if not outputs:
        raise InputError("nothing to write: give --out SHOT.blend, --render SHOT.mp4 or --performance SHOT.npz")
    check_there(a.clip, "clip")
    if not 0.0 <= a.smoothing <= 1.0:
        raise InputError(f"--smoothing {a.smoothing:g} is not between 0 and 1")
    _check_outputs([a.clip], outputs)
    head_file = None
    if a.out or a.render:
        _need_bpy("animate --out")
        head_file = face_model_file(a.face_model)
        from . import capture

        capture.check_basis(seeing_of(a), load_face_model(head_file).basis, a.face_model)
    performance = _see(a)
    if not performance.seen.any():
        name = Path(a.clip).name
        raise InputError(f"no face was found in '{name}': use another clip, or say where the face is with --box")
    _write_performances(performance, a)
    if head_file:
        _write_scene(performance, head_file, a)


def _batch(a: argparse.Namespace) -> None:
    _need_bpy("batch --out")
    from .batch import run

    run.batch(a)


def _serve_shots(a: argparse.Namespace) -> None:
    from .batch import serve

    serve.serve()


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


# Their parts -----------------------------------------------------------------------------------------------------


def seeing_of(a: argparse.Namespace) -> Seeing:
    return Seeing(estimator=a.estimator, device=a.device, box=a.box, face=a.face)


def _see(a: argparse.Namespace) -> FacePerformance:
    """The raw performance of the clip."""
    from ..model.performance import load_performance

    request = requests.animate(a.clip, replace(seeing_of(a), lens_mm=a.lens), a.first, a.last)
    with Job(request) as job, bar() as shown:
        job.wait(shown)
        return load_performance(job.out)


def _write_performances(performance: FacePerformance, a: argparse.Namespace) -> None:
    from ..model.performance import export_csv, export_json, save_performance, smooth

    smoothed = smooth(performance, a.smoothing)
    for path in a.performance:
        {".npz": save_performance, ".csv": export_csv, ".json": export_json}[path.suffix.lower()](smoothed, path)


def _write_scene(performance: FacePerformance, head_file: Path, a: argparse.Namespace) -> None:
    with _quiet_stdout():
        report = _scene_files(performance, head_file, a)
    print(report)


def _scene_files(performance: FacePerformance, head_file: Path, a: argparse.Namespace) -> str:
    from . import capture
    from . import scene as staging

    blender_scene, head = _fresh_head(head_file, a.face_model)
    keying = capture.Keying(smoothing=a.smoothing, identity=a.identity, scene_timing=a.fps == "clip", match_camera=True)
    report = capture.key_performance(blender_scene, head, performance, keying)
    staging.light_head(blender_scene)
    if a.out:
        _save_blend(a.out)
    if a.render:
        with _appearing(a.render) as part, bar() as shown:
            staging.render_comparison(
                blender_scene,
                shown_file(a.clip),
                part,
                head,
                performance,
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
    from . import face_models

    file = face_models.readable_file(face_model)
    if file is None:
        file = face_models.cache_file(Path(face_model))
        with Job(requests.convert(face_model)) as job, bar() as shown:
            job.wait(shown)
            face_models.keep(job.out, file)
    return file


def _save_blend(path: Path) -> None:
    import bpy

    with _appearing(path) as part:
        bpy.ops.wm.save_as_mainfile(filepath=str(part), copy=True, compress=True)


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
        folder = path.absolute().parent
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


def _table(estimates: Sequence[dict]) -> str:
    """One image per column: the keys that are felt at all, then pose and confidence."""
    seen = [e for e in estimates if "error" not in e]
    if not seen:
        return ""
    keys = [k for k in seen[0]["eta"] if any(abs(e["eta"][k]) >= 0.05 for e in seen)]
    widths = [max(len(Path(e["image"]).name), 7) for e in seen]

    def row(name: str, cells: Sequence[str]) -> str:
        return f"{name:<18}" + "".join(f"  {cell:>{width}}" for cell, width in zip(cells, widths))

    lines = [row("", [Path(e["image"]).name for e in seen])]
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
