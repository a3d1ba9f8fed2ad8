"""The requests that the worker accepts, and their results.

Paths are absolute: the worker runs in a folder of its own. Frames count from 0, and ranges include both ends. A box is
x, y, width, height in pixels from the upper left corner. ``notes`` are lines for the user about unavailable features.

Standard library only: Blender imports this module without numpy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Literal, TypeVar

from ..builtin import OPEN

LIVE_SMOOTHING = 0.5  # the strength of smoothing that users of live get

Box = tuple[float, float, float, float]
Vector = tuple[float, float, float]
Result = TypeVar("Result")


# Parts of requests and results ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class EstimatorOptions:
    """The estimator, its engine, and the face that it follows.

    estimator      ``open``, or the path of a weights file or of a folder of imported weights
    engine         ``full`` (torch), ``light`` (OpenCV on the CPU) or ``auto``: full where torch is installed
    box, face      the face's box in the first frame, or its rank by size from 0; without both, the largest face
    lens_mm        focal length on a 36 mm sensor
    face_model     the authors' networks only: ``open`` or a path, the head that the pose belongs to
    preprocessing  the authors' networks only: how the face is cropped
    jpeg           the authors' networks only: whether the crop passes through a JPEG file
    """

    estimator: str = OPEN
    device: str = "auto"
    engine: Literal["auto", "full", "light"] = "auto"
    box: Box | None = None
    face: int | None = None
    lens_mm: float = 50.0
    face_model: str = OPEN
    preprocessing: Literal["release", "paper"] = "release"
    jpeg: bool = True


@dataclass(frozen=True)
class ImageRequest:
    """An image to read: ``name`` of its mesh (empty: the file's stem), and its face's box if it is known."""

    image: str
    name: str = ""
    box: Box | None = None


@dataclass(frozen=True)
class Pack:
    """The network of a result, its expression basis, and its licence."""

    name: str
    basis: str
    license: str


@dataclass(frozen=True)
class ImageFace:
    """The face in an image: ``FaceEstimate`` (model/networks/estimate.py) of one face, rounded to six digits.

    ``eta`` by key; ``gaze`` yaw and pitch in radians; ``rotation`` and ``translation`` (mm) of the head in the
    camera's frame; ``crop`` centre, side and angle; ``texture`` if the network estimates it.
    """

    eta: dict[str, float]
    alpha: tuple[float, ...]
    gaze: tuple[float, float]
    rotation: tuple[Vector, Vector, Vector]
    translation: Vector
    crop: tuple[float, float, float, float]
    box: Box
    confidence: float
    texture: tuple[float, ...] | None = None


@dataclass(frozen=True)
class ImageResult:
    """An image and its face; without a face ``error`` is one line with the reason."""

    image: str
    face: ImageFace | None = None
    error: str = ""


@dataclass(frozen=True)
class Thumbnail:
    """A detected face: ``pixels`` are RGB rows of a square image in base64."""

    confidence: float
    pixels: str


@dataclass(frozen=True)
class PersonSeen:
    """A person of a clip: ``file`` is the performance (npz), with the clip's frames; ``seen`` of them show the face.

    ``missing`` are the ranges without it.
    """

    file: str
    seen: int
    missing: tuple[tuple[int, int], ...]
    portrait: Thumbnail


@dataclass(frozen=True)
class SendTo:
    """Where live faces are sent by UDP: ``layout`` is vmc, vrchat or livelink; ``port`` 0 is its usual one."""

    layout: Literal["vmc", "vrchat", "livelink"]
    host: str = "127.0.0.1"
    port: int = 0


@dataclass(frozen=True)
class CameraFound:
    """A camera: the number by which it is opened, and its name."""

    number: int
    name: str


@dataclass(frozen=True)
class SourceFile:
    """An imported checkpoint and its content."""

    file: str
    bytes: int
    sha256: str
    gave: str


@dataclass(frozen=True)
class HeadPoint:
    """A named point on an artist's head, at ``at`` in the frame and unit of its meshes."""

    name: str
    at: Vector


@dataclass(frozen=True)
class HeadMesh:
    """A mesh of an artist's head: its name, and what it is (``model/own_head/parts.py``), ``auto`` to guess it."""

    name: str
    kind: str = "auto"


@dataclass(frozen=True)
class OwnHead:
    """The meshes of an artist's head, whose arrays are in ``file`` (``model/own_head/head_file.py``)."""

    file: str
    meshes: tuple[HeadMesh, ...]


# Results --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PingResult:
    """``packages`` by module, None if missing; ``engines`` that can run, the first is the one of ``auto``."""

    python: str
    executable: str
    packages: dict[str, str | None]
    engines: tuple[str, ...]
    devices: tuple[str, ...]
    gpus: int


@dataclass(frozen=True)
class TestResult:
    """``version`` of the engine's library; ``ms`` per frame."""

    __test__: ClassVar[bool] = False  # pytest does not collect it

    engine: str
    version: str
    device: str
    ms: float
    loading_seconds: float
    confidence: float


@dataclass(frozen=True)
class LoadResult:
    pack: Pack
    notes: tuple[str, ...]


@dataclass(frozen=True)
class EstimateResult:
    """One entry for each image of the request, in the same order."""

    estimates: tuple[ImageResult, ...]
    pack: Pack
    notes: tuple[str, ...]


@dataclass(frozen=True)
class AnimateResult:
    """``seen`` of ``frames`` have a face, ``missing`` are the ranges without; ``unread`` images cannot be decoded."""

    frames: int
    seen: int
    missing: tuple[tuple[int, int], ...]
    fps: float
    seconds: float
    pack: Pack
    notes: tuple[str, ...]
    unread: int = 0


@dataclass(frozen=True)
class PeopleResult:
    """The most prominent person first; ``size`` is the width and height of each portrait in pixels."""

    frames: int
    people: tuple[PersonSeen, ...]
    size: int
    fps: float
    seconds: float
    pack: Pack
    notes: tuple[str, ...]
    unread: int = 0


@dataclass(frozen=True)
class LikenessResult:
    """A person's shape ``alpha``; ``skin`` and ``iris`` are names of the box's skin and eyes that fit best.

    ``seen`` is the share of the face that the pictures show, ``views`` the names of those that were used.
    """

    alpha: tuple[float, ...]
    skin: str
    iris: str
    seen: float
    views: tuple[str, ...]
    pack: Pack
    notes: tuple[str, ...]


@dataclass(frozen=True)
class LiveResult:
    """``faces`` of ``pictures`` were seen in ``seconds``."""

    pictures: int
    faces: int
    seconds: float


@dataclass(frozen=True)
class CamerasResult:
    cameras: tuple[CameraFound, ...]


@dataclass(frozen=True)
class StillResult:
    pass


@dataclass(frozen=True)
class FacesResult:
    """The largest face first; ``size`` is the width and height of each thumbnail in pixels."""

    faces: tuple[Thumbnail, ...]
    size: int


@dataclass(frozen=True)
class ConvertResult:
    """The converted face model, and its maps.

    ``basis_map`` is the file with the maps between the model's basis and the open one, ``tables`` list their residuals.
    If there are none, ``no_map`` is the reason.
    """

    name: str
    vertices: int
    components: int
    keys: tuple[str, ...]
    basis: str
    basis_map: str | None = None
    tables: tuple[str, ...] = ()
    no_map: str = ""


@dataclass(frozen=True)
class ImportWeightsResult:
    """The converted weights ``out``, and their sources.

    ``networks`` maps a name to the network that holds its trunk. ``missing`` lists missing files and their purpose,
    ``passed_over`` unused files and the reason.
    """

    out: str
    networks: dict[str, str]
    sources: tuple[SourceFile, ...]
    missing: tuple[tuple[str, str], ...]
    passed_over: tuple[tuple[str, str], ...]
    face_model: str | None


@dataclass(frozen=True)
class HeldOut:
    """Weights on frames that were not trained on, see ``model/fine_tuning/measures.py``."""

    agreement: float
    consistency: float
    jitter: float
    motion: float
    mirror: float = 0.0
    shift: float = 0.0
    points: float = 0.0


@dataclass(frozen=True)
class FineTuneResult:
    """``kept``: the weights are better on held-out frames and were written.

    ``curves`` is an SVG of these frames, ``video`` an MP4: footage, head before, head after. ``worse``: what keeps the
    old weights, a phrase each.
    """

    kept: bool
    frames: int
    before: HeldOut
    after: HeldOut
    curves: str
    video: str = ""
    worse: tuple[str, ...] = ()


@dataclass(frozen=True)
class FindPointsResult:
    """``points`` were found, ``missing`` are the names of the others; ``views`` is the number of pictures with a face.

    ``kinds`` are what the meshes are taken for, in their order.
    """

    points: tuple[HeadPoint, ...]
    missing: tuple[str, ...]
    views: int
    kinds: tuple[str, ...]


@dataclass(frozen=True)
class MakeKeysResult:
    """The file has ``offsets_N`` (keys, V, 3) float32 for each mesh N of ``moved``, in the meshes' frame and unit."""

    keys: tuple[str, ...]
    moved: tuple[int, ...]
    kinds: tuple[str, ...]
    fit_mm: float
    seconds: float
    notes: tuple[str, ...]


# Requests -------------------------------------------------------------------------------------------------------------


class Request(Generic[Result]):
    """A verb with its arguments. ``result`` is the class of the result."""

    verb: ClassVar[str]
    result: ClassVar[type[Any]]


@dataclass(frozen=True)
class Ping(Request[PingResult]):
    """Return the versions of Python and packages, the engines and the devices."""

    verb = "ping"
    result = PingResult


@dataclass(frozen=True)
class Test(Request[TestResult]):
    """Measure the open network on one frame of the demo clip."""

    __test__: ClassVar[bool] = False

    verb = "test"
    result = TestResult
    device: str = "auto"
    engine: Literal["auto", "full", "light"] = "auto"


@dataclass(frozen=True)
class Load(Request[LoadResult]):
    """Load the network, so that an invalid one is refused before any work."""

    verb = "load"
    result = LoadResult
    options: EstimatorOptions


@dataclass(frozen=True)
class Estimate(Request[EstimateResult]):
    """Read images; ``ply`` is a folder for a mesh of each face, or None."""

    verb = "estimate"
    result = EstimateResult
    images: tuple[ImageRequest, ...]
    options: EstimatorOptions
    ply: str | None = None


@dataclass(frozen=True)
class Animate(Request[AnimateResult]):
    """Follow a face through a clip, and write the performance (npz) to the envelope's ``out``.

    ``fps`` is the rate of an image sequence, or the playback rate of a movie, frame for frame. ``fit``: read the clip
    twice and refine the performance over all frames (model/fitting).
    """

    verb = "animate"
    result = AnimateResult
    clip: str
    options: EstimatorOptions
    first: int | None = None
    last: int | None = None
    fps: float | None = None
    fit: bool = False


@dataclass(frozen=True)
class People(Request[PeopleResult]):
    """Follow everyone through a clip, and write a performance (npz) for each person beside the envelope's ``out``.

    ``box`` and ``face`` of the options do not count. ``fps`` is as in ``Animate``.
    """

    verb = "people"
    result = PeopleResult
    clip: str
    options: EstimatorOptions
    first: int | None = None
    last: int | None = None
    fps: float | None = None


@dataclass(frozen=True)
class Likeness(Request[LikenessResult]):
    """Fit one face over images, folders of images or clips, and write its texture (PNG) to the envelope's ``out``."""

    verb = "likeness"
    result = LikenessResult
    sources: tuple[str, ...]
    options: EstimatorOptions


@dataclass(frozen=True)
class Live(Request[LiveResult]):
    """Stream the face of a source in real time, as ``Seen`` events, until it ends or the client does.

    ``source`` is ``camera:0``, a file that is played at its own speed, or ``livelink:11111``: packets of the Live Link
    Face app, which come to ``host``. ``mirror``: the ``look`` of the progress is mirrored. ``smoothing`` (0..1) is that
    of the faces that are sent on; ``Seen`` events are not smoothed.
    """

    verb = "live"
    result = LiveResult
    source: str
    options: EstimatorOptions
    send: tuple[SendTo, ...] = ()
    host: str = "127.0.0.1"
    mirror: bool = True
    smoothing: float = 0.0


@dataclass(frozen=True)
class Cameras(Request[CamerasResult]):
    """List the cameras of this machine."""

    verb = "cameras"
    result = CamerasResult


@dataclass(frozen=True)
class Still(Request[StillResult]):
    """Write a small JPEG of the face in one frame to the envelope's ``out``. ``crop`` is centre, side and angle."""

    verb = "still"
    result = StillResult
    clip: str
    frame: int
    crop: tuple[float, float, float, float]


@dataclass(frozen=True)
class Faces(Request[FacesResult]):
    """Find the faces in one frame of a clip."""

    verb = "faces"
    result = FacesResult
    clip: str
    options: EstimatorOptions
    frame: int = 0


@dataclass(frozen=True)
class Convert(Request[ConvertResult]):
    """Convert a face model to npz at the envelope's ``out``. ``basis_map``: also fit the maps to the open basis."""

    verb = "convert"
    result = ConvertResult
    face_model: str
    basis_map: bool = False


@dataclass(frozen=True)
class ImportWeights(Request[ImportWeightsResult]):
    """Convert the checkpoints in ``folder`` to safetensors in the folder ``out``; ``half``: 16-bit weights."""

    verb = "import_weights"
    result = ImportWeightsResult
    folder: str
    out: str
    half: bool = False


@dataclass(frozen=True)
class FineTune(Request[FineTuneResult]):
    """Fine-tune the weights ``estimator`` on one actor's clips and write them to ``out`` if they are better."""

    verb = "fine_tune"
    result = FineTuneResult
    clips: tuple[str, ...]
    out: str
    estimator: str = OPEN
    lens_mm: float = 50.0


@dataclass(frozen=True)
class FindPoints(Request[FindPointsResult]):
    """Find the named points of the face on an artist's head, in pictures of it."""

    verb = "find_points"
    result = FindPointsResult
    head: OwnHead
    options: EstimatorOptions


@dataclass(frozen=True)
class MakeKeys(Request[MakeKeysResult]):
    """Make the expression keys of an artist's head, and write their offsets (npz) to the envelope's ``out``.

    ``without_eyes`` allows a head that has no eyes.
    """

    verb = "make_keys"
    result = MakeKeysResult
    head: OwnHead
    points: tuple[HeadPoint, ...]
    names: Literal["open", "arkit"] = "open"
    symmetric: bool = False
    without_eyes: bool = False


REQUESTS: dict[str, type[Request[Any]]] = {
    kind.verb: kind
    for kind in (
        Ping,
        Test,
        Load,
        Estimate,
        Animate,
        People,
        Likeness,
        Live,
        Cameras,
        Still,
        Faces,
        Convert,
        ImportWeights,
        FineTune,
        FindPoints,
        MakeKeys,
    )
}
