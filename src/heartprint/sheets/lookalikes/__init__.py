"""Pictures that are no 12-lead ECG, or nearly one, drawn from a seed: for the gate of a reader to learn from and be tested with.

Each kind has two families of generators, ``training`` and ``test``, whose drawing ideas, fonts and ranges differ, so
that a test does not ask what was learned by heart; the modules' docstrings say how they differ.
"""

from heartprint.sheets.lookalikes.catalogue import LOOKALIKES, VARIANTS, Lookalike, Variant, draw_lookalike
from heartprint.sheets.lookalikes.nearly import NEARLY, Nearly, draw_nearly
from heartprint.sheets.lookalikes.page import Page

__all__ = [
    "LOOKALIKES",
    "NEARLY",
    "VARIANTS",
    "Lookalike",
    "Nearly",
    "Page",
    "Variant",
    "draw_lookalike",
    "draw_nearly",
]
