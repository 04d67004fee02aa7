"""Processes that work through any number of jobs in order; a job that kills its process costs no other."""

from __future__ import annotations

import contextlib
import os
import queue
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Generic, TypeVar

from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.parallel import tie_to

Job = TypeVar("Job")
Result = TypeVar("Result")

_AHEAD = 3  # jobs for each process that are given out before their results are fetched
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def in_order(
    work: Callable[[Job], Result], jobs: Iterable[Job], workers: int, *, after: Callable[[Job, HeartprintError], Result]
) -> Generator[Result]:
    """Yield ``work(job)`` of each job, in order; only a few jobs for each process are under way at a time.

    Args:
        work: A function of a module, which can be pickled; what it raises is raised here.
        jobs: What it is given; each can be pickled.
        workers: Processes; with one all is done in this one.
        after: Gives the result of a job that has killed its process (``worker-died``): the other jobs of that moment
            are done again, each in a process of its own.
    """
    if workers == 1:
        yield from map(work, jobs)
        return
    left = iter(jobs)
    waiting: deque[tuple[Job, Future[Result]]] = deque()
    pool: _Pool[Job, Result] = _Pool(work, workers)
    alone: _Pool[Job, Result] | None = None
    try:
        while True:
            # After a death nothing more is given out until it is known which job it was.
            while alone is None and len(waiting) < _AHEAD * workers:
                try:
                    job = next(left)
                except StopIteration:
                    break
                waiting.append((job, pool.submit(job)))
            if not waiting and alone is not None:
                alone.stop()
                pool, alone = _Pool(work, workers), None
                continue
            if not waiting:
                return
            job, future = waiting.popleft()
            try:
                result = future.result()
            except BrokenProcessPool:
                alone = alone or _Pool(work, 1)
                try:
                    result = alone.submit(job).result()
                except BrokenProcessPool:
                    alone.stop()
                    alone = _Pool(work, 1)
                    result = after(job, _died())
            yield result
    finally:
        pool.stop()
        if alone is not None:
            alone.stop()


def _died() -> HeartprintError:
    return HeartprintError(
        "worker-died",
        "The process that worked on this file was killed, or ran out of memory. Run the same command again with fewer "
        "--workers; if it is killed again, leave the file out.",
    )


class _Pool(Generic[Job, Result]):
    """Processes that leave with this one; started when they are needed."""

    def __init__(self, work: Callable[[Job], Result], workers: int) -> None:
        self._work = work
        self._workers = workers
        self._executor: Any = None

    def submit(self, job: Job) -> Future[Result]:
        from joblib.externals.loky import ProcessPoolExecutor

        if self._executor is None:
            self._executor = ProcessPoolExecutor(
                self._workers, initializer=tie_to, initargs=(os.getpid(),), env=_ONE_THREAD
            )
        try:
            future: Future[Result] = self._executor.submit(self._work, job)
        except BrokenProcessPool as error:
            # It died while nobody was looking: the job is one of those that are done again.
            future = Future()
            future.set_exception(error)
        return future

    def stop(self) -> None:
        if self._executor is not None:
            # Loky's manager trips over jobs that wait while it is killed.
            with contextlib.suppress(queue.Empty, AttributeError):
                while True:
                    self._executor._work_ids.get_nowait()
            self._executor.shutdown(wait=True, kill_workers=True)
            self._executor = None


def n_workers(workers: int | None, jobs: int) -> int:
    """Processes to use: as many as asked for; otherwise all cores, and one where the jobs are too few to be worth more.

    Raises:
        HeartprintError: ``bad-options``.
    """
    if workers is None:
        return max(1, min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
                          jobs // _WORTHWHILE))  # fmt: skip
    if workers < 1:
        raise HeartprintError("bad-options", f"{workers} workers can read nothing. Give 1 or more.")
    return workers


_WORTHWHILE = 8  # jobs a process: its start takes as long as some pictures
