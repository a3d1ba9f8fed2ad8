"""The authors' networks, run: what goes in, what comes out, one trunk once, and files that are not right.

Whether the numbers are the release's is shown against TensorFlow in tests/official/test_parity.py.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from safetensors.numpy import load_file, save_file  # noqa: E402

from expnet.model.errors import InputError  # noqa: E402
from expnet.model.networks.torch_engine.facepose_alexnet import FacePoseAlexNet, flat  # noqa: E402
from expnet.model.official.layouts import EXPRESSION, POSE, POSE_RESNET, SHAPE, Network, shared_trunk  # noqa: E402
from expnet.model.official.networks import OfficialNetworks, load_networks  # noqa: E402
from expnet.model.official.weights import FILE, NetworkInfo, OfficialHeader  # noqa: E402

Arrays = dict[str, np.ndarray]
POSE_STATISTICS = {
    "pose.mean_bgr": np.array([0.3, 0.4, 0.5], np.float32),
    "pose.label_mean": np.array([0.1, 0.2, -0.1, 10.0, -20.0, 1500.0], np.float32),
    "pose.label_std": np.array([0.3, 0.5, 0.2, 30.0, 40.0, 300.0], np.float32),
}


def tensors(network: Network, seed: int) -> Arrays:
    """Random weights that let signals through, as halves to be small on disk."""
    random = np.random.default_rng(seed)
    normal = random.standard_normal(1_000_003, np.float32)  # drawn once and repeated, to be quick
    made = {}
    for ours, variable in network.layout().items():
        shape = variable.turned_shape
        if ours.endswith("running_var"):
            made[ours] = np.ones(shape, np.float32)
        elif "bn_" in ours and ours.endswith("weight"):
            made[ours] = np.full(shape, 0.7, np.float32)
        elif len(shape) == 1:
            made[ours] = 0.1 * random.standard_normal(shape, np.float32)
        else:
            made[ours] = np.resize((normal * np.sqrt(2 / np.prod(shape[1:]))).astype(np.float16), shape)
    return made


def write(folder: Path, networks: dict[Network, Arrays], trunks: dict[str, str], statistics: Arrays) -> Path:
    """Return an official.safetensors of these networks; what is stored with another is left out."""
    kept = dict(statistics)
    for network, own in networks.items():
        elsewhere = set(shared_trunk()) if trunks.get(network.name, network.name) != network.name else set()
        kept |= {f"{network.name}.{ours}": tensor for ours, tensor in own.items() if ours not in elsewhere}
    header = OfficialHeader(
        {network.name: NetworkInfo(trunks.get(network.name, "")) for network in networks}, (), "float16", "2026-01-01"
    )
    folder.mkdir(exist_ok=True)
    save_file(kept, folder / FILE, metadata=header.metadata())
    return folder


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ExpNet and the shape net with one trunk."""
    networks = {EXPRESSION: tensors(EXPRESSION, 1), SHAPE: tensors(SHAPE, 2)}
    trunks = {"expression": "expression", "shape": "expression"}
    return write(tmp_path_factory.mktemp("together"), networks, trunks, {})


@pytest.fixture(scope="module")
def loaded(together: Path) -> OfficialNetworks:
    return load_networks(together, "cpu")


@pytest.fixture(scope="module")
def pose_only(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("pose"), {POSE: tensors(POSE, 3)}, {}, POSE_STATISTICS)


def faces(side: int = 224, count: int = 1, scale: float = 60.0) -> np.ndarray:
    return (scale * np.random.default_rng(4).standard_normal((count, 3, side, side))).astype(np.float32)


# ------------------------------------------------------------------------------------------------------------- running


def test_coefficients_by_name(loaded: OfficialNetworks) -> None:
    assert "expression" in loaded and "pose" not in loaded and loaded.one_trunk
    pixels = faces(count=2)
    found = loaded.regress(expression=pixels, shape=pixels)
    assert {name: array.shape for name, array in found.items()} == {
        "eta": (2, 29),
        "alpha": (2, 99),
        "texture": (2, 99),
    }
    assert all(array.dtype == np.float64 and np.isfinite(array).all() and array.std() > 0 for array in found.values())
    alone = loaded.regress(expression=pixels[:1])
    assert list(alone) == ["eta"]
    np.testing.assert_allclose(alone["eta"], found["eta"][:1], rtol=1e-3, atol=1e-3)


def test_one_trunk_runs_once_for_one_input(loaded: OfficialNetworks) -> None:
    runs = []
    trunk = loaded.networks["shape"].trunk
    assert trunk.conv1 is loaded.networks["expression"].trunk.conv1
    hook = trunk.conv1.register_forward_hook(lambda *_: runs.append(1))
    pixels = faces()
    once = loaded.regress(expression=pixels, shape=pixels)
    assert len(runs) == 1
    twice = loaded.regress(expression=pixels, shape=pixels.copy())  # each less its own mean image, say
    assert len(runs) == 3
    hook.remove()
    for name in once:
        np.testing.assert_array_equal(once[name], twice[name])


def test_folding_changes_next_to_nothing(together: Path, loaded: OfficialNetworks) -> None:
    """The same tensors in an ExpNet whose batch norms are still there."""
    from expnet.model.networks.torch_engine.expnet import ExpNet
    from expnet.model.official.weights import load_network

    plain = ExpNet(198).eval()
    state = {name: torch.from_numpy(tensor) for name, tensor in load_network(together, "shape").items()}
    assert not plain.load_state_dict(state, strict=False).unexpected_keys
    pixels = faces()
    with torch.inference_mode():
        wanted = plain(torch.from_numpy(pixels)).double().numpy()
    found = loaded.regress(shape=pixels)
    np.testing.assert_allclose(np.hstack([found["alpha"], found["texture"]]), wanted, atol=1e-4 * np.abs(wanted).max())


def test_16_bits_on_request(together: Path, loaded: OfficialNetworks) -> None:
    rough = load_networks(together, "cpu", ["expression"], precision="bfloat16")
    assert "shape" not in rough
    pixels = faces()
    wanted, found = (networks.regress(expression=pixels)["eta"] for networks in (loaded, rough))
    difference = np.abs(found - wanted).max()
    assert 0 < difference < 0.1 * np.abs(wanted).max()


def test_the_newer_pose_net_has_a_trunk_of_its_own(tmp_path: Path) -> None:
    statistics = {
        f"pose_resnet.label_{part}": np.full(6, value, np.float32) for part, value in (("mean", 5), ("std", 2))
    }
    folder = write(tmp_path, {POSE_RESNET: tensors(POSE_RESNET, 5)}, {"pose_resnet": "pose_resnet"}, statistics)
    networks = load_networks(folder, "cpu")
    pixels = faces()
    with torch.inference_mode():
        raw = networks.networks["pose_resnet"](torch.from_numpy(pixels)).double().numpy()
    np.testing.assert_allclose(networks.regress(pose_resnet=pixels)["pose_resnet"], 5 + 2 * raw, rtol=1e-4, atol=1e-4)


def test_pose_in_radians_and_millimetres(pose_only: Path) -> None:
    networks = load_networks(pose_only, "cpu")
    pixels = faces(227, count=2, scale=0.3)
    with torch.inference_mode():
        raw = networks.networks["pose"](torch.from_numpy(pixels)).double().numpy()
    wanted = raw * POSE_STATISTICS["pose.label_std"].astype(float) + POSE_STATISTICS["pose.label_mean"].astype(float)
    np.testing.assert_allclose(networks.regress(pose=pixels)["pose"], wanted, rtol=1e-5)


def test_alexnet_in_tensorflows_terms() -> None:
    maps = torch.from_numpy(100 * np.random.default_rng(0).standard_normal((1, 96, 2, 3)).astype(np.float32))
    squares = np.pad(maps.numpy() ** 2, ((0, 0), (2, 2), (0, 0), (0, 0)))
    window = sum(squares[:, i : i + 96] for i in range(5))
    with torch.device("meta"):
        network = FacePoseAlexNet()
    wanted = maps.numpy() / (1 + 2e-5 * window) ** 0.75  # the sum, not the mean
    np.testing.assert_allclose(network.norm1(maps).numpy(), wanted, rtol=1e-5)
    np.testing.assert_array_equal(flat(maps).numpy(), np.moveaxis(maps.numpy(), 1, -1).reshape(1, -1))


# ------------------------------------------------------------------------------------------------------------- refused


def refusal(action: Callable[[], object]) -> str:
    with pytest.raises(InputError) as caught:
        action()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_cannot_be_asked(loaded: OfficialNetworks, together: Path, tmp_path: Path) -> None:
    assert "FacePoseNet was not loaded" in refusal(lambda: loaded.regress(pose=faces(227)))
    assert "precision 'int8' is unknown" in refusal(lambda: load_networks(together, "cpu", precision="int8"))
    assert "device 'tpu' is unknown" in refusal(lambda: load_networks(together, "tpu"))
    assert "none of the networks" in refusal(lambda: load_networks(together, "cpu", ["pose"]))
    assert "import-weights" in refusal(lambda: load_networks(tmp_path, "cpu"))
    with pytest.raises(ValueError, match="expression takes"):
        loaded.regress(expression=faces(227))
    with pytest.raises(ValueError, match="float64"):
        loaded.regress(expression=faces().astype(float))


def test_pose_without_its_units_is_left_out(pose_only: Path, tmp_path: Path) -> None:
    kept = {name: array for name, array in POSE_STATISTICS.items() if name != "pose.label_std"}
    own = {
        name.partition(".")[2]: tensor
        for name, tensor in load_file(pose_only / FILE).items()
        if "fc" in name or "conv" in name
    }
    folder = write(tmp_path, {POSE: own}, {}, kept)
    message = refusal(lambda: load_networks(folder, "cpu"))
    assert str(folder) in message and "FacePoseNet cannot be used: pose.label_std was not imported" in message


def spoilt(folder: Path, source: Path, spoil: Callable[[Arrays], object]) -> Path:
    """Return a copy of a file of FacePoseNet with something done to its tensors."""
    arrays = load_file(source / FILE)
    spoil(arrays)
    header = OfficialHeader({"pose": NetworkInfo("")}, (), "float16", "2026-01-01")
    save_file(arrays, folder / FILE, metadata=header.metadata())
    return folder


@pytest.mark.parametrize(
    ("spoil", "tensor", "complaint"),
    [
        (lambda arrays: arrays.pop("pose.conv3.weight"), "conv3.weight", "is missing"),
        (lambda arrays: arrays.update({"pose.fc8.bias": np.zeros(7, np.float32)}), "fc8.bias", "has shape (7,)"),
        (lambda arrays: arrays.update({"pose.fc8.bias": np.full(6, np.nan, np.float32)}), "pose.fc8.bias", "NaN"),
        (lambda arrays: arrays.update({"pose.mean_bgr": np.zeros(4, np.float32)}), "pose.mean_bgr", "has shape (4,)"),
        (
            lambda arrays: arrays.update({"pose.label_std": np.full(6, np.inf, np.float32)}),
            "pose.label_std",
            "infinity",
        ),
    ],
    ids=["missing", "shape", "NaN", "statistic's shape", "statistic's NaN"],
)
def test_a_file_that_is_not_right(
    pose_only: Path, tmp_path: Path, spoil: Callable[[Arrays], object], tensor: str, complaint: str
) -> None:
    folder = spoilt(tmp_path, pose_only, spoil)
    message = refusal(lambda: load_networks(folder, "cpu"))
    assert str(folder / FILE) in message and f"tensor {tensor}" in message and complaint in message
