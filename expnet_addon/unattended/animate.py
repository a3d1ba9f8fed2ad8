"""``expnet animate``: a clip to a keyed scene, a video and tables."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ...model.errors import InputError
from ...model.face.semantics import OPEN_BASIS
from ...model.performance.live_link import write_live_link
from ...model.sight.clips import check_there, shown_file
from ...model.worker.protocol import Progress
from ..engine import requests
from ..engine.jobs import Job
from ..user_files.basis_maps import seen_basis
from .heads import face_model_file, fresh_head, read_head
from .options import estimator_options, preferred_python, quality_of
from .outputs import PERFORMANCE_FORMATS, SCENE_FORMATS, atomic_path, check_outputs, require_bpy, save_scene
from .terminal import bar, print_notes, quiet_stdout

if TYPE_CHECKING:
    from ...model.performance.face_performance import FacePerformance


def animate(a: argparse.Namespace) -> None:
    """One clip: ``a`` holds the options of ``expnet animate`` by their names. Raises InputError, WorkerFault."""
    outputs = {a.out: SCENE_FORMATS, a.render: (".mp4",), **dict.fromkeys(a.performance, PERFORMANCE_FORMATS)}
    outputs |= dict.fromkeys(a.live_link, (".csv",))
    outputs.pop(None, None)
    if not outputs:
        raise InputError("nothing to write: give --out SHOT.blend, --render SHOT.mp4 or --performance SHOT.npz")
    check_there(a.clip, "clip")
    check_outputs([a.clip], outputs)
    _check_live_link(a)
    head_file = None
    if a.neutral != "none" and a.face_model != "open":  # where its resting face is, tables need to know too
        head_file = face_model_file(a.face_model)
    if a.out or a.render:
        require_bpy("animate --out")
        head_file = face_model_file(a.face_model)
        from ..capture import capture

        head = read_head(head_file)
        capture.check_head(estimator_options(a), head.basis, len(head.identity), a.face_model, a.identity)
    performance = see(a)
    if not performance.seen.any():
        name = Path(a.clip).name
        raise InputError(f"no face was found in '{name}': use another clip, or say where the face is with --box")
    _write_performances(performance, head_file, a)
    if head_file and (a.out or a.render):
        _write_scene(performance, head_file, a)


def _check_live_link(a: argparse.Namespace) -> None:
    basis = seen_basis(str(a.estimator))
    if a.live_link and basis not in (None, OPEN_BASIS):
        raise InputError(
            f"--live-link holds the open keys, the estimator gives those of '{basis}': use --estimator open"
        )


def see(a: argparse.Namespace) -> FacePerformance:
    """The raw performance of the clip."""
    from ...model.performance.performance_files import load_performance

    request = requests.animate(a.clip, replace(estimator_options(a), lens_mm=a.lens), a.first, a.last, _rate(a))
    with Job(request, preferred_python()) as job, bar() as shown:
        print_notes(job.wait(shown).notes)
        performance = load_performance(job.out)
    if _rate(a) is None and not Path(a.clip).is_file() and len(performance.times) > 1:
        print(f"The images are taken at {performance.fps:g} frames a second: --fps N says otherwise")
    return performance


def _rate(a: argparse.Namespace) -> float | None:
    """``--fps`` where it is a number."""
    return a.fps if isinstance(a.fps, float) else None


def _write_performances(performance: FacePerformance, head_file: Path | None, a: argparse.Namespace) -> None:
    from ...model.performance.neutral import usual_bounds
    from ...model.performance.performance_files import save_performance
    from ...model.performance.smoothing import REGIONS
    from ...model.performance.treatment import Treatment, calm_from_neutral, named_neutral

    treatment = Treatment(dict.fromkeys(REGIONS, a.smoothing), *named_neutral(performance, a.neutral))
    head = read_head(head_file) if head_file and a.neutral != "none" else None
    rest = head.rest if head and head.basis == performance.basis else None
    calm = calm_from_neutral(performance, treatment, usual_bounds(performance), rest)
    for path in a.performance:
        save_performance(calm, path)
    for path in a.live_link:
        write_live_link(calm, path)


def _write_scene(performance: FacePerformance, head_file: Path, a: argparse.Namespace) -> None:
    with quiet_stdout():
        report = _scene_files(performance, head_file, a)
    print(report)


def _scene_files(performance: FacePerformance, head_file: Path, a: argparse.Namespace) -> str:
    from ..capture import capture
    from ..scene import camera_and_light as staging
    from ..scene import comparison

    blender_scene, head = fresh_head(head_file, a.face_model)
    keying = capture.Keying(
        smoothing=a.smoothing,
        neutral=a.neutral,
        identity=a.identity,
        scene_timing=a.fps != "keep",
        fps=_rate(a),
        match_camera=True,
    )
    report = capture.key_performance(blender_scene, head, performance, keying)
    staging.light_head(blender_scene)
    if a.out:
        save_scene(a.out, [head, *head.children])
    if a.render:
        with atomic_path(a.render) as part, bar() as shown:
            comparison.render_comparison(
                blender_scene,
                shown_file(a.clip),
                part,
                head,
                performance,
                quality=quality_of(a),
                layout=a.layout,
                progress=lambda done, total: shown(Progress(done, total, "rendering")),
            )
    return report
