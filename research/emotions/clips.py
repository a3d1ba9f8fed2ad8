"""Labelled clips from the layouts of data sets: CK+ as distributed, a folder for each emotion, a table."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from ...model.errors import InputError
from ...model.files import by_number, is_dir
from ...model.reading import reading
from ...model.sight.sequences import IMAGE_SUFFIXES
from ..tables import table_rows

# The codes of CK+'s Emotion files (Lucey et al. 2010); 0 is neutral.
CK_CODES = ("neutral", "anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise")
COLUMNS = ("image", "emotion", "subject", "clip")
VIEW = "view"  # a column that a table may have
Frame = tuple[str, str, str, str, Path]  # subject, clip, emotion, view, image


@dataclass(frozen=True)
class LabelledClip:
    """A clip: ``frames`` are its images in order, the last one is the peak. ``name`` is unique for the subject.

    ``view``: from where it is seen, such as frontal; the same clip may be there from several views.
    """

    subject: str
    name: str
    emotion: str
    frames: tuple[Path, ...]
    view: str = ""


def read_clips(source: Path) -> list[LabelledClip]:
    """Read the clips of a folder or table in a fixed order. Raises InputError."""
    if is_dir(source):
        is_ck = is_dir(source / "cohn-kanade-images")
        clips = _of_ck(source) if is_ck else _of_emotion_folders(source)
    else:
        clips = _of_table(source)
    if not clips:
        raise InputError(
            f"{source}: no labelled pictures: give CK+'s folder, EMOTION/SUBJECT_CLIP_FRAME.png or a table with "
            f"{','.join(COLUMNS)}"
        )
    emotions = sorted({clip.emotion for clip in clips})
    if len(emotions) < 2:
        raise InputError(f"{source}: all pictures are labelled {emotions[0]}: give at least two emotions")
    return sorted(clips, key=lambda clip: (clip.emotion, clip.subject, clip.name, clip.view))


def _images(folder: Path) -> list[Path]:
    return sorted((path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES), key=by_number)


def _of_ck(root: Path) -> list[LabelledClip]:
    """Read cohn-kanade-images/S000/000/*.png and Emotion/S000/000/*_emotion.txt. Clips without a label are left out."""
    if not is_dir(root / "Emotion"):
        raise InputError(f"{root}: CK+ without its folder Emotion: unpack the emotion labels beside the pictures")
    clips = []
    for path in sorted((root / "Emotion").glob("*/*/*_emotion.txt")):
        with reading(path, "emotion label", "copy CK+'s Emotion folder again"):
            code = float(path.read_text()[:64])
            if code not in range(len(CK_CODES)):
                raise InputError(f"{path}: {code:g} is no emotion of CK+: use 0 to {len(CK_CODES) - 1}")
        folder = root / "cohn-kanade-images" / path.parent.parent.name / path.parent.name
        frames = _images(folder) if is_dir(folder) else []
        if not frames:
            raise InputError(f"{folder}: has a label and no pictures: copy the clip or remove its label")
        clips.append(LabelledClip(folder.parent.name, folder.name, CK_CODES[int(code)], tuple(frames)))
    return clips


def _of_emotion_folders(root: Path) -> list[LabelledClip]:
    frames: list[Frame] = []
    for folder in sorted(path for path in root.iterdir() if is_dir(path)):
        for path in _images(folder):
            parts = path.stem.split("_")
            if len(parts) != 3:
                raise InputError(f"{path}: the name is not SUBJECT_CLIP_FRAME: rename it, or list it in a table")
            frames.append((parts[0], parts[1], folder.name, "", path))
    return _grouped(frames)


def _of_table(table: Path) -> list[LabelledClip]:
    frames: list[Frame] = []
    with table_rows(table, COLUMNS, f"give a CSV with the columns {','.join(COLUMNS)}") as reader:
        for row in reader:
            image, emotion, subject, clip = ((row[name] or "").strip() for name in COLUMNS)
            if not (image and emotion and subject and clip):
                raise InputError(f"{table}: line {reader.line_num} has an empty cell: fill it or remove the line")
            frames.append((subject, clip, emotion, (row.get(VIEW) or "").strip(), table.parent / image))
    return _grouped(frames)


def _grouped(frames: list[Frame]) -> list[LabelledClip]:
    """Join frames to clips; frames keep their order."""
    clips: dict[tuple[str, str, str, str], list[Path]] = defaultdict(list)
    for *clip, image in frames:
        subject, name, emotion, view = clip
        clips[subject, name, emotion, view].append(image)
    return [LabelledClip(s, c, e, tuple(paths), v) for (s, c, e, v), paths in clips.items()]
