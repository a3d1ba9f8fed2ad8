"""The verbs of the worker: one function for each request of ``protocol``, from the request to its result.

Each verb imports its dependencies when it runs. If numpy, OpenCV or torch is missing, only the verbs that need it fail.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..array_types import UInt8Array
from ..builtin import OPEN
from ..errors import InputError, one_line
from ..files import is_dir
from ..networks import engines
from .chosen_estimator import EstimatorCache
from .messages import (
    Animate,
    AnimateResult,
    CameraFound,
    Cameras,
    CamerasResult,
    Convert,
    ConvertResult,
    Estimate,
    EstimateResult,
    EstimatorOptions,
    Faces,
    FacesResult,
    FindPoints,
    FindPointsResult,
    FineTune,
    FineTuneResult,
    HeadPoint,
    HeldOut,
    ImageFace,
    ImageResult,
    ImportWeights,
    ImportWeightsResult,
    Likeness,
    LikenessResult,
    Live,
    LiveResult,
    Load,
    LoadResult,
    MakeKeys,
    MakeKeysResult,
    OwnHead,
    Pack,
    People,
    PeopleResult,
    PersonSeen,
    Ping,
    PingResult,
    Request,
    SourceFile,
    Still,
    StillResult,
    Test,
    TestResult,
    Thumbnail,
)
from .protocol import Event, Look, Seen

if TYPE_CHECKING:
    from ..array_types import IntArray
    from ..face.face_model import FaceModel
    from ..live.faces import LiveFace
    from ..networks.estimate import FaceEstimate
    from ..own_head.head_file import Mesh
    from ..performance.face_performance import FacePerformance

FACE_PIXELS = 96  # a thumbnail's width
LOOK_PIXELS, LOOK_AROUND = 80, 1.5  # the progress's picture: its width, and its size relative to the crop
LOOK_LINE = (90, 220, 120)  # colour of the crop's edge
STILL_PIXELS, STILL_AROUND = 192, 1.4  # a still's width, and its size relative to the crop
LIBRARIES = {
    "torch": "torch",
    "cv2": "opencv-python-headless",
    "safetensors": "safetensors",
    "h5py": "h5py",
    "scipy": "scipy",
}


class Report(Protocol):
    """Reports progress; raises Cancelled if the request was cancelled. May be called at every frame.

    ``look`` is called only where its result is sent, a few times a second.
    """

    def __call__(
        self, done: int, total: int | None, message: str = "", look: Callable[[], Look | None] | None = None
    ) -> None: ...


@dataclass(frozen=True)
class Work:
    """The context of a verb.

    ``out`` is its result file, ``estimators`` caches the last loaded estimator, ``send`` sends an event to the client.
    """

    out: str
    report: Report
    estimators: EstimatorCache
    send: Callable[[Event], None] = lambda event: None

    def estimator(self, options: EstimatorOptions) -> Any:
        self.report(0, None, "loading")
        return self.estimators.get(options)


def ping(request: Ping, work: Work) -> PingResult:
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
    return PingResult(
        python=sys.version.split()[0],
        executable=sys.executable,
        packages=versions,
        engines=tuple(running),
        devices=tuple(devices),
        gpus=gpus,
    )


def test(request: Test, work: Work) -> TestResult:
    from ..camera import Camera, Crop
    from ..networks.weights.open_pack import DATA
    from ..performance.performance_files import load_performance
    from ..sight.video import open_clip

    began = time.perf_counter()
    work.report(0, None, "loading")
    running = engines.start(OPEN, request.device, request.engine)
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
    return TestResult(
        engine=running.engine,
        version=running.version,
        device=running.device,
        ms=round(1e3 * sorted(taken)[len(taken) // 2], 2),
        loading_seconds=round(loaded - began, 2),
        confidence=round(float(seen.confidence[0]), 4),
    )


def load(request: Load, work: Work) -> LoadResult:
    estimator = work.estimator(request.options)
    _warm_up(estimator)
    return LoadResult(_pack(estimator), tuple(estimator.notes))


def _warm_up(estimator: Any) -> None:
    """Import what reads clips and look once, so that the next request begins at once."""
    import numpy as np

    from ..camera import Camera, Crop
    from ..sight.tracking import perform  # noqa: F401
    from ..sight.video import open_clip  # noqa: F401

    picture = np.zeros((64, 64, 3), np.uint8)
    estimator.finding.estimate([picture], [Crop(32.0, 32.0, 64.0)], [Camera.for_image(64, 64)])


def animate(request: Animate, work: Work) -> AnimateResult:
    from ..performance.face_performance import runs
    from ..performance.performance_files import save_performance
    from ..sight.tracking import perform
    from ..sight.video import open_clip

    _check_writable(work.out)
    started = time.monotonic()
    options = request.options
    estimator = work.estimator(options)
    if request.fit:
        from ..fitting.looks import check_locates_points

        check_locates_points(estimator)
    last: list[tuple[UInt8Array, FaceEstimate | None]] = []
    with open_clip(request.clip, request.first, request.last, request.fps) as clip:
        performance = perform(
            clip,
            estimator,
            box=options.box,
            face=options.face,
            lens_mm=options.lens_mm,
            on_frame=lambda done: work.report(done, clip.expected_frames, "watching", lambda: _look(*last[0])),
            on_look=lambda image, seen: last.__setitem__(slice(None), [(image, seen)]),
        )
        notes, pictures = clip.notes(), clip.placement().pictures
    if request.fit and performance.seen.any():
        performance = _fitted(performance, pictures, request, estimator, work)
    save_performance(performance, work.out)
    return AnimateResult(
        frames=len(performance.times),
        seen=int(performance.seen.sum()),
        missing=tuple(runs(~performance.seen)),
        fps=float(performance.fps),
        seconds=round(time.monotonic() - started, 3),
        pack=_pack(estimator),
        notes=(*([performance.damage] if performance.damage else []), *notes, *estimator.notes),
        unread=performance.unread,
    )


def _look(image: UInt8Array, seen: FaceEstimate | None, mirror: bool = False) -> Look | None:
    """Return what the reader sees: the face with its crop, and its keys; None without a face."""
    import base64

    from ..camera import Crop
    from ..networks.cutting import cut

    if seen is None:
        return None
    crop = seen.crop[0]
    around = Crop(crop.cx, crop.cy, crop.side * LOOK_AROUND, crop.angle)
    picture = cut(image, around, LOOK_PIXELS)[:, :, ::-1].copy()
    edge = round(LOOK_PIXELS * (1 - 1 / LOOK_AROUND) / 2)
    inside = slice(edge, LOOK_PIXELS - edge)
    for line in (edge, LOOK_PIXELS - edge - 1):
        picture[line, inside] = picture[inside, line] = LOOK_LINE
    if mirror:
        picture = picture[:, ::-1]
    eta = seen.eta[0]
    strongest = sorted(range(len(eta)), key=lambda i: -abs(eta[i]))
    keys = tuple((seen.expression_keys[i], round(float(eta[i]), 2)) for i in strongest)
    pixels = base64.b64encode(picture.tobytes()).decode("ascii")
    return Look(pixels, LOOK_PIXELS, keys, (float(seen.gaze[0, 0]), float(seen.gaze[0, 1])))


def people(request: People, work: Work) -> PeopleResult:
    from ..performance.face_performance import runs
    from ..performance.performance_files import save_performance
    from ..sight.people import perform_everyone
    from ..sight.tracklets import PORTRAIT
    from ..sight.video import open_clip

    _check_writable(work.out)
    started = time.monotonic()
    estimator = work.estimator(request.options)
    with open_clip(request.clip, request.first, request.last, request.fps) as clip:
        everyone = perform_everyone(
            clip,
            estimator,
            lens_mm=request.options.lens_mm,
            on_frame=lambda done: work.report(done, clip.expected_frames, "watching"),
        )
        notes = clip.notes()
    found = []
    for number, person in enumerate(everyone, 1):
        file = Path(work.out).with_name(f"person_{number}.npz")
        performance = person.performance
        save_performance(performance, file)
        missing = tuple(runs(~performance.seen))
        portrait = _thumbnail(float(performance.confidence.max()), person.portrait)
        found.append(PersonSeen(str(file), int(performance.seen.sum()), missing, portrait))
    first = everyone[0].performance
    return PeopleResult(
        frames=len(first.times),
        people=tuple(found),
        size=PORTRAIT,
        fps=float(first.fps),
        seconds=round(time.monotonic() - started, 3),
        pack=_pack(estimator),
        notes=(*([first.damage] if first.damage else []), *notes, *estimator.notes),
        unread=first.unread,
    )


def _fitted(
    performance: FacePerformance, pictures: IntArray, request: Animate, estimator: Any, work: Work
) -> FacePerformance:
    """Read the clip again and refine its performance over all frames."""
    from ..fitting.looks import look_again
    from ..fitting.refine import refined
    from ..formats import open_face_model
    from ..sight.video import open_clip

    with open_clip(request.clip, request.first, request.last, request.fps) as clip:
        looks = look_again(
            clip,
            performance,
            pictures,
            estimator,
            lambda done: work.report(done, clip.expected_frames, "watching again"),
        )
    model = open_face_model(OPEN)
    return refined(performance, looks, model, lambda done, total: work.report(done, total, "fitting"))


def likeness(request: Likeness, work: Work) -> LikenessResult:
    from ..face.semantics import OPEN_BASIS
    from ..files import write_whole
    from ..formats import open_face_model
    from ..likeness.texture import texture_of
    from ..likeness.views import alpha_of, views_of
    from ..opencv import cv2

    _check_writable(work.out)
    options = request.options
    estimator = work.estimator(options)
    if estimator.basis != OPEN_BASIS:
        raise InputError(f"the texture is for the open head, the network has the keys of '{estimator.basis}'")
    views = views_of(
        request.sources,
        estimator,
        box=options.box,
        face=options.face,
        lens_mm=options.lens_mm,
        report=lambda done, total: work.report(done, total, "looking"),
    )
    work.report(0, None, "projecting")
    alpha = alpha_of(views, estimator)
    texture = texture_of(views, open_face_model(OPEN), alpha)
    coded, data = cv2.imencode(".png", texture.picture)
    if not coded:
        raise InputError("the texture cannot be written as PNG")
    write_whole(work.out, data.tobytes())
    return LikenessResult(
        alpha=_rounded(alpha),
        skin=texture.skin,
        iris=texture.iris,
        seen=texture.seen,
        views=tuple(view.name for view in views),
        pack=_pack(estimator),
        notes=tuple(estimator.notes),
    )


def live(request: Live, work: Work) -> LiveResult:
    from contextlib import ExitStack

    from ..face.semantics import OPEN_BASIS
    from ..live.faces import listen, watch
    from ..live.send import Sender, Target
    from ..live.steady import Steady
    from ..sight.tracking import Choice

    started = time.monotonic()
    pictures = faces = 0
    shown: tuple[UInt8Array | None, FaceEstimate | None] = (None, None)

    def show(image: UInt8Array | None, seen: FaceEstimate | None) -> None:
        nonlocal shown
        shown = image, seen

    def look() -> Look | None:
        image, seen = shown
        return None if image is None else _look(image, seen, request.mirror)

    def still_wanted() -> None:
        work.report(pictures, None, "live", look)

    kind, _, port = request.source.partition(":")
    if kind == "livelink" and port.isdigit():
        stream = listen(request.host, int(port), still_wanted)
    else:
        estimator = work.estimator(request.options)
        if estimator.basis != OPEN_BASIS:
            raise InputError(f"live needs the open keys, the network has those of '{estimator.basis}'")
        options = request.options
        choice = Choice(options.box, options.face)
        stream = watch(request.source, estimator, options.lens_mm, choice, show, still_wanted)
    with ExitStack() as open_senders:
        senders = [open_senders.enter_context(Sender(Target(to.layout, to.host, to.port))) for to in request.send]
        steady = Steady(request.smoothing)
        for face in stream:
            pictures += 1
            faces += face.confidence > 0
            work.send(_seen(face))
            if senders and face.confidence:
                eta, gaze, rotation, translation = steady(
                    face.time, face.eta, face.gaze, face.rotation, face.translation
                )
                face = replace(face, eta=eta, gaze=gaze, rotation=rotation, translation=translation)
            for sender in senders:
                sender.send(face)
    return LiveResult(pictures, faces, round(time.monotonic() - started, 3))


def _seen(face: LiveFace) -> Seen:
    moment, at = round(face.time, 4), round(face.at, 6)
    if not face.confidence:
        return Seen(moment, at)
    return Seen(
        moment,
        at,
        round(face.confidence, 4),
        _rounded(face.eta),
        _rounded(face.gaze),
        _rounded(face.quaternion),
        _rounded(face.translation),
    )


def cameras(request: Cameras, work: Work) -> CamerasResult:
    from ..live.pictures import cameras as all_cameras

    return CamerasResult(tuple(CameraFound(number, name) for number, name in all_cameras()))


def estimate(request: Estimate, work: Work) -> EstimateResult:
    from ..sight.stills import Still as StillImage
    from ..sight.stills import see_stills

    options = request.options
    estimator = work.estimator(options)
    images = request.images
    save_mesh = _mesh_writer(request, estimator)
    stills = [StillImage(image.image, image.box or options.box, options.face) for image in images]
    results: list[ImageResult] = []
    for still, seen in zip(stills, see_stills(stills, estimator, options.lens_mm)):
        work.report(len(results), len(images), str(still.image))
        if isinstance(seen, InputError):
            results.append(ImageResult(str(still.image), error=str(seen)))
            continue
        results.append(ImageResult(str(still.image), _face(seen, still.box)))
        save_mesh(len(results) - 1, seen)
    return EstimateResult(tuple(results), _pack(estimator), tuple(estimator.notes))


def _face(seen: FaceEstimate, box: Sequence[float] | None) -> ImageFace:
    """Return a face (a batch of one) as numbers."""
    from ..official.preprocess import box_of_crop

    crop = seen.crop[0]
    return ImageFace(
        eta={k: round(float(v), 6) for k, v in zip(seen.expression_keys, seen.eta[0])},
        alpha=_rounded(seen.alpha[0]),
        gaze=_rounded(seen.gaze[0]),
        rotation=_rounded(seen.rotation[0]),
        translation=_rounded(seen.translation[0]),
        crop=_rounded([crop.cx, crop.cy, crop.side, crop.angle]),
        box=_rounded(box or box_of_crop(crop)),
        confidence=round(float(seen.confidence[0]), 6),
        texture=None if seen.texture is None else _rounded(seen.texture[0]),
    )


def _mesh_writer(request: Estimate, estimator: Any) -> Callable[[int, FaceEstimate], None]:
    """Return a function that writes the i-th image's face into the folder ``ply``; it does nothing without ``ply``."""
    if not request.ply:
        return lambda i, seen: None
    from ..sight.meshes import MeshFolder

    names = [image.name or Path(image.image).stem for image in request.images]
    return MeshFolder(request.ply, names, request.options.face_model, estimator.basis).save


def still(request: Still, work: Work) -> StillResult:
    from ..camera import Crop
    from ..files import write_whole
    from ..networks.cutting import cut
    from ..opencv import cv2
    from ..sight.video import picture_at

    _check_writable(work.out)
    cx, cy, side, angle = request.crop
    image = picture_at(request.clip, request.frame)
    small = cut(image, Crop(cx, cy, side * STILL_AROUND, angle), STILL_PIXELS)
    coded, data = cv2.imencode(".jpg", small)
    if not coded:
        raise InputError(f"{request.clip}: frame {request.frame} cannot be written as JPEG")
    write_whole(work.out, data.tobytes())
    return StillResult()


def faces(request: Faces, work: Work) -> FacesResult:
    from ..networks.cutting import cut
    from ..sight.finder import find_faces
    from ..sight.video import picture_at

    estimator = work.estimator(request.options)
    image = picture_at(request.clip, request.frame)
    work.report(0, None, "looking for faces")
    found = [
        _thumbnail(float(face.confidence), cut(image, face.crop, FACE_PIXELS))
        for face in find_faces(image, estimator.finding)
    ]
    return FacesResult(tuple(found), FACE_PIXELS)


def _thumbnail(confidence: float, image: UInt8Array) -> Thumbnail:
    """Return the thumbnail of a square image (N, N, 3) uint8 BGR."""
    import base64

    return Thumbnail(round(confidence, 6), base64.b64encode(image[:, :, ::-1].tobytes()).decode("ascii"))


def convert(request: Convert, work: Work) -> ConvertResult:
    from ..formats import open_face_model
    from ..formats.npz import save_face_model

    _check_writable(work.out)
    work.report(0, None, "reading the face model")
    model = open_face_model(request.face_model)
    work.report(1, 2, "writing")
    save_face_model(model, work.out, exact=True)
    basis_map, tables, no_map = _basis_map(model, work) if request.basis_map else (None, (), "")
    return ConvertResult(
        name=model.name,
        vertices=int(model.vertex_count),
        components=len(model.identity),
        keys=tuple(model.expression_keys),
        basis=model.basis,
        basis_map=basis_map,
        tables=tables,
        no_map=no_map,
    )


def _basis_map(model: FaceModel, work: Work) -> tuple[str | None, tuple[str, ...], str]:
    """Write the maps between the model's basis and the open one beside ``out``.

    Returns the file (None if there are no maps), their tables, and the reason if there are none.
    """
    from ..bases.basis_map import save_maps
    from ..face.semantics import OPEN_BASIS
    from ..formats import open_face_model

    if model.basis == OPEN_BASIS:
        return None, (), "it has the open keys: there is nothing to map"
    try:
        from ..bases.basis_fit import map_to_open

        maps = map_to_open(
            open_face_model(OPEN), model, lambda done, total: work.report(done, total, "comparing the heads")
        )
    except (InputError, ImportError) as error:  # the face model is converted even without SciPy
        return None, (), one_line(error)
    path = Path(work.out).with_suffix(".basis_map.npz")
    save_maps(maps, path)
    return str(path), tuple(str(m) for m in maps), ""


def import_weights(request: ImportWeights, work: Work) -> ImportWeightsResult:
    from ..official.import_weights import import_weights as convert_all

    work.report(0, None, "looking for checkpoints")
    done = convert_all(request.folder, request.out, request.half, work.report)
    return ImportWeightsResult(
        out=str(done.out),
        networks={name: info.trunk for name, info in done.header.networks.items()},
        sources=tuple(SourceFile(**vars(source)) for source in done.header.sources),
        missing=tuple((str(file), str(adds)) for file, adds in done.missing),
        passed_over=tuple((str(path), str(why)) for path, why in done.passed_over),
        face_model=str(done.face_model) if done.face_model else None,
    )


def fine_tune(request: FineTune, work: Work) -> FineTuneResult:
    _check_writable(request.out)
    if not request.clips:
        raise InputError("no clip is named to fine-tune on: give at least one")
    engines.needs_full("auto", "fine-tuned weights")
    import torch

    from ..fine_tuning.fine_tune import fine_tune as fine_tuned
    from ..fine_tuning.measures import NAMES

    torch.set_num_threads(1)
    out = Path(request.out)
    clips = [Path(clip) for clip in request.clips]
    done = fine_tuned(clips, out, request.estimator, request.lens_mm, report=work.report)
    before, after = (HeldOut(**vars(measures)) for measures in (done.before, done.after))
    worse = tuple(NAMES[name] for name in done.worse)
    curves, video = (str(out.with_suffix(suffix)) for suffix in (".svg", ".mp4"))
    return FineTuneResult(done.kept, done.frames, before, after, curves, video, worse)


def find_points(request: FindPoints, work: Work) -> FindPointsResult:
    from ..own_head.from_meshes import find_named_points

    work.report(0, None, "reading the head")
    meshes, names, kinds = _own_head(request.head)
    found = find_named_points(meshes, names, kinds, work.estimator(request.options), work.report)
    points = tuple(HeadPoint(name, _rounded(at, 9)) for name, at in found.points.items())
    return FindPointsResult(points, found.missing, found.views, found.kinds)


def make_keys(request: MakeKeys, work: Work) -> MakeKeysResult:
    import numpy as np

    from ..files import atomic_path
    from ..own_head.from_meshes import keys_of

    _check_writable(work.out)
    started = time.monotonic()
    points = {point.name: np.array(point.at) for point in request.points}
    work.report(0, None, "reading the head")
    meshes, names, kinds = _own_head(request.head)
    made = keys_of(meshes, names, kinds, points, request.names, request.symmetric, request.without_eyes, work.report)
    with atomic_path(work.out) as part:
        np.savez(part, **{f"offsets_{number}": offsets for number, offsets in made.offsets.items()})
    return MakeKeysResult(
        keys=made.names,
        moved=tuple(made.offsets),
        kinds=made.kinds,
        fit_mm=round(made.fit_mm, 4),
        seconds=round(time.monotonic() - started, 3),
        notes=made.notes,
    )


def _own_head(head: OwnHead) -> tuple[list[Mesh], list[str], list[str]]:
    """Return the meshes of a head with their names and kinds."""
    from ..own_head.head_file import read_meshes

    meshes = read_meshes(head.file)
    if len(meshes) != len(head.meshes):
        raise InputError(f"{head.file}: has {len(meshes)} meshes, the request names {len(head.meshes)}")
    return meshes, [mesh.name for mesh in head.meshes], [mesh.kind for mesh in head.meshes]


def _pack(estimator: Any) -> Pack:
    return Pack(estimator.name, estimator.basis, estimator.license)


def _check_writable(out: str) -> None:
    """Check that the result file can be written, before any work. Raises InputError."""
    if not out:
        raise InputError("the request names no file for its result: give 'out'")
    folder = Path(out).parent
    if not is_dir(folder):
        raise InputError(f"{out}: there is no folder {folder}: make it first")
    if is_dir(out) or not os.access(folder, os.W_OK):
        raise InputError(f"{out}: cannot write there: choose another place")


def _rounded(values: Any, digits: int = 6) -> Any:
    """Round numbers to six digits, in nested tuples."""
    import numpy as np

    return _tuples(np.round(np.asarray(values, np.float64), digits).tolist())


def _tuples(values: Any) -> Any:
    return tuple(map(_tuples, values)) if isinstance(values, list) else values


HANDLERS: dict[type[Request[Any]], Callable[[Any, Work], Any]] = {
    Ping: ping,
    Test: test,
    Load: load,
    Animate: animate,
    People: people,
    Likeness: likeness,
    Live: live,
    Cameras: cameras,
    Estimate: estimate,
    Still: still,
    Faces: faces,
    Convert: convert,
    ImportWeights: import_weights,
    FineTune: fine_tune,
    FindPoints: find_points,
    MakeKeys: make_keys,
}
