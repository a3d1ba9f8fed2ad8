"""The authors' checkpoints become one safetensors file: by content, checked, with where they came from.

The files here have the release's names and full sizes; most of their numbers are zero, to be quick.
"""

from __future__ import annotations

import hashlib
import os
import pickle  # noqa: TID251 - to show that it is not opened
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from expnet.model.errors import InputError
from expnet.model.official import FILE, imported_networks, is_official
from expnet.model.official.import_weights import import_weights
from expnet.model.official.layouts import EXPRESSION, NETWORKS, POSE, POSE_RESNET, SHAPE, shared_trunk
from expnet.model.official.weights import load_header, load_network, load_statistics

from ...official.variables import Shapes, content, face_pose_net, resnet101
from .tensorflow.forged import write_bundle

EXPNET = "Expression_Model/ini_exprNet_model.ckpt"
SHAPE_NET = "Shape_Model/ini_ShapeTextureNet_model.ckpt"
FPN = "fpn_new_model/model_0_1.0_1.0_1e-07_1_16000.ckpt"
SOME = ("conv1/weights", "bn_conv1/variance", "res5c_branch2b/weights", "exprCNN_fc1/weights", "shapeCNN_fc1/biases")


def some_of(shapes: Shapes) -> dict[str, np.ndarray]:
    return {name: content(name, shape) for name, shape in shapes.items() if name.endswith(SOME)}


def write(folder: Path, name: str, shapes: Shapes, values: dict[str, np.ndarray] | None = None) -> Path:
    prefix = folder / name
    prefix.parent.mkdir(parents=True, exist_ok=True)
    return write_bundle(prefix, shapes, some_of(shapes) if values is None else values)


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ExpNet and the shape net with one trunk between them, their mean image, the pickle, and something else."""
    folder = tmp_path_factory.mktemp("release")
    write(folder, EXPNET, resnet101("exprCNN", 29))
    write(folder, SHAPE_NET, resnet101("shapeCNN", 198))
    np.save(folder / "Shape_Model/3DMM_shape_mean.npy", np.full((3, 224, 224), 100.0))
    np.save(folder / "Expression_Model/3DMM_expr_mean.npy", np.full((3, 224, 224), 101.0))
    (folder / "fpn_new_model").mkdir()
    (folder / "fpn_new_model/PAM_frontal_ALexNet.npy").write_bytes(pickle.dumps({"conv1": [1.0]}))
    write_bundle(folder / "another.ckpt", {"a": (2,)}, {})
    return folder


@pytest.fixture
def copy(release: Path, tmp_path: Path) -> Path:
    """Return a copy to be damaged, of links, which take no room."""
    folder = tmp_path / "rélease 権"
    shutil.copytree(release, folder, copy_function=os.link)
    return folder


def replace(path: Path, data: bytes) -> None:
    """Replace a link by a file with these bytes."""
    path.unlink()
    path.write_bytes(data)


def refusal(folder: Path, **options: bool) -> str:
    with pytest.raises(InputError) as caught:
        import_weights(folder, folder / "out", **options)
    assert not (folder / "out").exists()
    message = str(caught.value)
    assert "\n" not in message
    return message


# ------------------------------------------------------------------------------------------------------------- layouts


@pytest.mark.parametrize(
    ("network", "theirs"),
    [(EXPRESSION, resnet101("exprCNN", 29)), (SHAPE, resnet101("shapeCNN", 198)), (POSE, face_pose_net())],
    ids=lambda x: getattr(x, "name", ""),
)
def test_every_variable_has_its_place(network, theirs: Shapes) -> None:
    assert {variable.name: variable.shape for variable in network.layout().values()} == theirs


def test_the_newer_face_pose_net() -> None:
    layout = POSE_RESNET.layout()
    assert len(layout) == 526
    assert layout["fc3.weight"].shape == (4096, 6) and layout["fc3.weight"].turned_shape == (6, 4096)


def test_the_layout_is_that_of_the_network() -> None:
    torch = pytest.importorskip("torch")
    from expnet.model.networks.torch_engine.resnet101 import Trunk

    with torch.device("meta"):
        trunk = {f"trunk.{k}": tuple(v.shape) for k, v in Trunk().state_dict().items() if "num_batches" not in k}
    layout = {ours: v.turned_shape for ours, v in EXPRESSION.layout().items()}
    assert trunk | {"head.weight": (29, 2048), "head.bias": (29,)} == layout
    assert set(shared_trunk()) == {name for name in trunk if ".5b." not in name and ".5c." not in name}


# ------------------------------------------------------------------------------------------------------------ importing


@pytest.fixture(scope="module")
def imported(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("imported") / "official"
    steps = []
    result = import_weights(release, out, on_progress=lambda *step: steps.append(step))
    assert result.out == out / FILE and result.face_model is None
    assert steps[-1][0] == steps[-1][1]
    assert [path.name for path, _ in result.passed_over] == ["PAM_frontal_ALexNet.npy"]
    absent = [name for name, _ in result.missing]
    assert "model_0_1.0_1.0_1e-07_1_16000.ckpt" in absent and "BaselFaceModel_mod.mat" in absent
    assert "ini_exprNet_model.ckpt" not in absent and "3DMM_expr_mean.npy" not in absent
    return out


def test_the_head_that_facepose_answers_for(release: Path, tmp_path: Path) -> None:
    """face_specific_augm's file, which lies among those of other releases."""
    folder = shutil.copytree(release, tmp_path / "release", copy_function=os.link)
    landmarks = np.random.default_rng(0).normal(0, 40, (68, 3)).astype(np.float32)
    landmarks[[36, 45], 0] = -39.5, 39.5
    savemat(folder / "model3D_aug_-00_00_10.mat", {"model3D": {"threedee": landmarks}})
    result = import_weights(folder, tmp_path / "out")
    np.testing.assert_array_equal(load_statistics(tmp_path / "out")["pose.generic_head"], landmarks)
    assert "model3D_aug_-00_00_10.mat" in [source.file for source in result.header.sources]


def test_what_is_imported_is_what_was_there(imported: Path) -> None:
    expression, shape = load_network(imported, "expression"), load_network(imported, "shape")
    for tensors, scope in ((expression, "exprCNN"), (shape, "shapeCNN")):
        weights = content(f"{scope}/conv1/weights", (7, 7, 3, 64))
        np.testing.assert_array_equal(tensors["trunk.conv1.weight"], weights.transpose(3, 2, 0, 1))
        own = content(f"{scope}/res5c_branch2b/weights", (3, 3, 512, 512))
        np.testing.assert_array_equal(tensors["trunk.blocks.5c.branch2b.weight"], own.transpose(3, 2, 0, 1))
        variance = content(f"{scope}/bn_conv1/variance", (64,))
        np.testing.assert_array_equal(tensors["trunk.bn_conv1.running_var"], variance)
    np.testing.assert_array_equal(
        expression["head.weight"], content("exprCNN/exprCNN_fc1/weights", (2048, 29)).transpose()
    )
    np.testing.assert_array_equal(shape["head.bias"], content("shapeCNN/shapeCNN_fc1/biases", (198,)))
    assert (shape["mean_image"] == 100).all() and (expression["mean_image"] == 101).all()


def test_one_trunk_is_stored_once(imported: Path, release: Path) -> None:
    header = load_header(imported)
    assert header.networks["expression"].trunk == header.networks["shape"].trunk == "expression"
    files = sum(path.stat().st_size for path in release.rglob("ini_*"))
    assert (imported / FILE).stat().st_size < 0.65 * files


def test_where_it_came_from(imported: Path, release: Path) -> None:
    assert is_official(imported) and is_official(imported / FILE)
    header = load_header(imported)
    sources = {source.file: source for source in header.sources}
    assert sources[f"{EXPNET}.index"].gave == "expression"
    mean = sources["Shape_Model/3DMM_shape_mean.npy"]
    data = (release / "Shape_Model/3DMM_shape_mean.npy").read_bytes()
    assert (mean.bytes, mean.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert header.precision == "float32" and len(header.imported) == 10
    assert "never to be passed on" in header.license


def test_what_was_not_imported_is_said(imported: Path) -> None:
    with pytest.raises(InputError, match="FacePoseNet was not imported"):
        load_network(imported, "pose")


def test_halves(copy: Path, imported: Path) -> None:
    result = import_weights(copy, half=True)  # beside the files
    assert result.out == copy / FILE and result.header.precision == "float16"
    assert result.out.stat().st_size < 0.55 * (imported / FILE).stat().st_size
    full, half = load_network(imported, "expression"), load_network(copy, "expression")
    assert half["head.weight"].dtype == np.float32
    np.testing.assert_allclose(half["head.weight"], full["head.weight"], rtol=1e-3, atol=1e-6)
    np.testing.assert_array_equal(half["trunk.bn_conv1.running_var"], full["trunk.bn_conv1.running_var"])


def test_trunks_that_differ_are_both_stored(copy: Path) -> None:
    shutil.rmtree(copy / "Shape_Model")
    shapes = resnet101("shapeCNN", 198)
    write(copy, SHAPE_NET, shapes, {"shapeCNN/bn_conv1/variance": np.ones(64)})
    result = import_weights(copy, copy / "out")
    assert {name: info.trunk for name, info in result.header.networks.items()} == {
        "expression": "expression",
        "shape": "shape",
    }
    assert (load_network(result.out, "shape")["trunk.bn_conv1.running_var"] == 1).all()


def test_files_under_other_names(copy: Path) -> None:
    for path in (copy / "Expression_Model").glob("ini_exprNet_model.ckpt.*"):
        path.rename(copy / path.name.replace("ini_exprNet_model", "whatever"))
    shutil.rmtree(copy / "Shape_Model")
    assert list(import_weights(copy).header.networks) == ["expression"]
    assert imported_networks(copy) == {"expression"}


# -------------------------------------------------------------------------------------------------------------- refused


def test_nothing_of_the_release(tmp_path: Path) -> None:
    assert "there is no such folder" in refusal(tmp_path / "nowhere")
    assert "none of the release's checkpoints" in refusal(tmp_path)
    (tmp_path / "Expression_Model.tar.gz").touch()
    assert "unpack Expression_Model.tar.gz" in refusal(tmp_path)


def test_a_missing_tensor_and_a_wrong_shape(copy: Path) -> None:
    shutil.rmtree(copy / "Expression_Model")
    shapes = resnet101("exprCNN", 29)
    gone = {name: shape for name, shape in shapes.items() if name != "exprCNN/bn3b2_branch2a/offset"}
    prefix = write(copy, EXPNET, gone, {})
    message = refusal(copy)
    assert str(prefix) in message and "exprCNN/bn3b2_branch2a/offset is missing" in message
    prefix = write(copy, EXPNET, shapes | {"exprCNN/conv1/weights": (7, 7, 3, 32)}, {})
    message = refusal(copy)
    assert str(prefix) in message and "exprCNN/conv1/weights has shape (7, 7, 3, 32)" in message


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [("exprCNN_fc1/biases", np.nan, "NaN"), ("bn_conv1/variance", -1.0, "negative"), ("conv1/weights", 1e6, "--half")],
)
def test_impossible_numbers(tmp_path: Path, name: str, value: float, complaint: str) -> None:
    shapes = resnet101("exprCNN", 29)
    name = f"exprCNN/{name if name != 'exprCNN_fc1/biases' else 'exprCNN_fc1/biases'}"
    write(tmp_path, EXPNET, shapes, {name: np.full(shapes[name], value)})
    message = refusal(tmp_path, half=True)
    assert name in message and complaint in message


def test_a_cut_shard_and_a_failing_checksum(copy: Path) -> None:
    data = copy / f"{EXPNET}.data-00000-of-00001"
    whole = bytearray(data.read_bytes())
    replace(data, bytes(whole[:-4]))
    message = refusal(copy)
    assert str(data) in message and "tensor exprCNN/" in message and "cut short" in message
    whole[1000] ^= 1
    replace(data, bytes(whole))
    message = refusal(copy)
    assert str(data) in message and "tensor exprCNN/" in message and "checksum" in message


class Trap:
    def __reduce__(self) -> tuple:
        return (pytest.fail, ("the pickle was opened",))


@pytest.mark.parametrize(
    ("array", "complaint"),
    [
        (np.array([Trap()], object), "Python objects"),
        (np.zeros((3, 227, 227)), "not (3, 224, 224)"),
        (np.zeros((224, 224, 3)), "not (3, 224, 224)"),
        (np.full((3, 224, 224), np.nan), "not numbers"),
        (np.full((3, 224, 224), "a"), "not (3, 224, 224)"),
    ],
    ids=["pickle", "size", "order", "NaN", "text"],
)
def test_a_mean_image_that_is_none(copy: Path, array: np.ndarray, complaint: str) -> None:
    path = copy / "Shape_Model/3DMM_shape_mean.npy"
    path.unlink()
    np.save(path, array)
    message = refusal(copy)
    assert str(path) in message and complaint in message


def test_a_mean_image_cut_short(copy: Path) -> None:
    path = copy / "Shape_Model/3DMM_shape_mean.npy"
    replace(path, path.read_bytes()[:-100])
    assert "broken" in refusal(copy)


def test_the_command_line_says_it_in_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from expnet.expnet_addon.headless import main

    assert main(["import-weights", str(tmp_path)]) == 2
    said = capfd.readouterr()
    assert said.out == "" and "none of the release's checkpoints is here" in said.err and said.err.count("\n") == 1


def test_two_of_a_kind(copy: Path) -> None:
    for path in list((copy / "Expression_Model").glob("ini*")):
        os.link(path, path.with_name(path.name.replace("ini", "other")))
    assert list(import_weights(copy, copy / "out").header.networks) == ["expression", "shape"]  # the usual name wins
    shutil.rmtree(copy / "out")
    for path in list((copy / "Expression_Model").glob("ini*")):
        path.rename(path.with_name(path.name.replace("ini", "third")))
    assert "several checkpoints of one network" in refusal(copy)


def test_where_nothing_can_be_written(copy: Path) -> None:
    (copy / "out").touch()
    with pytest.raises(InputError, match="is a file"):
        import_weights(copy, copy / "out")
    with pytest.raises(InputError, match="there is no folder"):
        import_weights(copy, copy / "no" / "such")


def test_cancelling_leaves_nothing(copy: Path) -> None:
    class Cancelled(Exception):
        pass

    def cancel(done: int, total: int, message: str) -> None:
        if message == "writing":
            raise Cancelled

    with pytest.raises(Cancelled):
        import_weights(copy, copy / "out", on_progress=cancel)
    assert not (copy / "out").exists()


def test_the_networks_are_known_by_their_own_variables() -> None:
    marks = [network.mark for network in NETWORKS]
    for network in NETWORKS:
        names = {variable.name for variable in network.layout().values()}
        assert [mark for mark in marks if mark in names] == [network.mark]
