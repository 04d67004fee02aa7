"""Watching a run: when to look, what to keep, when to stop."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from heartprint.cohorts import Cohort
from heartprint.encoders.networks.encoder import Encoder
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.progress import Progress
from heartprint.pretraining.config import PretrainConfig
from heartprint.pretraining.run_folder import Log, RunFolder
from heartprint.pretraining.watch.look import Look, Subjects
from heartprint.pretraining.watch.page import write_page
from heartprint.pretraining.watch.table import Row, WatchTable
from heartprint.training.optim import warmup_steps

TENSORBOARD = "tensorboard"
LEAST_RANK = 2.0
"""Effective rank below which embeddings are called collapsed: they vary in one direction alone. Networks with random
weights, the shipped encoder and EfficientNet had 27 to 91 on the same ECGs."""
MOST_COSINE = 1 - 1e-6
"""Mean cosine above which they are: it says that all are one. Networks with random weights reach 0.999 and learn."""
MIN_ECGS = 30
"""Watched ECGs below which a low rank may be theirs, not the encoder's."""

DRAW_EVERY_S = 30.0
"""Least time between two drawings of ``run.html`` while a run learns, s: a drawing takes seconds on a small machine."""


class Watch:
    """Who is watched while a run learns, and when.

    Args:
        cohort: The watched ECGs; with none there is nothing to look at, and ``run.html`` shows the curves alone.
        config: The run's configuration.
        total: Steps of the whole run.

    Raises:
        HeartprintError: ``tensorboard-missing``; ``unknown-task`` or ``label-missing``.
    """

    def __init__(self, cohort: Cohort, config: PretrainConfig, total: int) -> None:
        self.config, self.total = config, total
        self.subjects = Subjects(cohort, config)
        self.summary_writer = _tensorboard() if config.watch.tensorboard else None

    def due(self, step: int) -> bool:
        """Whether a look belongs to this step: at the start, every so many steps and at the end.

        It follows from the settings alone, so that every process of a run says the same.
        """
        every = self.config.watch.every
        now = step in (0, self.total) or (every > 0 and step % every == 0)
        return now and (len(self.subjects.cohort) > 0 or self.config.watch.tensorboard)


class Watcher:
    """Looks at the watched patients, and tells what it saw, in the files of a run.

    Args:
        watch: Who is watched.
        folder: The run's folder.
        log: Its log.
        step: Steps done.

    Raises:
        HeartprintError: ``collapsed`` if the run that is resumed was stopped for it, and is to be stopped for it.
    """

    def __init__(self, watch: Watch, folder: RunFolder, log: Log, step: int) -> None:
        self.config, self.total, self.subjects = watch.config, watch.total, watch.subjects
        self.folder, self.log = folder, log
        self.table = WatchTable(folder.path, self.subjects.names, step) if len(self.subjects.cohort) else None
        self._seen: Look | None = None
        self._drawn = time.monotonic()
        self._told = len(log.rows)
        # What a killed run wrote after its checkpoint is hidden.
        purge = step + 1 if step else None
        self._writer = watch.summary_writer and watch.summary_writer(str(folder.path / TENSORBOARD), purge_step=purge)
        self._check_spread()

    def look(self, step: int, encoder: Encoder, bar: Progress | None = None) -> None:
        """Look at the encoder, write down what is seen, and now and then draw ``run.html``; once at each step.

        The encoder is as it was afterwards, its mode and statistics included, and so are torch's generators.

        Args:
            step: Steps done; the log has all of them.
            encoder: What learns.
            bar: Where a line is printed.

        Raises:
            HeartprintError: ``collapsed`` if the embeddings are alike for the second look in a row, after the warm-up;
                ``not-finite``.
        """
        if self.table is not None:
            if any(row["step"] == step for row in self.table.rows):
                return
            self._seen = self.subjects.look(encoder, step)
            self.table.add(self._seen)
            if bar is not None:
                bar.say(_in_words(self._seen))
        self._tell(self._seen)
        if time.monotonic() - self._drawn > DRAW_EVERY_S:
            self._draw()
        self._check_spread()

    def close(self) -> None:
        """Draw ``run.html`` as the run is left."""
        self._tell()
        if self._writer is not None:
            self._writer.close()
        self._draw()

    def _draw(self) -> None:
        rows = self.table.rows if self.table else []
        write_page(self.folder, self.log.rows, rows, self.subjects, self._seen, self.total)
        self._drawn = time.monotonic()

    def _tell(self, look: Look | None = None) -> None:
        """TensorBoard gets the log's new lines and what was just seen."""
        if self._writer is None:
            return
        for row in self.log.rows[self._told :]:
            for name, value in (*zip(row._fields[2:-1], row[2:-1], strict=True), *row.measures.items()):
                self._writer.add_scalar(name, value, row.step)
        self._told = len(self.log.rows)
        if look is not None:
            for name, estimate in look.estimates.items():
                if estimate.interval is not None:
                    self._writer.add_scalar(f"watched/{name}", estimate.value, look.step)
        self._writer.flush()

    def _check_spread(self) -> None:
        """Raise if the last two looks after the warm-up saw a collapse."""
        if not self.config.watch.stop_on_collapse or self.table is None or len(self.subjects.cohort) < MIN_ECGS:
            return
        warmup = warmup_steps(self.total, self.config.warmup_share)
        rows = [row for row in self.table.rows if row["step"] > warmup][-2:]
        if not all_alike(rows):
            return
        self._draw()  # what is left behind shows it
        last = rows[-1]
        raise HeartprintError(
            "collapsed",
            f"At step {last['step']:,.0f} the embeddings of the watched patients are all alike (effective rank "
            f"{last['effective_rank']:.1f}, mean cosine {last['mean_cosine']:.6f}), at the second look in a row. Start "
            f"a new run with a lower learning_rate (-o learning_rate={self.config.learning_rate / 3:.1g}) or larger "
            "batches, or go on from the last checkpoint by --resume -o watch.stop_on_collapse=false.",
        )


def all_alike(rows: Sequence[Row]) -> bool:
    """Whether two looks, given as lines of ``watch.csv``, both saw collapsed embeddings."""
    return len(rows) == 2 and all(
        row["effective_rank"] < LEAST_RANK or row["mean_cosine"] > MOST_COSINE for row in rows
    )


def _in_words(look: Look) -> str:
    """A look in one line, for the progress display."""
    seen = look.estimates
    parts = [
        *(f"rank-1 {seen[n].value:.0%}" for n in ("rank_1",) if seen[n].interval),
        *(f"EER {seen[n].value:.2f}" for n in ("equal_error_rate",) if seen[n].interval),
        f"effective rank {seen['effective_rank'].value:.1f}",
        *(
            f"{name.removeprefix('probe_auroc_')} AUROC {estimate.value:.2f}"
            for name, estimate in seen.items()
            if name.startswith("probe_auroc_") and estimate.interval
        ),
    ]
    return f"Watched at step {look.step:,}: {', '.join(parts)}"


def _tensorboard() -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise HeartprintError(
            "tensorboard-missing",
            "watch.tensorboard needs the package tensorboard, which is not installed. Install it (pip install "
            "'heartprint[tensorboard]') or leave the setting away; watch.csv and run.html hold the same.",
        ) from error
    return SummaryWriter
