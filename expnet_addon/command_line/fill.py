"""Conversion of the parsed arguments to the options of each verb. No other module uses argparse's names."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ...model.worker.messages import EstimatorOptions
from ..engine.requests import box_of
from ..scene.quality import named_quality
from ..unattended.options import AnimateOptions, scene_keying
from .estimate import EstimateOptions
from .frames import EncodeOptions, RenderOptions
from .heads import FineTuneOptions, ImportOptions, MapOptions, RigOptions
from .likeness import LikenessOptions
from .live import LiveOptions, send_to
from .own_head import OwnHeadOptions
from .retarget import RetargetOptions

if TYPE_CHECKING:
    from ..batch.run import BatchOptions


def estimate_options(a: argparse.Namespace) -> EstimateOptions:
    return EstimateOptions(tuple(a.images), a.json, a.csv, a.ply, _estimator(a, EstimatorOptions.lens_mm))


def animate_options(a: argparse.Namespace) -> AnimateOptions:
    return AnimateOptions(
        clip=a.clip,
        out=a.out,
        render=a.render,
        performances=tuple(a.performance),
        live_link=tuple(a.live_link),
        first=a.first,
        last=a.last,
        estimator=_estimator(a, a.lens),
        keying=scene_keying(a.smoothing, a.neutral, a.identity, a.fps),
        quality=named_quality(a.engine, a.samples, a.height),
        layout=a.layout,
        everyone=a.everyone,
        fit=a.fit,
        emotions=a.emotions,
    )


def batch_options(a: argparse.Namespace) -> BatchOptions:
    from ..batch.run import BatchOptions
    from ..batch.settings import ShotSettings

    settings = ShotSettings(
        face_model=a.face_model,
        estimator=a.estimator,
        device=a.device,
        runtime=a.runtime,
        box=box_of(a.box),
        face=a.face,
        preprocessing=a.preprocessing,
        jpeg=a.jpeg,
        smoothing=a.smoothing,
        neutral=a.neutral,
        identity=a.identity,
        fps=a.fps,
        lens=a.lens,
        engine=a.engine,
        samples=a.samples,
        height=a.height,
        layout=a.layout,
        everyone=a.everyone,
        fit=a.fit,
        emotions=a.emotions,
        outputs=(".blend", ".npz", *((".csv",) if a.csv else ()), *((".mp4",) if a.render else ())),
    )
    return BatchOptions(tuple(a.clips), a.out, settings, a.jobs, a.cluster, a.address, a.strict)


def retarget_options(a: argparse.Namespace) -> RetargetOptions:
    return RetargetOptions(
        performance=a.performance,
        character=a.character,
        objects=tuple(a.object),
        names=a.names,
        preset=a.preset,
        save_preset=a.save_preset,
        out=a.out,
        live_link=a.live_link,
        keep_fps=a.fps == "keep",
        recording_fps=a.recording_fps,
        swap_sides=a.swap_sides,
    )


def rig_options(a: argparse.Namespace) -> RigOptions:
    return RigOptions(a.out, a.face_model)


def likeness_options(a: argparse.Namespace) -> LikenessOptions:
    return LikenessOptions(tuple(a.pictures), a.out, a.texture, _estimator(a, a.lens))


def own_head_options(a: argparse.Namespace) -> OwnHeadOptions:
    return OwnHeadOptions(a.scene, a.out, tuple(a.object), a.names, a.symmetric, a.without_eyes, a.existing)


def live_options(a: argparse.Namespace) -> LiveOptions:
    send = send_to(a.send, a.to)
    return LiveOptions(a.source, send, a.performance, a.listen, a.seconds, a.smoothing, _estimator(a, a.lens))


def render_options(a: argparse.Namespace) -> RenderOptions:
    chosen = a.engine or a.samples or a.height
    return RenderOptions(a.scene, a.out, a.frames, named_quality(a.engine, a.samples, a.height) if chosen else None)


def encode_options(a: argparse.Namespace) -> EncodeOptions:
    return EncodeOptions(a.folder, a.out, a.fps)


def import_options(a: argparse.Namespace) -> ImportOptions:
    return ImportOptions(a.folder, a.out, a.half)


def fine_tune_options(a: argparse.Namespace) -> FineTuneOptions:
    return FineTuneOptions(tuple(a.clips), a.out, a.estimator, a.lens)


def map_options(a: argparse.Namespace) -> MapOptions:
    return MapOptions(a.face_model, a.out)


def _estimator(a: argparse.Namespace, lens_mm: float) -> EstimatorOptions:
    return EstimatorOptions(
        estimator=a.estimator,
        device=a.device,
        engine=a.runtime,
        box=box_of(a.box),
        face=a.face,
        lens_mm=lens_mm,
        face_model=a.face_model,
        preprocessing=a.preprocessing,
        jpeg=a.jpeg,
    )
