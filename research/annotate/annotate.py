"""``expnet research annotate CLIP…``: expression labels for the frames of clips, one identity for each track.

OUT/tracks/CLIP.npz holds the fits of a clip's tracks; a stopped run continues with the next clip. OUT/frames has the
faces cut out, OUT/labels_00000.npz the labels of each track that is kept, as ``expnet research label`` writes them, and
OUT/contact_sheet.html shows every track. The list of tracks that is saved there, OUT/left_out.txt, leaves them out when
the same command runs again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2
from tqdm import tqdm

from ...model.builtin import OPEN
from ...model.camera import Camera, Crop
from ...model.errors import InputError
from ...model.face.face_model import FaceModel
from ...model.files import atomic_path, make_folder, write_whole
from ...model.formats import open_face_model
from ...model.networks import engines
from ...model.networks.cutting import cut
from ...model.reading import json_object, reading
from ...model.sight.video import open_clip
from ..label.label_shards import LabelShard, save
from .contact_sheet import Shown, write_sheet
from .detections import Detections, by_landmarks, by_network
from .fit_track import TrackFit, fit_track
from .tracks import tracks_of

AROUND = 1.5  # width of a picture that is cut out, in sides of the face's crop
MOST_PIXELS = 256  # of such a picture
ALL_BUT = 1e-3  # share of people whose identity is as unusual as one that is pruned
MOST_ERROR = 0.05  # median distance of points from the fit, in sides of the crop, of a track that is kept
SHOWN = 8  # frames of a track on the sheet
LEFT_OUT = "left_out.txt"
SETTINGS = "annotate.json"
NETWORK = "network"

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class AnnotateOptions:
    """``points``: ``network``, the suffix of a table in OpenFace's format beside each clip, or a plug-in's name."""

    clips: tuple[Path, ...]
    out: Path
    points: str
    orthographic: bool
    lens_mm: float
    wanted: int
    every: int
    weights: str = OPEN


@dataclass(frozen=True)
class Settings:
    """What the fits depend on besides the clips: another run into the same folder has the same."""

    points: str
    orthographic: bool
    lens_mm: float
    wanted: int
    weights: str


def annotate(options: AnnotateOptions) -> str:
    """Fit all clips, write labels, pictures and the contact sheet, and return a summary. Raises InputError."""
    names = _names(options.clips)
    _check_settings(options)
    model = open_face_model(OPEN)
    left_out = _left_out(options.out / LEFT_OUT)
    estimator = engines.start(options.weights).estimator if options.points == NETWORK else None
    shown: list[Shown] = []
    failed: list[str] = []
    shard = 0
    for clip, name in zip(options.clips, names):
        path = options.out / "tracks" / f"{name}.npz"
        try:
            if not path.is_file():
                with tqdm(desc=clip.name, unit="frame") as progress:
                    found = _detections(clip, options, estimator, lambda done, bar=progress: bar.update())
                    _save_tracks(path, _fitted(found, model, options), found.size)
            tracks, size = _load_tracks(path)
            _write_pictures(clip, name, tracks, options)
        except InputError as error:
            failed.append(str(error))
            continue
        for number, track in enumerate(tracks, 1):
            title = f"{name}_{number:02d}"
            reason = "left out by hand" if title in left_out else pruned(track, size)
            shown.append(_on_sheet(title, track, reason, options))
            if not reason:
                save(options.out / f"labels_{shard:05d}.npz", _labels(title, track, options))
                shard += 1
    for stale in sorted(options.out.glob("labels_*.npz"))[shard:]:
        stale.unlink()
    if not shown:
        raise InputError(f"no clip has a track of a face; the first: {failed[0] if failed else options.clips[0]}")
    write_sheet(options.out / "contact_sheet.html", shown, LEFT_OUT)
    kept = [s for s in shown if not s.reason]
    lines = [
        f"{len(kept)} of {len(shown)} tracks kept, {sum(s.frames for s in kept)} frames",
        f"{options.out / 'contact_sheet.html'} shows them. Tick failures there, save {LEFT_OUT} into {options.out}, "
        "and run the same command again",
    ]
    if failed:
        lines.append(f"{len(failed)} clips left out; the first: {failed[0]}")
    return "\n".join(lines)


def pruned(track: TrackFit, size: tuple[int, int]) -> str:
    """Return why a track is no person's (identity beyond chance, points far from the fit); empty for others."""
    squared, most = float((track.alpha**2).sum()), float(chi2.ppf(1 - ALL_BUT, len(track.alpha)))
    if squared > most:
        return f"identity: |i|² is {squared:.0f}, more than {most:.0f}"
    share = float(np.median(track.error / track.crop[:, 2]))
    if share > MOST_ERROR:
        return f"points {100 * share:.1f}% of the face's width from the fit"
    inside = (track.crop[:, :2] > 0) & (track.crop[:, :2] < size)
    return "" if inside.all(1).mean() > 0.9 else "the fitted head lies outside of the picture"


def _names(clips: Sequence[Path]) -> list[str]:
    names = [clip.stem or clip.name for clip in clips]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"two clips are called {twice}: rename one, since labels are named after them")
    return names


def _check_settings(options: AnnotateOptions) -> None:
    wanted = Settings(options.points, options.orthographic, options.lens_mm, options.wanted, options.weights)
    path = options.out / SETTINGS
    if path.is_file():
        with reading(path, "annotation settings", "delete the folder and annotate again"):
            there = json_object(path.read_bytes())
        other = [f.name for f in fields(Settings) if there.get(f.name) != getattr(wanted, f.name)]
        if other:
            raise InputError(f"{options.out}: holds annotations with another {other[0]}: choose another folder")
        return
    make_folder(options.out / "tracks")
    write_whole(path, json.dumps(asdict(wanted), indent=1).encode())


def _left_out(path: Path) -> set[str]:
    if not path.is_file():
        return set()
    with reading(path, "list of tracks", "save it again from the contact sheet"):
        return {line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()}


def _detections(clip: Path, options: AnnotateOptions, estimator, report) -> Detections:  # type: ignore[no-untyped-def]
    if estimator is not None:
        return by_network(clip, estimator, options.lens_mm, report)
    return by_landmarks(clip, options.points, report)


def _fitted(found: Detections, model: FaceModel, options: AnnotateOptions) -> list[TrackFit]:
    camera = Camera.for_image(*found.size, options.lens_mm)
    tracks = tracks_of(found.frame, found.box, options.wanted)
    return [fit_track(found, rows, model, camera, options.orthographic) for rows in tracks]


# --- what is written ------------------------------------------------------------------------------------------------


def _save_tracks(path: Path, tracks: list[TrackFit], size: tuple[int, int]) -> None:
    whole = {f"{i}_{f.name}": getattr(track, f.name) for i, track in enumerate(tracks) for f in fields(TrackFit)}
    with atomic_path(path) as partial:
        np.savez_compressed(partial, count=np.array(len(tracks)), size=np.array(size), **whole)


def _load_tracks(path: Path) -> tuple[list[TrackFit], tuple[int, int]]:
    with reading(path, "track file", "delete it and run the same command again"), np.load(path) as data:
        tracks = [TrackFit(*(data[f"{i}_{f.name}"] for f in fields(TrackFit))) for i in range(int(data["count"]))]
        width, height = (int(v) for v in data["size"])
        return tracks, (width, height)


def _picture(options: AnnotateOptions, title: str, frame: int) -> Path:
    return options.out / "frames" / title / f"{frame:06d}.jpg"


def _pixels(side: float) -> int:
    return int(np.clip(round(AROUND * side), 32, MOST_PIXELS))


def _write_pictures(clip: Path, name: str, tracks: list[TrackFit], options: AnnotateOptions) -> None:
    """Cut the faces of all tracks out of the clip, unless they are there."""
    wanted: dict[int, list[tuple[Path, Crop]]] = {}
    for number, track in enumerate(tracks, 1):
        for frame, (cx, cy, side, _) in list(zip(track.frame, track.crop))[:: options.every]:
            path = _picture(options, f"{name}_{number:02d}", int(frame))
            if not path.is_file():
                wanted.setdefault(int(frame), []).append((path, Crop(cx, cy, AROUND * side)))
    if not wanted:
        return
    with open_clip(clip, 0, max(wanted)) as frames:
        for frame in frames:
            for path, crop in wanted.get(frame.index, ()):
                make_folder(path.parent)
                small = cut(frame.image, crop, _pixels(crop.side / AROUND))
                write_whole(path, cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes())


def _labels(title: str, track: TrackFit, options: AnnotateOptions) -> LabelShard:
    """Return a track's labels as ``expnet research label`` writes them, for the pictures that were cut out."""
    chosen = slice(None, None, options.every)
    side = track.crop[chosen, 2]
    size = np.array([_pixels(s) for s in side], np.float64)
    crop = np.column_stack([(size - 1) / 2, (size - 1) / 2, size / AROUND, track.crop[chosen, 3]])
    count = len(side)
    return LabelShard(
        np.array([str(_picture(options, title, int(frame))) for frame in track.frame[chosen]]),
        track.eta[chosen],
        np.zeros((count, track.eta.shape[1]), bool),
        np.repeat(track.alpha[None], count, 0),
        track.rotation[chosen],
        track.translation[chosen],
        crop,
        track.error[chosen] * size / (AROUND * side),
        np.ones(count, bool),
    )


def _on_sheet(title: str, track: TrackFit, reason: str, options: AnnotateOptions) -> Shown:
    pictures = []
    rows = np.arange(len(track.frame))[:: options.every]
    for row in rows[np.unique(np.linspace(0, len(rows) - 1, SHOWN).round().astype(int))]:
        path = _picture(options, title, int(track.frame[row]))
        picture = cv2.imread(str(path))
        if picture is None:
            continue
        cx, cy, side, _ = track.crop[row]
        unit = Crop(cx, cy, AROUND * side).from_image(track.landmarks[row])
        pictures.append((picture, unit))
    squared = float((track.alpha**2).sum())
    share = float(np.median(track.error / track.crop[:, 2]))
    return Shown(title, len(track.frame), squared, share, reason, tuple(pictures))
