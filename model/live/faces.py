"""A face over time as it is seen live: ``LiveFace`` from pictures, or from a Live Link Face stream."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from ..array_types import FloatArray, UInt8Array
from ..camera import Camera
from ..errors import InputError
from ..face.semantics import OPEN_KEYS
from ..networks.estimate import FaceEstimate, SeesFaces
from ..performance.channels import SIGNALS
from ..performance.live_link import DISTANCE_MM
from ..rotations import euler_degrees, quaternions, rotation_of_euler
from ..sight.tracking import Choice, Follower
from .packets import PORT, parse_packet
from .pictures import Pictures

WAIT = 0.25  # seconds between two checks whether to stop, while nothing comes
QUIET_SECONDS = 10.0  # without a packet, after which a stream counts as ended
Show = Callable[[UInt8Array | None, FaceEstimate | None], None]


@dataclass(frozen=True, eq=False)
class LiveFace:
    """A face at one moment.

    time, at      as in ``LivePicture``
    confidence    0 where no face is seen; the rest then is not a number
    eta (29,), gaze (2,), rotation (3, 3), translation (3,) mm, as in FacePerformance
    """

    time: float
    at: float
    confidence: float
    eta: FloatArray
    gaze: FloatArray
    rotation: FloatArray
    translation: FloatArray

    @property
    def quaternion(self) -> FloatArray:
        turned: FloatArray = quaternions(self.rotation)
        return turned

    @property
    def signals(self) -> FloatArray:
        """Return the row (1, len(SIGNALS)) that ``channels.channel_values`` takes."""
        head = np.radians(euler_degrees(self.rotation))
        row: FloatArray = np.concatenate([self.eta, self.gaze, head])[None]
        assert row.shape[1] == len(SIGNALS)
        return row


def nobody(moment: float, at: float) -> LiveFace:
    """Return a moment without a face."""
    nothing = np.full(3, np.nan)
    return LiveFace(moment, at, 0.0, np.full(len(OPEN_KEYS), np.nan), nothing[:2], np.full((3, 3), np.nan), nothing)


def watch(
    source: str,
    estimator: SeesFaces,
    lens_mm: float = 50.0,
    choice: Choice | None = None,
    show: Show = lambda image, seen: None,
    still_wanted: Callable[[], None] = lambda: None,
) -> Iterator[LiveFace]:
    """Yield the face in each picture of a camera (``camera:0``) or of a file played in real time.

    ``show`` gets every picture and what was seen. ``still_wanted`` is called at least four times a second and may raise
    to stop. Raises InputError where the pictures stop early.
    """
    with Pictures(source) as pictures:
        follower: Follower | None = None
        camera: Camera | None = None
        size: tuple[int, int] | None = None
        while True:
            still_wanted()
            try:
                picture = pictures.latest(WAIT)
            except StopIteration:
                return
            if picture is None:
                continue
            image = picture.image
            if follower is None or camera is None or size != image.shape[:2]:
                size = (image.shape[0], image.shape[1])
                camera = Camera.for_image(size[1], size[0], lens_mm)
                follower = Follower(estimator.finding, camera, choice or Choice())
            located = follower.see(image)
            seen = None if located is None else estimator.read([image], [camera], located)
            show(image, seen)
            if seen is None:
                yield nobody(picture.time, picture.at)
                continue
            yield LiveFace(
                picture.time,
                picture.at,
                float(seen.confidence[0]),
                seen.eta[0],
                seen.gaze[0],
                seen.rotation[0],
                seen.translation[0],
            )


def listen(
    host: str = "127.0.0.1",
    port: int = PORT,
    still_wanted: Callable[[], None] = lambda: None,
    quiet_seconds: float = QUIET_SECONDS,
) -> Iterator[LiveFace]:
    """Yield the faces that a Live Link Face app sends to this address by UDP.

    Packets of other kinds are passed over. Raises InputError for an address in use, and after ``quiet_seconds`` without
    a packet.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        try:
            receiver.bind((host, port))
        except OSError as error:
            raise InputError(
                f"port {port} of {host} cannot be used ({error.strerror}): close the other program, or choose another"
            ) from error
        receiver.settimeout(WAIT)
        began: float | None = None
        heard = time.monotonic()
        while True:
            still_wanted()
            try:
                packet = parse_packet(receiver.recv(2048))
            except TimeoutError:
                packet = None
            now = time.monotonic()
            if packet is None:
                if now - heard > quiet_seconds:
                    raise InputError(f"nothing came to port {port} of {host}: start the app, and give it this address")
                continue
            heard = now
            began = now if began is None else began
            yaw, pitch, roll = packet.head
            rotation = rotation_of_euler(yaw, pitch, -roll)
            translation = np.array([0.0, 0.0, -DISTANCE_MM])
            yield LiveFace(now - began, now, 1.0, packet.eta, packet.gaze, rotation, translation)
