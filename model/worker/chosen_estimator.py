"""Loading of the estimator that a request names."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..builtin import OPEN
from ..errors import InputError
from ..files import exists, is_dir
from ..networks import engines
from .messages import EstimatorOptions


@dataclass
class EstimatorCache:
    """Cache of the last loaded estimator. It is valid for the same options while its files do not change."""

    _key: object = None
    _estimator: Any = field(default=None, repr=False)

    def get(self, options: EstimatorOptions) -> Any:
        """Load the estimator of these options. Raises InputError."""
        from ..official import is_official

        official = options.estimator != OPEN and is_official(options.estimator)
        key = (
            (options.estimator, options.device, options.engine),
            (options.preprocessing, options.jpeg, options.face_model) if official else None,
            _stamps(options.estimator, options.face_model if official else OPEN),
        )
        if self._key != key:
            self._key = self._estimator = None  # two at once may not fit into memory
            self._estimator = _load_estimator(options)
            self._key = key
        return self._estimator


def _stamps(*sources: str) -> tuple[tuple[str, int], ...]:
    """List the files of these paths and folders, with their modification times."""
    paths = [Path(source) for source in sources if source != OPEN]
    files = [file for path in paths for file in (sorted(path.glob("*.safetensors")) if is_dir(path) else [path])]
    return tuple((str(file), file.stat().st_mtime_ns) for file in files if exists(file))


def _load_estimator(options: EstimatorOptions) -> Any:
    """Load the open network, the user's weights, or the authors' networks."""
    from ..official import is_not_imported, is_official

    source = options.estimator
    if source != OPEN and is_not_imported(source):
        raise InputError(f"{source}: has the authors' checkpoints; convert them first: expnet import-weights {source}")
    if source != OPEN and is_official(source):
        engines.needs_full(options.engine, "the authors' networks")
        return _official(options)
    return engines.start(source, options.device, options.engine).estimator


def _official(options: EstimatorOptions) -> Any:
    from dataclasses import replace

    import torch

    from ..formats import open_face_model
    from ..networks.torch_engine.estimator import Estimator
    from ..official.estimator import OfficialEstimator
    from ..official.preprocess import MODES

    mode = MODES[options.preprocessing]
    if not options.jpeg:
        mode = replace(mode, jpeg=False)
    # The ResNet-101s take most of the time. More threads than free cores make them ten times slower.
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // 2))
    open_head = open_face_model(OPEN)
    model = open_head if options.face_model == OPEN else open_face_model(options.face_model)
    finding = Estimator.load(OPEN, options.device)
    return OfficialEstimator.load(options.estimator, options.device, finding, mode, model, open_head)
