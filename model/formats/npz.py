"""The package's own face-model file: a zip of plain numpy arrays, no pickles. Needs numpy only, so Blender can read it.

    header            uint8, UTF-8 JSON: format, name, basis, expression_keys, license, source, regions (names)
    mean              (V, 3) float32 mm            expression_offset (V, 3) float32
    identity          (Ks, V, 3) float32, or int16 with identity_scale (Ks,) float32; likewise
    expression        (Ke, V, 3), gaze_lids (4, V, 3) or absent
    faces             (F, 3 or 4) int32, 0-based; -1 as the fourth corner of a triangle
    expression_bounds (Ke, 2) float32              identity_sigma (Ks,) float32
    uv                (F, 3 or 4, 2) float32 or absent
    landmarks         (68,) int32 or absent        average_alpha (Ks,) float32 or absent
    region_sizes      (R,) int32, region_vertices (sum,) int32: the regions, one after another

Everything is checked from the small headers before a large array is unpacked, so a broken or hostile file costs
neither time nor memory.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..array_types import AnyArray, FloatArray
from ..errors import InputError
from ..face.face_model import FaceModel, check_face_model
from ..files import atomic_path
from ..npz_arrays import Declared, NpzArrays
from ..reading import MAX_JSON, check_regular, json_object, memory_limit, reading

OPEN_HEAD = Path(__file__).resolve().parent.parent / "data" / "open_head.npz"
FORMAT = "expnet-face-model-1"
QUANTISATION_ERROR_MM = 0.001

_F4, _I2, _I4 = np.dtype("<f4"), np.dtype("<i2"), np.dtype("<i4")
# The first version of this format stored faces as unsigned integers, which cannot express a missing fourth corner.
_FACES = (_I4, np.dtype("<u2"), np.dtype("<u4"))


def save_face_model(model: FaceModel, path: str | Path, exact: bool = False) -> None:
    """Write ``model`` to ``path`` atomically.

    Bases are stored as int16 with one scale per component where the error stays below 0.001 mm, and deflated.
    ``exact`` keeps float32 and does not deflate: the file is larger, lossless and loads fastest.
    """
    check_face_model(model, f"face model {model.name!r}")
    arrays: dict[str, AnyArray] = {}
    for name in ("identity", "expression", "gaze_lids"):
        basis = getattr(model, name)
        if basis is not None:
            arrays |= _packed_basis(name, np.asarray(basis, np.float32), exact)
    header = {
        "format": FORMAT,
        "name": model.name,
        "basis": model.basis,
        "expression_keys": list(model.expression_keys),
        "license": model.license,
        "source": model.source,
        "regions": list(model.regions),
    }
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    for name in ("mean", "expression_offset", "expression_bounds", "identity_sigma", "uv", "average_alpha"):
        value = getattr(model, name)
        if value is not None:
            arrays[name] = np.asarray(value, np.float32)
    arrays["faces"] = np.asarray(model.faces, np.int32)
    if model.landmarks is not None:
        arrays["landmarks"] = np.asarray(model.landmarks, np.int32)
    regions = [np.asarray(v, np.int32) for v in model.regions.values()]
    arrays["region_sizes"] = np.array([len(r) for r in regions], np.int32)
    arrays["region_vertices"] = np.concatenate(regions) if regions else np.zeros(0, np.int32)
    _write(arrays, Path(path), deflate=not exact)


def load_face_model(path: str | Path) -> FaceModel:
    """Read a file of ``save_face_model``. Raises InputError when it is missing, broken or of another kind."""
    path = Path(path)
    with reading(path, "face model", "convert or download it again"), NpzArrays(path) as stored:
        return _read(stored, path)


def is_face_model(path: str | Path) -> bool:
    """Return whether the file looks like this format (a zip with a header and a mean)."""
    try:
        check_regular(path)
        with zipfile.ZipFile(path) as archive:
            return {"header.npy", "mean.npy"} <= set(archive.namelist())
    except Exception:  # zipfile raises many types for a hostile zip; none is this format
        return False


def _packed_basis(name: str, basis: FloatArray, exact: bool) -> dict[str, AnyArray]:
    scale = np.abs(basis).max(axis=(1, 2), initial=0.0) / np.float32(32767)
    if exact or scale.max(initial=0.0) / 2 >= QUANTISATION_ERROR_MM:
        return {name: basis}
    steps = np.rint(basis / np.where(scale > 0, scale, 1)[:, None, None]).astype(np.int16)
    return {name: steps, f"{name}_scale": scale.astype(np.float32)}


def _write(arrays: dict[str, AnyArray], path: Path, deflate: bool) -> None:
    with atomic_path(path) as partial, partial.open("wb") as file:
        (np.savez_compressed if deflate else np.savez)(file, **arrays)


def _read(stored: NpzArrays, path: Path) -> FaceModel:
    header = _read_header(stored, path)
    keys = tuple(header["expression_keys"])
    _check_declared(stored.declared, len(keys), len(header["regions"]), path)
    _check_size(stored.declared, path)
    array, declared = stored.read, stored.declared

    def basis(name: str) -> FloatArray:
        data = array(name)
        if data.dtype == _I2:
            data = data * array(f"{name}_scale")[:, None, None]
        return data

    sizes, members = array("region_sizes"), array("region_vertices")
    if (sizes < 0).any() or int(sizes.sum(dtype=np.int64)) != len(members):
        raise InputError(f"{path}: its regions do not add up; convert it again")
    model = FaceModel(
        name=header["name"],
        mean=array("mean"),
        identity=basis("identity"),
        expression=basis("expression"),
        expression_offset=array("expression_offset"),
        faces=array("faces").astype(np.int32),
        expression_keys=keys,
        expression_bounds=array("expression_bounds"),
        basis=header["basis"],
        identity_sigma=array("identity_sigma"),
        uv=array("uv") if "uv" in declared else None,
        landmarks=array("landmarks") if "landmarks" in declared else None,
        regions=dict(zip(header["regions"], np.split(members, np.cumsum(sizes)[:-1]))) if len(sizes) else {},
        gaze_lids=basis("gaze_lids") if "gaze_lids" in declared else None,
        average_alpha=array("average_alpha") if "average_alpha" in declared else None,
        license=header["license"],
        source=header["source"],
    )
    check_face_model(model, str(path))
    return model


def _check_size(declared: Mapping[str, Declared], path: Path) -> None:
    """Refuse a file whose arrays would take far more memory than the file itself."""
    packed = [d.count for d in declared.values() if d.dtype == _I2]  # these become float32
    needed = sum(d.count * max(d.dtype.itemsize, 4) for d in declared.values()) + 2 * max(packed, default=0)
    if needed > memory_limit(path.stat().st_size):
        raise InputError(f"{path}: unpacks to {needed >> 20} MB, more than any face model; check the file")


def _read_header(stored: NpzArrays, path: Path) -> dict[str, Any]:
    text = stored.declared.get("header")
    if text is None or text.dtype != np.uint8 or len(text.shape) != 1 or text.count > MAX_JSON:
        raise InputError(f"{path}: not a face model (no header); give a file that expnet has converted")
    try:
        header = json_object(stored.read("header").tobytes())
    except (ValueError, RecursionError):
        header = {}
    if not str(header.get("format")).startswith("expnet-face-model-"):
        raise InputError(f"{path}: not a face model (its header is broken); convert or download it again")
    if header["format"] != FORMAT:
        raise InputError(
            f"{path}: a face model of another version ({header['format']}); update expnet or convert it again"
        )
    strings = all(isinstance(header.get(k), str) for k in ("name", "basis", "license", "source"))
    lists = all(
        isinstance(header.get(k), list) and all(isinstance(s, str) for s in header[k])
        for k in ("expression_keys", "regions")
    )
    if not strings or not lists or len(set(header.get("regions", ()))) != len(header.get("regions", ())):
        raise InputError(f"{path}: its header is broken; convert or download it again")
    return header


def _check_declared(declared: Mapping[str, Declared], ke: int, regions: int, path: Path) -> None:
    """Compare all shapes and dtypes with each other."""

    def shape(name: str) -> tuple[int, ...]:
        return declared[name].shape if name in declared else ()

    vertices = shape("mean")[0] if len(shape("mean")) == 2 else -1
    ks = shape("identity")[0] if len(shape("identity")) == 3 else -1
    count, corners = shape("faces") if len(shape("faces")) == 2 else (-1, -1)
    expected: dict[str, tuple[tuple[int, ...], tuple[np.dtype[Any], ...]]] = {
        "mean": ((vertices, 3), (_F4,)),
        "expression_offset": ((vertices, 3), (_F4,)),
        "identity": ((ks, vertices, 3), (_F4, _I2)),
        "expression": ((ke, vertices, 3), (_F4, _I2)),
        "faces": ((count, corners), _FACES),
        "expression_bounds": ((ke, 2), (_F4,)),
        "identity_sigma": ((ks,), (_F4,)),
        "region_sizes": ((regions,), (_I4,)),
        "region_vertices": ((shape("region_vertices") or (-1,))[:1], (_I4,)),
    }
    if "uv" in declared:
        expected["uv"] = ((count, corners, 2), (_F4,))
    if "landmarks" in declared:
        expected["landmarks"] = ((68,), (_I4,))
    if "average_alpha" in declared:
        expected["average_alpha"] = ((ks,), (_F4,))
    if "gaze_lids" in declared:
        expected["gaze_lids"] = ((4, vertices, 3), (_F4, _I2))
    for name in ("identity", "expression", "gaze_lids"):
        if name in declared and declared[name].dtype == _I2:
            expected[f"{name}_scale"] = ((declared[name].shape or (-1,))[:1], (_F4,))
    for name, (want, dtypes) in expected.items():
        if name not in declared:
            raise InputError(f"{path}: {name} is missing; convert or download it again")
        if declared[name].shape != want or declared[name].dtype not in dtypes:
            got = f"{declared[name].dtype} {declared[name].shape}"
            raise InputError(f"{path}: {name} is {got}, not {dtypes[0]} {want}; convert or download it again")
