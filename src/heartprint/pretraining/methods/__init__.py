"""The pretraining methods, one file each."""

from __future__ import annotations

from heartprint.foundation.errors import unknown_name
from heartprint.pretraining.methods.base import Method
from heartprint.pretraining.methods.bcl import Bcl
from heartprint.pretraining.methods.bcl_measured import BclMeasured
from heartprint.pretraining.methods.bcl_several import BclSeveral
from heartprint.pretraining.methods.bcl_state import BclState
from heartprint.pretraining.methods.byol import Byol
from heartprint.pretraining.methods.layouts import Layouts
from heartprint.pretraining.methods.measured import Measured
from heartprint.pretraining.methods.segments import Segments
from heartprint.pretraining.methods.simclr import SimClr
from heartprint.pretraining.methods.simulation_supervised import SimulationSupervised
from heartprint.pretraining.methods.vicreg import VicReg

METHODS: dict[str, type[Method]] = {
    method.name: method
    for method in (
        *(Bcl, BclSeveral, BclState, BclMeasured, VicReg, Byol),
        *(Segments, Measured, SimClr, Layouts, SimulationSupervised),
    )
}
"""Every pretraining method by name."""

__all__ = ["METHODS", "Method", "get_method"]


def get_method(name: str) -> type[Method]:
    """Look a method up.

    Raises:
        HeartprintError: ``unknown-method``, naming the nearest known one.
    """
    if name not in METHODS:
        raise unknown_name("method", name, METHODS)
    return METHODS[name]
