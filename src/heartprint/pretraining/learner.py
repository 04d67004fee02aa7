"""What learns: encoder, objective and optimiser, and one step of theirs."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from heartprint.encoders import EncoderConfig, LoadedEncoder, resolve_encoder
from heartprint.foundation.errors import HeartprintError
from heartprint.pretraining.batches import Batch
from heartprint.pretraining.config import PretrainConfig
from heartprint.pretraining.methods import get_method
from heartprint.pretraining.objectives import Embedded, Losses, Objective, Start
from heartprint.pretraining.objectives.base import torch_seed
from heartprint.pretraining.targets import Targets
from heartprint.training.distributed import Distributed
from heartprint.training.optim import param_groups, warmup_cosine


class Learner:
    """Encoder, objective and optimiser of a run; its whole state is a dictionary of tensors.

    Several processes may learn together. Each embeds its own sheets; then each computes the whole loss from everyone's
    embeddings, so that the negatives, the masking of patients and the batch statistics of the objective are those of
    the whole batch, and the gradient is that of one process with all of it. Their states stay the same to the bit.

    Args:
        config: The run's configuration.
        total_steps: Steps of the run, for the learning rate.
        group: The processes that learn together, and the device of this one.
        targets: What the sheets say of their own waveforms, for methods that learn it.
        start: The encoder to start from, which learns; by default what the configuration names.

    Raises:
        HeartprintError: What `starting_encoder` raises.
    """

    def __init__(
        self,
        config: PretrainConfig,
        total_steps: int,
        group: Distributed,
        targets: Targets | None = None,
        *,
        start: LoadedEncoder | None = None,
    ) -> None:
        self.config = config
        self.group = group
        self.device = device = group.device
        self.total_steps = total_steps
        self.bfloat16 = config.precision == "bfloat16" or (config.precision == "auto" and device.type == "cuda")
        self.page_to_tensor = EncoderConfig.new(config.backbone, image_size=config.image_size).page_to_tensor
        self.encoder = (start or starting_encoder(config)).encoder.to(device)
        if group.world_size > 1 and device.type == "cuda":
            from timm.layers.norm_act import convert_sync_batchnorm

            self.encoder = convert_sync_batchnorm(self.encoder)  # type: ignore[no-untyped-call]
        self.encoder.train()
        method, shape = get_method(config.method.name), Start(self.encoder.embedding_dim, config.seed, targets)
        self.objective: Objective = method.objective(config.method, shape).to(device)
        self.teacher = copy.deepcopy(self.encoder).requires_grad_(False) if self.objective.needs_teacher else None
        parts = {"encoder": self.encoder, "objective": self.objective, "teacher": self.teacher}
        self._modules = nn.ModuleDict({name: part for name, part in parts.items() if part is not None})
        learning = (parameter for _, parameter in self._named())
        self.optimizer = torch.optim.AdamW(param_groups(learning, config.weight_decay), lr=config.learning_rate)

    def _named(self) -> list[tuple[str, nn.Parameter]]:
        return [(name, parameter) for name, parameter in self._modules.named_parameters() if parameter.requires_grad]

    @property
    def n_parameters(self) -> int:
        """Number of weights that learn, those of the objective included."""
        return sum(p.numel() for _, p in self._named())

    def learning_rate(self, step: int) -> float:
        """Learning rate of a step, from 0 (see `warmup_cosine`)."""
        return warmup_cosine(step, self.total_steps, self.config.warmup_share, self.config.learning_rate)

    def loss(self, views: Tensor, groups: Tensor, rows: Tensor, taught: Tensor | None = None) -> Losses:
        """What the method minimises, from the embeddings of the whole batch (see `Embedded`)."""
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.bfloat16):
            losses: Losses = self.objective(Embedded(views, groups, rows, taught))
        return losses

    def backward(self, batch: Batch) -> Losses:
        """Compute the loss of a batch and the gradients of all weights.

        With ``chunk_size`` the encoder holds the activations of a chunk of items at a time (gradient caching, Gao et
        al. 2021): all are embedded without gradients, the loss gives the gradient of each embedding, and every
        chunk is embedded once more, drawing what it drew before, to carry its part of it back.

        Args:
            batch: The items of this process.
        """
        n = batch.images.shape[1]
        size = self.config.chunk_size or n
        chunks = [batch.images[:, k : k + size] for k in range(0, n, size)]
        step = batch.key.step
        if len(chunks) == 1:
            own = self._embed(chunks[0], step, 0)
        else:
            with torch.no_grad(), _statistics_kept(self.encoder):
                own = torch.cat([self._embed(images, step, k) for k, images in enumerate(chunks)], dim=1)
            own.requires_grad_()
        taught = None if self.teacher is None else self._of_all(self._taught(chunks, step))
        result = self.loss(self._of_all(own), *self._of_all_items(batch), taught)
        torch.autograd.backward(result.total)
        if len(chunks) > 1:
            assert own.grad is not None
            for k, (images, slope) in enumerate(zip(chunks, torch.split(own.grad, size, dim=1), strict=True)):
                torch.autograd.backward(self._embed(images, step, k), slope)
        self._join_gradients()
        return result._replace(total=result.total.detach())

    def step(self, batch: Batch) -> Losses:
        """Learn from a batch."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate(batch.key.step)
        self.optimizer.zero_grad(set_to_none=True)
        result = self.backward(batch)
        self.optimizer.step()
        self.objective.after_step(self.encoder, self.teacher, (batch.key.step + 1) / self.total_steps)
        return result

    def _taught(self, chunks: list[Tensor], step: int) -> Tensor:
        """``(V, b, D)`` of this process's sheets as the teacher embeds them, a chunk at a time."""
        with torch.no_grad():
            return torch.cat([self._embed(images, step, k, self.teacher) for k, images in enumerate(chunks)], dim=1)

    def _embed(self, images: Tensor, step: int, chunk: int, network: nn.Module | None = None) -> Tensor:
        """``(V, b, S, S)`` uint8 -> ``(V, b, D)``, by the encoder unless another network is given."""
        # What a network draws (dropout...) depends on its place alone, so that a resumed run and a chunk that is
        # embedded twice draw the same.
        torch.manual_seed(torch_seed(self.config.seed, "network", step, self.group.rank, chunk))
        x = self.page_to_tensor(images.flatten(0, 1).numpy(), device=self.device)
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.bfloat16):
            embedding: Tensor = (network or self.encoder)(x)
        return embedding.reshape(*images.shape[:2], -1)

    def _of_all(self, own: Tensor) -> Tensor:
        """``(V, b, ...)`` of each process -> ``(V, B, ...)`` of all; items in order of rank."""
        return self.group.all_gather(own).transpose(0, 1).flatten(1, 2)

    def _of_all_items(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """``(B,)`` groups and ``(V, B)`` rows of the whole batch."""
        both = torch.cat([batch.groups[None], batch.rows]).to(self.device)
        whole = self._of_all(both)
        return whole[0], whole[1:]

    def _join_gradients(self) -> None:
        """Give every process the gradients of all, and the mean of their batch statistics.

        The encoder's gradients come from each process's own sheets: they are summed. The objective has seen all
        embeddings everywhere: its own are equal already, but for what different machines make of the last digits.
        """
        if self.group.world_size == 1:
            return
        shared: list[Tensor] = []
        for name, parameter in self._named():
            if parameter.grad is not None:
                shared.append(parameter.grad)
                if not name.startswith("encoder."):
                    parameter.grad /= self.group.world_size
        for buffer in self._modules.buffers():
            if buffer.is_floating_point():
                shared.append(buffer)
                buffer /= self.group.world_size
        self.group.all_reduce(shared)

    def state(self) -> dict[str, Tensor]:
        """All that a checkpoint needs: weights, statistics and the optimiser's memory, on the CPU."""
        tensors = dict(self._modules.state_dict())
        for name, parameter in self._named():
            for key, value in self.optimizer.state[parameter].items():
                tensors[f"optimizer.{key}.{name}"] = torch.as_tensor(value)
        # A copy: the network's own tensors change with the next step.
        return {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Take over the state of a checkpoint.

        Raises:
            HeartprintError: ``checkpoint-damaged`` if it is the state of other networks.
        """
        networks = {name: value for name, value in tensors.items() if not name.startswith("optimizer.")}
        try:
            self._modules.load_state_dict(networks, strict=True)
        except RuntimeError as error:
            raise HeartprintError(
                "checkpoint-damaged",
                "The checkpoint holds the state of other networks than those of this run. Start again in a new folder.",
            ) from error
        for name, parameter in self._named():
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
def _statistics_kept(encoder: nn.Module) -> Iterator[None]:
    """Let batch normalisation use the statistics of its batch without adding them to the running ones."""
    norms = [m for m in encoder.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    was = [(m.momentum, None if m.num_batches_tracked is None else m.num_batches_tracked.clone()) for m in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, (momentum, count) in zip(norms, was, strict=True):
            norm.momentum = momentum
            if norm.num_batches_tracked is not None and count is not None:
                norm.num_batches_tracked.copy_(count)


def starting_encoder(config: PretrainConfig) -> LoadedEncoder:
    """The encoder that a run starts from.

    At another image size the same filters go on learning: a network of convolutions has no size of its own.

    Raises:
        HeartprintError: ``encoder-mismatch`` if another pretraining is to be gone on with and has another backbone;
            what `resolve_encoder` raises.
    """
    return resolve_encoder(config.init, backbone=config.backbone, seed=config.seed, unlabelled=True)
