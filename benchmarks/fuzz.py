"""Fuzz every reader with damaged files: faults, crashes and memory, as a table.

    python -m expnet.benchmarks.fuzz [--cases 10000] [--seed 0] [--reader NAME …]

Each case is a valid file with changes: bytes flipped, numbers replaced by extreme ones, pieces cut out, repeated or
swapped, the end cut off. A child process reads many of them, one after the other. A case is a fault where the reader
raises anything but an InputError of one line of at most 300 characters. It is a crash where the process ends or takes
longer than SECONDS. It is "over" where the peak of the memory is more than 4 × the file's own plain size + 200 MB above
what the process had before. The plain size is that of the file, or of the picture in it where that is larger.

A clip that is read with a line on its damage counts as refused. In half of the cases of TensorFlow's files the
checksums of their blocks are not compared, as if they fitted.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import threading
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from unittest.mock import patch

import numpy as np

SECONDS = 30.0  # for one case
SLACK = 200 * 2**20
KEPT = 20  # cases of each reader that are shown
_EXTREME = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**32 - 1, 2**63 - 1, 2**64 - 1)
_TOKENS = (
    b"null", b"-1", b"[]", b"{}", b"1e999", b"NaN", b"9" * 400, b'"\\ud800"', b"true", b"\x00", b"\xff\xfe", b'"',
    b"[" * 3000,
)  # fmt: skip


@dataclass
class Outcome:
    """Results of one reader's cases; ``shown`` holds the first failures."""

    cases: int = 0
    read: int = 0
    refused: int = 0
    faults: int = 0
    crashes: int = 0
    over: int = 0
    most: int = 0  # bytes
    shown: list[str] = field(default_factory=list)


Reader = Callable[[Path], object]


def readers() -> dict[str, tuple[Reader, Callable[[Path], list[Path]]]]:
    """Return by name: a reader, and what writes the files into a folder that its cases are made of."""
    from ..model.bases.basis_map import load_maps
    from ..model.formats import open_face_model
    from ..model.networks.weights.weights_file import load_weights
    from ..model.official.box_list import read_box_list
    from ..model.performance.live_link import read_live_link
    from ..model.performance.performance_files import load_performance
    from ..model.retargeting.table import load_preset

    return {
        "performance": (load_performance, _performances),
        "live link": (read_live_link, _live_link),
        "preset": (load_preset, _presets),
        "basis map": (load_maps, _maps),
        "face model": (open_face_model, _face_models),
        "MAT": (open_face_model, _mat_files),
        "HDF5": (open_face_model, _hdf5_files),
        "weights": (load_weights, _weights),
        "box list": (read_box_list, _box_lists),
        "image": (_read_image, _images),
        "clip": (_read_clip, _clips),
        "TensorFlow V1": (_read_checkpoint, _checkpoints_v1),
        "TensorFlow V2": (_read_checkpoint, _checkpoints_v2),
        "landmarks": (_read_landmarks, _landmarks),
        "batch record": (_read_record, _records),
        "request": (_read_request, _requests),
    }


def _read_image(path: Path) -> object:
    from ..model.sight.images import read_image

    return read_image(path)


def _read_clip(path: Path) -> object:
    from ..model.errors import InputError
    from ..model.sight.video import open_clip

    with open_clip(path) as clip:
        shown = sum(1 for _ in clip)
        clip.placement()
        clip.notes()
        unread, line = clip.shortfall()
    if unread:
        raise InputError(line)
    return shown


def _read_checkpoint(path: Path) -> object:
    from ..model.official.tensorflow import crc32c, open_checkpoint, sstable

    masked = crc32c.masked if zlib.crc32(path.read_bytes()) & 1 else lambda crc: _Fits()
    with patch.object(sstable, "masked", masked):
        checkpoint = open_checkpoint(path)
        return [checkpoint.read(name).shape for name, info in checkpoint.tensors.items() if info.dtype is not None]


class _Fits(int):
    """A checksum that equals every other."""

    __hash__ = int.__hash__

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False


def _read_landmarks(path: Path) -> object:
    from ..research.label.landmark_files import read_landmarks, read_openface

    return read_openface(path) if path.parent.name == "openface" else read_landmarks(path)


def _read_record(path: Path) -> object:
    from ..expnet_addon.batch.records import rendered_videos
    from ..model.errors import InputError

    (path.parent / "records").mkdir(exist_ok=True)
    (path.parent / "records" / "take.json").write_bytes(path.read_bytes())
    if not rendered_videos(path.parent):
        raise InputError("the record counts as none")
    return None


def _read_request(path: Path) -> object:
    from ..model.worker.protocol import parse_request

    return parse_request(path.read_bytes().decode("utf-8", "surrogateescape"))


# --- files that are read ----------------------------------------------------------------------------------------------


def _performance(frames: int = 12) -> Any:
    from ..model.face.semantics import OPEN_BASIS, OPEN_KEYS
    from ..model.performance.face_performance import FacePerformance

    rng = np.random.default_rng(0)
    return FacePerformance(
        times=np.arange(frames) / 24,
        eta=rng.uniform(0, 0.5, (frames, len(OPEN_KEYS))),
        gaze=np.zeros((frames, 2)),
        rotation=np.tile(np.eye(3), (frames, 1, 1)),
        translation=np.tile([0.0, 0.0, -500.0], (frames, 1)),
        crop=np.tile([100.0, 100.0, 80.0, 0.0], (frames, 1)),
        confidence=np.ones(frames),
        alpha=rng.normal(size=99),
        expression_keys=OPEN_KEYS,
        basis=OPEN_BASIS,
        source="clip.mp4",
        fps=24.0,
        image_size=(640, 360),
    )


def _performances(folder: Path) -> list[Path]:
    from ..model.performance.performance_files import save_performance

    save_performance(_performance(), folder / "shot.npz")
    return [folder / "shot.npz"]


def _live_link(folder: Path) -> list[Path]:
    from ..model.performance.live_link import write_live_link

    write_live_link(_performance(60), folder / "phone.csv")
    return [folder / "phone.csv"]


def _presets(folder: Path) -> list[Path]:
    from ..model.retargeting.row import Row
    from ..model.retargeting.table import save_preset

    save_preset([Row("jawOpen", "Jaw", gain=2.0), Row("eyeBlinkLeft", "Blink", invert=True)], folder / "preset.json")
    return [folder / "preset.json"]


def _maps(folder: Path) -> list[Path]:
    from ..model.bases.basis_map import BasisMap, save_maps

    basis_map = BasisMap(
        from_basis="a", to_basis="b", from_keys=("x", "y"), to_keys=("p", "q", "r"), matrix=np.ones((3, 2)),
        offset=np.zeros(3), bounds=np.tile([0.0, 1.0], (3, 1)), metric=np.eye(3), unexplained=np.zeros(2),
        lips_mm=np.zeros(2), lids_mm=np.zeros(2), alpha_matrix=np.eye(4), alpha_offset=np.zeros(4),
        rotation=np.eye(3), translation=np.zeros(3), scale=1.0,
    )  # fmt: skip
    save_maps([basis_map], folder / "maps.npz")
    return [folder / "maps.npz"]


def _head() -> Any:
    from ..model.face.face_model import FaceModel

    rng = np.random.default_rng(0)
    count = 40
    return FaceModel(
        name="small",
        mean=rng.normal(size=(count, 3)).astype(np.float32),
        identity=rng.normal(size=(3, count, 3)).astype(np.float32),
        expression=rng.normal(size=(2, count, 3)).astype(np.float32),
        expression_offset=np.zeros((count, 3), np.float32),
        faces=np.array([[0, 1, 2], [2, 3, 4]], np.int32),
        expression_keys=("a", "b"),
        expression_bounds=np.tile(np.array([0, 1], np.float32), (2, 1)),
        basis="small-2",
        identity_sigma=np.ones(3, np.float32),
        license="none",
        source="fuzz",
    )


def _face_models(folder: Path) -> list[Path]:
    from ..model.formats import save_face_model

    save_face_model(_head(), folder / "packed.npz")
    save_face_model(_head(), folder / "exact.npz", exact=True)
    return [folder / "packed.npz", folder / "exact.npz"]


def _mat_files(folder: Path) -> list[Path]:
    import scipy.io

    rng, v = np.random.default_rng(0), 40
    fields = {
        "shapeMU": rng.normal(size=(3 * v, 1)), "shapePC": rng.normal(size=(3 * v, 3)), "shapeEV": np.ones((3, 1)),
        "expMU": np.zeros((3 * v, 1)), "expPC": rng.normal(size=(3 * v, 2)), "expEV": np.ones((2, 1)),
        "faces": np.array([[1, 2, 3], [3, 4, 5]]),
    }  # fmt: skip
    scipy.io.savemat(folder / "struct.mat", {"BFM": fields})
    scipy.io.savemat(folder / "packed.mat", fields, do_compression=True)
    return [folder / "struct.mat", folder / "packed.mat"]


def _hdf5_files(folder: Path) -> list[Path]:
    import h5py

    rng, v = np.random.default_rng(0), 40
    for name, options in (("plain.h5", {}), ("packed.h5", {"compression": "gzip", "chunks": True})):
        with h5py.File(folder / name, "w") as file:
            for group, count in (("shape", 3), ("expression", 2)):
                file.create_dataset(f"{group}/model/mean", data=rng.normal(size=3 * v), **options)
                file.create_dataset(f"{group}/model/pcaBasis", data=rng.normal(size=(3 * v, count)), **options)
                file.create_dataset(f"{group}/model/pcaVariance", data=np.ones(count), **options)
            file["shape/representer/cells"] = np.array([[0, 2], [1, 3], [2, 4]], np.int32)
    return [folder / "plain.h5", folder / "packed.h5"]


def _weights(folder: Path) -> list[Path]:
    from ..model.networks.weights.weights_file import WeightsHeader, save_weights

    header = WeightsHeader("compact", {"size": 96}, 96, {"side_mm": 200}, "open-29", "GPL", "synthetic", 0)
    save_weights(folder / "w.safetensors", header, {"a": np.ones((4, 4), np.float32), "b": np.zeros(3, np.float16)})
    return [folder / "w.safetensors"]


def _box_lists(folder: Path) -> list[Path]:
    (folder / "a.jpg").write_bytes(b"")
    rows = "".join(f"f{i},a.jpg,{i},2,30,40\n" for i in range(20))
    (folder / "list.csv").write_text("ID,FILE,FACE_X,FACE_Y,FACE_WIDTH,FACE_HEIGHT\n" + rows)
    return [folder / "list.csv"]


def _images(folder: Path) -> list[Path]:
    from ..model.opencv import cv2

    picture = np.random.default_rng(0).integers(0, 255, (24, 32, 3), np.uint8)
    linear = (picture / np.float32(255)).astype(np.float32)
    alpha = np.dstack([picture, picture[:, :, :1]])
    files = {
        "a.png": picture, "alpha.png": alpha, "deep.png": picture.astype(np.uint16) * 257, "a.jpg": picture,
        "a.bmp": picture, "a.webp": picture, "a.tiff": picture, "a.exr": linear, "a.hdr": linear, "a.ppm": picture,
        "a.pgm": picture[:, :, 0],
    }  # fmt: skip
    for name, content in files.items():
        cv2.imwrite(str(folder / name), content)
    packed: dict[str, tuple[Any, list[int]]] = {
        "progressive.jpg": (picture, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]),
        "grey.jpg": (picture[:, :, 0], []),
        "bit.png": (picture[:, :, 0] // 128 * 255, [cv2.IMWRITE_PNG_BILEVEL, 1]),
        "text.ppm": (picture, [cv2.IMWRITE_PXM_BINARY, 0]),
        "lossless.webp": (alpha, [cv2.IMWRITE_WEBP_QUALITY, 101]),
        **{f"{n}.tiff": (picture, [cv2.IMWRITE_TIFF_COMPRESSION, n]) for n in (1, 5, 8, 32773)},
        "deep.tiff": (picture.astype(np.uint16) * 257, []),
        **{f"{n}.exr": (linear, [cv2.IMWRITE_EXR_COMPRESSION, n]) for n in range(1, 7)},
        "half.exr": (linear, [cv2.IMWRITE_EXR_TYPE, cv2.IMWRITE_EXR_TYPE_HALF]),
    }
    for name, (content, options) in packed.items():
        cv2.imwrite(str(folder / name), content, options)
    return [folder / name for name in (*files, *packed)]


def _clips(folder: Path) -> list[Path]:
    from ..model.opencv import cv2

    names = ["a.mp4", "a.avi", "a.mkv"]
    if importlib.util.find_spec("av") is not None:
        names += [_h264(folder / name).name for name in ("b.mp4", "b.mkv", "b.ts", "b.mov")]
    for name, code in (("a.mp4", "mp4v"), ("a.avi", "MJPG"), ("a.mkv", "mp4v")):
        writer = cv2.VideoWriter(str(folder / name), cv2.VideoWriter.fourcc(*code), 24, (64, 48))
        for i in range(12):
            writer.write(np.full((48, 64, 3), 20 * i, np.uint8))
        writer.release()
    return [folder / name for name in names]


def _h264(path: Path) -> Path:
    """H.264 with pictures that wait in the decoder, and sound."""
    import av

    with av.open(str(path), "w", options={"movflags": "faststart"} if path.suffix == ".mov" else {}) as container:
        video = container.add_stream("libx264", rate=24)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound = container.add_stream("aac", rate=48_000)
        for i in range(12):
            picture = np.full((48, 64, 3), 20 * i, np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(video.encode())
        samples = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), format="fltp", layout="mono")
        samples.sample_rate = 48_000
        container.mux([*sound.encode(samples), *sound.encode()])
    return path


CHECKPOINTS = Path(__file__).resolve().parents[1] / "tests" / "data" / "tensorflow"  # in a checkout


def _checkpoints_v1(folder: Path) -> list[Path]:
    names = ("kinds_v1.ckpt", "one_v1.ckpt", "packed_v1.ckpt", "parts_v1.ckpt")
    return [_copied(CHECKPOINTS / name, folder / name) for name in names]


def _checkpoints_v2(folder: Path) -> list[Path]:
    found = []
    for name in ("kinds_v2", "one_v2", "packed_v2", "parts_v2"):
        place = folder / name
        place.mkdir()
        for prefix in ("seed", "case"):  # the damaged index is written beside the data of its name
            _copied(CHECKPOINTS / f"{name}.ckpt.data-00000-of-00001", place / f"{prefix}.data-00000-of-00001")
        found.append(_copied(CHECKPOINTS / f"{name}.ckpt.index", place / "seed.index"))
    return found


def _copied(source: Path, target: Path) -> Path:
    target.write_bytes(source.read_bytes())
    return target


def _landmarks(folder: Path) -> list[Path]:
    points = np.random.default_rng(0).uniform(0, 200, (68, 2)).round(2).tolist()
    rows = "\n".join(f"{x} {y}" for x, y in points)
    (folder / "a.pts").write_text(f"version: 1\nn_points: 68\n{{\n{rows}\n}}\n")
    (folder / "a.json").write_text(json.dumps({"landmarks": points}))
    (folder / "a.csv").write_text("".join(f"{x},{y}\n" for x, y in points))
    (folder / "openface").mkdir()
    header = ["frame", "success", *(f"x_{i}" for i in range(68)), *(f"y_{i}" for i in range(68))]
    numbers = [str(xy[axis]) for axis in (0, 1) for xy in points]
    lines = [",".join(header), *(",".join([str(frame), "1", *numbers]) for frame in (1, 2))]
    (folder / "openface" / "a.csv").write_text("\n".join(lines) + "\n")
    return [folder / name for name in ("a.pts", "a.json", "a.csv", "openface/a.csv")]


def _records(folder: Path) -> list[Path]:
    from ..expnet_addon.batch.records import Record, record_path, save_record
    from ..expnet_addon.batch.shots import Shot

    shot = Shot("/footage/take.mp4", "take")
    record = Record(shot.clip, "take", [5, 7], {"smoothing": 0.5}, ["take.blend"], "", 9, 8, [[2, 2]], 24.0, [0.5], 1.0)
    save_record(folder / "seed", shot, record)
    return [_copied(record_path(folder / "seed", shot), folder / "take.json")]


def _requests(folder: Path) -> list[Path]:
    from ..model.worker.messages import Animate, EstimatorOptions
    from ..model.worker.protocol import Envelope, request_line

    request = Animate("/footage/take.mp4", EstimatorOptions(box=(1.0, 2.0, 3.0, 4.0)), 0, 9, 24.0)
    (folder / "line.json").write_text(request_line(Envelope(request, "/tmp/out.npz", stay=True)))
    return [folder / "line.json"]


# --- damage -----------------------------------------------------------------------------------------------------------


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Return ``content`` with one to four changes."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 4))):
        if data:
            _CHANGES[rng.randrange(len(_CHANGES))](data, rng)
    return bytes(data)


def _place(data: bytearray, rng: random.Random) -> int:
    """Return a random position; headers and directories at the end are more likely."""
    near = rng.randrange(min(len(data), 400))
    return rng.choice((rng.randrange(len(data)), near, len(data) - 1 - near))


def _flip(data: bytearray, rng: random.Random) -> None:
    data[_place(data, rng)] ^= 1 << rng.randrange(8)


def _byte(data: bytearray, rng: random.Random) -> None:
    data[_place(data, rng)] = rng.randrange(256)


def _number(data: bytearray, rng: random.Random) -> None:
    size, order = rng.choice((1, 2, 4, 8)), rng.choice(("little", "big"))
    at = _place(data, rng)
    data[at : at + size] = (rng.choice(_EXTREME) & (2 ** (8 * size) - 1)).to_bytes(size, order)


def _cut(data: bytearray, rng: random.Random) -> None:
    at = _place(data, rng)
    del data[at : at + rng.choice((1, 2, 4, 16, 100))]


def _repeat(data: bytearray, rng: random.Random) -> None:
    at, size = _place(data, rng), rng.choice((1, 4, 16, 64, 300))
    data[at:at] = data[at : at + size] * rng.choice((1, 1, 2, 50))


def _swap(data: bytearray, rng: random.Random) -> None:
    size = rng.choice((2, 4, 8, 32))
    a, b = _place(data, rng), _place(data, rng)
    data[a : a + size], data[b : b + size] = data[b : b + size], data[a : a + size]


def _end(data: bytearray, rng: random.Random) -> None:
    del data[_place(data, rng) :]


def _token(data: bytearray, rng: random.Random) -> None:
    at = _place(data, rng)
    data[at : at + rng.choice((0, 1, 4))] = rng.choice(_TOKENS)


_CHANGES = (_flip, _flip, _byte, _number, _number, _cut, _repeat, _swap, _end, _token)


def _damaged_member(content: bytes, rng: random.Random) -> bytes:
    """Return a zip with changes inside one member, whose checksum fits."""
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(packed, "w") as new:
        names = old.namelist()
        chosen = rng.choice((rng.choice(names), "header.npy"))
        for name in names:
            new.writestr(name, damaged(old.read(name), rng) if name == chosen else old.read(name))
    return packed.getvalue()


def _checksums_mended(content: bytes) -> bytes:
    """Return a PNG with corrected checksums, so that readers decode the damaged content."""
    import struct

    if not content.startswith(b"\x89PNG"):
        return content
    data, at = bytearray(content), 8
    while at + 12 <= len(data):
        end = at + 12 + struct.unpack_from(">I", data, at)[0]
        if end > len(data):
            break
        struct.pack_into(">I", data, end - 4, zlib.crc32(data[at + 4 : end - 4]))
        at = end
    return bytes(data)


# --- a child process reads --------------------------------------------------------------------------------------------


def _plain_size(path: Path) -> int:
    """Return the bytes of the file, or of the picture that it declares where that is more."""
    from ..model.sight.image_header import image_header

    data = path.read_bytes()
    header = image_header(data)
    if header is None:
        return len(data)
    deep = 12 if header.format in ("EXR", "HDR") else 8 if header.format in ("PNG", "TIFF") else 3
    return max(len(data), header.width * header.height * deep)


def _peak() -> int:
    """Return the highest resident memory in bytes since the last ``_forget_peak``."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])


def _forget_peak() -> int:
    """Set the peak back to the resident memory of now, and return that in bytes."""
    Path("/proc/self/clear_refs").write_text("5")
    return _peak()


def child() -> None:
    """Read the files that stdin names, "READER<TAB>PATH", and answer each with a line of JSON."""
    from ..model.errors import InputError

    warnings.simplefilter("ignore")
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    limit = 16 * 2**30  # so that a bug of the fuzzer does not stop the machine
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    table = readers()
    for line in sys.stdin:
        name, path = line.rstrip("\n").split("\t")
        reader = table[name][0]
        before = _forget_peak()
        said = "read"
        try:
            reader(Path(path))
        except InputError as error:
            text = str(error)
            said = "refused" if text.isprintable() and len(text) <= 300 else f"fault: not one short line: {text!r}"
        except BaseException as error:
            said = f"fault: {type(error).__name__}: {error}"
        answers.write(json.dumps([said, _peak() - before]) + "\n")
        answers.flush()


class Child:
    """The reading process; it restarts after it ends."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def read(self, name: str, path: Path) -> tuple[str, int]:
        """Return the result for the file, and how many bytes the peak of the memory was above that before."""
        if self._process is None or self._process.poll() is not None:
            command = [sys.executable, "-P", "-c", "from expnet.benchmarks.fuzz import child; child()"]
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
        process = self._process
        assert process.stdin and process.stdout
        timer = threading.Timer(SECONDS + 30 * (process.poll() is None), process.kill)
        timer.start()
        try:
            answer = self._ask(process.stdin, process.stdout, f"{name}\t{path}\n")
        finally:
            timer.cancel()
        if not answer:
            code = process.wait()
            return f"crash: exit code {code}", 0
        said, grown = json.loads(answer)
        return said, grown

    def end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    def _ask(self, stdin: IO[str], stdout: IO[str], line: str) -> str:
        try:
            stdin.write(line)
            stdin.flush()
        except BrokenPipeError:
            return ""
        return stdout.readline()


def fuzz(cases: int, seed: int = 0, chosen: list[str] | None = None, keep: Path | None = None) -> dict[str, Outcome]:
    """Return the results of ``cases`` cases, divided among the readers. ``keep`` is a folder for failures."""
    table = readers()
    names = chosen or list(table)
    outcomes = {name: Outcome() for name in names}
    one = Child()
    try:
        with tempfile.TemporaryDirectory(prefix="expnet-fuzz-") as folder:
            seeds = {}
            for name in names:
                place = Path(folder) / name.replace(" ", "_")
                place.mkdir()
                seeds[name] = [(path, path.read_bytes()) for path in table[name][1](place)]
                for path, _ in seeds[name]:
                    one.read(name, path)  # imports and first allocations do not count for a case
            rng = random.Random(seed)
            for number in range(cases):
                name = names[number % len(names)]
                path, content = rng.choice(seeds[name])
                inside = content.startswith(b"PK") and rng.random() < 0.6
                data = _damaged_member(content, rng) if inside else damaged(content, rng)
                data = _checksums_mended(data) if rng.random() < 0.5 else data
                case = path.with_name(f"case{path.suffix}")
                case.write_bytes(data)
                _count(outcomes[name], case, *one.read(name, case), f"case {number} of {path.name}")
                if keep and outcomes[name].shown and outcomes[name].shown[-1].startswith(f"case {number} "):
                    (keep / f"{number}_{path.name}").write_bytes(data)
    finally:
        one.end()
    return outcomes


def _count(outcome: Outcome, case: Path, said: str, grown: int, label: str) -> None:
    outcome.cases += 1
    outcome.most = max(outcome.most, grown)
    over = grown > SLACK and grown > 4 * _plain_size(case) + SLACK
    outcome.read += said == "read"
    outcome.refused += said == "refused"
    outcome.faults += said.startswith("fault")
    outcome.crashes += said.startswith("crash")
    outcome.over += over
    if (over or said not in ("read", "refused")) and len(outcome.shown) < KEPT:
        outcome.shown.append(f"{label}: {said[:200]}{f', {grown >> 20} MB' if over else ''}")


def main() -> None:
    """Print the table; exit status 1 where a case went wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--reader", action="append", help="only this one; may be given several times")
    parser.add_argument("--keep", type=Path, help="a folder for the cases that went wrong")
    a = parser.parse_args()
    outcomes = fuzz(a.cases, a.seed, a.reader, a.keep)
    total: Counter[str] = Counter()
    columns = ("cases", "read", "refused", "faults", "crashes", "over")
    print(f"{'reader':<14}" + "".join(f"{column:>9}" for column in columns) + "  most MB")
    for name, outcome in outcomes.items():
        total.update({column: getattr(outcome, column) for column in columns})
        print(f"{name:<14}" + "".join(f"{getattr(outcome, c):>9}" for c in columns) + f"{outcome.most / 2**20:>9.1f}")
    print(f"{'all':<14}" + "".join(f"{total[column]:>9}" for column in columns))
    for outcome in outcomes.values():
        print("".join(f"{line}\n" for line in outcome.shown), end="")
    sys.exit(1 if total["faults"] + total["crashes"] + total["over"] else 0)


if __name__ == "__main__":
    main()
