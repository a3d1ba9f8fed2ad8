"""The files of the authors' releases: their names, what each adds, and the search for them in a user's folder.

Checkpoints are recognised by their variables, not their names. Mean images and statistics, whose contents look alike,
are recognised by the names that the releases gave them. ``PAM_frontal_ALexNet.npy`` is a pickle, which can run code:
it is never opened, and nothing in it is needed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..array_types import FloatArray
from ..errors import InputError
from ..files import is_dir, is_file
from .layouts import EXPRESSION, NETWORKS, POSE, POSE_RESNET, SHAPE, Network
from .pose import read_generic_landmarks
from .tensorflow import Checkpoint, checkpoint_prefix, open_checkpoint
from .tensorflow.sstable import is_table

MAX_FILES = 20_000
IMAGE = (3, 224, 224)
PICKLE = "PAM_frontal_ALexNet.npy"
FACE_MODEL = "BaselFaceModel_mod"
ARCHIVES = ("Expression_Model.tar.gz", "Shape_Model.tar.gz", "fpn_new_model.tar.gz")

USUAL_NAMES = {
    EXPRESSION.name: "ini_exprNet_model.ckpt",
    SHAPE.name: "ini_ShapeTextureNet_model.ckpt",
    POSE.name: "model_0_1.0_1.0_1e-07_1_16000.ckpt",
    POSE_RESNET.name: "model_0.0001_1_18_0.0_2048_4096.ckpt",
}
TRUNK_OF_POSE_RESNET = "ini_shapeNet_model_L7L_trainable.ckpt"

CHECKPOINT_ADDS = {
    EXPRESSION.name: "the expression: 29 coefficients (Expression_Model.tar.gz)",
    SHAPE.name: "the shape and texture of the face: 99 + 99 coefficients (Shape_Model.tar.gz)",
    POSE.name: "the pose of the head (fpn_new_model.tar.gz)",
    POSE_RESNET.name: "the pose of the head by the newer FacePoseNet of December 2018, which is optional",
}


@dataclass(frozen=True)
class Statistic:
    """An array beside the checkpoints: ``tensor`` in our file, file, member of an .npz, shape, and purpose."""

    tensor: str
    file: str
    member: str
    shape: tuple[int, ...]
    adds: str


STATISTICS = (
    Statistic("shape.mean_image", "3DMM_shape_mean.npy", "", IMAGE, "the mean image that both networks subtract"),
    Statistic(
        "expression.mean_image", "3DMM_expr_mean.npy", "", IMAGE, "ExpNet's own mean image, for the mode 'paper'"
    ),
    Statistic(
        "pose.mean_bgr", "perturb_Oxford_train_imgs_mean.npz", "train_mean_vec", (3,), "the mean colour for FacePoseNet"
    ),
    Statistic(
        "pose.label_mean", "perturb_Oxford_train_labels_mean_std.npz", "mean_labels", (6,), "FacePoseNet's units"
    ),
    Statistic("pose.label_std", "perturb_Oxford_train_labels_mean_std.npz", "std_labels", (6,), "FacePoseNet's units"),
    Statistic(
        "pose.generic_head",
        "model3D_aug_-00_00_10.mat",
        "threedee",
        (68, 3),
        "the head that FacePoseNet's poses are of, which makes them exact (from face_specific_augm), optional",
    ),  # fmt: skip
    Statistic(
        "pose_resnet.label_mean", "train_label_mean_300WLP.npy", "", (6,), "the newer FacePoseNet's units, optional"
    ),
    Statistic(
        "pose_resnet.label_std", "train_label_std_300WLP.npy", "", (6,), "the newer FacePoseNet's units, optional"
    ),
)


@dataclass
class Found:
    """The files of the releases in a folder.

    checkpoints   by network, those that hold its variables; an earlier one takes precedence
    statistics    the arrays' files by tensor;  face_model  BaselFaceModel_mod, which is converted when it is used
    passed_over   files that are known and not needed, with the reason
    """

    checkpoints: dict[str, list[Checkpoint]] = field(default_factory=dict)
    statistics: dict[str, Path] = field(default_factory=dict)
    face_model: Path | None = None
    passed_over: list[tuple[Path, str]] = field(default_factory=list)


def find_release(folder: Path) -> Found:
    """Search a folder and its subfolders. Raises InputError: nothing there, a broken checkpoint, two of one kind."""
    if not is_dir(folder):
        raise InputError(f"{folder}: there is no such folder; give the one with the files of the ExpNet release")
    found = Found()
    prefixes: set[Path] = set()
    files = list(_files(folder))
    names = {statistic.file for statistic in STATISTICS}
    for path in files:
        if path.name in names:
            for statistic in STATISTICS:
                if statistic.file == path.name:
                    _only(found.statistics, statistic.tensor, path)
        elif path.stem == FACE_MODEL and path.suffix in (".mat", ".h5"):
            if found.face_model is None or path.suffix == ".mat":
                found.face_model = path
        elif path.name == PICKLE:
            found.passed_over.append((path, "a pickle, which can run code: not opened, and not needed"))
        elif path.name in ("ExpNet_fc_weights.npz", "ShapeNet_fc_weights.npz"):
            found.passed_over.append((path, "start values only: the checkpoints hold what was trained"))
        elif path.name in ARCHIVES:
            found.passed_over.append((path, "an archive: unpack it into the folder to have what is in it"))
        elif path.suffix == ".index" or path.suffix != ".safetensors" and is_table_file(path):
            prefixes.add(checkpoint_prefix(path))
    checkpoints = [open_checkpoint(prefix) for prefix in sorted(prefixes)]
    for network in NETWORKS:
        marked = [c for c in checkpoints if network.mark in c.tensors]
        if network is SHAPE:  # the newer FacePoseNet's training began with a shape net, but not with the release's
            marked = [c for c in marked if c.path.name != TRUNK_OF_POSE_RESNET]
        chosen = _chosen(marked, USUAL_NAMES[network.name])
        if chosen is not None:
            found.checkpoints[network.name] = [chosen]
    _add_trunk_of_pose_resnet(found, checkpoints)
    if not found.checkpoints:
        expected = ", ".join(list(USUAL_NAMES.values())[:3])
        unpack = next((f"; unpack {path.name} first" for path, _ in found.passed_over if path.name in ARCHIVES), "")
        raise InputError(f"{folder}: none of the release's checkpoints is here ({expected}){unpack}")
    return found


def is_table_file(path: Path) -> bool:
    """Return whether it is a file that can be read and ends as a TensorFlow table does."""
    try:
        return is_table(path)
    except OSError:
        return False


def missing(found: Found) -> list[tuple[str, str]]:
    """Return (usual file name, what it would add) of everything that was not found."""
    lines = [
        (USUAL_NAMES[network.name], CHECKPOINT_ADDS[network.name])
        for network in NETWORKS
        if network.name not in found.checkpoints
    ]
    for statistic in STATISTICS:
        line = (statistic.file, statistic.adds)
        if statistic.tensor not in found.statistics and line not in lines:
            lines.append(line)
    if found.face_model is None:
        lines.append((f"{FACE_MODEL}.mat", "the face model that the coefficients belong to (Shape_Model.tar.gz)"))
    return lines


def read_statistic(statistic: Statistic, path: Path) -> FloatArray:
    """Read its array, float32 of ``statistic.shape``. Raises InputError before reading another shape or type."""
    import warnings
    import zipfile

    if path.suffix == ".mat":
        return np.ascontiguousarray(read_generic_landmarks(path), np.float32)  # MAT-files are stored column by column
    where = f"{path}: {statistic.member or 'the array'}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # files of Python 2 are readable
            if not statistic.member:
                with path.open("rb") as file:
                    values = _array(file, statistic, where)
            else:
                with zipfile.ZipFile(path) as archive, archive.open(f"{statistic.member}.npy") as member:
                    values = _array(member, statistic, where)
    except InputError:
        raise
    except KeyError:
        raise InputError(f"{where} is missing; get an intact file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error
    except Exception as error:  # zip and npy headers of hostile files raise many types
        raise InputError(f"{where} is broken ({' '.join(str(error).split())[:100]}); get an intact file") from error
    if not np.isfinite(values).all():
        raise InputError(f"{where} has values that are not numbers; get an intact file")
    if statistic.tensor.endswith("label_std") and (values <= 0).any():
        raise InputError(f"{where} has standard deviations that are not positive; get an intact file")
    return values


def _array(file: Any, statistic: Statistic, where: str) -> FloatArray:
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    else:
        shape, fortran, dtype = np.lib.format.read_array_header_2_0(file)
    if dtype.hasobject:
        raise InputError(f"{where} holds Python objects, which can run code; it is not opened")
    squeezed = tuple(size for size in shape if size != 1)
    want = statistic.shape
    longer = len(want) == len(squeezed) == 1 and want[0] < squeezed[0] <= 1000 and not statistic.member
    if dtype.kind not in "fiu" or (squeezed != want and not longer):
        raise InputError(f"{where} is {dtype} {shape}, not {want}: another network's; get the release's file")
    count = int(np.prod(squeezed))
    data = file.read(count * dtype.itemsize)
    values = np.frombuffer(data, dtype, count).astype(np.float32)
    if fortran:
        values = values.reshape(squeezed[::-1]).transpose()
    return values.reshape(squeezed)[: want[0]]  # label statistics continue with the landmarks


def _files(folder: Path) -> Iterator[Path]:
    count = 0
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            count += 1
            if count > MAX_FILES:
                raise InputError(f"{folder}: has more than {MAX_FILES} files; give the folder of the release only")
            path = Path(parent, name)
            if not name.startswith(".") and is_file(path):
                yield path


def _only(kept: dict[str, Path], key: str, path: Path) -> None:
    if key in kept and kept[key].read_bytes() != path.read_bytes():
        raise InputError(f"{path}: differs from {kept[key]}; leave only one of them in the folder")
    kept.setdefault(key, path)


def _chosen(candidates: list[Checkpoint], usual: str) -> Checkpoint | None:
    if len(candidates) > 1:
        candidates = [c for c in candidates if c.path.name == usual] or candidates
    if len(candidates) > 1:
        names = ", ".join(str(c.path) for c in candidates)
        raise InputError(f"several checkpoints of one network ({names}); leave only one of them in the folder")
    return candidates[0] if candidates else None


def _add_trunk_of_pose_resnet(found: Found, checkpoints: list[Checkpoint]) -> None:
    """Add the checkpoint that training began with, since the network's own may hold only the trained variables."""
    if POSE_RESNET.name not in found.checkpoints:
        return
    own = found.checkpoints[POSE_RESNET.name]
    if all(variable.name in own[0].tensors for variable in POSE_RESNET.layout().values()):
        return
    others = [c for c in checkpoints if c is not own[0] and "shapeCNN/conv1/weights" in c.tensors]
    named = [c for c in others if c.path.name == TRUNK_OF_POSE_RESNET]
    if not named:
        raise InputError(
            f"{own[0].path}: holds only part of the newer FacePoseNet; put {TRUNK_OF_POSE_RESNET} beside it"
        )
    own.append(named[0])


def sources_of(network: Network, found: Found) -> dict[str, Checkpoint]:
    """Find the checkpoint of each of the network's tensors, there with the right shape and type."""
    checkpoints = found.checkpoints[network.name]
    sources = {}
    for ours, variable in network.layout().items():
        checkpoint = next((c for c in checkpoints if variable.name in c.tensors), None)
        if checkpoint is None:
            raise InputError(
                f"{checkpoints[0].path}: tensor {variable.name} is missing: not the checkpoint of {network.title}"
            )
        info = checkpoint.tensors[variable.name]
        if info.shape != variable.shape:
            raise InputError(
                f"{checkpoint.path}: tensor {variable.name} has shape {info.shape}, {network.title} needs "
                f"{variable.shape}"
            )
        if info.dtype != np.float32:
            raise InputError(f"{checkpoint.path}: tensor {variable.name} is {info.dtype or 'no number'}, not float32")
        sources[ours] = checkpoint
    return sources
