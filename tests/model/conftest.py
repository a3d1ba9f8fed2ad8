"""What several tests of the model need."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def untrained_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a weights file in the real format whose network has learned nothing yet: small, and always the same."""
    torch = pytest.importorskip("torch")
    from expnet.model.camera import ANCHOR, SIDE_MM
    from expnet.model.networks.torch_engine.compact import CompactNet
    from expnet.model.networks.weights.weights_file import WeightsHeader, save_weights

    config = {"channels": [8, 8, 16, 16, 32], "blocks": [1, 1, 1, 1]}
    torch.manual_seed(0)
    network = CompactNet({**config, "size": 64})
    header = WeightsHeader(
        architecture="compact",
        config=config,
        input_size=64,
        crop={"anchor": ANCHOR.tolist(), "side_mm": SIDE_MM},
        basis="open-29",
        license="CC0-1.0",
        training_data="none",
        seed=0,
    )
    path = tmp_path_factory.mktemp("weights") / "untrained.safetensors"
    save_weights(path, header, {name: tensor.numpy() for name, tensor in network.state_dict().items()})
    return path
