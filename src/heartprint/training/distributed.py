"""The processes that train one network together, and what crosses between them.

Started by ``torchrun``, every process computes with its own part of each batch. What crosses between them is small:
the embeddings (so that everyone sees every negative), the gradients, and a few numbers. Nothing is pickled.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor

from heartprint.foundation.errors import HeartprintError

P = ParamSpec("P")
T = TypeVar("T")
_PATIENCE = dt.timedelta(minutes=30)
"""How long one process waits for another: measuring a large cohort may take the first one some minutes."""


@dataclass(frozen=True)
class Distributed:
    """One process's view of those that train together.

    Attributes:
        rank: Number of this process, 0 for the main one.
        world_size: Number of processes.
        device: Where this process computes.
    """

    rank: int = 0
    world_size: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def is_main(self) -> bool:
        """Whether this process is the one that writes and speaks."""
        return self.rank == 0

    def all_gather(self, values: Tensor) -> Tensor:
        """Everyone's values, ``(*shape)`` -> ``(world_size, *shape)``, in order of rank; differentiable.

        For a loss that every process computes whole, from the gathered values: its gradient then reaches each
        process's own values as if one process had computed it all, and nothing crosses on the way back.
        """
        return cast(Tensor, _Gathered.apply(values, self)) if self.world_size > 1 else values[None]

    def all_reduce(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors, in place, by their sums over all processes; the sums are the same bits everywhere."""
        if self.world_size == 1 or not tensors:
            return
        flat = torch.cat([tensor.detach().reshape(-1) for tensor in tensors])
        dist.all_reduce(flat)
        for tensor, part in zip(tensors, torch.split(flat, [t.numel() for t in tensors]), strict=True):
            tensor.detach().copy_(part.view_as(tensor))

    def broadcast(self, data: bytes) -> bytes:
        """What the main process gives, in every process; what the others give is not looked at."""
        if self.world_size == 1:
            return data
        length = torch.tensor([len(data)], device=self.device)
        dist.broadcast(length, 0)
        if not (n := int(length)):
            return b""
        values = torch.frombuffer(bytearray(data if self.is_main else n), dtype=torch.uint8).to(self.device)
        dist.broadcast(values, 0)
        return values.cpu().numpy().tobytes()

    def run_together(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call something in every process, each with its own arguments; if it fails in one, it fails in all.

        Returns:
            What ``work`` returned here.

        Raises:
            HeartprintError: What ``work`` raised in the first process where it did, raised in the main one.
            SystemExit: The same in the other processes, which have nothing to add.
        """
        if self.world_size == 1:
            return work(*args, **kwargs)
        failed: HeartprintError | None = None
        try:
            done = work(*args, **kwargs)
        except HeartprintError as error:
            failed = error
        said = self._exchanged(f"{failed.code}\x1f{failed.message}".encode() if failed else b"")
        for words in filter(None, said):
            if self.rank:
                raise SystemExit(2)
            raise HeartprintError(*words.decode().split("\x1f", 1)) from failed
        return done

    def run_on_main(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """Call something in the main process while the others wait; if it fails, it fails in all, as `run_together`.

        Returns:
            What ``work`` returned; None in the other processes.
        """
        return self.run_together(work, *args, **kwargs) if self.is_main else self.run_together(lambda: None)

    def any(self, here: bool) -> bool:
        """Whether something is so in any process."""
        if self.world_size == 1:
            return here
        flag = torch.tensor([float(here)], device=self.device)
        self.all_reduce([flag])
        return bool(flag.item() > 0)

    def _exchanged(self, data: bytes) -> list[bytes]:
        """Bytes of every process, in order of rank."""
        lengths = self.all_gather(torch.tensor([len(data)], device=self.device)).flatten().tolist()
        # Padded to one length, which is never nothing.
        padded = torch.frombuffer(bytearray(data.ljust(max(1, *lengths), b"\0")), dtype=torch.uint8)
        rows = self.all_gather(padded.to(self.device)).cpu()
        return [row[:n].numpy().tobytes() for row, n in zip(rows, lengths, strict=True)]


class _Gathered(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, group: Distributed) -> Tensor:
        ctx.rank = group.rank
        out = values.new_empty((group.world_size, *values.shape))
        dist.all_gather(list(out.unbind()), values.detach().contiguous())
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0][ctx.rank], None


@contextlib.contextmanager
def process_group(choose: Callable[[], torch.device]) -> Iterator[Distributed]:
    """Join the processes that ``torchrun`` started; alone if it did not.

    Args:
        choose: Gives the device of a process that is alone; the number of a GPU is added for several on a machine.

    Raises:
        HeartprintError: ``no-such-device`` if a machine has fewer GPUs than processes; ``not-joined`` if the other
            processes cannot be reached.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    device = choose()
    if size == 1:
        yield Distributed(device=device)
        return
    if device.type == "cuda":
        number, there = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
        if number >= there:
            raise HeartprintError(
                "no-such-device",
                f"This machine has {there} GPUs for more processes than that. Start torchrun with "
                f"--nproc-per-node={there}, or compute on the processor (-o device=cpu).",
            )
        device = torch.device("cuda", number)
        torch.cuda.set_device(device)
    # This module keeps the group that is there when it is first imported, which the optimiser does; the group's threads
    # then live on into Python's end, and now and then abort it.
    from torch.distributed.nn import functional  # noqa: F401

    try:
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=_PATIENCE)
    except (RuntimeError, ValueError) as error:
        raise HeartprintError(
            "not-joined",
            f"The {size} processes could not find each other ({str(error).splitlines()[0]}). See that every machine "
            "reaches the address and port that torchrun was given (--rdzv-endpoint).",
        ) from error
    try:
        yield Distributed(dist.get_rank(), dist.get_world_size(), device)
    finally:
        dist.destroy_process_group()
