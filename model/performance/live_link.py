"""Export and import of Epic's Live Link Face CSV: ARKit's 52 blend shapes, head and eye angles, with time code.

    Timecode,BlendshapeCount,EyeBlinkLeft, … TongueOut,HeadYaw, … RightEyeRoll      63 columns, 61 of them values
    14:03:52:28.207,61,0.0123, …

Time code is hours, minutes, seconds, frame of the second with thousandths of a frame. A frame without a face has the
count 0 and no values. Angles are radians: yaw + to the subject's own left, pitch + up, roll + the top of the head to
the subject's own right. Unreal's MetaHumans use the same signs. Other tools write degrees: a file with angles beyond pi
is read as degrees.
"""

from __future__ import annotations

import csv
import io
import math
import re
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import numpy as np

from ..array_types import FloatArray
from ..errors import InputError
from ..face.semantics import ARKIT_SOURCES, OPEN_BASIS, OPEN_KEYS, open_bounds
from ..files import write_whole
from ..reading import check_regular, memory_limit, reading
from ..rotations import rotation_of_euler
from .channels import ARKIT, LOOK, SIGNALS, UNSEEN, channel_values, signals
from .face_performance import FacePerformance
from .performance_files import load_performance

# The app uses Apple's order, but lists the right side of jaw and mouth first.
_SWAPPED = {"jawLeft": "jawRight", "jawRight": "jawLeft", "mouthLeft": "mouthRight", "mouthRight": "mouthLeft"}
SHAPES: tuple[str, ...] = tuple(_SWAPPED.get(name, name) for name in ARKIT)
ANGLES: tuple[str, ...] = tuple(
    f"{what}{turn}" for what in ("head", "leftEye", "rightEye") for turn in ("Yaw", "Pitch", "Roll")
)
COLUMNS: tuple[str, ...] = ("Timecode", "BlendshapeCount") + tuple(n[0].upper() + n[1:] for n in SHAPES + ANGLES)

MAX_LINE = 2**16  # characters
MAX_FRAMES = 2_000_000
_FRAME_BYTES = 600  # in memory, plus 8 for each column of the file
_CHUNK = 4096  # frames
_NOMINAL = (24, 25, 30, 48, 50, 60, 90, 120, 240)  # frames in a second of time code
APP_FPS = 60.0
MIN_FPS, MAX_FPS = 1, 1000

# The open basis has no key for mouthClose, lips that meet over an open jaw. These weights of open keys approximate it
# on ICT-FaceKit's face, by least squares within the keys' bounds, for jawOpen from 0.2 to 1. jawForward,
# mouthShrugUpper and tongueOut have no approximation.
_MOUTH_CLOSE = {"mouthShrugLower": 2.0, "mouthPucker": 0.4, "jawOpen": -0.15}

DISTANCE_MM = 500.0  # a phone at arm's length: the file has no head position


# --- out ------------------------------------------------------------------------------------------------------------


def is_live_link(path: str | Path) -> bool:
    """Whether the file starts with the app's header; False for a file that cannot be read."""
    try:
        check_regular(path)
        with open(path, "rb") as file:
            return file.read(64).lstrip(b"\xef\xbb\xbf").lower().startswith(b"timecode,")
    except (OSError, InputError):
        return False


def write_live_link(performance: FacePerformance, path: str | Path) -> None:
    """Write a performance in the app's format, atomically.

    Time code starts at the performance's first time. It counts the rate rounded up (30 for 29.97), and its thousandths
    keep it equal to real time. A clip shorter than a second is shifted to cross a full second, so that a reader can
    find the rate. Shapes that the open keys do not drive are 0. Raises InputError if the basis is not the open one, or
    the rate is not between 1 and 1000.
    """
    write_signals(signals(performance), performance.times, performance.fps, path)


def write_signals(values: FloatArray, times: FloatArray, fps: float, path: str | Path) -> None:
    """Write signals (F, len(SIGNALS)) at ``times`` (F,) seconds in the app's format, atomically.

    NaN rows are frames without a face. Conventions and errors as in ``write_live_link``.
    """
    if not MIN_FPS <= fps <= MAX_FPS:
        raise InputError(f"{fps:g} frames per second is not a rate that a recording can have: {MIN_FPS} to {MAX_FPS}")
    seen = np.isfinite(values).all(1)
    weights = np.stack([channel_values(values, name) for name in SHAPES], 1)
    yaw, pitch, roll = (values[:, SIGNALS.index(n)] for n in ("headYaw", "headPitch", "headRoll"))
    gaze = np.stack([values[:, SIGNALS.index("gazeYaw")], values[:, SIGNALS.index("gazePitch")], 0 * yaw], 1)
    numbers = np.concatenate([weights, np.stack([yaw, pitch, -roll], 1), gaze, gaze], 1)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    moved = 0.0
    if len(times) > 2 and math.floor(times[0]) == math.floor(times[-1] + 1e-6):
        moved = math.ceil(times[-1]) - float(times[-1])
    for time, row, face in zip(np.asarray(times) + moved, numbers, seen):
        code = timecode(float(time), fps)
        writer.writerow([code, len(row), *(f"{v:.8f}" for v in row)] if face else [code, 0, *[""] * len(row)])
    write_whole(path, text.getvalue().encode())


def timecode(seconds: float, fps: float) -> str:
    """Format a time as ``HH:MM:SS:FF.fff``, non-drop and in real time: a second has ``fps`` rounded up frames."""
    nominal = max(1, math.ceil(fps - 1e-3))
    thousandths = round(seconds * nominal * 1000)
    frames, part = divmod(thousandths, 1000)
    whole, frame = divmod(frames, nominal)
    return f"{whole // 3600 % 24:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}:{frame:02d}.{part:03d}"


def read_performance(path: str | Path, fps: float | None = None, swap_sides: bool = False) -> FacePerformance:
    """Read an expnet performance (.npz) or a Live Link Face recording (.csv), chosen by content."""
    if is_live_link(path):
        return read_live_link(path, fps, swap_sides)
    if Path(path).suffix.lower() == ".csv":
        raise InputError(f"{path}: not a CSV of Live Link Face; of our own performances, give the .npz")
    return load_performance(path)


# --- in -------------------------------------------------------------------------------------------------------------


def read_live_link(path: str | Path, fps: float | None = None, swap_sides: bool = False) -> FacePerformance:
    """Read a recording in the app's format as a performance of the open keys.

    fps         the true rate. By default the rate in the time code, or the app's 60 if the recording is too short to
                show it. A time code that counts frames (29.97 as 30) is read at this rate. One in real time is kept
    swap_sides  exchange left and right of jaw and mouth: some versions of the app name them the wrong way round

    ``eta_from_arkit`` converts the shapes to keys. The gaze comes from the eyeLook shapes, or from the eye angles
    where there are none. Frames that the app marks as without a face have none. Times count from the first frame. The
    head is placed at ``DISTANCE_MM`` from the camera. Raises InputError, one line, if the file has another format.
    """
    path = Path(path)
    if fps is not None and not MIN_FPS <= fps <= MAX_FPS:
        raise InputError(f"{fps:g} frames per second is not a rate of a recording")
    with reading(path, "recording of Live Link Face", "export it again as CSV"):
        names, moments, numbers = _read_table(path)
    seconds, rate = _times(path, moments, fps)
    # Some tools write a time twice. The first row is kept.
    fresh = np.concatenate([[True], np.diff(np.maximum.accumulate(seconds)) > 0])
    if fresh.sum() <= len(fresh) // 2 and len(fresh) > 1:
        raise InputError(f"{path}: its time code does not go on")
    if not fresh.all():
        seconds, numbers = seconds[fresh], numbers[fresh]
    seconds = seconds - seconds[0]
    columns = {name: numbers[:, i] for i, name in enumerate(names)}
    seen = np.isfinite(numbers).all(1)
    if not seen.any():
        raise InputError(f"{path}: no frame in it has a face")
    if swap_sides:
        columns = {_SWAPPED.get(name, name): values for name, values in columns.items()}
    turned = max((np.nanmax(np.abs(columns[name]), initial=0.0) for name in ANGLES if name in columns), default=0.0)
    unit = math.pi / 180 if turned > math.pi else 1.0
    eta, gaze, rotation = np.empty((len(seen), len(OPEN_KEYS))), np.empty((len(seen), 2)), np.empty((len(seen), 3, 3))
    for start in range(0, len(seen), _CHUNK):  # in chunks, to limit the memory for intermediate arrays
        part = slice(start, start + _CHUNK)
        zeros = np.where(seen[part], 0.0, np.nan)
        weights = np.stack([columns[name][part] if name in columns else zeros for name in ARKIT], 1)
        angles = unit * np.stack([columns[name][part] if name in columns else zeros for name in ANGLES], 1)
        eta[part] = eta_from_arkit(weights)
        looks = any(name.startswith("eyeLook") for name in columns)
        gaze[part] = gaze_from_looks(weights) if looks else (angles[:, 3:5] + angles[:, 6:8]) / 2
        rotation[part] = rotation_of_euler(angles[:, 0], angles[:, 1], -angles[:, 2])
    nothing = np.where(seen, 1.0, np.nan)
    side = 400.0
    return FacePerformance(
        times=seconds,
        eta=eta,
        gaze=gaze,
        rotation=rotation,
        translation=nothing[:, None] * np.array([0.0, 0.0, -DISTANCE_MM]),
        crop=nothing[:, None] * np.array([360.0, 640.0, side, 0.0]),
        confidence=np.where(seen, 1.0, 0.0),
        alpha=np.zeros(0),
        expression_keys=OPEN_KEYS,
        basis=OPEN_BASIS,
        source=str(path),
        fps=rate,
        image_size=(720, 1280),
    )


def eta_from_arkit(weights: FloatArray) -> FloatArray:
    """Convert ARKit's weights (F, 52), ordered as ``channels.ARKIT``, to open coefficients (F, 29) inside their bounds.

    This is the least-squares inverse of ``semantics.arkit_weights``. Every weight belongs to one key. A key is the mean
    of its weights (both sides of a key without sides, both rolls of the lips), and a signed key is the difference of
    its two. The output of ``arkit_weights`` is inverted exactly. The approximation of mouthClose is added.
    """
    weights = np.asarray(weights, np.float64)
    eta = np.zeros((len(weights), len(OPEN_KEYS)))
    counts = np.zeros((2, len(OPEN_KEYS)))
    parts = np.zeros((2, *eta.shape))
    for name, (key, factor) in ARKIT_SOURCES.items():
        i, sign = OPEN_KEYS.index(key), int(factor < 0)
        parts[sign, :, i] += weights[:, ARKIT.index(name)] / factor
        counts[sign, i] += 1
    eta = (parts / np.maximum(counts, 1)[:, None]).sum(0)
    for key, share in _MOUTH_CLOSE.items():
        eta[:, OPEN_KEYS.index(key)] += share * weights[:, ARKIT.index("mouthClose")]
    low, high = open_bounds().T
    inside: FloatArray = np.clip(eta, low, high)
    return inside


def gaze_from_looks(weights: FloatArray) -> FloatArray:
    """Return yaw and pitch (F, 2) in radians: the mean of both eyes."""

    def look(way: str, side: str) -> FloatArray:
        return weights[:, ARKIT.index(f"eyeLook{way}{side}")]

    yaw = look("Out", "Left") - look("In", "Left") + look("In", "Right") - look("Out", "Right")
    pitch = sum(look("Up", s) - look("Down", s) for s in ("Left", "Right"))
    return np.stack([yaw, pitch], 1) * (LOOK / 2)


assert set(UNSEEN) < set(ARKIT)


def _read_table(path: Path) -> tuple[list[str], FloatArray, FloatArray]:
    """Return the names of the known value columns, the time codes as ``_moment``, and values (F, columns).

    Values are NaN in frames without a face.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = csv.reader(_short_lines(file))
        header = [cell.strip().lower() for cell in next(lines, [])]
        wanted = {name.lower(): name for name in SHAPES + ANGLES}
        known = {i: wanted[cell] for i, cell in enumerate(header) if cell in wanted}
        if not header or header[0] != "timecode" or not set(known.values()) & set(SHAPES):
            raise InputError(
                f"{path}: not a CSV of Live Link Face: its first line is not Timecode, BlendshapeCount, EyeBlinkLeft …"
            )
        if len(set(known.values())) < len(known):
            raise InputError(f"{path}: a column is in it twice")
        most = min(MAX_FRAMES, memory_limit(path.stat().st_size) // (_FRAME_BYTES + 8 * len(known)))
        moments, numbers = array("d"), array("d")
        for cells in lines:
            if not any(cell.strip() for cell in cells):
                continue
            if len(moments) >= 2 * most:
                raise InputError(f"{path}: more than {most} frames")
            if len(cells) != len(header) and any(cell.strip() for cell in cells[2:]):
                raise InputError(
                    f"{path}: line {lines.line_num} has {len(cells)} columns, the first one {len(header)}: "
                    "the file is cut short or broken"
                )
            moments.extend(_moment(path, lines.line_num, cells[0].strip()))
            numbers.extend(_numbers(path, lines.line_num, cells, list(known)))
    if not moments:
        raise InputError(f"{path}: no frames in it")
    return list(known.values()), np.frombuffer(moments).reshape(-1, 2), np.frombuffer(numbers).reshape(-1, len(known))


def _short_lines(file: TextIO) -> Iterator[str]:
    while line := file.readline(MAX_LINE + 1):
        if len(line) > MAX_LINE:
            raise ValueError(f"a line of more than {MAX_LINE} characters")
        yield line


def _numbers(path: Path, line: int, cells: list[str], columns: list[int]) -> list[float]:
    given = [cells[i].strip() if i < len(cells) else "" for i in columns]
    if not any(given):
        return [math.nan] * len(columns)
    try:
        numbers = [float(cell) for cell in given]
    except ValueError:
        bad = next(cell for cell in given if not _is_number(cell))
        raise InputError(f"{path}: line {line}: '{bad[:40]}' is no number") from None
    if not all(math.isfinite(v) and abs(v) < 1e4 for v in numbers):
        raise InputError(f"{path}: line {line}: a value is not finite, or far beyond what a face does")
    return numbers


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


_TIMECODE = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2})[:;](\d{1,3})(?:[.:](\d+))?", re.ASCII)


def _moment(path: Path, line: int, code: str) -> tuple[float, float]:
    """Return a time code as seconds and frames of the second."""
    found = _TIMECODE.fullmatch(code)
    if not found:
        raise InputError(f"{path}: line {line}: '{code[:40]}' is no time code like 14:03:52:28.207")
    hours, minutes, seconds, frame = (int(found[g]) for g in (1, 2, 3, 4))
    return hours * 3600.0 + minutes * 60 + seconds, frame + float(f"0.{found[5] or 0}")


def _times(path: Path, moments: FloatArray, fps: float | None) -> tuple[FloatArray, float]:
    """Return (F,) seconds by the time codes (F, 2), and the rate."""
    second, frame_part = moments[:, 0], moments[:, 1]
    second = second + 86400.0 * np.cumsum(np.concatenate([[0], np.diff(second) < -43200]))  # over midnight
    nominal = _nominal_rate(second, frame_part, fps)
    frames = second * nominal + frame_part
    shown = _shown_rate(frames, nominal)
    if not MIN_FPS <= shown <= MAX_FPS:
        raise InputError(f"{path}: its time code shows {shown:g} frames per second, which is not a rate of a recording")
    if fps is None:
        return frames / nominal, shown
    counts_frames = abs(shown - nominal) < abs(shown - fps)
    return frames / (fps if counts_frames else nominal), fps


def _nominal_rate(second: FloatArray, frame: FloatArray, fps: float | None) -> int:
    """Return the number of frames in a second of the time code, from the frame numbers around a new second."""
    highest = int(frame.max())
    steps = np.diff(frame)
    inside = steps[(np.diff(second) == 0) & (steps > 0)]
    turns = np.flatnonzero(np.diff(second) == 1)
    if len(inside) and len(turns):
        counted = float(np.median(frame[turns] + np.median(inside) - frame[turns + 1]))
        if abs(counted - round(counted)) < 0.3 and round(counted) > highest:
            return round(counted)
    if fps is not None:
        return max(math.ceil(fps - 1e-3), highest + 1)
    if second[-1] > second[0]:
        return next((n for n in _NOMINAL if n > highest), highest + 1)
    return max(int(APP_FPS), highest + 1)


def _shown_rate(frames: FloatArray, nominal: int) -> float:
    """Return the rate of ``frames`` (F,) of the time code, rounded to a whole rate or its 1000/1001 if it is near."""
    steps = np.diff(frames)
    steps = steps[steps > 0]
    if not len(steps):
        return float(nominal)
    whole = np.rint(steps / np.median(steps))
    rate = float(nominal * whole.sum() / steps[whole > 0].sum()) if whole.sum() else float(nominal)
    near = [n / d for n in (max(1, round(rate)), max(1, round(rate * 1.001))) for d in (1.0, 1.001)]
    best = min(near, key=lambda n: abs(n - rate))
    if abs(best - rate) < 2e-4 * rate:
        return best
    jitter = 0.01 / whole.sum() if whole.sum() else 1.0  # of the app's time codes, over the recording
    return float(nominal) if abs(nominal - rate) < jitter * rate else round(rate, 3)
