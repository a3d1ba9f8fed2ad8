"""Which person each image shows, and one alpha for each person.

Tran et al. (CVPR 2017) pool the shape network's alpha over a person's images: the mean, weighted by confidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...model.errors import InputError
from ..tables import table_rows
from .eq2 import Floats

BY_FOLDER, BY_NAME, BY_IMAGE = "folder", "name", "image"


def subjects_of(images: Sequence[Path], how: str) -> list[str]:
    """Return each image's subject.

    ``how``: its ``folder``, the ``name`` up to its first underscore, the ``image`` itself, or a CSV with the columns
    image and subject. Raises InputError.
    """
    if how == BY_FOLDER:
        return [str(image.parent) for image in images]
    if how == BY_NAME:
        return [image.stem.split("_")[0] for image in images]
    if how == BY_IMAGE:
        return [str(image) for image in images]
    table = Path(how)
    remedy = "give a CSV with the columns image and subject"
    with table_rows(table, ("image", "subject"), remedy, "table of subjects") as rows:
        known = {(row["image"] or "").strip(): (row["subject"] or "").strip() for row in rows}
    missing = [image.name for image in images if image.name not in known]
    if missing:
        raise InputError(f"{table}: has no row for {missing[0]} and {len(missing) - 1} more images: add them")
    return [known[image.name] for image in images]


def pooled(alpha: Floats, confidence: Floats, subjects: Sequence[str]) -> Floats:
    """Return for each image the confidence-weighted mean of its subject's ``alpha`` (N, Ks)."""
    names, of = np.unique(np.asarray(subjects), return_inverse=True)
    weight = np.maximum(confidence, 1e-6)
    total = np.zeros((len(names), alpha.shape[1]))
    np.add.at(total, of, alpha * weight[:, None])
    mean: Floats = (total / np.bincount(of, weight, len(names))[:, None])[of]
    return mean
