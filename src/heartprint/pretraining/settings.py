"""Settings that belong to a method: ``method.NAME`` in a configuration."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, field_validator

from heartprint.sheets import LAYOUTS, get_layout
from heartprint.sheets.layout import PAGE_S
from heartprint.sheets.sampler import LayoutNames

SHORT_LAYOUTS = ("short_six_rows", "short_three_rows")


class MethodSettings(BaseModel):
    """What a configuration may say of its method; a method with settings of its own derives from this.

    Attributes:
        name: Name in ``METHODS``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str

    @property
    def layouts(self) -> tuple[str, ...]:
        """Layouts that the method draws in beside those of the run."""
        return ()


class HalvesSettings(MethodSettings):
    """Settings of methods that draw half an ECG.

    Attributes:
        stretch_layouts: Layouts that half an ECG is drawn in, each as likely as the others; 5 s must suffice them.
    """

    stretch_layouts: LayoutNames = SHORT_LAYOUTS

    @field_validator("stretch_layouts")
    @classmethod
    def _short_layouts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        long = [name for name in value if get_layout(name).needs_s > PAGE_S / 2]
        if long:
            short = [name for name, layout in LAYOUTS.items() if layout.needs_s <= PAGE_S / 2]
            raise ValueError(f"{', '.join(long)} needs more than half an ECG; these do not: {', '.join(short)}")
        return value

    @property
    def layouts(self) -> tuple[str, ...]:
        """Those of the halves."""
        return self.stretch_layouts
