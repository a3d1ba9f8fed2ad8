"""The estimator that a request to the worker asks for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..networks import engines

_loaded: tuple[object, Any] | None = None  # what the last request asked for, and the estimator it got


def chosen_estimator(request: dict[str, Any]) -> Any:
    """The estimator that is asked for; the last one if it is the same again, and its files are."""
    global _loaded
    options = ("estimator", "device", "engine", "preprocessing", "jpeg", "face_model")
    asked = [request.get(option) for option in options], _stamps(request.get("estimator"), request.get("face_model"))
    if _loaded is None or _loaded[0] != asked:
        _loaded = None  # two at once may be more than the memory holds
        _loaded = asked, _load_estimator(request)
    return _loaded[1]


def _stamps(*sources: str | None) -> list[tuple[str, int]]:
    """The files that these are or hold, and when they were changed."""
    paths = [Path(source) for source in sources if source and source != "open"]
    files = [file for path in paths for file in (sorted(path.glob("*.safetensors")) if path.is_dir() else [path])]
    return [(str(file), file.stat().st_mtime_ns) for file in files if file.exists()]


def _load_estimator(request: dict[str, Any]) -> Any:
    """The open one, somebody's weights, or the authors' networks."""
    from ..official import is_not_imported, is_official

    source, device = request.get("estimator") or "open", request.get("device") or "auto"
    engine = request.get("engine") or "auto"
    if source != "open" and is_not_imported(source):
        raise InputError(f"{source}: has the authors' checkpoints; convert them first: expnet import-weights {source}")
    if source != "open" and is_official(source):
        engines.needs_full(engine, "the authors' networks")
        return _official(source, device, request)
    return engines.start(source, device, engine).estimator


def _official(folder: str, device: str, request: dict[str, Any]) -> Any:
    from dataclasses import replace

    import torch

    from ..formats import open_face_model
    from ..networks.torch_engine.estimator import Estimator
    from ..official.estimator import OfficialEstimator
    from ..official.preprocess import MODES

    name = request.get("preprocessing") or "release"
    if name not in MODES:
        raise InputError(f"preprocessing {name!r} is unknown: use one of {', '.join(MODES)}")
    mode = MODES[name] if request.get("jpeg", True) else replace(MODES[name], jpeg=False)
    # ResNet-101s are what everything waits for; but threads for which there is no free core slow them down tenfold.
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // 2))
    open_head, face_model = open_face_model("open"), request.get("face_model") or "open"
    model = open_head if face_model == "open" else open_face_model(face_model)
    return OfficialEstimator.load(folder, device, Estimator.load("open", device), mode, model, open_head)
