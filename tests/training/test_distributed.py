from __future__ import annotations

import sys

import torch

from heartprint.foundation.errors import HeartprintError
from heartprint.training.distributed import Distributed, process_group
from tests.training.processes import run_processes

HERE = "tests.training.test_distributed"


def what_crosses() -> None:
    """In each of three processes: everything that crosses between them."""
    with process_group(lambda: torch.device("cpu")) as group:
        own = torch.full((2,), float(group.rank), requires_grad=True)
        gathered = group.all_gather(own)
        assert gathered.tolist() == [[0, 0], [1, 1], [2, 2]]
        (gathered * torch.tensor([[1.0, 2], [3, 4], [5, 6]])).sum().backward()
        assert own.grad is not None
        assert own.grad.tolist() == [[1, 2], [3, 4], [5, 6]][group.rank]
        one, other = torch.tensor(float(group.rank)), torch.full((2, 2), 1.0)
        group.all_reduce([one, other])
        assert one.item() == 3 and other.tolist() == [[3, 3], [3, 3]]
        assert group.broadcast(b"\x00main" if group.is_main else b"") == b"\x00main"
        assert group.broadcast(b"") == b""
        assert group.any(group.rank == 2) and not group.any(False)
        assert group.run_together(pow, 2, group.rank) == 2**group.rank
        called: list[int] = []
        assert group.run_on_main(called.append, group.rank) is None
        assert called == ([0] if group.is_main else [])
        assert group.run_on_main(int, "7") == (7 if group.is_main else None)
        print(f"rank {group.rank} of {group.world_size}")


def failing(on_main: str) -> None:
    """What fails in a process ends all; ``on_main`` decides which fails."""

    def work(*, word: str) -> None:
        if group.rank == (0 if on_main else 2):
            raise HeartprintError("no-ecgs", f"The sentence: {word}.")

    with process_group(lambda: torch.device("cpu")) as group:
        try:
            (group.run_on_main if on_main else group.run_together)(work, word="said")
        except HeartprintError as error:
            print(error.code, error.message)
            sys.exit(3)
        print("went on")


def test_what_crosses_between_processes() -> None:
    for rank, done in enumerate(run_processes(3, f"{HERE}:what_crosses")):
        assert done.returncode == 0, done.stderr
        assert f"rank {rank} of 3" in done.stdout


def test_what_fails_in_one_fails_in_all_and_the_main_one_says_it() -> None:
    for on_main in ("yes", ""):
        main, *others = run_processes(3, f"{HERE}:failing", on_main)
        assert (main.returncode, main.stdout.strip()) == (3, "no-ecgs The sentence: said."), main.stderr
        assert [(other.returncode, other.stdout.strip()) for other in others] == [(2, "")] * 2


def test_alone_nothing_is_exchanged() -> None:
    group = Distributed()
    values = torch.arange(3.0)
    assert group.is_main and torch.equal(group.all_gather(values)[0], values)
    group.all_reduce([values])
    assert values.tolist() == [0, 1, 2]
    assert group.broadcast(b"x") == b"x" and group.any(True) and not group.any(False)
    assert group.run_together(divmod, 7, 2) == group.run_on_main(divmod, 7, 2) == (3, 1)
