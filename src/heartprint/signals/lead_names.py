"""What exporters call the twelve leads, in one place for every format."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from heartprint.foundation.errors import HeartprintError
from heartprint.signals.leads import LEADS_12

_CANONICAL = {name.lower(): name for name in LEADS_12}
# Other spellings of a bare name: French and Spanish D1 and DI, C for chest leads.
_CANONICAL |= {f"d{name}": lead for name, lead in (("1", "I"), ("2", "II"), ("3", "III"))}
_CANONICAL |= {f"d{lead.lower()}": lead for lead in LEADS_12[:3]}
_CANONICAL |= {f"c{k}": f"V{k}" for k in range(1, 7)}
_UNITS = {"volt": "v", "millivolt": "mv", "microvolt": "uv", "nanovolt": "nv", "\u00b5v": "uv", "\u03bcv": "uv"}
_VOLTS = r"(?:[mu\u00b5\u03bcn]?v|(?:milli|micro|nano)?volts?)"
_UNIT = rf"(?:\s*[\[(]\s*(?P<bracketed>{_VOLTS}|z)\s*[\])]|[\s_/,]+(?P<behind>[mu\u00b5\u03bcn]v))?"
# A hyphen is a sign where nothing but a blank stands before it and nothing behind it: 'ECG-aVR' and 'Lead - aVR' are
# aVR, 'Lead -aVR' is its mirror image.
_BETWEEN = r"(?:\s*-\s+|[\s_:.]+|-)"
_WORDS = (
    rf"(?:(?:(?:mdc|ecg|ekg|lead|derivation|derivaci[oó]n|d[eé]rivation|ableitung|ch|channel|kanal|standard|limb"
    rf"|chest|precordial|bipolar|unipolar|augmented|12[ -]lead){_BETWEEN})+|(?:lead|ecg|ekg)(?=[adv\si]))?"
)
_NAME = r"(?P<name>d?iii|d?ii|d?i|d[123]|a[\s_]?v[\s_]?[rlf]|[vc][\s_]?[1-6])"
_SPELLED = re.compile(rf"{_WORDS}(?P<sign>[-+]?)\s*{_NAME}{_UNIT}(?:\s*\((?P<note>.*)\))?", re.IGNORECASE)
_LONGEST = 80
_MIRRORED = re.compile(r"inv|neg|minus|revers|flip|upside|umgekehrt", re.IGNORECASE)
# What makes another lead of one: the same electrode moved to the right or the back.
_MOVED = re.compile(r"right|recht|droit|derech|post|back|v\d+r|[vc][\s_]?\d|\br\b", re.IGNORECASE)


@dataclass(frozen=True)
class LeadName:
    """One of the twelve leads as a file names it.

    Attributes:
        lead: Name in `LEADS_12`.
        negated: Whether the name says that it is upside down (``-aVR``).
        unit: The unit that stands in the name: ``mv``, ``uv``, ``nv``, ``v``, ``z``, or empty.
    """

    lead: str
    negated: bool = False
    unit: str = ""


def lead_name(text: str) -> LeadName | None:
    """Understand what a column, channel or signal is called.

    Args:
        text: ``I``, ``Lead I``, ``I (mV)``, ``DI``, ``ECG V1``, ``MDC_ECG_LEAD_AVF``, ``v1_uV``, ``C1``, ``-aVR``...

    Returns:
        The lead, or None where the text is not the name of one of the twelve alone.
    """
    plain = " ".join(text.strip().strip("\"'").split()).replace("\u2212", "-").replace("\u2013", "-")
    found = _SPELLED.fullmatch(plain) if len(plain) <= _LONGEST else None
    if found is None:
        return None
    note = found["note"] or ""
    lead = _CANONICAL[re.sub(r"[\s_]", "", found["name"]).lower()]
    if lead.startswith("V") and _MOVED.search(note) and lead_called(note) != lead:
        return None
    unit = (found["bracketed"] or found["behind"] or "").lower()
    unit = _UNITS.get(unit.removesuffix("s"), unit)
    return LeadName(lead, (found["sign"] == "-") != bool(_MIRRORED.search(note)), unit)


def lead_called(text: str) -> str | None:
    """The lead in `LEADS_12` that a text names; None where it names none, or one upside down."""
    known = lead_name(text)
    return None if known is None or known.negated else known.lead


def canonical(names: Sequence[str]) -> tuple[str, ...]:
    """Names in `LEADS_12` for those that are understood; others stay, and so does ``-aVR``, which is another signal."""
    return tuple(lead_called(name) or name for name in names)


def listed(names: Sequence[str]) -> str:
    """Names as they stand in a file, for a message: the first twenty, each no longer than twenty letters."""
    shown = [f"'{name[:20]}'" for name in names[:20]]
    return ", ".join(shown) + (f" and {len(names) - 20} more" if len(names) > 20 else "") if shown else "none"


def require_once(names: Sequence[str], where: str) -> None:
    """See that no lead is there twice.

    Raises:
        HeartprintError: ``duplicate-lead``, naming both columns.
    """
    seen: dict[str, str] = {}
    for name in names:
        lead = lead_called(name)
        if lead is None:
            continue
        if lead in seen:
            both = f"'{seen[lead][:40]}' and '{name[:40]}'" if seen[lead] != name else f"twice '{name[:40]}'"
            raise HeartprintError(
                "duplicate-lead",
                f"{where} has lead {lead} twice ({both}). Rename or remove one of them; nobody can tell which is "
                "right.",
            )
        seen[lead] = name


def require_unit(name: str, unit: str, where: str) -> None:
    """See that a unit that stands in a lead's name is the one that the header gives.

    Args:
        name: What the lead is called, such as ``V1 (uV)``.
        unit: The header's.
        where: The file, for the message.

    Raises:
        HeartprintError: ``bad-unit``.
    """
    known = lead_name(name)
    plain = unit.strip().lower()
    if known is not None and known.unit and known.unit != _UNITS.get(plain, plain):
        raise HeartprintError(
            "bad-unit",
            f"{where} gives the samples of '{name[:40]}' in {unit[:20] or 'no unit'}, which is not what the name says. "
            "Correct one of them.",
        )
