"""What belongs to the machine and not to a scene: the worker's Python and its device."""

from __future__ import annotations

import bpy

PACKAGE = __package__.rpartition(".")[0]


class ExpNetPreferences(bpy.types.AddonPreferences):
    bl_idname = PACKAGE

    worker_python: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Worker Python",
        description="Python that reads the footage, with torch and OpenCV installed. "
        "Empty: Blender's own if it has them, else the one that EXPNET_PYTHON names",
        subtype="FILE_PATH",
    )
    device: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Device",
        description="Where the network runs",
        items=[
            ("auto", "Automatic", "A graphics card if there is one, else the processor"),
            ("cpu", "Processor", "The processor"),
            ("cuda", "CUDA", "An NVIDIA or AMD graphics card"),
            ("mps", "Metal", "An Apple graphics processor"),
        ],
    )

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "worker_python")
        layout.prop(self, "device")


def worker_python() -> str:
    """The path that the user chose, or empty."""
    preferences = _preferences()
    return preferences.worker_python if preferences else ""


def device() -> str:
    preferences = _preferences()
    return preferences.device if preferences else "auto"


def _preferences() -> ExpNetPreferences | None:
    """None where the package runs without being enabled as an add-on (scripts, tests)."""
    addon = bpy.context.preferences.addons.get(PACKAGE)
    return addon.preferences if addon else None


register, unregister = bpy.utils.register_classes_factory((ExpNetPreferences,))
