"""Labels are in Blender's Title Case, and tooltips are sentences without a final period."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import bpy

from expnet import operators, panels
from expnet.expnet_addon.properties import preferences

ROOT = Path(__file__).resolve().parents[3]
# Articles, conjunctions and prepositions of up to four letters, as in Blender's own labels
SMALL = {
    "a", "an", "the", "and", "but", "for", "nor", "or", "so", "yet", "as", "at", "by", "from", "in", "into", "of",
    "off", "on", "onto", "over", "per", "to", "up", "upon", "via", "with",
}  # fmt: skip
UNITS = {"fps", "m", "mm", "px", "s"}
KEY = re.compile(r"[a-z]+[A-Z]\w*")  # the name of an expression key, such as browInnerUp
DRAWN = {"prop", "operator", "menu", "prop_search", "prop_menu_enum"}  # their text is the name of a control


def lapses(label: str) -> list[str]:
    """Return the words of ``label`` that are not in Title Case. The first and the last word are never small."""
    words = re.findall(r"[^\W\d_][\w'\u2026]*", label)
    wrong = []
    for place, word in enumerate(words):
        small = word.lower() in SMALL and 0 < place < len(words) - 1
        if word not in UNITS and not KEY.match(word) and word[0].isupper() == small:
            wrong.append(word)
    return wrong


def properties_of(rna: bpy.types.Struct, seen: set[str], base: bpy.types.Struct | None = None) -> Iterator[tuple]:
    """Yield ``(path, name, description)`` of the properties of ``rna``, of their items, and of our groups in them."""
    if rna.identifier in seen:
        return
    seen.add(rna.identifier)
    built_in = set(base.properties.keys()) if base else {"rna_type", "name"}
    for kind in rna.properties:
        if kind.identifier in built_in:
            continue
        path = f"{rna.identifier}.{kind.identifier}"
        yield path, kind.name, kind.description
        if kind.type == "ENUM":
            for item in kind.enum_items:
                yield f"{path} '{item.identifier}'", item.name, item.description
        group = getattr(kind, "fixed_type", None)
        if group is not None and group.identifier.startswith("ExpNet"):
            yield from properties_of(group, seen)


def labels() -> Iterator[tuple[str, str, str]]:
    """Yield where, label and tooltip of everything that is registered."""
    seen: set[str] = set()
    for owner in (bpy.types.Scene, bpy.types.Action, bpy.types.Object, bpy.types.WindowManager):
        for kind in owner.bl_rna.properties:
            if kind.identifier.startswith("expnet"):
                yield kind.identifier, kind.name, kind.description
                group = getattr(kind, "fixed_type", None)
                if group is not None:
                    yield from properties_of(group, seen)
    yield from properties_of(preferences.ExpNetPreferences.bl_rna, seen, bpy.types.AddonPreferences.bl_rna)
    for operator in operators.CLASSES:
        yield operator.bl_idname, operator.bl_label, getattr(operator, "bl_description", "")
        if issubclass(operator, bpy.types.Operator):
            yield from properties_of(operator.bl_rna, seen, bpy.types.Operator.bl_rna)
    for panel in panels.CLASSES:
        yield panel.__name__, getattr(panel, "bl_label", ""), getattr(panel, "bl_description", "")


def drawn_texts() -> Iterator[tuple[str, str]]:
    """Yield where and what of every literal ``text=`` that a panel gives a control."""
    for folder in ("panels", "operators", "expnet_addon/properties"):
        for path in sorted((ROOT / folder).glob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in DRAWN:
                    for keyword in node.keywords:
                        if keyword.arg == "text" and isinstance(keyword.value, ast.Constant):
                            yield f"{path.name}:{node.lineno}", keyword.value.value


def test_the_rule_itself() -> None:
    right = "Fewer Keys", "Stay in Place", "Fine-Tune on This Actor", "Snap To", "Actor's Face", "jawOpen", "16 Bits"
    assert [label for label in right if lapses(label)] == []
    wrong = {"Fewer keys": ["keys"], "Stay In Place": ["In"], "from File": ["from"], "Torch for": ["for"]}
    assert {label: lapses(label) for label in wrong} == wrong


def test_every_label_is_in_title_case(registered: None) -> None:
    found = [(where, label) for where, label, _ in labels()]
    assert len(found) > 200
    assert [f"{where}: {label}" for where, label in [*found, *drawn_texts()] if lapses(label)] == []


def test_no_tooltip_ends_with_a_period(registered: None) -> None:
    assert [f"{where}: {tooltip}" for where, _, tooltip in labels() if tooltip.rstrip().endswith(".")] == []
