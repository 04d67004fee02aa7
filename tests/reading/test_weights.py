"""Weights on disk: rounded, and never taken for those of another network."""

from __future__ import annotations

from pathlib import Path

import pytest
import safetensors.torch
import torch

import heartprint.reading
from heartprint.foundation.errors import HeartprintError
from heartprint.reading.network import FINDER, PageNet
from heartprint.reading.weights import KINDS, Kind, load_network, network_of, read_maps, save_network


@pytest.fixture(scope="module")
def network() -> PageNet:
    torch.manual_seed(0)
    return PageNet(FINDER)


def test_weights_come_back_to_half_a_step(network: PageNet, tmp_path: Path) -> None:
    save_network(network.state_dict(), tmp_path / "n.safetensors", FINDER)
    back = load_network(tmp_path / "n.safetensors", "finder").state_dict()
    for name, value in network.state_dict().items():
        flat = value.reshape(len(value), -1) if value.ndim else value.reshape(1, 1)
        step = flat.abs().amax(1) / 127
        error = (back[name].reshape(flat.shape) - flat).abs().amax(1).float()
        assert bool((error <= 0.51 * step + 1e-12).all()), name


def test_maps_in_another_order_are_another_network(network: PageNet, tmp_path: Path) -> None:
    """All shapes are equal: nothing but the file's own word tells a scale from an angle."""
    other = dict(reversed(FINDER.items()))
    save_network(network.state_dict(), tmp_path / "n.safetensors", other)
    with pytest.raises(HeartprintError) as caught:
        load_network(tmp_path / "n.safetensors", "finder")
    assert caught.value.code == "reader-damaged"


@pytest.mark.parametrize("harm", ["no word of maps", "another network's", "not a number", "cut", "missing"])
def test_what_is_wrong_is_refused(network: PageNet, harm: str, tmp_path: Path) -> None:
    file = tmp_path / "n.safetensors"
    save_network(network.state_dict(), file, FINDER)
    kind: Kind = "finder"
    if harm == "no word of maps":
        safetensors.torch.save_file(safetensors.torch.load_file(file), file)
    elif harm == "another network's":
        kind = "reader"
    elif harm == "not a number":
        state = network.state_dict()
        save_network(state | {"page.bias": torch.full_like(state["page.bias"], float("nan"))}, file, FINDER)
    elif harm == "cut":
        file.write_bytes(file.read_bytes()[:-100])
    else:
        file.unlink()
    with pytest.raises(HeartprintError) as caught:
        load_network(file, kind)
    assert caught.value.code == ("reader-missing" if harm == "missing" else "reader-damaged")


def test_the_shipped_networks_say_what_they_are() -> None:
    folder = Path(heartprint.reading.__path__[0]) / "shipped"
    for kind in KINDS:
        assert read_maps(folder / f"{kind}.safetensors") == network_of(kind).maps
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 4 * 2**20, "weights in the package"
