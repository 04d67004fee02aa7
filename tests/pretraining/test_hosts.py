"""Two machines, as far as one machine can play them: network namespaces that see each other through a cable alone."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from heartprint.cohorts import Cohort
from heartprint.foundation.files import sha256_file

HOSTS = (("hpa", "10.77.31.1"), ("hpb", "10.77.31.2"))
SETTINGS = (
    "backbone=small",
    "image_size=32",
    "batch_size=4",
    "steps=5",
    "workers=0",
    "device=cpu",
    "method.head_hidden=16",
)


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@contextlib.contextmanager
def two_hosts() -> Iterator[None]:
    made = []
    try:
        try:
            for name, _ in HOSTS:
                ip("netns", "add", name)
                made.append(name)
            ip("link", "add", "hpa0", "type", "veth", "peer", "name", "hpb0")
            for name, address in HOSTS:
                ip("link", "set", f"{name}0", "netns", name)
                ip("-n", name, "addr", "add", f"{address}/24", "dev", f"{name}0")
                ip("-n", name, "link", "set", f"{name}0", "up")
                ip("-n", name, "link", "set", "lo", "up")
        except (subprocess.CalledProcessError, FileNotFoundError) as error:
            pytest.skip(f"network namespaces cannot be made here ({error})")
        yield
    finally:
        for name in made:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


def torchrun(cohort: Cohort, out: Path, *options: str) -> list[str]:
    settings = [word for setting in SETTINGS for word in ("-o", setting)]
    command = [sys.executable, "-m", "torch.distributed.run", *options, "-m", "heartprint"]
    return [*command, "pretrain", str(cohort.path), "--out", str(out), *settings]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("ip") is None, reason="the command ip is not there")
def test_two_hosts_train_as_one_machine_with_two_processes(cohort: Cohort, tmp_path: Path) -> None:
    """By the commands of docs/how-to/many-machines.md, each host with a folder of its own."""
    alone = {**os.environ, "OMP_NUM_THREADS": "1"}
    one = torchrun(cohort, tmp_path / "one", "--standalone", "--nproc-per-node=2")
    subprocess.run(one, env=alone, check=True, capture_output=True, timeout=300)
    with two_hosts():
        running = []
        for rank, (name, _) in enumerate(HOSTS):
            where = ["--nnodes=2", f"--node-rank={rank}", "--nproc-per-node=1"]
            where += [f"--master-addr={HOSTS[0][1]}", "--master-port=29511"]
            command = ["ip", "netns", "exec", name, *torchrun(cohort, tmp_path / name, *where)]
            environment = {**alone, "GLOO_SOCKET_IFNAME": f"{name}0"}
            running.append(subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True))
        said = [process.communicate(timeout=300)[1] for process in running]
    for process, words in zip(running, said, strict=True):
        assert process.returncode == 0, words
    first, second = (tmp_path / name for name, _ in HOSTS)
    assert sha256_file(first / "encoder/model.safetensors") == sha256_file(tmp_path / "one/encoder/model.safetensors")
    assert not second.exists(), "only the first process writes"
