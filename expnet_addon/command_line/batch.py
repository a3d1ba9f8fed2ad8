"""``expnet batch``, and ``serve-shots``, which it starts."""

from __future__ import annotations

import argparse

from ..unattended.outputs import require_bpy


def batch(a: argparse.Namespace) -> None:
    require_bpy("batch --out")
    from ..batch import run

    run.batch(a)


def serve_shots(a: argparse.Namespace) -> None:
    from ..batch import serve

    serve.serve()
