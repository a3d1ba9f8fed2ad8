"""What the sidebar writes fits into it."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import bpy
import pytest

import expnet
from expnet.expnet_addon.capture import capture
from expnet.expnet_addon.capture.keying import Keying
from expnet.expnet_addon.properties import preferences
from expnet.expnet_addon.scene import rig
from expnet.panels.sidebar import SettingsPanel, TakePanel
from expnet.panels.takes import EXPNET_UL_takes, draw_takes

CONTEXT = ("scene", "window_manager", "object", "active_object", "view_layer", "space_data")
BESIDE_A_MENU = 9  # letters: Blender gives a menu's name 30 % of the sidebar's 195 pixels


class Drawn:
    """A layout that notes labels, and the names that stand beside menus."""

    def __init__(self, names: list[str] | None = None, labels: list[str] | None = None) -> None:
        self.names = [] if names is None else names
        self.labels = [] if labels is None else labels

    def label(self, text: str = "", **_: object) -> None:
        self.labels.append(text)

    def prop(self, owner, name: str, text: str | None = None, expand: bool = False, **_: object) -> None:
        kind = owner.bl_rna.properties[name]
        if kind.type == "ENUM" and not expand:
            self.names.append(kind.name if text is None else text)

    def operator(self, name: str, **_: object) -> SimpleNamespace:
        return SimpleNamespace()

    def template_list(self, *_: object, **__: object) -> None: ...

    def separator(self, **_: object) -> None: ...

    def _part(self, **_: object) -> Drawn:
        return Drawn(self.names, self.labels)

    row = column = box = split = grid_flow = _part


def in_the_sidebar() -> SimpleNamespace:
    """Blender's context, with a sidebar: without a window there is none."""
    there = {name: getattr(bpy.context, name) for name in CONTEXT}
    scale = SimpleNamespace(system=SimpleNamespace(ui_scale=1.0))
    return SimpleNamespace(**there, region=SimpleNamespace(width=2000), preferences=scale)


@pytest.fixture
def head(empty_scene: bpy.types.Scene, little_face, make_performance) -> Iterator[bpy.types.Object]:
    expnet.register()
    head = rig.create_rig(little_face)
    bpy.context.view_layer.objects.active = head
    keying = Keying(identity=False, footage=False, sound=False)
    capture.key_performance(empty_scene, head, make_performance(source="/clips/a_walk.mp4"), keying)
    yield head
    expnet.unregister()


@pytest.mark.parametrize(("given", "icons"), [("", ["INFO", "INFO"]), ("/nowhere", ["ERROR", "ERROR"])])
def test_the_preferences_warn_of_the_authors_files_only_where_they_were_named(given, icons) -> None:
    drawn: list[str] = []

    class Layout(Drawn):
        def prop(self, *_: object, **__: object) -> None: ...

        def label(self, text: str = "", icon: str = "NONE", **_: object) -> None:
            drawn.append(icon)

        box = lambda self: self  # noqa: E731

    owner = SimpleNamespace(official_pack=given, official_face_model=given, import_report="")
    preferences.ExpNetPreferences._draw_official(owner, Layout())
    assert [icon for icon in drawn if icon != "NONE"] == icons


@pytest.mark.parametrize("kind", [SettingsPanel, TakePanel])
def test_no_name_beside_a_menu_is_cut(head, kind) -> None:
    panel = kind()
    panel.layout = Drawn()
    panel.draw(in_the_sidebar())
    assert panel.layout.names
    assert [name for name in panel.layout.names if len(name) > BESIDE_A_MENU] == []


def test_a_take_s_row_has_its_frames_and_below_the_list_stand_its_clip_and_date(head) -> None:
    action = head.data.shape_keys.animation_data.action
    layout = Drawn()
    EXPNET_UL_takes.draw_item(None, bpy.context, layout, bpy.data, action, 0, None, "")
    assert [len(label) <= 9 for label in layout.labels] == [True]
    draw_takes(layout, in_the_sidebar())
    assert layout.labels[-1] == f"a_walk.mp4, {action.expnet.made}"
