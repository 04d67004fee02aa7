"""Seeing a run learn: what its encoder does with patients it does not learn from.

A share of the patients is held out (``watch.share``). At every look their ECGs are drawn upright, embedded in eval mode
and judged; nothing of that reaches what is learned. ``watch.csv`` has the numbers, ``run.html`` shows them.
"""

from heartprint.pretraining.watch.patients import hold_out
from heartprint.pretraining.watch.watch import Watch, Watcher

__all__ = ["Watch", "Watcher", "hold_out"]
