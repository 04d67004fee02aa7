"""What learns: encoder, projection head and optimiser, and one step of theirs."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from heartprint.encoders import EncoderConfig, build_encoder
from heartprint.foundation.randomness import generator
from heartprint.pretraining.batches import Batch
from heartprint.pretraining.config import PretrainConfig
from heartprint.pretraining.losses import contrastive_logits, partner_found


class ProjectionHead(nn.Sequential):
    """Two-layer perceptron between embedding and loss: ``(B, D)`` -> ``(B, head_dim)``; dropped afterwards.

    Batch normalisation in the middle, as in Chen et al. 2020: without it the small encoder stayed at chance for the
    first hundred steps.
    """

    def __init__(self, inputs: int, hidden: int, outputs: int) -> None:
        super().__init__(
            nn.Linear(inputs, hidden, bias=False),
            nn.BatchNorm1d(hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, outputs),
        )


class Learner:
    """Encoder, head and optimiser of a run; its whole state is a dictionary of tensors.

    Args:
        config: The run's configuration.
        total_steps: Steps of the run, for the learning rate.
        device: Where it computes.
    """

    def __init__(self, config: PretrainConfig, total_steps: int, device: torch.device) -> None:
        self.config = config
        self.device = device
        self.total_steps = total_steps
        self.bfloat16 = config.precision == "bfloat16" or (config.precision == "auto" and device.type == "cuda")
        self.page_to_tensor = EncoderConfig.new(config.backbone, image_size=config.image_size).page_to_tensor
        self.encoder = build_encoder(config.backbone, weights=config.init, seed=config.seed).to(device)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(_torch_seed(config.seed, "weights of the projection head"))
            self.head = ProjectionHead(self.encoder.embedding_dim, config.head_hidden, config.head_dim).to(device)
        self.encoder.train()
        self._named = [
            (f"{part}.{name}", parameter)
            for part, module in (("encoder", self.encoder), ("head", self.head))
            for name, parameter in module.named_parameters()
        ]
        self.optimizer = torch.optim.AdamW(
            [
                {"params": [p for _, p in self._named if p.ndim > 1], "weight_decay": config.weight_decay},
                {"params": [p for _, p in self._named if p.ndim <= 1], "weight_decay": 0.0},
            ],
            lr=config.learning_rate,
        )

    @property
    def n_parameters(self) -> int:
        """Number of weights that learn, head included."""
        return sum(p.numel() for _, p in self._named)

    def learning_rate(self, step: int) -> float:
        """Linear warm-up, then a cosine to zero (Loshchilov & Hutter 2017)."""
        warmup = round(self.config.warmup_share * self.total_steps)
        if step < warmup:
            return self.config.learning_rate * (step + 1) / warmup
        done = (step - warmup) / max(1, self.total_steps - warmup)
        return self.config.learning_rate * 0.5 * (1 + math.cos(math.pi * done))

    def loss(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """NT-Xent of a batch, and the share of views that find their partner."""
        pages = batch.pages.flatten(0, 1).numpy()
        x = self.page_to_tensor(pages, device=self.device)
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.bfloat16):
            z1, z2 = self.head(self.encoder(x)).chunk(2)
        logits, partners = contrastive_logits(z1, z2, batch.groups, self.config.temperature)
        return nn.functional.cross_entropy(logits, partners), partner_found(logits.detach(), partners)

    def step(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Learn from a batch.

        Returns:
            Loss and share of views that found their partner, scalars on the device.
        """
        # What a network draws (dropout...) depends on the step alone, so that a resumed run draws the same.
        torch.manual_seed(_torch_seed(self.config.seed, "network", batch.key.step))
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate(batch.key.step)
        loss, found = self.loss(batch)
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        self.optimizer.step()
        return loss.detach(), found

    def state(self) -> dict[str, Tensor]:
        """All that a checkpoint needs: weights, statistics and the optimiser's memory, on the CPU."""
        tensors = {f"encoder.{name}": value for name, value in self.encoder.state_dict().items()}
        tensors |= {f"head.{name}": value for name, value in self.head.state_dict().items()}
        for name, parameter in self._named:
            for key, value in self.optimizer.state[parameter].items():
                tensors[f"optimizer.{key}.{name}"] = torch.as_tensor(value)
        # A copy: the network's own tensors change with the next step.
        return {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Take over the state of a checkpoint."""
        for part, module in (("encoder", self.encoder), ("head", self.head)):
            prefix = f"{part}."
            own = {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
            module.load_state_dict(own, strict=True)
        for name, parameter in self._named:
            stored = {key: tensors.get(f"optimizer.{key}.{name}") for key in ("step", "exp_avg", "exp_avg_sq")}
            # The step count stays on the CPU; the averages lie as their parameter lies.
            memory = {
                key: value.clone() if key == "step" else torch.empty_like(parameter).copy_(value)
                for key, value in stored.items()
                if value is not None
            }
            if memory:
                self.optimizer.state[parameter] = memory


@contextlib.contextmanager
def reproducible(device: torch.device) -> Iterator[None]:
    """Have torch compute the same thing twice, and leave its global state as it was."""
    was = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    filled = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    cudnn = torch.backends.cudnn.benchmark
    if device.type == "cuda":
        import os

        # cuBLAS reads it when it starts; without it its sums are in no fixed order.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.use_deterministic_algorithms(True, warn_only=True)
        # Filling what is overwritten anyway costs time and changes nothing.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        torch.backends.cudnn.benchmark = False
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(was[0], warn_only=was[1])
            torch.utils.deterministic.fill_uninitialized_memory = filled  # type: ignore[attr-defined]
            torch.backends.cudnn.benchmark = cudnn


def _torch_seed(seed: int, purpose: str, *counters: int) -> int:
    return int(generator(seed, purpose, *counters).integers(2**63))
