"""The process that does the seeing: one JSON request line on stdin, JSON event lines on stdout, results in files.

Run it as ``python worker.py`` or ``python -m expnet.model.worker``. Requests, by ``verb``:

    ping       -> {"python", "executable", "packages": {name: version or null}, "engines": ["full", "light"] as far as
               they can run, the first is what auto comes to, "devices": [...], "gpus"}
    test       -> {"engine", "version" of what it runs on, "device", "ms" a frame, "loading_seconds", "confidence"}
    estimate   {"images": [path], "box", "boxes": one for each image, "face", "lens_mm", "out": .npz or null,
                "ply": folder or null, "names": of the meshes there, one for each image}
               -> {"estimates": [{"image", "eta": {key: value}, "alpha", "gaze", "rotation", "translation", "crop",
                  "box", "confidence", "texture" where it is read} or {"image", "error"}], "pack", "notes"}
    animate    {"clip": path, "out": .npz, "box", "face", "first", "last", "fps", "lens_mm"}
               -> {"frames", "seen", "missing": [[first, last]], "fps", "seconds", "pack", "notes"}
    still      {"clip": path, "frame", "crop": [cx, cy, side, angle], "out": .jpg} -> {}, a small picture of the face
    faces      {"clip": path, "frame"} -> {"faces": [{"confidence", "pixels": base64 of RGB rows}] as "face" counts
               them, "size": width and height of the pixels}
    convert    {"face_model": path, "out": .npz, "basis_map": bool}
               -> {"name", "vertices", "components", "keys", "basis", "basis_map": path or null, "tables", "no_map"}:
                  with "basis_map" the maps between its basis and the open one, in a file beside "out", and what they
                  lose as text; "no_map" says why there are none
    import_weights  {"folder": path, "out": folder, "half": bool}
               -> {"out": path, "networks": {name: where its trunk is},
                  "sources": [{"file", "bytes", "sha256", "gave"}],
                  "missing": [[file, what it adds]], "passed_over": [[file, why]], "face_model": path or null}

estimate and animate also take "estimator" (default "open"), "device" ("auto") and "engine" ("auto": full where there is
torch, else light; test takes these two), and for the authors' networks
"preprocessing" ("release" or "paper"), "jpeg" (true) and "face_model" ("open" or a path: whose head's pose it is).
"pack" is {"name", "basis", "license"} of the numbers, "notes" says what was done without. "box" is [x, y, width,
height] in pixels, "face" counts from 0, the largest first; "first" and "last" are frames from 0, both included; "fps"
is an image sequence's; "lens_mm" defaults to 50.

Events: {"event": "progress", "done", "total" or null, "message"}, at most ten a second, and at last one of
{"event": "done", ...}, {"event": "error", "message"} (bad input: one line), {"event": "fault", "message", "traceback"};
exit status 0, 2, 1. Keep stdin open: closing it cancels, and nothing half-written stays behind. What libraries print
goes to stderr. After a request with "stay" the worker waits for another, so that starting Python and loading torch is
paid once; it leaves when stdin is closed, or after ten minutes in which nothing is asked.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from .estimate import FaceEstimate
    from .face_model import FaceModel

PROGRESS_SECONDS = 0.1
CANCEL_GRACE_SECONDS = 3.0
STAY_SECONDS = 600.0
FACE_PIXELS = 96  # a thumbnail's width
STILL_PIXELS, STILL_AROUND = 192, 1.4  # a still's width, and how much more than the crop it shows
LIBRARIES = {
    "torch": "torch",
    "cv2": "opencv-python-headless",
    "safetensors": "safetensors",
    "h5py": "h5py",
    "scipy": "scipy",
}


class Cancelled(Exception):
    """Stdin was closed: whoever asked does not want the answer any more."""


class Channel:
    """Events to whoever started us, and their wish to cancel."""

    def __init__(self, events: TextIO) -> None:
        self._events = events
        self._last = 0.0
        self.cancelled = threading.Event()

    def send(self, event: str, **fields: Any) -> None:
        try:
            self._events.write(json.dumps({"event": event, **fields}) + "\n")
            self._events.flush()
        except (BrokenPipeError, ValueError):  # nobody listens any more
            self.cancelled.set()

    def progress(self, done: int, total: int | None, message: str = "") -> None:
        """Report, and raise Cancelled when that was asked for. Call it as often as you like."""
        if self.cancelled.is_set():
            raise Cancelled
        now = time.monotonic()
        if now - self._last >= PROGRESS_SECONDS or done == total:
            self._last = now
            self.send("progress", done=done, total=total, message=message)


def ping(request: dict[str, Any], channel: Channel) -> dict[str, Any]:
    versions: dict[str, str | None] = {}
    for module in LIBRARIES:
        try:
            versions[module] = str(getattr(importlib.import_module(module), "__version__", "unknown"))
        except ImportError:
            versions[module] = None
    devices, gpus = ["cpu"], 0
    engines = (["full"] if versions["torch"] and versions["cv2"] else []) + (["light"] if versions["cv2"] else [])
    if versions["torch"]:
        import torch

        devices += ["cuda"] if torch.cuda.is_available() else []
        devices += ["mps"] if torch.backends.mps.is_available() else []
        gpus = torch.cuda.device_count()
    return {
        "python": sys.version.split()[0],
        "executable": sys.executable,
        "packages": versions,
        "engines": engines,
        "devices": devices,
        "gpus": gpus,
    }


def test(request: dict[str, Any], channel: Channel) -> dict[str, Any]:
    """One frame of the clip in the box, looked at again and again for a moment."""
    from . import engines
    from .camera import Camera, Crop
    from .checkpoints.open_pack import DATA
    from .performance_files import load_performance
    from .video import open_clip

    began = time.perf_counter()
    channel.progress(0, None, "loading")
    running = engines.start("open", request.get("device") or "auto", request.get("engine") or "auto")
    clip = DATA / "demo_clip.mp4"
    with open_clip(clip, 0, 0) as frames:
        image = next(iter(frames)).image
    crop = Crop(*load_performance(clip.with_name("demo_clip_truth.npz")).crop[0])
    camera = Camera.for_image(image.shape[1], image.shape[0])
    seen = running.estimator.estimate([image], [crop], [camera])
    loaded = time.perf_counter()
    taken: list[float] = []
    while len(taken) < 5 or (len(taken) < 100 and time.perf_counter() - loaded < 1):
        start = time.perf_counter()
        running.estimator.estimate([image], [crop], [camera])
        taken.append(time.perf_counter() - start)
    return {
        "engine": running.engine,
        "version": running.version,
        "device": running.device,
        "ms": round(1e3 * sorted(taken)[len(taken) // 2], 2),
        "loading_seconds": round(loaded - began, 2),
        "confidence": round(float(seen.confidence[0]), 4),
    }


def animate(request: dict[str, Any], channel: Channel) -> dict[str, Any]:
    from .performance import runs
    from .performance_files import save_performance
    from .tracking import perform
    from .video import open_clip

    _writable(request["out"])
    started = time.monotonic()
    channel.progress(0, None, "loading")
    estimator = _estimator(request)
    with open_clip(request["clip"], request.get("first"), request.get("last"), request.get("fps")) as clip:
        performance = perform(
            clip,
            estimator,
            box=request.get("box"),
            face=request.get("face"),
            lens_mm=request.get("lens_mm") or 50.0,
            on_frame=lambda done: channel.progress(done, clip.expected_frames, "watching"),
        )
    save_performance(performance, request["out"])
    return {
        "frames": len(performance.times),
        "seen": int(performance.seen.sum()),
        "missing": runs(~performance.seen),
        "fps": performance.fps,
        "seconds": round(time.monotonic() - started, 3),
        **_pack(estimator),
    }


def estimate(request: dict[str, Any], channel: Channel) -> dict[str, Any]:
    from .errors import InputError
    from .stills import Still, see_stills

    if request.get("out"):
        _writable(request["out"])
    channel.progress(0, None, "loading")
    estimator = _estimator(request)
    images = request["images"]
    boxes = request.get("boxes") or [request.get("box")] * len(images)
    save_mesh = _mesh_writer(request, estimator, images)
    stills = [Still(image, box, request.get("face")) for image, box in zip(images, boxes, strict=True)]
    results: list[dict[str, Any]] = []
    for still, seen in zip(stills, see_stills(stills, estimator, request.get("lens_mm") or 50.0)):
        channel.progress(len(results), len(images), str(still.image))
        if isinstance(seen, InputError):
            results.append({"image": still.image, "error": str(seen)})
            continue
        results.append({"image": still.image, **_numbers(seen, still.box)})
        save_mesh(len(results) - 1, seen)
    if request.get("out"):
        _save_estimates(request["out"], results)
    return {"estimates": results, **_pack(estimator)}


def _numbers(seen: FaceEstimate, box: Sequence[float] | None) -> dict[str, Any]:
    """What is told of a face (a batch of one)."""
    from .official.preprocess import box_of_crop

    crop = seen.crop[0]
    numbers = {
        "eta": {k: round(float(v), 6) for k, v in zip(seen.expression_keys, seen.eta[0])},
        "alpha": _rounded(seen.alpha[0]),
        "gaze": _rounded(seen.gaze[0]),
        "rotation": _rounded(seen.rotation[0]),
        "translation": _rounded(seen.translation[0]),
        "crop": _rounded([crop.cx, crop.cy, crop.side, crop.angle]),
        "box": _rounded(box or box_of_crop(crop)),
        "confidence": round(float(seen.confidence[0]), 6),
    }
    return numbers | ({} if seen.texture is None else {"texture": _rounded(seen.texture[0])})


def _mesh_writer(request: dict[str, Any], estimator: Any, images: list[str]) -> Callable[[int, FaceEstimate], None]:
    """Writes the i-th image's face into the folder ``ply``, where that is asked for."""
    if not request.get("ply"):
        return lambda i, seen: None
    from .meshes import MeshFolder

    names = request.get("names") or [Path(image).stem for image in images]
    return MeshFolder(request["ply"], names, request.get("face_model") or "open", estimator.basis).save


def still(request: dict[str, Any], channel: Channel) -> dict[str, Any]:
    from .camera import Crop
    from .cutting import cut
    from .errors import InputError
    from .files import write_whole
    from .opencv import cv2
    from .video import open_clip

    cx, cy, side, angle = request["crop"]
    frame = int(request.get("frame") or 0)
    with open_clip(request["clip"], frame, frame) as clip:
        image = next(iter(clip)).image
    small = cut(image, Crop(cx, cy, side * STILL_AROUND, angle), STILL_PIXELS)
    coded, data = cv2.imencode(".jpg", small)
    if not coded:
        raise InputError(f"{request['clip']}: frame {frame} cannot be written as JPEG")
    write_whole(request["out"], data.tobytes())
    return {}


def faces(request: dict[str, Any], channel: Channel) -> dict[str, Any]:
    import base64

    from .cutting import cut
    from .finder import find_faces
    from .video import open_clip

    channel.progress(0, None, "loading")
    estimator = _estimator(request)
    frame = int(request.get("frame") or 0)
    with open_clip(request["clip"], frame, frame) as clip:
        image = next(iter(clip)).image
    channel.progress(0, None, "looking for faces")
    found = []
    for face in find_faces(image, estimator.finding):
        small = cut(image, face.crop, FACE_PIXELS)[:, :, ::-1]
        pixels = base64.b64encode(small.tobytes()).decode("ascii")
        found.append({"confidence": round(face.confidence, 6), "pixels": pixels})
    return {"faces": found, "size": FACE_PIXELS}


def convert(request: dict[str, Any], channel: Channel) -> dict[str, Any]:
    from .formats import open_face_model
    from .formats.npz import save_face_model

    _writable(request["out"])
    channel.progress(0, None, "reading the face model")
    model = open_face_model(request["face_model"])
    channel.progress(1, 2, "writing")
    save_face_model(model, request["out"], exact=True)
    return {
        "name": model.name,
        "vertices": model.vertex_count,
        "components": len(model.identity),
        "keys": list(model.expression_keys),
        "basis": model.basis,
        **(_basis_map(model, request["out"], channel) if request.get("basis_map") else {}),
    }


def _basis_map(model: FaceModel, out: str, channel: Channel) -> dict[str, Any]:
    """The maps between the model's basis and the open one, beside ``out``; or why there are none."""
    from .basis_map import save_maps
    from .errors import InputError
    from .formats import open_face_model
    from .semantics import OPEN_BASIS

    if model.basis == OPEN_BASIS:
        return {"basis_map": None, "tables": [], "no_map": "it has the open keys: there is nothing to map"}
    try:
        from .basis_fit import map_to_open

        maps = map_to_open(
            open_face_model("open"), model, lambda done, total: channel.progress(done, total, "comparing the heads")
        )
    except (InputError, ImportError) as error:  # without SciPy the face model is converted all the same
        return {"basis_map": None, "tables": [], "no_map": _one_line(error)}
    path = Path(out).with_suffix(".basis_map.npz")
    save_maps(maps, path)
    return {"basis_map": str(path), "tables": [str(m) for m in maps], "no_map": ""}


def import_weights(request: dict[str, Any], channel: Channel) -> dict[str, Any]:
    from .official.import_weights import import_weights as convert_all

    channel.progress(0, None, "looking for checkpoints")
    done = convert_all(request["folder"], request.get("out"), bool(request.get("half")), channel.progress)
    return {
        "out": str(done.out),
        "networks": {name: info.trunk for name, info in done.header.networks.items()},
        "sources": [vars(source) for source in done.header.sources],
        "missing": done.missing,
        "passed_over": [(str(path), why) for path, why in done.passed_over],
        "face_model": str(done.face_model) if done.face_model else None,
    }


VERBS: dict[str, tuple[Callable[[dict[str, Any], Channel], dict[str, Any]], tuple[str, ...]]] = {
    "ping": (ping, ()),
    "test": (test, ()),
    "animate": (animate, ("clip", "out")),
    "estimate": (estimate, ("images",)),
    "still": (still, ("clip", "crop", "out")),
    "faces": (faces, ("clip",)),
    "convert": (convert, ("face_model", "out")),
    "import_weights": (import_weights, ("folder",)),
}


def answer(line: str, channel: Channel) -> int:
    """Serve one request line; returns the exit status."""
    from .errors import InputError

    try:
        verb, request = _parsed(line)
        result = VERBS[verb][0](request, channel)
        if channel.cancelled.is_set():
            raise Cancelled
        channel.send("done", **result)
        return 0
    except InputError as error:
        channel.send("error", message=_one_line(error))
        return 2
    except Cancelled:
        channel.send("error", message="cancelled")
        return 2
    except ImportError as error:
        name = (error.name or "").split(".")[0]
        if name not in LIBRARIES:
            return _fault(error, channel)
        fails = (
            f"has no {name}" if isinstance(error, ModuleNotFoundError) else f"cannot load {name} ({_one_line(error)})"
        )
        channel.send("error", message=f"{sys.executable} {fails}: install it there with: pip install {LIBRARIES[name]}")
        return 2
    except Exception as error:
        return _fault(error, channel)


def main() -> int:
    """Answer requests from stdin. Must run in a process of its own: it takes over stdout."""
    channel = Channel(_take_stdout())
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_read_requests, args=(lines, channel), daemon=True).start()
    line, status = lines.get(), 2  # 2: nobody asked
    while line.strip():
        status = answer(line, channel)
        if channel.cancelled.is_set() or not _stays(line):
            break
        try:
            line = lines.get(timeout=STAY_SECONDS)
        except queue.Empty:
            break
    return status


def _stays(line: str) -> bool:
    try:
        return bool(json.loads(line).get("stay"))
    except (ValueError, AttributeError):
        return False


def _take_stdout() -> TextIO:
    """Our own copy of stdout; from here on fd 1 is stderr, for libraries that print."""
    sys.stdout.flush()
    events = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return events


def _read_requests(lines: queue.SimpleQueue[str], channel: Channel) -> None:
    """Pass on what is asked; when stdin closes, cancel what is being done."""
    try:
        for line in sys.stdin:
            lines.put(line)
    except (OSError, ValueError):
        pass
    channel.cancelled.set()
    lines.put("")
    # The work asks at every frame; what does not get that far is stopped here. Files appear by renaming only.
    time.sleep(CANCEL_GRACE_SECONDS)
    os._exit(2)


def _parsed(line: str) -> tuple[str, dict[str, Any]]:
    from .errors import InputError

    try:
        request = json.loads(line)
    except ValueError as error:
        raise InputError(f"the request is not JSON: {error}") from error
    verb = request.get("verb") if isinstance(request, dict) else None
    if verb not in VERBS:
        raise InputError(f"unknown verb {verb!r}: use one of {', '.join(VERBS)}")
    for field in VERBS[verb][1]:
        if not request.get(field):
            raise InputError(f"{verb} needs {field!r}")
    return verb, request


_loaded: tuple[object, Any] | None = None  # what the last request asked for, and the estimator it got


def _estimator(request: dict[str, Any]) -> Any:
    """The estimator that is asked for; the last one if it is the same again, and its files are."""
    global _loaded
    options = ("estimator", "device", "engine", "preprocessing", "jpeg", "face_model")
    asked = [request.get(option) for option in options], _stamps(request.get("estimator"), request.get("face_model"))
    if _loaded is None or _loaded[0] != asked:
        _loaded = None  # two at once may be more than the memory holds
        _loaded = asked, _load_estimator(request)
    return _loaded[1]


def _stamps(*sources: str | None) -> list[tuple[str, int]]:
    """The files that these are or hold, and when they were changed."""
    paths = [Path(source) for source in sources if source and source != "open"]
    files = [file for path in paths for file in (sorted(path.glob("*.safetensors")) if path.is_dir() else [path])]
    return [(str(file), file.stat().st_mtime_ns) for file in files if file.exists()]


def _load_estimator(request: dict[str, Any]) -> Any:
    """The open one, somebody's weights, or the authors' networks."""
    from . import engines
    from .errors import InputError
    from .official import is_not_imported, is_official

    source, device = request.get("estimator") or "open", request.get("device") or "auto"
    engine = request.get("engine") or "auto"
    if source != "open" and is_not_imported(source):
        raise InputError(f"{source}: has the authors' checkpoints; convert them first: expnet import-weights {source}")
    if source != "open" and is_official(source):
        engines.needs_full(engine, "the authors' networks")
        return _official(source, device, request)
    return engines.start(source, device, engine).estimator


def _official(folder: str, device: str, request: dict[str, Any]) -> Any:
    from dataclasses import replace

    import torch

    from .errors import InputError
    from .estimator import Estimator
    from .formats import open_face_model
    from .official.estimator import OfficialEstimator
    from .official.preprocess import MODES

    name = request.get("preprocessing") or "release"
    if name not in MODES:
        raise InputError(f"preprocessing {name!r} is unknown: use one of {', '.join(MODES)}")
    mode = MODES[name] if request.get("jpeg", True) else replace(MODES[name], jpeg=False)
    # ResNet-101s are what everything waits for; but threads for which there is no free core slow them down tenfold.
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // 2))
    open_head, face_model = open_face_model("open"), request.get("face_model") or "open"
    model = open_head if face_model == "open" else open_face_model(face_model)
    return OfficialEstimator.load(folder, device, Estimator.load("open", device), mode, model, open_head)


def _pack(estimator: Any) -> dict[str, Any]:
    """Whose numbers these are and what may be done with them; and what was done without."""
    pack = {"name": estimator.name, "basis": estimator.basis, "license": estimator.license}
    return {"pack": pack, "notes": list(estimator.notes)}


def _writable(out: str) -> None:
    """Refuse at once what could only fail at the end."""
    from .errors import InputError

    folder = Path(out).parent
    if not folder.is_dir():
        raise InputError(f"{out}: there is no folder {folder}: make it first")
    if Path(out).is_dir() or not os.access(folder, os.W_OK):
        raise InputError(f"{out}: cannot write there: choose another place")


def _save_estimates(out: str, results: list[dict[str, Any]]) -> None:
    import io

    import numpy as np

    from .files import write_whole

    good = [r for r in results if "error" not in r]
    arrays: dict[str, Any] = {"images": np.array([r["image"] for r in good], np.str_)}
    if good:
        arrays["expression_keys"] = np.array(list(good[0]["eta"]), np.str_)
        arrays["eta"] = np.array([list(r["eta"].values()) for r in good])
    for name in ("alpha", "gaze", "rotation", "translation", "crop", "confidence"):
        arrays[name] = np.array([r[name] for r in good])
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    write_whole(out, buffer.getvalue())


def _rounded(values: Any) -> list:
    import numpy as np

    return np.round(np.asarray(values, np.float64), 6).tolist()


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _fault(error: Exception, channel: Channel) -> int:
    channel.send("fault", message=f"{type(error).__name__}: {_one_line(error)}", traceback=traceback.format_exc())
    return 1


def _import_as_expnet() -> Any:
    """This module under its full name, whatever the package's folder is called and wherever it lies."""
    here = Path(__file__).resolve()
    root = here.parents[1]
    # Started as a script, Python puts model/ first on the path, where our modules would pass for others'.
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != here.parent]
    spec = importlib.util.spec_from_file_location(
        "expnet", root / "__init__.py", submodule_search_locations=[str(root)]
    )
    assert spec is not None and spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules["expnet"] = package
    spec.loader.exec_module(package)
    return importlib.import_module("expnet.model.worker")


if __name__ == "__main__":
    status = (_import_as_expnet() if not __package__ else sys.modules[__name__]).main()
    sys.stdout.flush()
    os._exit(status)  # not waiting for threads that still decode or watch stdin
