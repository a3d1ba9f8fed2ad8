"""The plain zip without an engine: the panel says so first, with the button that gets one."""

from __future__ import annotations

from types import SimpleNamespace

import bpy

from expnet.expnet_addon.engine import jobs
from expnet.expnet_addon.engine import status as engine_status
from expnet.panels.sidebar import FacePanel


class Recorded:
    """A layout that notes labels and operators in the order in which they are drawn."""

    def __init__(self, drawn: list[str]) -> None:
        self.drawn = drawn

    def label(self, text: str = "", **_: object) -> None:
        self.drawn.append(text)

    def operator(self, name: str, **_: object) -> SimpleNamespace:
        self.drawn.append(name)
        return SimpleNamespace()

    def prop(self, owner: object, name: str, **_: object) -> None:
        self.drawn.append(name)

    def _part(self, **_: object) -> Recorded:
        return Recorded(self.drawn)

    row = column = box = _part


def drawn_panel() -> list[str]:
    panel = FacePanel()
    panel.layout = Recorded([])
    ui = SimpleNamespace(system=SimpleNamespace(ui_scale=1.0))
    context = SimpleNamespace(
        scene=bpy.context.scene, region=SimpleNamespace(width=2000), preferences=ui, active_object=None,
        object=None, space_data=None, view_layer=bpy.context.view_layer,
    )  # fmt: skip
    panel.draw(context)
    return panel.layout.drawn


def test_without_an_engine_it_comes_first_with_its_button(registered, monkeypatch) -> None:
    monkeypatch.setattr(jobs, "NEEDED", {"full": ("no_such_module_anywhere",)})
    monkeypatch.delenv("EXPNET_PYTHON", raising=False)
    monkeypatch.setattr(engine_status, "_last", {})
    first, button, *rest = drawn_panel()
    assert "Install Runtime" in first
    assert button == "expnet.install_runtime"
    assert "expnet.try_it" in rest


def test_with_an_engine_there_is_no_note(registered, monkeypatch) -> None:
    monkeypatch.setattr(engine_status, "_last", {})
    assert "expnet.install_runtime" not in drawn_panel()
