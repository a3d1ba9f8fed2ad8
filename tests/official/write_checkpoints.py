"""Write checkpoints with TensorFlow itself, for the tests of our reader. Runs in an environment of its own.

    python write_checkpoints.py small FOLDER    a few kB in every layout; tests/data/tensorflow was made so
    python write_checkpoints.py release FOLDER  the official release's networks in full size, by its names, and what
                                                every stage of them gives, see stages.py (about 1.3 GB)

What each variable holds follows from its name, see variables.py, so that a reader can be held against it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf
from stages import write_stages
from variables import (
    FILES,
    KIND_DTYPES,
    KINDS,
    PARTS,
    SMALL,
    STATISTICS,
    STATISTICS_IN_NPZ,
    Shapes,
    content,
    face_pose_net,
    newer_face_pose_net,
    resnet101,
)

v1 = tf.compat.v1
V1, V2 = v1.train.SaverDef.V1, v1.train.SaverDef.V2


def save(
    prefix: Path,
    variables: Shapes,
    version: int,
    dtypes: dict[str, type] | None = None,
    shards: int = 1,
    salt: str = "",
) -> None:
    """One checkpoint by ``Saver``; with ``shards`` the variables go to several devices in turn, hence files."""
    prefix.parent.mkdir(parents=True, exist_ok=True)
    dtypes = dtypes or {}
    with tf.Graph().as_default(), v1.Session(config=v1.ConfigProto(device_count={"CPU": shards})) as session:
        for i, (name, shape) in enumerate(variables.items()):
            value = content(name, shape, dtypes.get(name, np.float32), salt)
            with tf.device(f"/cpu:{i % shards}"):
                start = v1.placeholder(value.dtype, shape)
                variable = v1.get_variable(name, initializer=start, use_resource=False)
            session.run(variable.initializer, {start: value})
        saver = v1.train.Saver(write_version=version, sharded=shards > 1)
        saver.save(session, str(prefix), write_meta_graph=False, write_state=False)
    written = sum(p.stat().st_size for p in prefix.parent.glob(prefix.name + "*"))
    print(f"{prefix.name}: {len(variables)} tensors, {written / 1e6:.3f} MB", flush=True)


def save_partitioned(prefix: Path, variables: Shapes, version: int) -> None:
    """Each variable cut in three along its first axis, and saved as one tensor."""
    with tf.Graph().as_default(), v1.Session() as session:
        for name, shape in variables.items():
            value = content(name, shape)
            start = v1.get_variable(
                name,
                shape,
                initializer=lambda shape, dtype, partition_info, value=value: tf.constant(
                    value[tuple(slice(o, o + s) for o, s in zip(partition_info.var_offset, shape))]
                ),
                partitioner=tf.compat.v1.fixed_size_partitioner(3),
                use_resource=False,
            )
            assert len(list(start)) == 3
        session.run(v1.global_variables_initializer())
        v1.train.Saver(write_version=version).save(session, str(prefix), write_meta_graph=False, write_state=False)
    print(prefix.name, flush=True)


def pack(source: Path, packed: Path) -> None:
    """Copy a table with every block packed by snappy, as builds of TensorFlow with that option write them."""
    import cramjam
    import google_crc32c

    table = source.read_bytes()
    out = bytearray()

    def varint(at: int) -> tuple[int, int]:
        value = shift = 0
        while True:
            value |= (table[at] & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if table[at - 1] < 0x80:
                return value, at

    def encoded(*numbers: int) -> bytes:
        text = bytearray()
        for number in numbers:
            while number > 0x7F:
                text.append(number & 0x7F | 0x80)
                number >>= 7
            text.append(number)
        return bytes(text)

    def add(block: bytes) -> bytes:
        """Append a block; its handle."""
        content = bytes(cramjam.snappy.compress_raw(block)) + b"\x01"
        crc = google_crc32c.value(content)
        handle = encoded(len(out), len(content) - 1)
        out.extend(content + (((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF).to_bytes(4, "little"))
        return handle

    meta_offset, at = varint(len(table) - 48)
    meta_size, at = varint(at)
    index_offset, at = varint(at)
    index_size, at = varint(at)
    index, restarts, at, key = bytearray(), [], index_offset, b""
    end = index_offset + index_size
    end -= 4 + 4 * int.from_bytes(table[end - 4 : end], "little")
    while at < end:
        shared, at = varint(at)
        rest, at = varint(at)
        size, at = varint(at)
        key, at = key[:shared] + table[at : at + rest], at + rest
        offset, length = varint(at)[0], varint(varint(at)[1])[0]
        at += size
        handle = add(table[offset : offset + length])
        restarts.append(len(index))
        index += encoded(0, len(key), len(handle)) + key + handle
    index += b"".join(start.to_bytes(4, "little") for start in restarts) + len(restarts).to_bytes(4, "little")
    handles = add(table[meta_offset : meta_offset + meta_size]) + add(bytes(index))
    packed.write_bytes(bytes(out) + handles.ljust(40, b"\0") + table[-8:])


# ------------------------------------------------------------------------------------------------------------ small


def small(folder: Path) -> None:
    for version, label in ((V2, "v2"), (V1, "v1")):
        save(folder / f"one_{label}.ckpt", SMALL, version)
        save(folder / f"shards_{label}.ckpt", SMALL, version, shards=3)
        save(folder / f"kinds_{label}.ckpt", KINDS, version, KIND_DTYPES)
        save_partitioned(folder / f"parts_{label}.ckpt", PARTS, version)
    pack(folder / "one_v2.ckpt.index", folder / "packed_v2.ckpt.index")
    data = "ckpt.data-00000-of-00001"
    (folder / f"packed_v2.{data}").write_bytes((folder / f"one_v2.{data}").read_bytes())
    pack(folder / "one_v1.ckpt", folder / "packed_v1.ckpt")


# ---------------------------------------------------------------------------------------------------------- release


def release(folder: Path) -> None:
    step = {"global_step": np.int64}
    expression, shape = resnet101("exprCNN", 29), resnet101("shapeCNN", 198)
    assert len(expression) == len(shape) == 522
    pose = face_pose_net() | {"global_step": ()}
    trunk, trained = newer_face_pose_net()
    save(folder / FILES["expression"][0], expression, V2)
    save(folder / FILES["shape"][0], shape, V1)
    save(folder / FILES["pose"][0], pose, V2, step)
    save(folder / FILES["pose_resnet"][0], trained, V2, salt="trained")
    save(folder / FILES["pose_resnet"][1], trunk, V2, salt="start")
    for name, array in STATISTICS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        np.save(folder / name, array)
    for name, members in STATISTICS_IN_NPZ.items():
        np.savez(folder / name, **members)
    layers = np.array({"conv1": [content("conv1", (3,))]}, object)
    np.save(folder / "fpn_new_model/PAM_frontal_ALexNet.npy", layers, allow_pickle=True)
    write_stages(folder)


if __name__ == "__main__":
    what, folder = sys.argv[1:]
    {"small": small, "release": release}[what](Path(folder))
