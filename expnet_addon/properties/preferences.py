"""Settings of the machine, not of a scene: the worker's Python and device, and the user's own packs."""

from __future__ import annotations

import bpy

from ..engine import packs, runtime, tasks
from ..engine import status as engine_status

KEYMAPS = ("3D View", "Frames")  # with shortcuts of the extension
PACKAGE = __package__.removesuffix(".expnet_addon.properties")


class ExpNetPreferences(bpy.types.AddonPreferences):
    bl_idname = PACKAGE

    worker_python: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Use This Python",
        description="Python that reads the footage, with torch and OpenCV installed. Empty: the runtime if it is "
        "installed, else Blender's own Python if it has them, else the one that EXPNET_PYTHON names",
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
    start_ahead: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Start When a Clip Is Chosen",
        description="Start the process that reads footage, and load the network, as soon as a source is chosen, so "
        "that Animate from Footage begins at once. The process ends after ten minutes without work",
        default=True,
    )
    build: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Torch For",
        description="Which build of torch Install Runtime fetches",
        items=[(build.name, build.label, build.sizes) for build in runtime.builds()] or [("none", "Not Available", "")],
    )
    wheel_folder: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Wheel Folder",
        description="Install from the wheels (.whl files) in this folder, without the internet. Empty: download them",
        subtype="DIR_PATH",
    )
    engine_report: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Engine",
        description="Result of the last installation, check or test",
        options={"SKIP_SAVE"},
    )

    release_folder: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Release",
        description="Folder with the unpacked archives of the ExpNet release, for Import Weights",
        subtype="DIR_PATH",
    )
    half: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="16 Bits",
        description="Keep the imported weights in half the size, at a relative error of 0.05 percent",
    )
    official_pack: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Official Pack",
        description="Folder of the imported weights (official.safetensors). Import Weights writes there; "
        "while it is empty, into the release's folder",
        subtype="DIR_PATH",
    )
    official_face_model: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Basel Face Model",
        description="BaselFaceModel_mod.mat of the ExpNet release, the head that the official networks belong to",
        subtype="FILE_PATH",
    )
    import_report: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Import",
        description="Report of the last Import Weights",
        options={"SKIP_SAVE"},
    )

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.operator("expnet.open_guide", icon="HELP")
        self._draw_engine(layout)
        self._draw_official(layout)
        _draw_shortcuts(layout)

    def _draw_engine(self, layout: bpy.types.UILayout) -> None:
        body = layout.box()
        status = engine_status.status(self.worker_python, self.device)
        row = body.split(factor=0.8)
        row.label(text=status.line, icon="CHECKMARK" if status.ready else "ERROR", translate=False)
        row.operator("expnet.test_engine")
        body.prop(self, "device")
        body.prop(self, "start_ahead")
        found = runtime.installed(runtime.folder())
        body.prop(self, "build")
        sizes = {build.name: build.sizes for build in runtime.builds()}
        body.prop(self, "wheel_folder")
        offline = "From the wheels in this folder, without the internet"
        body.label(text=offline if self.wheel_folder else sizes.get(self.build, ""), icon="INFO")
        row = body.row()
        row.operator("expnet.install_runtime", icon="IMPORT")
        row.operator("expnet.remove_runtime", icon="TRASH")
        if found:
            body.label(text=f"Installed: {found}", translate=False)
        body.prop(self, "worker_python")
        row = body.split(factor=0.4)
        row.label(text="")  # aligns the button with the path
        row.operator("expnet.check_python")
        task = tasks.under_way()
        if task is not None:
            body.progress(text=task.status, factor=task.progress.fraction)
            body.operator("expnet.cancel", icon="X")
        for line in self.engine_report.splitlines():
            body.label(text=line, translate=False)

    def _draw_official(self, layout: bpy.types.UILayout) -> None:
        body = layout.box()
        body.label(text="The Authors' Own Networks")
        body.prop(self, "release_folder")
        body.prop(self, "official_pack")
        body.prop(self, "half")
        body.operator("expnet.import_weights", icon="IMPORT")
        body.prop(self, "official_face_model")
        network, head = packs.official_network(self.official_pack), packs.official_head(self.official_face_model)
        for choice in (network, head):
            wanted = self.official_pack if choice is network else self.official_face_model
            icon = "CHECKMARK" if not choice.missing else "ERROR" if wanted else "INFO"
            body.label(text=f"{choice.name}: {choice.missing or choice.license}", icon=icon)
        for line in self.import_report.splitlines():
            body.label(text=line)


def _draw_shortcuts(layout: bpy.types.UILayout) -> None:
    """Draw the extension's shortcuts, which the artist can change."""
    import rna_keymap_ui

    body = layout.box()
    body.label(text="Shortcuts")
    config = bpy.context.window_manager.keyconfigs.user
    for keymap in (config.keymaps.get(name) for name in KEYMAPS) if config is not None else ():
        for item in keymap.keymap_items if keymap is not None else ():
            if item.idname.startswith("expnet."):
                column = body.column()
                column.context_pointer_set("keymap", keymap)
                rna_keymap_ui.draw_kmi([], config, keymap, item, column, 0)


def enabled() -> bool:
    """Return whether there are preferences. There are none if the package runs without being enabled as an add-on."""
    return _preferences() is not None


def worker_python() -> str:
    """Return the path that the user has chosen, or an empty string."""
    preferences = _preferences()
    return preferences.worker_python if preferences else ""


def device() -> str:
    """Return the device that the user has chosen, ``auto`` by default."""
    preferences = _preferences()
    return preferences.device if preferences else "auto"


def start_ahead() -> bool:
    """Return whether the worker starts when a source is chosen."""
    preferences = _preferences()
    return bool(preferences.start_ahead) if preferences else True


def runtime_choice() -> tuple[runtime.Build, str]:
    """Return the build of torch to install and the wheel folder (empty: download them). Raises InputError."""
    preferences = _preferences()
    if preferences is None:
        return runtime.build_named(runtime.builds()[0].name), ""
    wheels = preferences.wheel_folder
    return runtime.build_named(preferences.build), bpy.path.abspath(wheels) if wheels else ""


def keep_engine_report(text: str) -> None:
    """Store the engine's report for the preferences."""
    preferences = _preferences()
    if preferences is not None:
        preferences.engine_report = text


def official_pack() -> str:
    """Return the folder of the imported weights, or an empty string."""
    preferences = _preferences()
    return bpy.path.abspath(preferences.official_pack) if preferences else ""


def official_face_model() -> str:
    """Return the file of the Basel Face Model, or an empty string."""
    preferences = _preferences()
    return bpy.path.abspath(preferences.official_face_model) if preferences else ""


def release() -> tuple[str, str, bool]:
    """Return the release's folder, the folder for its weights (empty: the release's), and whether to store 16 bits."""
    preferences = _preferences()
    if preferences is None:
        return "", "", False
    paths = (bpy.path.abspath(p) if p else "" for p in (preferences.release_folder, preferences.official_pack))
    return (*paths, preferences.half)


def keep_official(pack: str, face_model: str | None) -> None:
    """Store the folder of the networks that Import Weights wrote, and the face model if it found one."""
    preferences = _preferences()
    if preferences is not None:
        preferences.official_pack = pack
        preferences.official_face_model = face_model or preferences.official_face_model


def keep_import_report(text: str) -> None:
    """Store the report of Import Weights for the preferences."""
    preferences = _preferences()
    if preferences is not None:
        preferences.import_report = text


def _preferences() -> ExpNetPreferences | None:
    """Return the preferences; None if the package is not enabled as an add-on (scripts, tests)."""
    addon = bpy.context.preferences.addons.get(PACKAGE)
    return addon.preferences if addon else None


register, unregister = bpy.utils.register_classes_factory((ExpNetPreferences,))
