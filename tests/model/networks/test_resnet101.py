"""The paper's ResNet-101: TensorFlow's padding, Caffe's layers under the authors' names."""

import numpy as np
import pytest
import torch

from expnet.model.networks.torch_engine.by_name import build_network
from expnet.model.networks.torch_engine.resnet101 import (
    BLOCKS,
    FEATURES,
    WIDTHS,
    ResNet101,
    ResNet101Config,
    Trunk,
    pad_same,
    tensor_names,
)


@pytest.fixture(scope="module")
def trunk() -> Trunk:
    torch.manual_seed(0)
    return Trunk().eval()


def same_convolution(x: np.ndarray, kernel: np.ndarray, stride: int) -> np.ndarray:
    """TensorFlow's definition, written out: output pixel i sees input from i * stride - before on; x (C, H, W)."""
    outputs, _, side, _ = kernel.shape
    size = -(-x.shape[1] // stride)
    before = max((size - 1) * stride + side - x.shape[1], 0) // 2
    out = np.zeros((outputs, size, size))
    for i, j, u, v in np.ndindex(size, size, side, side):
        y, z = i * stride - before + u, j * stride - before + v
        if 0 <= y < x.shape[1] and 0 <= z < x.shape[2]:
            out[:, i, j] += kernel[:, :, u, v] @ x[:, y, z]
    return out


@pytest.mark.parametrize(("side", "kernel", "stride"), [(14, 7, 2), (13, 7, 2), (9, 3, 2), (8, 3, 1), (8, 1, 2)])
def test_padding_is_tensorflows(side, kernel, stride):
    rng = np.random.default_rng(0)
    x, weights = rng.normal(size=(3, side, side)), rng.normal(size=(4, 3, kernel, kernel))
    padded = pad_same(torch.from_numpy(x)[None], kernel, stride)
    ours = torch.nn.functional.conv2d(padded, torch.from_numpy(weights), stride=stride)[0].numpy()
    np.testing.assert_allclose(ours, same_convolution(x, weights, stride), atol=1e-9)


def test_the_larger_half_of_the_padding_comes_after_the_picture():
    first = pad_same(torch.ones(1, 1, 224, 224), 7, 2)[0, 0]
    assert first.shape == (229, 229) and first[2, 2] == 1 and first[1].sum() == 0 and first[225, 225] == 1
    pool = pad_same(torch.ones(1, 1, 112, 112), 3, 2)[0, 0]
    assert pool.shape == (113, 113) and pool[0, 0] == 1 and pool[112].sum() == 0


def test_the_stride_is_on_the_first_1x1_of_a_stage(trunk):
    for name, block in trunk.blocks.items():
        stride = (2, 2) if name in ("3a", "4a", "5a") else (1, 1)
        assert block.branch2a.stride == stride and block.branch2b.stride == (1, 1)
        assert hasattr(block, "branch1") == (name[1:] == "a")
    assert len(BLOCKS) == 3 + 4 + 23 + 3


def test_every_tensor_has_its_place_in_the_authors_files(trunk):
    names = tensor_names()
    ours = {k for k in trunk.state_dict() if not k.endswith("num_batches_tracked")}
    assert set(names) == ours and len(set(names.values())) == len(names) == 520
    assert names["blocks.4b22.branch2b.weight"] == "res4b22_branch2b/weights"
    assert names["blocks.2a.bn_branch1.running_var"] == "bn2a_branch1/variance"
    assert names["bn_conv1.bias"] == "bn_conv1/offset"


def test_the_trunk_runs_in_two_parts_that_can_be_shared(trunk):
    x = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        between = trunk.shared(x)
        assert between.shape == (1, FEATURES, 2, 2)
        torch.testing.assert_close(trunk.own(between), trunk(x))


def test_a_network_that_only_knows_expression_says_so_of_the_rest():
    network = ResNet101(ResNet101Config(size=64, outputs=("eta",))).eval()
    with torch.inference_mode():
        out = network.split(network(torch.zeros(2, 3, 64, 64)))
    assert {k: v.shape[1] for k, v in out.items()} == WIDTHS
    assert out["rotation"].tolist() == [[1, 0, 0, 0, 1, 0]] * 2 and not out["crop"].any() and out["face"].min() > 5
    assert network.head.weight.shape == (29, FEATURES)


def test_the_mean_image_is_taken_from_bytes():
    network = build_network("resnet101", {"size": 64, "outputs": ["eta"], "mean_image": True}).eval()
    seen = []
    network.trunk.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    image = torch.randint(0, 256, (1, 3, 64, 64)).float()
    network.mean_image.fill_(100.0)
    with torch.inference_mode():
        network(image / 127.5 - 1)
    torch.testing.assert_close(seen[0], image - 100.0, atol=1e-4, rtol=0)
    assert "mean_image" in network.state_dict()
