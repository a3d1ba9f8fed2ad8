"""The source is opened in a file browser for movies and images, or dropped onto the 3D view."""

from __future__ import annotations

from pathlib import Path

import bpy
import pytest

from expnet.operators.drop_clip import EXPNET_FH_clip

pytestmark = pytest.mark.usefixtures("registered")


@pytest.mark.parametrize("operator", ["open_footage", "drop_clip"])
def test_the_file_becomes_the_source(operator: str, clip: Path) -> None:
    settings = bpy.context.scene.expnet
    settings.source_kind = "FOLDER"
    assert getattr(bpy.ops.expnet, operator)(filepath=str(clip)) == {"FINISHED"}
    assert (settings.source_kind, settings.source) == ("FILE", str(clip))
    assert settings.result == f"The source is '{clip.name}'"


def test_the_browser_shows_movies_and_images_as_thumbnails() -> None:
    wanted = bpy.ops.expnet.open_footage.get_rna_type().properties
    assert wanted["filter_movie"].default and wanted["filter_image"].default and wanted["filter_folder"].default
    assert wanted["display_type"].default == "THUMBNAIL"


def test_clips_are_dropped_onto_the_3d_view_only() -> None:
    window = bpy.context.window_manager.windows[0]
    for area in window.screen.areas:
        with bpy.context.temp_override(window=window, area=area):
            assert EXPNET_FH_clip.poll_drop(bpy.context) == (area.type == "VIEW_3D")
