"""``expnet render`` and ``expnet encode``: the frames of a scene, and a video of frames."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...model.errors import InputError
from ...model.files import atomic_path, is_dir
from ...model.sight.image_header import image_header
from ...model.sight.sequences import check_there
from ...model.worker.protocol import Progress
from ..scene.quality import Quality
from ..unattended.outputs import check_outputs, made_folder, require_bpy
from ..unattended.terminal import bar, quiet_stdout


@dataclass(frozen=True)
class RenderOptions:
    """Frames of ``scene`` to render as PNGs into the folder ``out``.

    ``frames``: ``12`` or ``1-48``, None: the scene's. ``quality``: None keeps the scene's own renderer and size.
    """

    scene: Path
    out: Path
    frames: str | None = None
    quality: Quality | None = None


@dataclass(frozen=True)
class EncodeOptions:
    """The PNGs in ``folder`` as the video ``out`` with ``fps`` frames a second."""

    folder: Path
    out: Path
    fps: float = 24.0


def render(a: RenderOptions) -> None:
    """Render frames of a scene. Raises InputError."""
    check_there(str(a.scene), "scene")
    frames = re.fullmatch(r"(-?\d+)(?:-(-?\d+))?", a.frames) if a.frames else None
    if a.frames and not frames:
        raise InputError(f"--frames {a.frames}: give one frame or a range, such as 1-48")
    require_bpy("render --out")
    from ..scene import rendering
    from ..scene.importing import open_blend

    with made_folder(a.out), quiet_stdout(), bar() as shown:
        scene = open_blend(a.scene)
        first = int(frames[1]) if frames else scene.frame_start
        last = int(frames[2] or frames[1]) if frames else scene.frame_end
        files = rendering.render_frames(
            scene, a.out, first, last, a.quality, lambda done, total: shown(Progress(done, total, "rendering"))
        )
    print(f"{a.out}: {len(files)} frames, {files[0].name} to {files[-1].name}")


def encode(a: EncodeOptions) -> None:
    """Encode rendered frames as a video. Raises InputError."""
    check_there(str(a.folder), "folder")
    if not is_dir(a.folder):
        raise InputError(f"'{a.folder}' is a file: give the folder of rendered frames")
    check_outputs([str(a.folder)], {a.out: (".mp4",)})
    if not 1 <= a.fps <= 1000:
        raise InputError(f"--fps {a.fps:g} is no frame rate")
    files = sorted(p for p in a.folder.iterdir() if re.fullmatch(r"-?\d+\.png", p.name))
    files.sort(key=lambda p: int(p.stem))
    if not files:
        raise InputError(f"'{a.folder}' holds no rendered frames (0001.png …): render them first")
    missing = sorted(set(range(int(files[0].stem), int(files[-1].stem) + 1)) - {int(p.stem) for p in files})
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise InputError(f"'{a.folder}' lacks frame {missing[0]}{more}: render them first")
    _check_alike(files)
    require_bpy("encode --out")
    from ..scene import rendering

    with quiet_stdout(), atomic_path(a.out) as part:
        rendering.encode_frames(files, a.fps, part)
    print(f"{a.out}: {len(files)} frames at {a.fps:g}/s")


def _check_alike(files: Sequence[Path]) -> None:
    """Check that every image is complete, and has the size of the first. Raises InputError."""
    first = None
    for file in files:
        header = image_header(file.read_bytes())
        if header is None or not header.whole:
            raise InputError(f"'{file}' is no whole picture: render it again")
        size = header.width, header.height
        first = first or size
        if size != first:
            raise InputError(
                f"'{file}' is {size[0]} x {size[1]} pixels, the frames before it are {first[0]} x {first[1]}: "
                "render them anew"
            )
