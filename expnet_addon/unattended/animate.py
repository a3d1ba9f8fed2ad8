"""Animate one clip: to a keyed scene, a video and tables."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ...model.builtin import OPEN
from ...model.errors import InputError
from ...model.face.semantics import OPEN_BASIS
from ...model.files import atomic_path, is_file
from ...model.performance.live_link import write_live_link
from ...model.sight.sequences import check_there, shown_file
from ...model.worker.protocol import Progress
from ..engine import requests
from ..engine.jobs import Job
from ..user_files.basis_maps import seen_basis
from .heads import face_model_file, fresh_head, read_head
from .options import AnimateOptions, check_emotions, check_fit
from .outputs import PERFORMANCE_FORMATS, SCENE_FORMATS, check_outputs, require_bpy, save_scene
from .terminal import bar, print_notes, quiet_stdout
from .worker_python import preferred_python

if TYPE_CHECKING:
    from ...model.performance.face_performance import FacePerformance


def animate(options: AnimateOptions) -> tuple[Path, ...]:
    """Read one clip and write every file that ``options`` name. Returns the files. Raises InputError, WorkerFault."""
    face_model, keying = options.estimator.face_model, options.keying
    _check_outputs(options)
    head_file = None
    if keying.neutral != "none" and face_model != OPEN:  # tables need the head's resting face, too
        head_file = face_model_file(face_model)
    if options.out or options.render:
        require_bpy("animate --out")
        head_file = face_model_file(face_model)
        from ..capture import capture

        head = read_head(head_file)
        capture.check_head(options.estimator, head.basis, len(head.identity), face_model, keying.identity)
    performances = read_everyone(options) if options.everyone else [read_clip(options)]
    if not performances[0].seen.any():
        name = Path(options.clip).name
        raise InputError(f"no face was found in '{name}': use another clip, or say where the face is with --box")
    written: list[Path] = []
    for number, performance in enumerate(performances, 1):
        own = _of_person(options, number) if options.everyone else options
        _write_performances(performance, head_file, own)
        written += [*own.performances, *own.live_link]
    if head_file and (options.out or options.render):
        _write_scene(performances, head_file, options)
    return (*written, *filter(None, (options.out, options.render)))


def _of_person(options: AnimateOptions, number: int) -> AnimateOptions:
    """Return the options with the numbered tables of one person: shot.csv becomes shot_1.csv."""

    def numbered(paths: tuple[Path, ...]) -> tuple[Path, ...]:
        return tuple(path.with_name(f"{path.stem}_{number}{path.suffix}") for path in paths)

    return replace(options, performances=numbered(options.performances), live_link=numbered(options.live_link))


def _check_outputs(options: AnimateOptions) -> None:
    outputs: dict[Path, tuple[str, ...]] = dict.fromkeys(options.performances, PERFORMANCE_FORMATS)
    outputs |= dict.fromkeys(options.live_link, (".csv",))
    if options.out:
        outputs[options.out] = SCENE_FORMATS
    if options.render:
        outputs[options.render] = (".mp4",)
    if not outputs:
        raise InputError("nothing to write: give --out SHOT.blend, --render SHOT.mp4 or --performance SHOT.npz")
    check_fit(options.fit, options.everyone)
    check_emotions(options.emotions, options.render is not None, options.everyone)
    if options.everyone and (options.estimator.box or options.estimator.face is not None):
        raise InputError("--everyone follows all people: leave out --face and --box")
    check_there(options.clip, "clip")
    check_outputs([options.clip], outputs)
    basis = seen_basis(options.estimator.estimator)
    if options.live_link and basis not in (None, OPEN_BASIS):
        raise InputError(
            f"--live-link holds the open keys, the estimator gives those of '{basis}': use --estimator open"
        )


def read_clip(options: AnimateOptions) -> FacePerformance:
    """Read the raw performance of the clip."""
    from ...model.performance.performance_files import load_performance

    clip, fps = options.clip, options.keying.fps
    request = requests.animate(clip, options.estimator, options.first, options.last, fps, options.fit)
    with Job(request, preferred_python()) as job, bar() as shown:
        print_notes(job.wait(shown).notes)
        performance = load_performance(job.out)
    _say_rate(performance, options)
    return performance


def read_everyone(options: AnimateOptions) -> list[FacePerformance]:
    """Read the raw performances of all people of the clip, the most prominent person first."""
    from ...model.performance.performance_files import load_performance

    request = requests.people(options.clip, options.estimator, options.first, options.last, options.keying.fps)
    with Job(request, preferred_python()) as job, bar() as shown:
        reply = job.wait(shown)
        print_notes(reply.notes)
        performances = [load_performance(person.file) for person in reply.people]
    _say_rate(performances[0], options)
    return performances


def _say_rate(performance: FacePerformance, options: AnimateOptions) -> None:
    if options.keying.fps is None and not is_file(options.clip) and len(performance.times) > 1:
        print(f"The images are taken at {performance.fps:g} frames a second: --fps N says otherwise")


def _write_performances(performance: FacePerformance, head_file: Path | None, options: AnimateOptions) -> None:
    from ...model.performance.neutral import usual_bounds
    from ...model.performance.performance_files import save_performance
    from ...model.performance.smoothing import REGIONS
    from ...model.performance.treatment import Treatment, named_neutral, smoothed_from_neutral

    keying = options.keying
    treatment = Treatment(dict.fromkeys(REGIONS, keying.smoothing), *named_neutral(performance, keying.neutral))
    head = read_head(head_file) if head_file and keying.neutral != "none" else None
    rest = head.rest if head and head.basis == performance.basis else None
    smoothed = smoothed_from_neutral(performance, treatment, usual_bounds(performance), rest)
    for path in options.performances:
        save_performance(smoothed, path)
    for path in options.live_link:
        write_live_link(smoothed, path)


def _write_scene(performances: list[FacePerformance], head_file: Path, options: AnimateOptions) -> None:
    with quiet_stdout():
        report = _scene_files(performances, head_file, options)
    print(report)


def _scene_files(performances: list[FacePerformance], head_file: Path, options: AnimateOptions) -> str:
    from ..capture import capture, everyone
    from ..scene import camera_and_light as staging
    from ..scene import comparison
    from ..scene.emotion_track import emotion_lines

    blender_scene, head = fresh_head(head_file, options.estimator.face_model)
    if options.everyone:
        heads = everyone.add_heads(head, len(performances))
        report = everyone.key_people(blender_scene, list(zip(heads, performances)), options.keying)
    else:
        heads = [head]
        report = capture.key_performance(blender_scene, head, performances[0], options.keying)
    staging.light_head(blender_scene)
    if options.out:
        save_scene(options.out, [each for head in heads for each in (head, *head.children)])
    if options.render:
        with atomic_path(options.render) as part, bar() as shown:
            comparison.render_comparison(
                blender_scene,
                shown_file(options.clip),
                part,
                head,
                performances[0],
                quality=options.quality,
                layout=options.layout,
                others=list(zip(heads[1:], performances[1:])),
                lines=emotion_lines(performances[0]) if options.emotions else (),
                progress=lambda done, total: shown(Progress(done, total, "rendering")),
            )
    return report
