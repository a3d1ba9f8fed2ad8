"""The settings of live, stored as ``Scene.expnet.live``."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.props import BoolProperty, CollectionProperty, EnumProperty, FloatProperty, IntProperty, StringProperty

from ...model.worker.messages import LIVE_SMOOTHING, SendTo

LOCAL = "127.0.0.1"


class ExpNetCamera(bpy.types.PropertyGroup):
    """A camera of this machine, by its name."""

    number: IntProperty(name="Number", description="The number by which it is opened", min=0)  # type: ignore[valid-type]


class ExpNetLive(bpy.types.PropertyGroup):
    kind: EnumProperty(  # type: ignore[valid-type]
        name="Source",
        description="What the face follows live",
        items=[
            ("CAMERA", "Camera", "A camera of this machine"),
            ("FILE", "File", "The source of Capture, played in real time"),
            ("LIVELINK", "Live Link", "The stream of an iPhone's Live Link Face app"),
        ],
    )
    camera: IntProperty(  # type: ignore[valid-type]
        name="Camera", description="Number of the camera, from 0, as the system counts them", min=0, max=99
    )
    cameras: CollectionProperty(  # type: ignore[valid-type]
        name="Cameras", description="The cameras that were found", type=ExpNetCamera
    )
    record: BoolProperty(  # type: ignore[valid-type]
        name="Record at Once", description="Record from the first picture on"
    )
    smoothing: FloatProperty(  # type: ignore[valid-type]
        name="Smoothing",
        description="Calm the face that is shown and sent. Fast motions such as blinks stay as they are. "
        "A recording keeps the face as it was read",
        default=LIVE_SMOOTHING,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )
    port: IntProperty(  # type: ignore[valid-type]
        name="Port", description="The port to which the app sends", default=11111, min=1, max=65535
    )
    network: BoolProperty(  # type: ignore[valid-type]
        name="From Other Machines",
        description="Listen to the network, as an iPhone needs it. Off: to programs on this machine only",
    )
    send: EnumProperty(  # type: ignore[valid-type]
        name="Send",
        description="Send the face to another program by UDP while live runs",
        items=[
            ("NONE", "Nothing", "Nothing is sent"),
            ("vmc", "VSeeFace (VMC)", "Virtual Motion Capture protocol: 52 blend shapes and the head, port 39539"),
            ("vrchat", "VRChat", "Unified Expressions as avatar parameters, port 9000"),
            ("livelink", "Unreal (Live Link)", "Packets of the Live Link Face app, port 11111"),
        ],
    )
    send_host: StringProperty(  # type: ignore[valid-type]
        name="To", description="The machine to which the face is sent. 127.0.0.1 is this one", default=LOCAL
    )
    send_port: IntProperty(  # type: ignore[valid-type]
        name="Port", description="The port to which the face is sent. 0: the program's usual one", min=0, max=65535
    )

    def source(self, path: str) -> str:
        """Return the worker's name of the source; ``path`` is that of Capture."""
        if self.kind == "CAMERA":
            return f"camera:{self.camera}"
        return f"livelink:{self.port}" if self.kind == "LIVELINK" else str(Path(path))

    def targets(self) -> tuple[SendTo, ...]:
        """Return where faces are sent."""
        return () if self.send == "NONE" else (SendTo(self.send, self.send_host, self.send_port),)

    def host(self) -> str:
        """Return the address at which packets are received."""
        return "0.0.0.0" if self.network else LOCAL


CLASSES = (ExpNetCamera, ExpNetLive)


def register() -> None:
    for each in CLASSES:
        bpy.utils.register_class(each)


def unregister() -> None:
    for each in reversed(CLASSES):
        bpy.utils.unregister_class(each)
