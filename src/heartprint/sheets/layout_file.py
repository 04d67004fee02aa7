"""Layouts that users write themselves, as YAML: a short form of rows and columns, or strips in millimetres."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from heartprint.foundation.config import read_yaml, validate_config
from heartprint.foundation.errors import HeartprintError
from heartprint.sheets.layout import (
    GAIN_MM_PER_MV,
    PAGE_S,
    PAPER_SPEED_MM_PER_S,
    ROW_MM,
    Layout,
    Names,
    Pulse,
    Separator,
    Side,
    Strip,
    columns_layout,
)
from heartprint.sheets.lead_order import ORDERS, dealt
from heartprint.sheets.look import LETTER_MM, NAME_X_MM, NAME_Y_MM
from heartprint.signals.leads import LEADS_12

SPEED = Annotated[float, Field(ge=5.0, le=200.0)]
GAIN = Annotated[float, Field(ge=1.0, le=80.0)]
LENGTH = Annotated[float, Field(gt=0.0, le=2000.0)]
SECONDS = Annotated[float, Field(gt=0.0, le=120.0)]
PLACE = Annotated[float, Field(ge=-500.0, le=2000.0)]


def _lead(name: str) -> str:
    """A lead's name, whatever its capitals; ``-aVR`` is aVR upside down."""
    sign, plain = ("-", name[1:]) if name.startswith("-") else ("", name)
    known = {lead.upper(): lead for lead in LEADS_12}
    if plain.upper() not in known:
        raise ValueError(f"there is no lead '{name}'; known: {', '.join(LEADS_12)}, and -aVR for aVR upside down")
    return sign + known[plain.upper()]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NamesSettings(_Settings):
    """See `heartprint.sheets.layout.Names`."""

    x_mm: PLACE = NAME_X_MM
    y_mm: PLACE = NAME_Y_MM
    size_mm: Annotated[float, Field(ge=1.0, le=20.0)] = LETTER_MM
    bold: bool = False
    form: Literal["aVR", "AVR", "none"] = "aVR"


class GridFile(_Settings):
    """The short form: rows and columns.

    Attributes:
        name: Name of the layout; that of the file if not given.
        description: One line for people.
        rows: Rows above the rhythm strips.
        columns: Columns.
        rhythm: Leads printed over the whole width below.
        order: ``standard``, ``cabrera``, or all leads, column after column, top to bottom.
        simultaneous: Whether all columns show the same moments.
        seconds: What all columns together are wide, s.
        speed: Paper speed, mm/s.
        gain: Height of 1 mV, mm.
        chest_gain: The same for V1 to V6; as all if not given.
        rhythm_speed: Paper speed of the rhythm strips, mm/s; as all if not given.
        row_mm: Distance between rows.
        pulse: Side of the calibration pulses: ``none``, ``left`` or ``right``.
        separator: Between columns: ``mark``, ``tick``, ``line`` or ``none``.
        names: How leads are named.
    """

    name: str | None = None
    description: str = ""
    rows: Annotated[int, Field(ge=1, le=24)]
    columns: Annotated[int, Field(ge=1, le=24)]
    rhythm: tuple[str, ...] = ()
    order: Literal["standard", "cabrera"] | tuple[str, ...] = "standard"
    simultaneous: bool = False
    seconds: SECONDS = PAGE_S
    speed: SPEED = PAPER_SPEED_MM_PER_S
    gain: GAIN = GAIN_MM_PER_MV
    chest_gain: GAIN | None = None
    rhythm_speed: SPEED | None = None
    row_mm: LENGTH = ROW_MM
    pulse: Side = "none"
    separator: Separator = "tick"
    names: NamesSettings = NamesSettings()

    @field_validator("rhythm", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("rhythm")
    @classmethod
    def _known_rhythm(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(_lead, value))

    @field_validator("order")
    @classmethod
    def _known_order(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        return value if isinstance(value, str) else tuple(map(_lead, value))

    @model_validator(mode="after")
    def _leads_fill_the_grid(self) -> GridFile:
        count = len(self._leads)
        if self.rows * self.columns != count:
            raise ValueError(
                f"{self.rows} rows x {self.columns} columns have room for {self.rows * self.columns} leads, and order "
                f"has {count}: change rows or columns, or list the leads in order"
            )
        return self

    @property
    def _leads(self) -> tuple[str, ...]:
        return ORDERS[self.order] if isinstance(self.order, str) else self.order

    def layout(self, name: str) -> Layout:
        """The layout; ``name`` is taken where the file gives none."""
        return columns_layout(
            self.name or name,
            self.description or f"{self.rows} rows x {self.columns} columns",
            dealt(self.columns, self._leads),
            self.rhythm,
            starts_s=(0.0,) * self.columns if self.simultaneous else None,
            seconds=self.seconds,
            speed_mm_per_s=self.speed,
            gain_mm_per_mv=self.gain,
            chest_gain_mm_per_mv=self.chest_gain,
            rhythm_speed_mm_per_s=self.rhythm_speed,
            row_mm=self.row_mm,
            pulse=self.pulse,
            separator=self.separator,
            names=Names(**self.names.model_dump()),
        )


class StripSettings(_Settings):
    """See `heartprint.sheets.layout.Strip`; ``lead: -aVR`` is aVR upside down."""

    lead: str
    left_mm: PLACE
    baseline_mm: PLACE
    start_s: Annotated[float, Field(ge=0.0, le=3600.0)] = 0.0
    duration_s: SECONDS
    speed: SPEED = PAPER_SPEED_MM_PER_S
    gain: GAIN = GAIN_MM_PER_MV
    named: bool = True
    divided: bool = False

    @field_validator("lead")
    @classmethod
    def _known_lead(cls, value: str) -> str:
        return _lead(value)

    def strip(self) -> Strip:
        """The strip."""
        return Strip(
            self.lead.removeprefix("-"),
            self.left_mm,
            self.baseline_mm,
            self.start_s,
            self.duration_s,
            self.named,
            self.speed,
            self.gain,
            self.lead.startswith("-"),
            self.divided,
        )


class PulseSettings(_Settings):
    """See `heartprint.sheets.layout.Pulse`."""

    left_mm: PLACE
    baseline_mm: PLACE
    speed: SPEED = PAPER_SPEED_MM_PER_S
    gain: GAIN = GAIN_MM_PER_MV


class StripsFile(_Settings):
    """The long form: a page and its strips, all in millimetres from the upper left corner.

    Attributes:
        name: Name of the layout; that of the file if not given.
        description: One line for people.
        width_mm: Width of the page.
        height_mm: Height of the page.
        strips: The strips.
        pulses: The calibration pulses.
        separator: Before strips that are ``divided``: ``mark``, ``tick``, ``line`` or ``none``.
        names: How leads are named.
    """

    name: str | None = None
    description: str = ""
    width_mm: LENGTH
    height_mm: LENGTH
    strips: Annotated[tuple[StripSettings, ...], Field(min_length=1)]
    pulses: tuple[PulseSettings, ...] = ()
    separator: Separator = "tick"
    names: NamesSettings = NamesSettings()

    @model_validator(mode="after")
    def _strips_lie_on_the_page(self) -> StripsFile:
        for number, settings in enumerate(self.strips):
            strip = settings.strip()
            if (
                strip.left_mm < 0
                or strip.right_mm > self.width_mm + 0.5
                or not 0 <= strip.baseline_mm <= self.height_mm
            ):
                raise ValueError(
                    f"strips.{number} ({strip.label}) reaches from {strip.left_mm:g} to {strip.right_mm:g} mm at a "
                    f"height of {strip.baseline_mm:g} mm, and the page is {self.width_mm:g} x {self.height_mm:g} mm"
                )
        return self

    def layout(self, name: str) -> Layout:
        """The layout; ``name`` is taken where the file gives none."""
        return Layout(
            self.name or name,
            self.description or f"{len(self.strips)} strips",
            self.width_mm,
            self.height_mm,
            tuple(settings.strip() for settings in self.strips),
            tuple(Pulse(p.left_mm, p.baseline_mm, p.speed, (p.gain,)) for p in self.pulses),
            self.separator,
            Names(**self.names.model_dump()),
        )


def read_layout(path: str | Path) -> Layout:
    """Read a layout from a YAML file, in the short form or, where it has ``strips``, in the long one.

    Raises:
        HeartprintError: ``layout-missing``, ``config-damaged``, or ``bad-config``, naming what is wrong.
    """
    file = Path(path)
    if not file.is_file():
        raise HeartprintError(
            "layout-missing", f"There is no layout file {file}. Give the name of a layout or the path of a .yaml file."
        )
    values = read_yaml(file)
    form: type[GridFile] | type[StripsFile] = StripsFile if "strips" in values else GridFile
    return validate_config(values, form, where=str(file)).layout(file.stem)
