"""Pictures that are no 12-lead ECG, or nearly one, drawn from a seed: a reader's gate learns from them and is tested.

Each kind of lookalike has two families of generators, ``training`` and ``test``, whose drawing ideas, fonts and ranges
differ, so that a test does not ask what was learned by heart. Training writes in DejaVu Sans and Serif, test in a font
like Times, one of a typewriter and a plotter's strokes; the modules' docstrings say what else differs.
"""

from heartprint.lookalikes.catalogue import LOOKALIKES, VARIANTS, Lookalike, Variant, draw_lookalike
from heartprint.lookalikes.nearly import NEARLY, Nearly, draw_nearly
from heartprint.lookalikes.page import Page

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
