"""What the worker can be asked: one function for each verb, from the request to what ``done`` tells.

    ping       -> {"python", "executable", "packages": {name: version or null}, "engines": ["full", "light"] as far as
               they can run, the first is what auto comes to, "devices": [...], "gpus"}
    test       -> {"engine", "version" of what it runs on, "device", "ms" a frame, "loading_seconds", "confidence"}
    load       -> {"pack", "notes"}: the network is loaded, and whoever asks next need not wait
    estimate   {"images": [path], "box", "boxes": one for each image, "face", "lens_mm", "out": .npz or null,
                "ply": folder or null, "names": of the meshes there, one for each image}
               -> {"estimates": [{"image", "eta": {key: value}, "alpha", "gaze", "rotation", "translation", "crop",
                  "box", "confidence", "texture" where it is read} or {"image", "error"}], "pack", "notes"}
    animate    {"clip": path, "out": .npz, "box", "face", "first", "last", "fps", "lens_mm"}
               -> {"frames", "seen", "missing": [[first, last]], "fps", "seconds", "unread", "pack", "notes"}
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

load, estimate and animate also take "estimator" (default "open"), "device" ("auto") and "engine" ("auto": full where
there is torch, else light; test takes these two), and for the authors' networks "preprocessing" ("release" or "paper"),
"jpeg" (true) and "face_model" ("open" or a path: whose head's pose it is).
"pack" is {"name", "basis", "license"} of the numbers, "notes" says what was done without. "box" is [x, y, width,
height] in pixels, "face" counts from 0, the largest first; "first" and "last" are frames from 0, both included; "fps"
is an image sequence's, or what a movie is played at, frame for frame; "lens_mm" defaults to 50.

What a verb needs is imported when it is asked for: numpy, OpenCV and torch may not be there, and then only those verbs
fail that need them.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import InputError, one_line
from ..networks import engines
from .chosen_estimator import chosen_estimator

if TYPE_CHECKING:
    from ..face.face_model import FaceModel
    from ..networks.estimate import FaceEstimate

FACE_PIXELS = 96  # a thumbnail's width
STILL_PIXELS, STILL_AROUND = 192, 1.4  # a still's width, and how much more than the crop it shows
LIBRARIES = {
    "torch": "torch",
    "cv2": "opencv-python-headless",
    "safetensors": "safetensors",
    "h5py": "h5py",
    "scipy": "scipy",
}


class Progress(Protocol):
    """Tells how far the work is; raises where it is not wanted any more. Call it as often as you like."""

    def __call__(self, done: int, total: int | None, message: str = "") -> None: ...


Verb = Callable[[dict[str, Any], Progress], dict[str, Any]]


def ping(request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    versions: dict[str, str | None] = {}
    for module in LIBRARIES:
        try:
            versions[module] = str(getattr(importlib.import_module(module), "__version__", "unknown"))
        except ImportError:
            versions[module] = None
    devices, gpus = ["cpu"], 0
    running = (["full"] if versions["torch"] and versions["cv2"] else []) + (["light"] if versions["cv2"] else [])
    if versions["torch"]:
        import torch

        devices += ["cuda"] if torch.cuda.is_available() else []
        devices += ["mps"] if torch.backends.mps.is_available() else []
        gpus = torch.cuda.device_count()
    return {
        "python": sys.version.split()[0],
        "executable": sys.executable,
        "packages": versions,
        "engines": running,
        "devices": devices,
        "gpus": gpus,
    }


def test(request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """One frame of the clip in the box, looked at again and again for a moment."""
    from ..camera import Camera, Crop
    from ..networks.weights.open_pack import DATA
    from ..performance.performance_files import load_performance
    from ..sight.video import open_clip

    began = time.perf_counter()
    progress(0, None, "loading")
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


def load(request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    return _pack(_loaded(request, progress))


def animate(request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    from ..performance.face_performance import runs
    from ..performance.performance_files import save_performance
    from ..sight.tracking import perform
    from ..sight.video import open_clip

    _writable(request["out"])
    started = time.monotonic()
    estimator = _loaded(request, progress)
    with open_clip(request["clip"], request.get("first"), request.get("last"), request.get("fps")) as clip:
        performance = perform(
            clip,
            estimator,
            box=request.get("box"),
            face=request.get("face"),
            lens_mm=request.get("lens_mm") or 50.0,
            on_frame=lambda done: progress(done, clip.expected_frames, "watching"),
        )
        notes = clip.notes()
    save_performance(performance, request["out"])
    pack = _pack(estimator)
    return {
        "frames": len(performance.times),
        "seen": int(performance.seen.sum()),
        "missing": runs(~performance.seen),
        "fps": performance.fps,
        "seconds": round(time.monotonic() - started, 3),
        "unread": performance.unread,
        **pack,
        "notes": [*([performance.damage] if performance.damage else []), *notes, *pack["notes"]],
    }


def estimate(request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    from ..sight.stills import Still, see_stills

    if request.get("out"):
        _writable(request["out"])
    estimator = _loaded(request, progress)
    images = request["images"]
    boxes = request.get("boxes") or [request.get("box")] * len(images)
    save_mesh = _mesh_writer(request, estimator, images)
    stills = [Still(image, box, request.get("face")) for image, box in zip(images, boxes, strict=True)]
    results: list[dict[str, Any]] = []
    for still, seen in zip(stills, see_stills(stills, estimator, request.get("lens_mm") or 50.0)):
        progress(len(results), len(images), str(still.image))
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
    from ..official.preprocess import box_of_crop

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
    from ..sight.meshes import MeshFolder

    names = request.get("names") or [Path(image).stem for image in images]
    return MeshFolder(request["ply"], names, request.get("face_model") or "open", estimator.basis).save


def still(request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    from ..camera import Crop
    from ..files import write_whole
    from ..networks.cutting import cut
    from ..opencv import cv2
    from ..sight.video import picture_at

    cx, cy, side, angle = request["crop"]
    frame = int(request.get("frame") or 0)
    image = picture_at(request["clip"], frame)
    small = cut(image, Crop(cx, cy, side * STILL_AROUND, angle), STILL_PIXELS)
    coded, data = cv2.imencode(".jpg", small)
    if not coded:
        raise InputError(f"{request['clip']}: frame {frame} cannot be written as JPEG")
    write_whole(request["out"], data.tobytes())
    return {}


def faces(request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    import base64

    from ..networks.cutting import cut
    from ..sight.finder import find_faces
    from ..sight.video import picture_at

    estimator = _loaded(request, progress)
    frame = int(request.get("frame") or 0)
    image = picture_at(request["clip"], frame)
    progress(0, None, "looking for faces")
    found = []
    for face in find_faces(image, estimator.finding):
        small = cut(image, face.crop, FACE_PIXELS)[:, :, ::-1]
        pixels = base64.b64encode(small.tobytes()).decode("ascii")
        found.append({"confidence": round(face.confidence, 6), "pixels": pixels})
    return {"faces": found, "size": FACE_PIXELS}


def convert(request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    from ..formats import open_face_model
    from ..formats.npz import save_face_model

    _writable(request["out"])
    progress(0, None, "reading the face model")
    model = open_face_model(request["face_model"])
    progress(1, 2, "writing")
    save_face_model(model, request["out"], exact=True)
    return {
        "name": model.name,
        "vertices": model.vertex_count,
        "components": len(model.identity),
        "keys": list(model.expression_keys),
        "basis": model.basis,
        **(_basis_map(model, request["out"], progress) if request.get("basis_map") else {}),
    }


def _basis_map(model: FaceModel, out: str, progress: Progress) -> dict[str, Any]:
    """The maps between the model's basis and the open one, beside ``out``; or why there are none."""
    from ..bases.basis_map import save_maps
    from ..face.semantics import OPEN_BASIS
    from ..formats import open_face_model

    if model.basis == OPEN_BASIS:
        return {"basis_map": None, "tables": [], "no_map": "it has the open keys: there is nothing to map"}
    try:
        from ..bases.basis_fit import map_to_open

        maps = map_to_open(
            open_face_model("open"), model, lambda done, total: progress(done, total, "comparing the heads")
        )
    except (InputError, ImportError) as error:  # without SciPy the face model is converted all the same
        return {"basis_map": None, "tables": [], "no_map": one_line(error)}
    path = Path(out).with_suffix(".basis_map.npz")
    save_maps(maps, path)
    return {"basis_map": str(path), "tables": [str(m) for m in maps], "no_map": ""}


def import_weights(request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    from ..official.import_weights import import_weights as convert_all

    progress(0, None, "looking for checkpoints")
    done = convert_all(request["folder"], request.get("out"), bool(request.get("half")), progress)
    return {
        "out": str(done.out),
        "networks": {name: info.trunk for name, info in done.header.networks.items()},
        "sources": [vars(source) for source in done.header.sources],
        "missing": done.missing,
        "passed_over": [(str(path), why) for path, why in done.passed_over],
        "face_model": str(done.face_model) if done.face_model else None,
    }


def _loaded(request: dict[str, Any], progress: Progress) -> Any:
    progress(0, None, "loading")
    return chosen_estimator(request)


def _pack(estimator: Any) -> dict[str, Any]:
    """Whose numbers these are and what may be done with them; and what was done without."""
    pack = {"name": estimator.name, "basis": estimator.basis, "license": estimator.license}
    return {"pack": pack, "notes": list(estimator.notes)}


def _writable(out: str) -> None:
    """Refuse at once what could only fail at the end."""
    folder = Path(out).parent
    if not folder.is_dir():
        raise InputError(f"{out}: there is no folder {folder}: make it first")
    if Path(out).is_dir() or not os.access(folder, os.W_OK):
        raise InputError(f"{out}: cannot write there: choose another place")


def _save_estimates(out: str, results: list[dict[str, Any]]) -> None:
    import io

    import numpy as np

    from ..files import write_whole

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


VERBS: dict[str, tuple[Verb, tuple[str, ...]]] = {
    "ping": (ping, ()),
    "test": (test, ()),
    "load": (load, ()),
    "animate": (animate, ("clip", "out")),
    "estimate": (estimate, ("images",)),
    "still": (still, ("clip", "crop", "out")),
    "faces": (faces, ("clip",)),
    "convert": (convert, ("face_model", "out")),
    "import_weights": (import_weights, ("folder",)),
}
