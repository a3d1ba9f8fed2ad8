"""Packets of the Live Link Face app, which Unreal reads, by UDP.

    byte 6 · length and text of the device's id · length and text of the subject's name · frame, part of a frame
    (float32), rate's numerator and denominator · byte 61 · 61 float32: ARKit's 52 weights, head and eye angles

All numbers are big-endian, lengths and frames int32. Angles are radians, with the signs of the app's recordings
(``performance.live_link``).
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

import numpy as np

from ..array_types import FloatArray
from ..performance.channels import ARKIT, SIGNALS, channel_values
from ..performance.live_link import eta_from_arkit, gaze_from_looks

PORT = 11111
VERSION, COUNT = 6, 61
MOST_TEXT = 256
DEVICE = "00000000-0000-0000-0000-00000expnet0"  # 36 characters, as the app's


@dataclass(frozen=True, eq=False)
class Packet:
    """A face: open ``eta`` (29,), ``gaze`` (2,) radians, ``head`` yaw, pitch and roll as the app has them; the name."""

    name: str
    eta: FloatArray
    gaze: FloatArray
    head: tuple[float, float, float]


def packet_of(signals: FloatArray, frame: int, rate: int = 60, name: str = "expnet") -> bytes:
    """Write the signals (1, len(SIGNALS)) of a face as a packet."""
    weights = [float(channel_values(signals, shape)[0]) for shape in ARKIT]
    values = dict(zip(SIGNALS, signals[0].tolist(), strict=True))
    gaze = [values["gazeYaw"], values["gazePitch"], 0.0]
    angles = [values["headYaw"], values["headPitch"], -values["headRoll"], *gaze, *gaze]
    device, subject = DEVICE.encode(), name.encode()
    return b"".join(
        [
            struct.pack("!Bi", VERSION, len(device)),
            device,
            struct.pack("!i", len(subject)),
            subject,
            struct.pack("!ifiiB", frame, 0.0, rate, 1, COUNT),
            struct.pack(f"!{COUNT}f", *weights, *angles),
        ]
    )


def parse_packet(data: bytes) -> Packet | None:
    """Parse a packet; None where it is not one, or has no face in it."""
    try:
        (version, length), at = struct.unpack_from("!Bi", data), 5
        if version != VERSION or not 0 <= length <= MOST_TEXT:
            return None
        at += length
        (length,) = struct.unpack_from("!i", data, at)
        if not 0 <= length <= MOST_TEXT:
            return None
        name = data[at + 4 : at + 4 + length].decode("utf-8", "replace")
        at += 4 + length
        if struct.unpack_from("!ifiiB", data, at)[-1] != COUNT:
            return None
        values = struct.unpack_from(f"!{COUNT}f", data, at + 17)
    except struct.error:
        return None
    if not all(math.isfinite(value) and abs(value) < 1e3 for value in values):
        return None
    weights = np.array(values[:52])[None]
    yaw, pitch, roll = values[52:55]
    return Packet(name, eta_from_arkit(weights)[0], gaze_from_looks(weights)[0], (yaw, pitch, roll))
