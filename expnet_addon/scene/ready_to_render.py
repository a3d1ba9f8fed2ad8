"""Make a scene ready to render a head: light, a camera, and the footage behind the head if it is requested."""

from __future__ import annotations

import bpy

from .. import compat
from . import camera_and_light as staging
from . import compare, first_view
from .camera_and_light import PLANE

PLANE_DISTANCE = 10.0  # metres from the camera; behind every head
EXACT = {"Standard", "Raw", "Filmic", "ACES 1.3", "ACES 2.0"}  # view transforms that reach almost every colour
MARGIN = 0.02  # of the footage's size: a renderer's pixels at the border see a little beyond it


def make_ready(scene: bpy.types.Scene, head: bpy.types.Object, footage: bool) -> str:
    """Add what a render of ``head`` lacks; the artist's own camera, lights and world are used as they are.

    footage  whether the clip behind ExpNet's camera is in the picture: Blender itself renders no backgrounds

    Returns a line on what was added, or an empty string.
    """
    bpy.context.view_layer.update()  # the places of what was just moved or made
    added = []
    if not any(obj.type == "LIGHT" and not obj.hide_render for obj in scene.objects):
        staging.light_head(scene, head.matrix_world.translation)
        added.append("lights")
    if scene.camera is None:
        first_view.portrait_camera(scene, head)
        added.append("a camera")
    shown = _footage(scene) if footage else None
    remove_plane(scene)
    if shown is not None:
        _add_plane(scene, *shown)
        if first_view.nothing_at_stake(scene) and scene.view_settings.view_transform != "Standard":
            scene.view_settings.view_transform = "Standard"
            added.append("the view transform 'Standard', which keeps the footage's colours")
            _keep_colours(scene, shown[1])
    lines = [f"Added: {', '.join(added)}"] if added else []
    if shown is not None:
        lines += _altered(scene, shown[1])
    return ". ".join(lines)


def renew_plane(scene: bpy.types.Scene) -> None:
    """Show the current footage on the plane of an earlier render, so that F12 does not render another take's clip."""
    planes = [obj for obj in scene.objects if obj.get(PLANE)]
    footage = _footage(scene)
    for plane in planes:
        plane.hide_render = True  # stays until a take has footage again
    if planes and footage is not None:
        remove_plane(scene)
        _add_plane(scene, *footage)


def _footage(scene: bpy.types.Scene) -> tuple[bpy.types.Object, bpy.types.MovieClip] | None:
    """Return the scene's camera and the clip behind it, or None."""
    found = compare.footage_of(scene)
    return None if found is None or found[0] != scene.camera else (found[0], found[1].clip)


def remove_plane(scene: bpy.types.Scene) -> None:
    """Remove the plane with the footage, its material and its picture."""
    for plane in [obj for obj in scene.objects if obj.get(PLANE)]:
        mesh = plane.data
        materials = [material for material in mesh.materials if material is not None]
        bpy.data.objects.remove(plane)
        bpy.data.meshes.remove(mesh)
        for material in materials:
            pictures = [node.image for node in compat.node_tree(material).nodes if node.type == "TEX_IMAGE"]
            bpy.data.materials.remove(material)
            for picture in pictures:
                if picture is not None and not picture.users:
                    bpy.data.images.remove(picture)


def _add_plane(scene: bpy.types.Scene, camera: bpy.types.Object, clip: bpy.types.MovieClip) -> None:
    """Parent a plane with the footage to the camera. It fills the frame as the background does, and casts no shadow."""
    frame = [corner * (PLANE_DISTANCE / -corner.z) for corner in camera.data.view_frame(scene=scene)]
    xs, ys = [corner.x for corner in frame], [corner.y for corner in frame]
    size = (clip.size[0] * clip.display_aspect[0], clip.size[1] * clip.display_aspect[1])
    corners = compare.fitted((min(xs), min(ys), max(xs), max(ys)), size)
    mesh = bpy.data.meshes.new("ExpNet footage")
    (left, bottom), (right, top) = corners[0], corners[2]
    uvs = [(u * (1 + 2 * MARGIN) - MARGIN, v * (1 + 2 * MARGIN) - MARGIN) for u, v in ((0, 0), (1, 0), (1, 1), (0, 1))]
    places = [(left + u * (right - left), bottom + v * (top - bottom), -PLANE_DISTANCE) for u, v in uvs]
    mesh.from_pydata(places, [], [(0, 1, 2, 3)])
    mesh.uv_layers.new().data.foreach_set("uv", [each for uv in uvs for each in uv])
    mesh.materials.append(_material(clip))
    plane = bpy.data.objects.new("ExpNet footage", mesh)
    plane[PLANE] = True
    plane.hide_viewport = plane.hide_select = True  # the viewport shows the camera's background
    for ray in ("diffuse", "glossy", "transmission", "volume_scatter", "shadow"):
        setattr(plane, f"visible_{ray}", False)
    scene.collection.objects.link(plane)
    plane.parent = camera
    _keep_colours(scene, clip)


def _keep_colours(scene: bpy.types.Scene, clip: bpy.types.MovieClip) -> None:
    """Make the plane's colours those of the footage after the scene's view transform and exposure.

    The picture is read in the colour space that the view transform ends in: reading it is then the inverse of the
    transform. It is exact where the transform reaches a colour. AgX does not reach the most saturated ones, and
    fewer of them in EEVEE, which has no light below zero.
    """
    space = _seen_space(scene, clip)
    for plane in (obj for obj in scene.objects if obj.get(PLANE)):
        for node in compat.node_tree(plane.active_material).nodes:
            if node.type == "TEX_IMAGE":
                node.image.colorspace_settings.name = space or clip.colorspace_settings.name
            elif node.type == "EMISSION":
                node.inputs["Strength"].default_value = 2.0**-scene.view_settings.exposure


def _seen_space(scene: bpy.types.Scene, clip: bpy.types.MovieClip) -> str | None:
    """Return the colour space that the scene's view transform ends in; None where Blender has none, or not for it."""
    view, device = scene.view_settings.view_transform, scene.display_settings.display_device
    if view == "Standard":
        return str(clip.colorspace_settings.name)
    if clip.colorspace_settings.name != device:  # the clip is not seen as it is stored
        return None
    known = clip.colorspace_settings.bl_rna.properties["name"].enum_items
    names = ("Non-Color",) if view == "Raw" else (f"{view} Base {device}", f"{view} {device}")
    return next((name for name in names if name in known), None)


def _altered(scene: bpy.types.Scene, clip: bpy.types.MovieClip) -> list[str]:
    """Return a line on what of the footage's colours a render does not keep, or none."""
    look, view = scene.view_settings, scene.view_settings.view_transform
    plain = look.look == "None" and abs(look.gamma - 1) < 1e-3 and not look.use_curve_mapping
    if not plain or _seen_space(scene, clip) is None:
        return ["Color Management alters the footage: set its View Transform to 'Standard', Look 'None', Gamma 1"]
    return [] if view in EXACT else [f"'{view}' dulls the most saturated colours of the footage: 'Standard' keeps them"]


def _material(clip: bpy.types.MovieClip) -> bpy.types.Material:
    material = bpy.data.materials.new("ExpNet footage")
    tree = compat.node_tree(material)
    tree.nodes.clear()
    picture = tree.nodes.new("ShaderNodeTexImage")
    light, out = tree.nodes.new("ShaderNodeEmission"), tree.nodes.new("ShaderNodeOutputMaterial")
    tree.links.new(picture.outputs["Color"], light.inputs["Color"])
    tree.links.new(light.outputs["Emission"], out.inputs["Surface"])
    picture.extension = "EXTEND"
    picture.image = image = bpy.data.images.load(bpy.path.abspath(clip.filepath, library=clip.library))
    image.source = clip.source
    use = picture.image_user
    use.frame_start, use.frame_duration = clip.frame_start, clip.frame_duration
    use.frame_offset = compare.picture_number(clip, clip.frame_start) - 1
    use.use_auto_refresh = True
    return material
