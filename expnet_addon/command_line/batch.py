"""``expnet batch``, and ``expnet serve-shots``, which the batch starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..unattended.outputs import require_bpy

if TYPE_CHECKING:
    from ..batch.run import BatchOptions


def batch(options: BatchOptions) -> None:
    require_bpy("batch --out")
    from ..batch import run

    run.batch(options)


def serve_shots() -> None:
    from ..batch import serve

    serve.serve()
