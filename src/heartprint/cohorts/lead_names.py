"""What exporters call the twelve leads, in one place for every format."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from heartprint.cohorts.leads import LEADS_12
from heartprint.foundation.errors import HeartprintError

_CANONICAL = {name.lower(): name for name in LEADS_12}
# Other spellings of a bare name: French and Spanish D1 and DI, Latin numerals as figures, C for chest leads.
_CANONICAL |= {f"d{name}": lead for name, lead in (("1", "I"), ("2", "II"), ("3", "III"))}
_CANONICAL |= {f"d{lead.lower()}": lead for lead in LEADS_12[:3]}
_CANONICAL |= {f"c{k}": f"V{k}" for k in range(1, 7)}
_UNIT = r"(?:\s*[\[(]\s*(?P<bracketed>[mu\u00b5\u03bcn]?v|z)\s*[\])]|[\s_]+(?P<behind>[mu\u00b5\u03bcn]v))?"
_WORDS = r"(?:(?:mdc[_ ]ecg|ecg|ekg|lead|derivation|derivaci[oó]n|d[eé]rivation|ableitung|ch|channel|kanal)[\s_:.-]+)*"
_NAME = r"(?P<name>d?iii|d?ii|d?i|d[123]|a[\s_]?v[\s_]?[rlf]|[vc][\s_]?[1-6])"
_SPELLED = re.compile(rf"{_WORDS}(?P<sign>[-+]?){_NAME}{_UNIT}(?:\s*\(.*\))?", re.IGNORECASE)


@dataclass(frozen=True)
class LeadName:
    """One of the twelve leads as a file names it.

    Attributes:
        lead: Name in `LEADS_12`.
        negated: Whether the name says that it is upside down (``-aVR``).
        unit: The unit that stands in the name, in lower case; empty if none does.
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
    found = _SPELLED.fullmatch(" ".join(text.strip().strip("\"'").split()))
    if found is None:
        return None
    lead = _CANONICAL.get(re.sub(r"[\s_]", "", found["name"]).lower())
    if lead is None:
        return None
    unit = (found["bracketed"] or found["behind"] or "").lower().replace("µ", "u").replace("μ", "u")
    return LeadName(lead, found["sign"] == "-", unit)


def canonical(names: Sequence[str]) -> tuple[str, ...]:
    """Names in `LEADS_12` for those that are understood; others stay, and so does ``-aVR``, which is another signal."""
    out = []
    for name in names:
        known = lead_name(name)
        out.append(name if known is None or known.negated else known.lead)
    return tuple(out)


def require_once(names: Sequence[str], where: str) -> None:
    """See that no lead is there twice.

    Raises:
        HeartprintError: ``duplicate-lead``, naming both columns.
    """
    seen: dict[str, str] = {}
    for name in names:
        known = lead_name(name)
        if known is None or known.negated:
            continue
        if known.lead in seen:
            both = f"'{seen[known.lead]}' and '{name}'" if seen[known.lead] != name else f"twice '{name}'"
            raise HeartprintError(
                "duplicate-lead",
                f"{where} has lead {known.lead} twice ({both}). Rename or remove one of them; nobody can tell which "
                "is right.",
            )
        seen[known.lead] = name
