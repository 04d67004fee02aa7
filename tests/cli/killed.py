"""Run a verb in forked processes that are killed (SIGKILL), again and again: ``WORK VERB MOMENTS``.

A moment is the N-th time that the verb is about to touch the files of its folder (open one for writing, rename, remove,
make a folder), as Python's audit events tell; half of the last file that was opened is then cut off, as a disk may do
it. Every fourth moment is a time of the clock instead. The process that forks has imported everything, so that a trial
takes a second or two; it has computed nothing, since threads of polars or torch would not survive the fork.

Prints JSON: for each trial what was wrong, nothing if all is well.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
import os
import random
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tests.finetuning.tiny import make_cohort

_LEFT_S = 2.0
_IMPORTED = (
    *("torch", "polars", "scipy.optimize", "scipy.stats", "matplotlib.figure", "matplotlib.backends.backend_agg"),
    *("heartprint.evaluation.evaluate", "heartprint.evaluation.study", "heartprint.evaluation.study_report", "jinja2"),
    *("heartprint.finetuning.run", "heartprint.pretraining.loop", "heartprint.encoders.bundle.export"),
    *("heartprint.cohorts.labelling", "heartprint.sheets.kernel", "heartprint.signals.measurements", "rich.progress"),
)
_TIMES = ("seconds", "images_per_s")


@dataclass
class Case:
    """A verb, what it writes, and how two of its outputs are compared."""

    words: list[str]
    out: str
    contents: Callable[[Path], Any]
    again: tuple[str, ...] = ("--overwrite",)
    seen: Literal["whole", "file by file", "unfinished"] = "whole"  # what a killed verb may leave under its name
    before: Callable[[Path], None] | None = None


def tree(path: Path) -> Any:
    """Every file of a folder that is not hidden, by its bytes; None if it is not there."""
    if not path.exists():
        return None
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    return {f.relative_to(path).as_posix(): tree(f) for f in sorted(path.rglob("[!.]*")) if f.is_file()}


def figures(path: Path) -> Any:
    """The scores of a study and the text of its report: the rest holds times."""
    if not (path / "report.json").is_file():
        return None
    said = json.loads((path / "report.json").read_text())
    keep = {k: v for k, v in said.items() if k not in ("reproduce", *_TIMES)}
    return tree(path / "results.parquet"), tree(path / "test_sets.parquet"), json.dumps(keep, sort_keys=True)


STUDY = """
title: T
cohorts: {home: {path: cohort}}
home: home
protocol: {split: 0.4}
tasks: [tall]
budgets: [8]
draws: 2
resamples: 100
groups: {small: {backbone: small, image_size: 32, pretraining: {steps: 6, batch_size: 4, workers: 1,
  device: cpu, checkpoint_every: 2}}}
encoders:
  - {name: bcl, group: small, pretrain: {cohort: home, method: {name: bcl, head_hidden: 16, head_dim: 8}}}
  - {name: random, group: small, init: random}
reference: bcl
"""


def prepare(work: Path, case: str) -> bool:
    """Write what the verbs need, by the verbs themselves."""
    make_cohort(work / "cohort", 16, 2)
    (work / "study.yaml").write_text(STUDY)
    lines = [f"p{k:03d},2015-01-02,LVEF,{30 + k}" for k in range(16)]
    (work / "echo.csv").write_text("\n".join(["subject_id,time,code,numeric_value", *lines]) + "\n")
    failed = 0
    if case in ("predict", "evaluate"):
        failed = run(["finetune", "cohort", *_MODEL, "--labels", "8", "--out", "model"])
    if case == "export":
        options = ("image_size=32", "batch_size=4", "steps=2", "method.head_hidden=16", "workers=0", "device=cpu")
        failed = run(["pretrain", "cohort", "--out", "run", *(w for o in options for w in ("-o", o))])
    return bool(failed)


_MODEL = ["--task", "tall", "--init", "random", "--backbone", "small", "--image-size", "32"]


def cases() -> dict[str, Case]:
    return {
        "finetune": Case(["finetune", "cohort", *_MODEL, "--labels", "8", "--out", "out"], "out", tree),
        "study": Case(["study", "study.yaml", "--out", "out"], "out", figures, (), "unfinished"),
        "export": Case(["export", "run", "out"], "out", tree),
        "label": Case(
            ["label", "out", "--events", "echo.csv", "--code", "LVEF", "--within", "900d", "--as", "lvef"],
            "out",
            tree,
            ("--replace",),
            "file by file",
            before=lambda work: shutil.copytree(work / "cohort", work / "out"),
        ),
        "predict": Case(["predict", "model", "cohort", "--out", "out"], "out", tree),
        "evaluate": Case(
            ["evaluate", "model", "cohort", "--out", "out", "--layout", "standard", "--resamples", "100",
             "--exclude-seen"], "out", tree,
        ),
    }  # fmt: skip


def run(words: list[str]) -> int:
    """Run the command line in this process; models are shown few sheets, as in all tests."""
    from heartprint.cli import main
    from heartprint.encoders.bundle import known_sheets

    known_sheets.FITTED, known_sheets.HELD_OUT = 60, 40

    sys.argv = ["heartprint", *words]
    try:
        main.main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def count_or_kill(root: str, at: int, counted: list[int]) -> None:
    """Count what touches files below a folder, and die at the given number (never at -1)."""
    opened: list[str] = []

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            if not isinstance(path, str) or not (flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)):
                return
        elif event in ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.truncate", "shutil.rmtree"):
            path = arguments[0]
        else:
            return
        file = os.path.abspath(os.fspath(path))  # noqa: PTH100  # nothing that opens or resolves
        if not file.startswith(root) or file.endswith("said.txt"):
            return
        counted[0] += 1
        if counted[0] == at:
            if opened:
                with contextlib.suppress(OSError):
                    os.truncate(opened[-1], Path(opened[-1]).stat().st_size // 2)
            os.kill(os.getpid(), signal.SIGKILL)
        if event == "open" and ".tmp" in file:
            opened.append(file)

    sys.addaudithook(hook)


def forked(
    words: list[str] | Callable[[], object], at: int = -1, after_s: float | None = None
) -> tuple[int, int, int, float]:
    """Run a verb in a process of its own: exit status (-9 if killed), events, its session, seconds."""
    reading, writing = os.pipe()
    began = time.monotonic()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        os.setsid()
        sink = os.open("said.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(sink, 1)
        os.dup2(sink, 2)
        counted = [0]
        count_or_kill(str(Path.cwd()), at, counted) if at else None
        status = 1
        try:
            status = run(words) if isinstance(words, list) else bool(words())
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os.write(writing, str(counted[0]).encode())
            os._exit(status)
    os.close(writing)
    if after_s is not None:
        time.sleep(after_s)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    seconds = time.monotonic() - began
    told = os.read(reading, 99) if os.WIFEXITED(status) else b""
    os.close(reading)
    code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
    return code, int(told or 0), pid, seconds


def left(session: int) -> list[int]:
    """Processes of a session that still run."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            state, _, _, of = stat.read_text().rpartition(")")[2].split()[:4]
            if int(of) == session and state != "Z":
                found.append(int(stat.parent.name))
    return found


def left_after(session: int, seconds: float = _LEFT_S) -> list[int]:
    end = time.monotonic() + seconds
    while left(session) and time.monotonic() < end:
        time.sleep(0.05)
    return left(session)


def empty(root: Path, case: Case) -> None:
    """Bring the output's place into the state before the verb."""
    out = root / case.out
    if out.is_file():
        out.unlink()
    shutil.rmtree(out, ignore_errors=True)
    if case.before:
        case.before(root)


def trial(case: Case, number: int, at: int, after_s: float | None, whole: Any, start: Any) -> list[str]:
    """Kill once, look at what is there, run again, and compare."""
    root = Path.cwd()
    empty(root, case)
    over = number % 2 == 1 and case.before is None and case.seen == "whole"
    if over and forked(case.words)[0] != 0:
        return ["the run before it failed"]
    words = [*case.words, *(case.again if over else ())]
    code, _, session, _ = forked(words, at, after_s)
    wrong = []
    if code not in (-9, 0) or (code == 0 and after_s is None):
        wrong.append(f"not killed: exit {code}: {Path('said.txt').read_text()[-300:]}")
    rest = left_after(session)
    if rest:
        wrong.append(f"left after {_LEFT_S} s: {rest}")
    seen = case.contents(root / case.out)
    if case.seen == "whole" and seen not in (None, whole):
        wrong.append("something half-written is seen")
    if case.seen == "file by file" and any(seen[k] not in (start[k], whole[k]) for k in whole):
        wrong.append("a half-written file is seen")
    code, _, session, _ = forked(words)
    said = Path("said.txt").read_text()
    if code == 2 and any(word in said for word in ("output-exists", "label-exists")):
        code, _, session, _ = forked([*case.words, *case.again])
        said = Path("said.txt").read_text()
    if code != 0:
        wrong.append(f"run again: exit {code}: {said[-300:]}")
    if case.contents(root / case.out) != whole:
        wrong.append("run again, it is not what the uninterrupted run gives")
    hidden = [p.relative_to(root).as_posix() for p in root.rglob(".*") if p.name.startswith(".")]
    if hidden:
        wrong.append(f"leftovers: {hidden}")
    return wrong


def main(work: str, name: str, moments: str) -> None:
    root = Path(work)
    root.mkdir(parents=True, exist_ok=True)
    os.chdir(root)
    case = cases()[name]
    for module in _IMPORTED:
        importlib.import_module(module)
    assert forked(lambda: prepare(root, name))[0] == 0, Path("said.txt").read_text()
    empty(root, case)
    start = case.contents(root / case.out)
    assert forked(case.words)[0] == 0, Path("said.txt").read_text()
    whole = case.contents(root / case.out)
    empty(root, case)
    code, events, _, seconds = forked(case.words, 10**9)
    assert code == 0 and case.contents(root / case.out) == whole, "two whole runs differ"
    rng = random.Random(name)
    n = int(moments)
    results: list[dict[str, Any]] = []
    for number in range(n):
        late = rng.uniform(0, seconds) if number % 4 == 3 else None
        at = 0 if late is not None else 1 + round(number / max(1, n - 1) * (events - 1))
        wrong = trial(case, number, at, late, whole, start)
        results.append({"at": at, "after_s": late, "wrong": wrong})
    print(json.dumps({"events": events, "seconds": round(seconds, 2), "trials": results}))


if __name__ == "__main__":
    main(*sys.argv[1:])
