"""Sending of live faces to other programs by UDP.

vmc       Virtual Motion Capture protocol, which VSeeFace and others read: 52 blend shapes and the head's rotation
vrchat    Unified Expressions as VRChat's avatar parameters (v2), and its eye tracking
livelink  Live Link Face's packets, which Unreal reads
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..array_types import FloatArray
from ..errors import InputError
from ..performance.channels import ARKIT, SIGNALS, channel_values
from .faces import LiveFace
from .osc import bundle, message
from .packets import PORT, packet_of

PORTS = {"vmc": 39539, "vrchat": 9000, "livelink": PORT}
MOST_BYTES = 1400  # of a packet, so that a network need not split it


@dataclass(frozen=True)
class Target:
    """Where faces are sent, and in which layout; ``port`` 0 is the layout's usual one."""

    layout: str
    host: str = "127.0.0.1"
    port: int = 0


class Sender:
    """Sends faces to one target; use it in a ``with``. Raises InputError for a host that is not known."""

    def __init__(self, target: Target) -> None:
        self._packets = LAYOUTS[target.layout]
        port = target.port or PORTS[target.layout]
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(target.host, port, type=socket.SOCK_DGRAM)[0]
            self._address: Any = address
            self._socket = socket.socket(family, kind, protocol)
            self._socket.setblocking(False)
        except (OSError, UnicodeError) as error:
            raise InputError(
                f"'{target.host}' is no address that can be sent to: use 127.0.0.1 for this machine"
            ) from error
        self._count = 0

    def __enter__(self) -> Sender:
        return self

    def __exit__(self, *error: object) -> None:
        self._socket.close()

    def send(self, face: LiveFace) -> None:
        """Send a face; a moment without one is not sent. A packet that the system does not take is lost."""
        if not face.confidence:
            return
        for packet in self._packets(face, self._count):
            try:
                self._socket.sendto(packet, self._address)
            except OSError:  # nobody listens, or the network is full: the next packet is as good
                continue
        self._count += 1


def vmc(face: LiveFace, count: int) -> list[bytes]:
    """Return the packets of the Virtual Motion Capture protocol."""
    signals = face.signals
    values = {name: float(channel_values(signals, name)[0]) for name in ARKIT}
    messages = [message("/VMC/Ext/Blend/Val", name[0].upper() + name[1:], value) for name, value in values.items()]
    messages.append(message("/VMC/Ext/Blend/Apply"))
    # Unity: x to the right, y up, z forward. The model's x is the subject's left, and its z the subject's front.
    w, x, y, z = face.quaternion.tolist()
    messages.append(message("/VMC/Ext/Bone/Pos", "Head", 0.0, 0.0, 0.0, x, -y, -z, w))
    messages += [message("/VMC/Ext/OK", 1), message("/VMC/Ext/T", float(face.time))]
    return _packets(messages)


def vrchat(face: LiveFace, count: int) -> list[bytes]:
    """Return the packets of VRChat's avatar parameters, in the names of Unified Expressions."""
    values = unified(face.signals)
    messages = [message(f"/avatar/parameters/v2/{name}", value) for name, value in values.items()]
    yaw, pitch = (float(np.degrees(angle)) for angle in face.gaze)
    messages.append(message("/tracking/eye/CenterPitchYaw", -pitch, -yaw))
    messages.append(message("/tracking/eye/EyesClosedAmount", 1 - (values["EyeLidLeft"] + values["EyeLidRight"]) / 2))
    return _packets(messages)


def livelink(face: LiveFace, count: int) -> list[bytes]:
    """Return the packet of the Live Link Face app."""
    return [packet_of(face.signals, count)]


LAYOUTS: Mapping[str, Callable[[LiveFace, int], list[bytes]]] = {"vmc": vmc, "vrchat": vrchat, "livelink": livelink}

# Unified Expressions of one ARKit shape each
UNIFIED = {
    "EyeSquintLeft": "eyeSquintLeft", "EyeSquintRight": "eyeSquintRight", "EyeWideLeft": "eyeWideLeft",
    "EyeWideRight": "eyeWideRight", "BrowInnerUp": "browInnerUp", "BrowInnerUpLeft": "browInnerUp",
    "BrowInnerUpRight": "browInnerUp", "BrowOuterUpLeft": "browOuterUpLeft", "BrowOuterUpRight": "browOuterUpRight",
    "BrowDownLeft": "browDownLeft", "BrowDownRight": "browDownRight", "NoseSneerLeft": "noseSneerLeft",
    "NoseSneerRight": "noseSneerRight", "CheekSquintLeft": "cheekSquintLeft", "CheekSquintRight": "cheekSquintRight",
    "CheekPuffLeft": "cheekPuff", "CheekPuffRight": "cheekPuff", "JawOpen": "jawOpen", "JawLeft": "jawLeft",
    "JawRight": "jawRight", "JawForward": "jawForward", "MouthClosed": "mouthClose", "LipFunnel": "mouthFunnel",
    "LipPucker": "mouthPucker", "LipSuckUpper": "mouthRollUpper", "LipSuckLower": "mouthRollLower",
    "MouthUpperUpLeft": "mouthUpperUpLeft", "MouthUpperUpRight": "mouthUpperUpRight",
    "MouthLowerDownLeft": "mouthLowerDownLeft", "MouthLowerDownRight": "mouthLowerDownRight",
    "MouthSmileLeft": "mouthSmileLeft", "MouthSmileRight": "mouthSmileRight", "MouthFrownLeft": "mouthFrownLeft",
    "MouthFrownRight": "mouthFrownRight", "MouthStretchLeft": "mouthStretchLeft",
    "MouthStretchRight": "mouthStretchRight", "MouthDimpleLeft": "mouthDimpleLeft",
    "MouthDimpleRight": "mouthDimpleRight", "MouthRaiserUpper": "mouthShrugUpper",
    "MouthRaiserLower": "mouthShrugLower", "MouthPressLeft": "mouthPressLeft", "MouthPressRight": "mouthPressRight",
    "TongueOut": "tongueOut",
}  # fmt: skip


def unified(signals: FloatArray) -> dict[str, float]:
    """Return Unified Expressions' parameters by name, for signals (1, len(SIGNALS))."""

    def arkit(name: str) -> float:
        return float(channel_values(signals, name)[0])

    values = {name: arkit(shape) for name, shape in UNIFIED.items()}
    gaze = dict(zip(SIGNALS, signals[0].tolist(), strict=True))
    x, y = (float(np.clip(np.sin(gaze[name]) / np.sin(np.pi / 4), -1, 1)) for name in ("gazeYaw", "gazePitch"))
    for side in ("Left", "Right"):
        values[f"EyeLid{side}"] = 0.75 * (1 - arkit(f"eyeBlink{side}")) + 0.25 * arkit(f"eyeWide{side}")
        values[f"Eye{side}X"], values[f"Eye{side}Y"] = -x, y
    values["JawX"] = arkit("jawRight") - arkit("jawLeft")
    values["MouthX"] = arkit("mouthRight") - arkit("mouthLeft")
    values["SmileFrownLeft"] = values["MouthSmileLeft"] - values["MouthFrownLeft"]
    values["SmileFrownRight"] = values["MouthSmileRight"] - values["MouthFrownRight"]
    return values


def _packets(messages: list[bytes]) -> list[bytes]:
    """Pack messages into bundles of at most MOST_BYTES."""
    packets: list[bytes] = []
    waiting: list[bytes] = []
    size = 16
    for each in messages:
        if waiting and size + len(each) + 4 > MOST_BYTES:
            packets.append(bundle(waiting))
            waiting, size = [], 16
        waiting.append(each)
        size += len(each) + 4
    packets.append(bundle(waiting))
    return packets
