"""Pictures that are no 12-lead ECG, drawn from a seed: for the gate of a reader to learn from and be tested with.

Each kind has two families of generators, ``training`` and ``test``, whose drawing ideas, fonts and ranges differ, so
that a test does not ask what was learned by heart; the modules' docstrings say how they differ.
"""

from heartprint.sheets.lookalikes.catalogue import LOOKALIKES, VARIANTS, Lookalike, Page, Variant, draw_lookalike

__all__ = ["LOOKALIKES", "VARIANTS", "Lookalike", "Page", "Variant", "draw_lookalike"]
