"""The user guide names every button and every setting of the sidebar."""

from __future__ import annotations

import re
from pathlib import Path

import bpy

from expnet import operators
from expnet.expnet_addon.properties import preferences, scene_settings

ROOT = Path(__file__).resolve().parents[3]
# Shown inside another control, or for scripts only
INSIDE = {
    "expnet.choose_face", "expnet.drop_clip", "expnet.cancel_all", "expnet.go_to_part", "expnet.choose_person",
    "expnet.settings_preset_add", "expnet.take_preset_add",
}  # fmt: skip
HIDDEN = {
    "first",
    "last",
    "face",
    "result",
    "take_index",
    "compare",
    "source",
    "source_folder",
    "source_clip",
    "face_number",
}


def guide() -> str:
    pages = sorted((ROOT / "docs" / "guide").glob("*.md"))
    return re.sub(r"\s+", " ", " ".join(page.read_text() for page in pages)).lower()


def test_every_button_is_in_the_guide() -> None:
    text = guide()
    labels = {kind.bl_idname: kind.bl_label for kind in operators.CLASSES if kind.bl_idname not in INSIDE}
    assert [f"{name}: {label}" for name, label in labels.items() if label.lower() not in text] == []


def test_every_setting_is_in_the_guide(registered) -> None:
    text = guide()
    names = []
    for owner in (scene_settings.ExpNetSceneProperties, preferences.ExpNetPreferences):
        for name, kind in owner.bl_rna.properties.items():
            own = name in owner.__annotations__ and name not in HIDDEN and not name.endswith("_report")
            if own and kind.type != "COLLECTION":
                names.append(kind.name)
    assert [name for name in names if name.lower() not in text] == []


def test_every_setting_of_a_take_is_in_the_guide(registered) -> None:
    text = guide()
    shown = [kind for kind in bpy.types.Action.bl_rna.properties["expnet"].fixed_type.properties if not kind.is_hidden]
    names = [kind.name for kind in shown if kind.type not in ("POINTER", "COLLECTION", "STRING")]
    assert names
    assert [name for name in names if name != "RNA" and name.lower() not in text] == []
