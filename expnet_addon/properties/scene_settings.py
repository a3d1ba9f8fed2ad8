"""The settings of the panel, stored in the scene as ``Scene.expnet``."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import PurePath

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    IntVectorProperty,
    PointerProperty,
    StringProperty,
)

from .. import compat
from ..engine import packs
from ..scene import current_take
from ..scene.heads import chosen_head, is_rig
from . import live_settings, people_settings, preferences, take_settings
from .compare_settings import ExpNetCompare


def _from_one(name: str) -> Callable[[bpy.types.PropertyGroup], int]:
    """Return a getter of the property ``name``, which counts from 0, that counts from 1."""
    return lambda settings: int(getattr(settings, name)) + 1


def _to_zero(name: str) -> Callable[[bpy.types.PropertyGroup, int], None]:
    """Return the setter that belongs to ``_from_one``."""
    return lambda settings, value: setattr(settings, name, value - 1)


def _current_index(settings: bpy.types.PropertyGroup) -> int:
    """Return the place of the chosen head's current take in ``bpy.data.actions``, or -1."""
    action = current_take.take_of(chosen_head(bpy.context))
    return bpy.data.actions.find(action.name) if action is not None else -1


def _show_take(settings: bpy.types.PropertyGroup, index: int) -> None:
    from ...model.errors import InputError
    from ..scene import take_list

    head = chosen_head(bpy.context)
    if head is None or not 0 <= index < len(bpy.data.actions):
        return
    action = bpy.data.actions[index]
    if action == current_take.take_of(head) or action not in current_take.takes_of(head):
        return
    try:
        settings.result = take_list.show(settings.id_data, head, action)
    except InputError as error:
        settings.result = str(error)


def _start_ahead(settings: bpy.types.PropertyGroup, context: bpy.types.Context) -> None:
    """Start the worker and load the network: a source has just been chosen, so the artist will capture it."""
    from ...model.errors import InputError
    from ...model.worker.messages import EstimatorOptions
    from ..engine import jobs, requests, tasks

    named = (settings.source, settings.source_folder, settings.source_clip, settings.source_image)
    network = settings.chosen_network()
    if not any(named) or network.missing or tasks.under_way() is not None or not preferences.start_ahead():
        return
    options = EstimatorOptions(estimator=network.path, device=preferences.device())
    with suppress(InputError):  # there is no engine, as the panel says
        jobs.start_ahead(requests.load(options), preferences.worker_python())


def _choose_take(manager: bpy.types.WindowManager, index: int) -> None:
    """Show a take that was clicked in the list, as an undo step of its own.

    Blender makes one step of several clicks in a list, with the state after the first. It makes none for properties of
    the window manager.
    """
    settings = bpy.context.scene.expnet
    before = _current_index(settings)
    _show_take(settings, index)
    if _current_index(settings) != before and bpy.ops.ed.undo_push.poll():
        bpy.ops.ed.undo_push(message="Show Take")


class ExpNetSceneProperties(bpy.types.PropertyGroup):
    face_model: EnumProperty(  # type: ignore[valid-type]
        name="Face Model",
        description="The head that Add Face makes",
        items=[
            ("OPEN", "Open Head", "The built-in head, free for any use"),
            (
                "OFFICIAL",
                "Basel Face Model",
                "The head that the official networks belong to, named in the extension's preferences. Research only",
            ),
            ("FILE", "From File", "A face model of your own: Basel Face Model, 3DDFA, ICT FaceKit or .npz"),
        ],
    )
    face_model_path: StringProperty(  # type: ignore[valid-type]
        name="File",
        description="The face model's file, or the folder of an ICT FaceKit",
        subtype="FILE_PATH",
        options=compat.PATH_OPTIONS,
    )
    source_kind: EnumProperty(  # type: ignore[valid-type]
        name="Source",
        description="Where the pictures of the face come from",
        items=[
            ("FILE", "File", "An image or a movie on disk"),
            ("FOLDER", "Folder", "A folder of numbered images"),
            ("CLIP", "Clip", "A movie clip that is open in Blender, at its own place in time"),
            ("IMAGE", "Image", "An image, image sequence or movie that is open in Blender"),
        ],
    )
    source: StringProperty(  # type: ignore[valid-type]
        name="File",
        description="An image or a movie with a face in it",
        subtype="FILE_PATH",
        update=_start_ahead,
        options=compat.PATH_OPTIONS,
    )
    source_folder: StringProperty(  # type: ignore[valid-type]
        name="Folder",
        description="A folder of numbered images with a face in them",
        subtype="DIR_PATH",
        update=_start_ahead,
        options=compat.PATH_OPTIONS,
    )
    source_clip: PointerProperty(  # type: ignore[valid-type]
        name="Movie Clip", description="A movie clip with a face in it", type=bpy.types.MovieClip, update=_start_ahead
    )
    source_image: PointerProperty(  # type: ignore[valid-type]
        name="Image", description="An image with a face in it", type=bpy.types.Image, update=_start_ahead
    )
    use_range: BoolProperty(  # type: ignore[valid-type]
        name="Frames",
        description="Read a part of the footage only",
    )
    first: IntProperty(  # type: ignore[valid-type]
        name="First",
        description="First frame of the footage to read, counted from 0, for scripts",
        min=0,
    )
    first_frame: IntProperty(  # type: ignore[valid-type]
        name="First",
        description="First frame of the footage to read, counted from 1",
        min=1,
        get=_from_one("first"),
        set=_to_zero("first"),
    )
    last: IntProperty(  # type: ignore[valid-type]
        name="Last",
        description="Last frame of the footage to read, counted from 0, for scripts",
        default=249,
        min=0,
    )
    last_frame: IntProperty(  # type: ignore[valid-type]
        name="Last",
        description="Last frame of the footage to read, counted from 1",
        min=1,
        get=_from_one("last"),
        set=_to_zero("last"),
    )
    network: EnumProperty(  # type: ignore[valid-type]
        name="Network",
        description="The network that reads the face",
        items=[
            ("OPEN", "Open Network", "The built-in network, free for any use"),
            (
                "OFFICIAL",
                "Official ExpNet",
                "The authors' own networks, imported in the extension's preferences. Research only",
            ),
            ("FILE", "Own Weights", "Weights of your own for the open network"),
        ],
    )
    preprocessing: EnumProperty(  # type: ignore[valid-type]
        name="Preprocessing",
        description="How a picture is cut out and prepared for the official networks",
        items=[
            ("RELEASE", "As Released", "As the authors' own program does it, number for number"),
            ("PAPER", "As Published", "As the paper describes it: a closer cut, no JPEG, each network's own mean"),
        ],
    )
    estimator: StringProperty(  # type: ignore[valid-type]
        name="Weights",
        description="A safetensors file, or the folder that holds one",
        subtype="FILE_PATH",
        options=compat.PATH_OPTIONS,
    )
    rig: PointerProperty(  # type: ignore[valid-type]
        name="Face to Drive",
        description="The face that gets the keys. Empty: the active one, or the only one in the scene",
        type=bpy.types.Object,
        poll=lambda settings, item: is_rig(item),
    )
    smoothing: FloatProperty(  # type: ignore[valid-type]
        name="Smoothing",
        description="How strongly the curves are smoothed; blinks and lip contact are kept. 0 is off",
        default=0.5,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )
    estimate_shape: BoolProperty(  # type: ignore[valid-type]
        name="Shape of Animated Face",
        description="Estimate Expression gives a face that has keys the shape of the face in the picture, too",
    )
    render_footage: BoolProperty(  # type: ignore[valid-type]
        name="Footage Behind",
        description="The footage is in the rendered picture, behind the head. Off: the head alone",
    )
    identity: BoolProperty(  # type: ignore[valid-type]
        name="Face Shape",
        description="Give the head the shape of the face that was seen, too",
        default=True,
    )
    scene_timing: BoolProperty(  # type: ignore[valid-type]
        name="Set Scene Timing",
        description="Give the scene the clip's frame rate and length. Off: same speed, at the scene's own rate",
        default=True,
    )
    match_camera: BoolProperty(  # type: ignore[valid-type]
        name="Match Camera",
        description="Put a camera with the footage behind it so that the head sits on the face in the footage",
        default=True,
    )
    head_motion: EnumProperty(  # type: ignore[valid-type]
        name="Head Motion",
        description="How much of the head's motion is played; the take can change it afterwards",
        items=take_settings.HEAD_MOTIONS,
    )
    stay: BoolProperty(  # type: ignore[valid-type]
        name="Stay in Place",
        description="Parent head and camera to an empty, so that the head stays in its place. Off: the camera is at "
        "the world's origin and the head in front of it",
        default=True,
    )
    sound: BoolProperty(  # type: ignore[valid-type]
        name="Sound",
        description="Put the footage's sound into the sequencer, in time with the keys",
        default=True,
    )
    markers: BoolProperty(  # type: ignore[valid-type]
        name="Timeline Markers",
        description="Mark in the timeline where there is no face and where another shot begins",
        default=True,
    )
    fit: BoolProperty(  # type: ignore[valid-type]
        name="Fit to Whole Clip",
        description="Read the clip twice, and refine expression, pose and face shape over all frames together. Takes "
        "about twice the time; for the open network and weights trained from it",
    )
    move_along: BoolProperty(  # type: ignore[valid-type]
        name="Move Along",
        description="The head shows what is seen while the footage is read. Afterwards, and if it is cancelled, it "
        "does what it did before",
    )
    face: IntProperty(  # type: ignore[valid-type]
        name="Face",
        description="Which face to follow when there are several, counted from 0, for scripts",
        default=0,
        min=0,
    )
    face_number: IntProperty(  # type: ignore[valid-type]
        name="Face",
        description="Which face to follow when there are several: 1 is the largest",
        min=1,
        get=_from_one("face"),
        set=_to_zero("face"),
    )
    use_box: BoolProperty(  # type: ignore[valid-type]
        name="Box",
        description="Give the place of the face, instead of searching for it",
    )
    box: IntVectorProperty(  # type: ignore[valid-type]
        name="X, Y, Width, Height",
        description="The face in the first frame, in pixels from the upper left corner: left, top, width, height",
        size=4,
        min=0,
        default=(0, 0, 100, 100),
    )
    take_index: IntProperty(  # type: ignore[valid-type]
        name="Take",
        description="The take that the face shows, with its footage, sound and timing",
        get=_current_index,
        set=_show_take,
    )
    x_mirror: BoolProperty(  # type: ignore[valid-type]
        name="X-Mirror",
        description="A change of a key in this panel changes the key of the other side of the face, too",
    )
    compare: PointerProperty(  # type: ignore[valid-type]
        name="Compare", description="How footage and head are shown together", type=ExpNetCompare
    )
    live: PointerProperty(  # type: ignore[valid-type]
        name="Live", description="How a face follows a camera", type=live_settings.ExpNetLive
    )
    people: CollectionProperty(  # type: ignore[valid-type]
        name="People", description="The people found in the clip", type=people_settings.ExpNetPerson
    )
    result: StringProperty(  # type: ignore[valid-type]
        name="Result",
        description="What the last run wrote",
    )

    def shown_take(self) -> take_settings.ExpNetTake | None:
        """Return the settings of the take that the chosen head shows, or None. Presets call it."""
        action = current_take.take_of(chosen_head(bpy.context))
        return action.expnet if action is not None else None

    def use_file(self, path: str) -> str:
        """Make the image or movie at ``path`` the source. Returns a line for the user."""
        self.source_kind, self.source = "FILE", path
        self.result = f"The source is '{PurePath(path).name}'"
        return str(self.result)

    def chosen_head(self) -> packs.Choice:
        """Return the head that Add Face makes."""
        if self.face_model == "OPEN":
            return packs.OPEN_HEAD
        if self.face_model == "OFFICIAL":
            return packs.official_head(preferences.official_face_model())
        return packs.own_head(bpy.path.abspath(self.face_model_path))

    def chosen_network(self) -> packs.Choice:
        """Return the network that estimates the face."""
        if self.network == "OPEN":
            return packs.OPEN_NETWORK
        if self.network == "OFFICIAL":
            return packs.official_network(preferences.official_pack())
        return packs.own_network(bpy.path.abspath(self.estimator))


def register() -> None:
    take_settings.register()
    people_settings.register()
    live_settings.register()
    bpy.utils.register_class(ExpNetCompare)
    bpy.utils.register_class(ExpNetSceneProperties)
    bpy.types.Scene.expnet = PointerProperty(
        type=ExpNetSceneProperties, name="ExpNet", description="What is to be captured, and how"
    )
    bpy.types.WindowManager.expnet_take = IntProperty(
        name="Take",
        description="The take that the face shows, with its footage, sound and timing",
        get=lambda manager: _current_index(bpy.context.scene.expnet),
        set=_choose_take,
    )


def unregister() -> None:
    del bpy.types.WindowManager.expnet_take
    del bpy.types.Scene.expnet
    bpy.utils.unregister_class(ExpNetSceneProperties)
    bpy.utils.unregister_class(ExpNetCompare)
    live_settings.unregister()
    people_settings.unregister()
    take_settings.unregister()
