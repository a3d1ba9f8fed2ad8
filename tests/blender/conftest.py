"""What the tests inside Blender share.

Most of them are about keys, files and errors, not about how well the network reads a face. They use networks that were
never trained: one that sees a face wherever it looks, one that never does.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import bpy
import numpy as np
import pytest

import expnet
from expnet.model.face.face_model import FaceModel
from expnet.model.face.semantics import OPEN_BASIS, OPEN_KEYS, open_bounds
from expnet.model.performance.face_performance import FacePerformance


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    session.config.stash[EXIT_STATUS] = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Exit before the interpreter's shutdown.

    After Rigify was registered, the bpy module hangs there in 4.5, where it waits for a thread of its own, and crashes
    in 4.2.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    if EXIT_STATUS in config.stash:  # else pytest was used wrongly, and says so
        os._exit(config.stash[EXIT_STATUS])


EXIT_STATUS = pytest.StashKey[int]()


@pytest.fixture
def poll_until() -> Callable[..., None]:
    """Wait for another process: returns as soon as the condition holds, fails after two minutes or what is given."""

    def wait(condition: Callable[[], object], seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"waited {seconds} s in vain"
            time.sleep(0.01)

    return wait


@pytest.fixture
def empty_scene() -> bpy.types.Scene:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    return bpy.context.scene


@pytest.fixture
def photo_and_clip(tmp_path: Path) -> None:
    """Write the demo's first picture, photo.jpg, and its first three, clip.mp4 at 24 frames a second."""
    import cv2  # not there in the environments of the other Blenders

    movie = cv2.VideoCapture(str(Path(expnet.__path__[0]) / "model" / "data" / "demo_clip.mp4"))
    frames = [movie.read()[1] for _ in range(3)]
    cv2.imwrite(str(tmp_path / "photo.jpg"), frames[0])
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(tmp_path / "clip.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 24, (width, height))
    for frame in frames:
        writer.write(frame)
    writer.release()


@pytest.fixture
def registered(empty_scene: bpy.types.Scene) -> Iterator[None]:
    """Enable the extension, in an empty scene."""
    expnet.register()
    yield
    expnet.unregister()


@pytest.fixture(scope="session")
def sees_a_face(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of an untrained network that is sure to see a face."""
    return _untrained(tmp_path_factory.mktemp("weights") / "sees_a_face.safetensors", face=6.0)


@pytest.fixture(scope="session")
def sees_no_face(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _untrained(tmp_path_factory.mktemp("weights") / "sees_no_face.safetensors", face=-6.0)


def _untrained(path: Path, face: float) -> Path:
    import torch

    from expnet.model.camera import ANCHOR, SIDE_MM
    from expnet.model.face.semantics import OPEN_BASIS
    from expnet.model.networks.architectures import CompactConfig, output_widths
    from expnet.model.networks.torch_engine.compact import CompactNet
    from expnet.model.networks.weights.weights_file import WeightsHeader, save_weights

    torch.manual_seed(1)
    config = CompactConfig(size=32, channels=(4, 4, 8, 8, 8), blocks=(1, 1, 1, 1))
    network = CompactNet(config)
    last = [module for module in network.modules() if isinstance(module, torch.nn.Linear)][-1]
    start = 0
    with torch.no_grad():
        last.weight.mul_(0.02)
        for name, width in output_widths(config).items():
            bias = last.bias[start : start + width]
            bias.zero_()
            if name == "rotation":
                bias += torch.tensor([1.0, 0, 0, 0, 1, 0])
            elif name == "eta":
                bias += 0.1 + 0.01 * torch.arange(width)
            elif name == "alpha":
                bias[:3] += torch.tensor([1.0, -0.5, 0.25])
            elif name == "face":
                bias += face
            start += width
    header = WeightsHeader(
        architecture="compact",
        config={"channels": config.channels, "blocks": config.blocks},
        input_size=config.size,
        crop={"anchor": ANCHOR.tolist(), "side_mm": SIDE_MM},
        basis=OPEN_BASIS,
        license="GPL-3.0-or-later",
        training_data="none",
        seed=1,
    )
    save_weights(path, header, {k: v.numpy() for k, v in network.state_dict().items()})
    return path


FRAMES = 9


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a movie of 9 frames, 160 x 120, 25 per second: a bright disc that wanders over grey."""
    import cv2

    path = tmp_path_factory.mktemp("footage") / "disc.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 25.0, (160, 120))
    for picture in _pictures():
        writer.write(picture)
    writer.release()
    return path


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import cv2

    path = tmp_path_factory.mktemp("footage") / "disc.png"
    cv2.imwrite(str(path), next(_pictures()))
    return path


@pytest.fixture(scope="session")
def image_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the same pictures as numbered files, 8 to 16, so that their names do not sort like their numbers."""
    import cv2

    folder = tmp_path_factory.mktemp("sequence")
    for number, picture in enumerate(_pictures(), 8):
        cv2.imwrite(str(folder / f"disc_{number}.png"), picture)
    return folder


def _pictures() -> Iterator:
    import cv2

    for frame in range(FRAMES):
        picture = np.full((120, 160, 3), 90, np.uint8)
        cv2.circle(picture, (70 + 2 * frame, 60), 30, (200, 210, 220), -1)
        yield picture


@pytest.fixture(scope="session")
def open_head() -> FaceModel:
    from expnet.model.formats import OPEN_HEAD, load_face_model

    return load_face_model(OPEN_HEAD)


@pytest.fixture(scope="session")
def little_face() -> FaceModel:
    """Return a face model of some hundred vertices with the open keys, eyeballs and lids, for fast tests."""
    balls = [_ball((0, 0, 0), 90, 20), _ball((32, 36, 84), 14, 10), _ball((-32, 36, 84), 14, 10)]
    sizes = np.cumsum([0] + [len(points) for points, _ in balls])
    mean = np.concatenate([points for points, _ in balls])
    faces = np.concatenate([faces + size for (_, faces), size in zip(balls, sizes)])
    eyes = {f"eyeball_{side}": np.arange(sizes[i], sizes[i + 1]) for i, side in ((1, "L"), (2, "R"))}
    rng = np.random.default_rng(3)
    expression = rng.normal(0, 4, (len(OPEN_KEYS), *mean.shape))
    lids = rng.normal(0, 2, (4, *mean.shape))
    expression[:, sizes[1] :] = lids[:, sizes[1] :] = 0
    return FaceModel(
        name="little",
        mean=mean.astype(np.float32),
        identity=rng.normal(0, 1, (12, *mean.shape)).astype(np.float32),
        expression=expression.astype(np.float32),
        expression_offset=np.zeros_like(mean, np.float32),
        faces=faces.astype(np.int32),
        expression_keys=OPEN_KEYS,
        expression_bounds=open_bounds(),
        basis=OPEN_BASIS,
        identity_sigma=np.ones(12, np.float32),
        regions={"skin": np.arange(sizes[1], dtype=np.int32), **{k: v.astype(np.int32) for k, v in eyes.items()}},
        gaze_lids=lids.astype(np.float32),
    )


@pytest.fixture(scope="session")
def bfm_like() -> FaceModel:
    """As large as the Basel Face Model in the ExpNet release: 46,990 vertices, 99 + 29 components, triangles."""
    rows, columns = 185, 254
    y, x = np.meshgrid(np.linspace(-1, 1, rows), np.linspace(-1, 1, columns), indexing="ij")
    mean = np.stack([78 * x, 105 * y, 75 * np.sqrt(np.clip(1.2 - 0.5 * x**2 - 0.6 * y**2, 0, None))], -1).reshape(-1, 3)
    corner = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = (s.ravel() for s in (corner[:-1, :-1], corner[:-1, 1:], corner[1:, 1:], corner[1:, :-1]))
    rng = np.random.default_rng(5)
    waves = np.sin(rng.normal(0, 3, (128, 3)) @ mean.T / 60 + rng.uniform(0, 6, (128, 1)))
    bases = (waves[:, :, None] * rng.normal(0, 1.0, (128, 1, 3))).astype(np.float32)
    return FaceModel(
        name="bfm-like",
        mean=mean.astype(np.float32),
        identity=bases[:99],
        expression=bases[99:],
        expression_offset=bases[0],
        faces=np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)]).astype(np.int32),
        expression_keys=tuple(f"expression_{i:02d}" for i in range(1, 30)),
        expression_bounds=np.tile(np.array([-3, 3], np.float32), (29, 1)),
        basis="3ddfa-29",
        identity_sigma=np.ones(99, np.float32),
    )


@pytest.fixture(scope="session")
def make_performance() -> Callable[..., FacePerformance]:
    """Return a smooth performance of the open keys: ``frames``, ``fps``, indices of ``missing`` frames, ``source``."""

    def make(
        frames: int = 10, fps: float = 25.0, missing: Sequence[int] = (), source: str = "clip.mp4", size=(640, 360)
    ) -> FacePerformance:
        times = np.arange(frames) / fps
        low, high = open_bounds().T
        wave = 0.5 + 0.45 * np.sin(times[:, None] * 3 + np.arange(len(OPEN_KEYS)))
        angle = 0.5 * np.sin(times * 2)
        c, s, o = np.cos(angle), np.sin(angle), np.zeros(frames)
        pose = {
            "eta": low + wave * (high - low),
            "gaze": 0.3 * np.stack([np.sin(times), np.cos(times)], -1),
            "rotation": np.moveaxis(np.array([[c, o, s], [o, o + 1, o], [-s, o, c]]), -1, 0),
            "translation": np.stack([40 * np.sin(times), 10 * np.cos(times), -700 - 50 * times], -1),
            "crop": np.tile([320.0, 180.0, 200.0, 0.0], (frames, 1)),
        }
        confidence = np.ones(frames)
        confidence[list(missing)] = 0
        for values in pose.values():
            values[list(missing)] = np.nan
        return FacePerformance(
            times=times, confidence=confidence, alpha=np.zeros(12), expression_keys=OPEN_KEYS, basis=OPEN_BASIS,
            source=source, fps=fps, image_size=size, **pose,
        )  # fmt: skip

    return make


def _ball(centre: tuple[float, float, float], radius: float, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a sphere of quads, open at its poles."""
    turn = np.linspace(0, 2 * np.pi, steps, endpoint=False)
    tilt, turn = (g.ravel() for g in np.meshgrid(np.linspace(0.2, np.pi - 0.2, steps), turn, indexing="ij"))
    unit = np.stack([np.sin(tilt) * np.cos(turn), np.sin(tilt) * np.sin(turn), np.cos(tilt)], -1)
    i, j = (g.ravel() for g in np.meshgrid(np.arange(steps - 1), np.arange(steps), indexing="ij"))
    k = (j + 1) % steps
    faces = np.stack([i * steps + j, (i + 1) * steps + j, (i + 1) * steps + k, i * steps + k], -1)
    return np.asarray(centre, float) + radius * unit, faces


@pytest.fixture(scope="session")
def grey_images(tmp_path_factory: pytest.TempPathFactory) -> Callable[[range], list[Path]]:
    """Images of 64 x 48 with the given numbers; the i-th is grey 20 + 25 i. Made by Blender, which is everywhere."""

    def make(numbers: range) -> list[Path]:
        folder = tmp_path_factory.mktemp("grey")
        image = bpy.data.images.new("grey", 64, 48)
        files = []
        for i, number in enumerate(numbers):
            pixels = np.full((64 * 48, 4), (20 + 25 * i) / 255, np.float32)
            pixels[:, 3] = 1
            image.pixels.foreach_set(pixels.ravel())
            image.file_format, image.filepath_raw = "PNG", str(folder / f"grey_{number:04d}.png")
            image.save()
            files.append(Path(image.filepath_raw))
        bpy.data.images.remove(image)
        return files

    return make


@pytest.fixture(scope="session")
def grey_movie(tmp_path_factory: pytest.TempPathFactory, grey_images: Callable[[range], list[Path]]) -> Path:
    """Eight frames, 64 x 48, 25 per second; frame i is grey 20 + 25 i."""
    from expnet.expnet_addon import compat

    path = tmp_path_factory.mktemp("grey") / "grey.mp4"
    files = grey_images(range(1, 9))
    scene = _sequencer_scene(64, 48, 8)
    strip = compat.sequencer_strips(scene).new_image("grey", str(files[0]), 1, 1)
    for file in files[1:]:
        strip.elements.append(file.name)
    compat.set_length(strip, len(files))
    compat.write_h264(scene, str(path))
    bpy.ops.render.render(animation=True, scene=scene.name)
    bpy.data.scenes.remove(scene)
    return path


@pytest.fixture(scope="session")
def read_video(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], np.ndarray]:
    """Return the frames of a movie as (F, H, W, 3) in 0..1, the first row on top."""
    from expnet.expnet_addon import compat

    def read(path: Path) -> np.ndarray:
        folder = tmp_path_factory.mktemp("frames")
        clip = bpy.data.movieclips.load(str(path))
        (width, height), count = clip.size, clip.frame_duration
        bpy.data.movieclips.remove(clip)
        scene = _sequencer_scene(width, height, count)
        compat.sequencer_strips(scene).new_movie("clip", str(path), 1, 1)
        compat.write_images(scene, "PNG")
        scene.render.filepath = str(folder / "####.png")
        bpy.ops.render.render(animation=True, scene=scene.name)
        bpy.data.scenes.remove(scene)
        frames = np.empty((count, height, width, 4), np.float32)
        for i in range(count):
            image = bpy.data.images.load(str(folder / f"{i + 1:04d}.png"))
            image.pixels.foreach_get(frames[i].ravel())
            bpy.data.images.remove(image)
        return frames[:, ::-1, :, :3]

    return read


def _sequencer_scene(width: int, height: int, count: int) -> bpy.types.Scene:
    scene = bpy.data.scenes.new("sequencer")
    scene.view_settings.view_transform = "Standard"
    scene.render.resolution_x, scene.render.resolution_y = width, height
    scene.render.fps, scene.frame_start, scene.frame_end = 25, 1, count
    return scene
