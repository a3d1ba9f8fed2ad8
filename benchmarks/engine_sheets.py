"""Make picture sheets of the synthetic face engine for docs: ``python -m expnet.benchmarks.engine_sheets docs/engine``.

The engine makes one sheet per ingredient, small enough for a page. A sheet's own ingredient is drawn as for training,
but always instead of sometimes. Other ingredients are fixed or left out.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np

from ..model.array_types import AnyArray, FloatArray, UInt8Array
from ..model.builtin import OPEN
from ..model.camera import Camera, Crop, crop_of_pose
from ..model.errors import InputError
from ..model.face.semantics import OPEN_KEYS
from ..model.formats import open_face_model
from ..model.rotations import rotation_of_euler
from ..training.synthetic import background, brows, degrade, expressions, held, light, photographs, shape, skin, worn
from ..training.synthetic import sample as engine
from ..training.synthetic.ingredients import Ingredients
from ..training.synthetic.pose import Pose
from ..training.synthetic.realism import Realism, read_realism
from ..training.synthetic.surface import Surface, build_surface

TILE, MOST_BYTES = 160, 60_000
EYES, MOUTH = (2.3, (0.0, -0.16)), (2.6, (0.0, 0.2))  # how close, and where from the crop's middle in its sides
PLAIN = np.array([0.62, 0.6, 0.58], np.float32)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--sheet", choices=list(SHEETS), action="append", help="default: all")
    parser.add_argument("--realism", type=Path, help="training.realism.skins' file: for the sheet of photographs")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    try:
        studio = Studio(read_realism(options.realism) if options.realism else None)
        for name in options.sheet or [n for n in SHEETS if studio.realism or n != "photographs"]:
            path = options.out / f"{name}.jpg"
            save(list(SHEETS[name](studio)), path)
            print(f"{path}: {path.stat().st_size / 1000:.0f} kB")
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


class Studio:
    """Heads before a camera, drawn by the engine, with optional fixed values for what it samples."""

    def __init__(self, realism: Realism | None = None) -> None:
        self.surface = build_surface(open_face_model(OPEN))
        self.realism = realism

    def without(self, **ingredients: bool) -> Surface:
        return build_surface(self.surface.model, replace(Ingredients(), **ingredients))

    def picture(
        self,
        looks: int,
        person: int | None = None,
        keys: dict[str, float] | FloatArray | None = None,
        gaze: Sequence[float] = (0.0, 0.0),
        angles: Sequence[float] = (0.0, 0.0, 0.0),
        distance: float = 900.0,
        close: tuple[float, tuple[float, float]] = (1.0, (0.0, 0.0)),
        surface: Surface | None = None,
        backdrop: bool = True,
    ) -> FloatArray:
        """Render (TILE, TILE, 3) float32, before degradation.

        ``looks`` and ``person`` are seeds (one for both by default); yaw, pitch and roll in radians, ``distance`` in
        mm. The head fills the picture at every distance.
        """
        surface = surface or self.surface
        rng = np.random.default_rng([looks, 1])
        someone = np.random.default_rng([looks if person is None else person, 2])
        alpha = shape.sample_alpha(someone, surface, limit=2.5)[None]
        eta = keys if isinstance(keys, np.ndarray) else expression(keys or {})
        look_at = np.array([gaze], np.float32)
        rotation = rotation_of_euler(*angles)
        translation = np.array([0, 0, -distance]) - rotation @ [0, 0, 60.0]
        camera = Camera(TILE * distance / 200, (TILE - 1) / 2, (TILE - 1) / 2)
        own = crop_of_pose(rotation, translation, camera)
        zoom, (right, down) = close
        given = Crop(own.cx + right * own.side, own.cy + down * own.side, own.side / zoom, 0.0)
        pose = Pose(rotation, translation, camera, own, given)
        plain_ways = np.append(np.ones(len(eta)), [0.0, 0.0])
        persons, moves = shape.blend(surface, alpha, eta[None], look_at, plain_ways[None])
        vertices = shape.shape_head(someone, surface, persons[0], moves[0], eta, look_at[0])
        painted = brows.sample_brows(rng, surface, eta)
        marks = shape.landmarks_of(surface, vertices, painted)
        plain = np.broadcast_to(PLAIN, (TILE, TILE, 3)).copy() if backdrop else None
        distances = -(marks @ rotation[2] + translation[2])
        image, _ = engine.render(
            rng, surface, vertices, eta, painted, pose, TILE, pose.in_crop(marks), distances, backdrop=plain
        )
        return image


def expression(keys: dict[str, float]) -> FloatArray:
    """Return eta (29,) with the named keys; "x" stands for x_L and x_R."""
    eta = np.zeros(len(OPEN_KEYS), np.float32)
    for name, value in keys.items():
        for i, key in enumerate(OPEN_KEYS):
            if key in (name, name + "_L", name + "_R"):
                eta[i] = value
    return eta


@contextmanager
def drawing(**how: Callable[..., Any]) -> Iterator[None]:
    """Set fixed values for these ingredients of the engine."""
    with replaced(engine, how):
        yield


@contextmanager
def replaced(module: ModuleType, how: Mapping[str, object]) -> Iterator[None]:
    before = {name: getattr(module, name) for name in how}
    for name, replacement in how.items():
        setattr(module, name, replacement)
    try:
        yield
    finally:
        for name, original in before.items():
            setattr(module, name, original)


def always(function: Callable[..., Any], wanted: Callable[[Any], Any]) -> Callable[..., Any]:
    """Draw until the result is not empty."""

    def again(*given: Any) -> Any:
        while not wanted(drawn := function(*given)):
            pass
        return drawn

    return again


def _nothing_before(_rng: np.random.Generator, image: AnyArray) -> AnyArray:
    return np.zeros(image.shape[:2], np.float32)


BARE_FACE: dict[str, Callable[..., Any]] = {
    "sample_headwear": lambda *_: ([], False),
    "sample_glasses": lambda *_: ([], []),
    "sample_held": lambda *_: [],
    "_patch_over": _nothing_before,
}
SKY, LAMPS = np.zeros((3, 9), np.float32), np.array([[-0.5, 0.55, 0.67], [0.8, 0.2, 0.57]], np.float32)
SKY[:, :3] = 0.42, 0.1, 0.06
LAMP_COLORS = np.array([[0.5, 0.52, 0.54], [0.13, 0.12, 0.11]], np.float32)
WINDOW = light.Light(SKY, LAMPS, LAMP_COLORS, wrap=0.25, specular=0.2, polish=0.0, sheen=0.4, shadow=True)
DAYLIGHT: dict[str, Callable[..., Any]] = {"sample_light": lambda *_: WINDOW, "_exposure": lambda *_: np.float32(1.25)}


def _identity(studio: Studio) -> Iterator[AnyArray]:
    with drawing(**BARE_FACE, **DAYLIGHT):
        for person in range(10):
            yield studio.picture(3, person, angles=(0.5 * (-1) ** person * (person % 3), 0, 0))


def _expressions(studio: Studio) -> Iterator[AnyArray]:
    rng = np.random.default_rng(4)
    with drawing(**BARE_FACE, **DAYLIGHT):
        for k in range(10):
            yield studio.picture(20 + k, keys=expressions.sample_eta(rng))


def _gaze(studio: Studio) -> Iterator[AnyArray]:
    ways = [(0, 0), (0.5, 0), (-0.5, 0), (0, 0.35), (0, -0.25), (0, -0.5), (0.4, 0.3), (-0.4, -0.3), (0, 0), (0, -0.5)]
    with drawing(**BARE_FACE, **DAYLIGHT):
        for k, way in enumerate(ways):
            keys = {} if k < 8 else {"lid": 0.5 if k == 8 else 0.8}
            yield studio.picture(106, keys=keys, gaze=way, close=(1.7, (0, -0.1)))


def _skin(studio: Studio) -> Iterator[AnyArray]:
    with drawing(**BARE_FACE, **DAYLIGHT):
        pictures = [studio.picture(40 + k, close=(1.25, (0, 0.03))) for k in range(10)]
    yield from sorted(pictures, key=lambda p: -p[TILE // 3 : -TILE // 3, TILE // 3 : -TILE // 3].mean())


def _brows(studio: Studio) -> Iterator[AnyArray]:
    with drawing(**BARE_FACE, **DAYLIGHT):
        for k in range(10):
            yield studio.picture(60 + k, keys={"lid": (0, 1, 0.5)[k % 3]}, close=EYES)


def _shut(studio: Studio) -> Iterator[AnyArray]:
    made_up = always(skin.sample_look, lambda look: look.lashes[1] > 1.4 and look.skin_color.mean() > 0.35)
    ways = [(0, 0, 0), (0, -0.35, 0), (0, 0.35, 0), (0.6, 0, 0), (-0.3, 0.1, 0.2)]
    with drawing(**BARE_FACE, **DAYLIGHT, sample_look=made_up):
        for someone, keys, gaze in ((303, {"lid": 1.0}, 0.0), (315, {"lid": 0.4}, -0.45)):
            for k, way in enumerate(ways):
                yield studio.picture(someone + k, keys=keys, gaze=(0, gaze), angles=way, close=EYES)


def _wrinkles(studio: Studio) -> Iterator[AnyArray]:
    folds: list[dict[str, float]] = [
        {"browDown": 1},
        {"browInnerUp": 1, "browOuterUp": 1},
        {"mouthSmile": 0.9, "cheekSquint": 1},
        {"noseSneer": 1},
        {"mouthShrugLower": 1, "mouthFrown": 1},
    ]
    with drawing(**BARE_FACE, **DAYLIGHT):
        for surface in (studio.without(wrinkles=False), studio.surface):
            for someone, keys in zip((89, 104, 102, 93, 99), folds, strict=True):
                yield studio.picture(someone, keys=keys, close=(1.2, (0, 0)), surface=surface)


def _hair(studio: Studio) -> Iterator[AnyArray]:
    with drawing(**BARE_FACE):
        for k in range(10):
            yield studio.picture(100 + k, angles=((k % 3 - 1) * 0.6, 0, 0), close=(0.8, (0, -0.05)))


def _worn(studio: Studio) -> Iterator[AnyArray]:
    hat = always(worn.sample_headwear, lambda drawn: drawn[0])
    glasses = always(worn.sample_glasses, lambda drawn: drawn[0])
    for k in range(10):
        shown = {"sample_headwear": hat} if k % 2 else {"sample_glasses": glasses}
        with drawing(**{**BARE_FACE, **shown}):
            yield studio.picture(120 + k, angles=((k % 3 - 1) * 0.5, 0, 0), close=(0.85, (0, -0.05)))


def _hands(studio: Studio) -> Iterator[AnyArray]:
    with drawing(**{**BARE_FACE, "sample_held": always(held.sample_held, len)}):
        for k in range(10):
            yield studio.picture(140 + k, angles=((k % 3 - 1) * 0.35, 0, 0), close=(0.8, (0, 0.05)))


def _mouth(studio: Studio) -> Iterator[AnyArray]:
    mouths: list[dict[str, float]] = [
        {},
        {"mouthPress": 1},
        {"mouthRoll": 0.9},
        {"mouthPucker": 1},
        {"cheekPuff": 1},
        {"jawOpen": 0.3},
        {"jawOpen": 0.9},
        {"mouthSmile": 0.8, "jawOpen": 0.2, "mouthUpperUp": 0.4},
        {"mouthStretch": 0.8, "mouthLowerDown": 0.8},
        {"mouthFunnel": 0.9, "jawOpen": 0.3},
    ]
    with drawing(**BARE_FACE, **DAYLIGHT):
        for k, keys in enumerate(mouths):
            yield studio.picture(160 + k, keys=keys, close=MOUTH)


def _light(studio: Studio) -> Iterator[AnyArray]:
    for k in range(10):
        with drawing(**BARE_FACE, sample_light=lambda *_, k=k: light.sample_light(np.random.default_rng(200 + k))):
            yield studio.picture(45)


def _photographs(studio: Studio) -> Iterator[AnyArray]:
    if studio.realism is None:
        raise InputError("the sheet of photographs needs --realism FILE (python -m expnet.training.realism.skins)")
    surface = build_surface(studio.surface.model, realism=studio.realism)
    shares = {"SKIN_SHARE": 1.0, "LIGHT_SHARE": 1.0}
    with replaced(photographs, shares), replaced(brows, {"PHOTOGRAPHED_SHARE": 0.5}), drawing(**BARE_FACE):
        for k in range(10):
            yield studio.picture(341 + k, angles=((k % 3 - 1) * 0.4, 0, 0), surface=surface)


def _camera(studio: Studio) -> Iterator[AnyArray]:
    near = [(0, 0, 0, 330), (0.3, 0, 0, 350), (-0.5, -0.3, -0.4, 500)]
    turned = [(0.6, 0, 0, 900), (1.2, 0, 0, 900), (-0.9, 0.2, 0, 900), (0, 0.55, 0, 900), (0, -0.5, 0, 900)]
    views = [*near, *turned, (0.4, 0.4, 0.5, 900), (0, 0, 0, 4000)]
    with drawing(**BARE_FACE, **DAYLIGHT):
        for *angles, distance in views:
            yield studio.picture(55, angles=angles, distance=distance, close=(0.85, (0, 0)))


def _backgrounds(studio: Studio) -> Iterator[AnyArray]:
    for k in range(10):
        scene = background.sample_background(np.random.default_rng(240 + k), TILE)
        with drawing(**BARE_FACE, **DAYLIGHT, sample_background=lambda *_, scene=scene: scene.copy()):
            yield studio.picture(50, close=(0.55, (0, 0.05)), backdrop=False)


def _degradations(studio: Studio) -> Iterator[AnyArray]:
    with drawing(**BARE_FACE, **DAYLIGHT):
        image = studio.picture(52)
    yield image
    strong = (k for k in range(500) if _changed(image, k) > 0.045)
    for k in [next(strong) for _ in range(9)]:
        yield _degraded(image, k)


def _degraded(image: AnyArray, seed: int) -> AnyArray:
    rng = np.random.default_rng([260, seed])
    return degrade.degrade(rng, degrade.develop(rng, image.copy())).image


def _changed(image: AnyArray, seed: int) -> float:
    """Return how much detail a degradation removes or adds."""
    edges = [cv2.Laplacian(np.float32(p), cv2.CV_32F) for p in (_shown(image) / 255, _degraded(image, seed) / 255)]
    return float(abs(edges[0] - edges[1]).mean())


def _labels(studio: Studio) -> Iterator[AnyArray]:
    seed, shown = 0, 0
    while shown < 10:
        sample = engine.sample(np.random.default_rng([280, seed]), studio.surface, TILE)
        seed += 1
        if sample.face and sample.detail > 0.5 * TILE:
            shown += 1
            yield _marked(sample)


def _marked(sample: engine.Sample) -> UInt8Array:
    """Draw dense points (blue), landmarks (visible green, hidden red), the head's axes and the gaze."""
    image = cv2.resize(sample.image, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    size = len(image)

    def dot(point: FloatArray, radius: float, color: tuple[int, int, int]) -> None:
        cv2.circle(image, tuple(int(v * size * 16) for v in point), int(16 * radius), color, -1, cv2.LINE_AA, 4)

    for point in sample.points.astype(np.float64):
        dot(point, 3, (255, 160, 60))
    for point, seen in zip(sample.landmarks, sample.visible, strict=True):
        dot(point, 6, (60, 220, 60) if seen else (60, 60, 230))
    first, second = sample.rotation.reshape(2, 3)
    rotation = np.stack([first, second, np.cross(first, second)], 1)
    middle = sample.landmarks[[27, 30]].mean(0)
    for axis, color in zip(rotation.T, ((60, 60, 255), (60, 255, 60), (255, 90, 60)), strict=True):
        _arrow(image, middle, axis[:2] * [1, -1] * 0.22, color)
    yaw, pitch = sample.gaze
    way = rotation @ rotation_of_euler(float(yaw), float(pitch), 0.0)[:, 2]
    for pupil in sample.landmarks[68:]:
        _arrow(image, pupil, way[:2] * [1, -1] * 0.3, (0, 230, 255))
    small: UInt8Array = cv2.resize(image, (TILE, TILE), interpolation=cv2.INTER_AREA)
    return small


def _arrow(image: AnyArray, start: FloatArray, way: FloatArray, color: tuple[int, int, int]) -> None:
    ends = [tuple(int(v) for v in p * len(image)) for p in (start, start + way)]
    cv2.arrowedLine(image, *ends, color, 6, cv2.LINE_AA, tipLength=0.2)


def _shown(picture: AnyArray) -> UInt8Array:
    """Return a float picture with a plain tone curve as uint8."""
    if picture.dtype == np.uint8:
        return picture
    shown: UInt8Array = cv2.convertScaleAbs(np.clip(picture, 0, None) ** 0.8, alpha=255)
    return shown


def save(pictures: list[AnyArray], path: Path, columns: int = 5) -> None:
    """Write a sheet as a JPEG file of at most MOST_BYTES."""
    tiles = [_shown(p) for p in pictures]
    sheet = np.vstack([np.hstack(tiles[k : k + columns]) for k in range(0, len(tiles), columns)])
    for quality in range(90, 30, -4):
        coded = cv2.imencode(".jpg", sheet, [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1])[1]
        if len(coded) <= MOST_BYTES:
            break
    path.write_bytes(coded.tobytes())


SHEETS: dict[str, Callable[[Studio], Iterator[AnyArray]]] = {
    "identity": _identity,
    "expressions": _expressions,
    "gaze": _gaze,
    "skin": _skin,
    "brows_lashes_makeup": _brows,
    "shut_lids": _shut,
    "wrinkles": _wrinkles,
    "hair": _hair,
    "headwear_glasses": _worn,
    "hands_things": _hands,
    "mouth": _mouth,
    "light": _light,
    "photographs": _photographs,
    "camera": _camera,
    "backgrounds": _backgrounds,
    "degradations": _degradations,
    "labels": _labels,
}


if __name__ == "__main__":
    sys.exit(main())
