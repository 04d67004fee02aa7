"""An archive as a whole: what no single ECG shows, and thousands together do."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np

from heartprint.foundation.errors import Caution, HeartprintError
from heartprint.readers.people import Corrections, People, Rules
from heartprint.signals.plausibility import DOUBT_CAUTION
from heartprint.signals.scale import ARCHIVE_HIGH_MV, ARCHIVE_LOW_MV, ARCHIVE_USUAL_MV

_ENOUGH = 5  # ECGs whose median decides
_SURE = 10  # ECGs whose median height of QRS is told if it is unusual
_UPSIDE_DOWN = -3.0  # median evidence for upright leads; of PTB-XL's even patients it is 7
_GROWN_UP = 16.0  # years
_SOME = 0.1  # share of doubtful ECGs that is told although the median is fine


_ALIKE_IN_ALL = {
    "implausible-rate": "heart rate, QRS, QT and spectrum fit to another sampling rate: it is probably wrong for all. "
    "Correct it, or trust it (--trust-rate).",
    "implausible-amplitude": "the height of QRS is not plausible: the unit or the gain is probably wrong for all. "
    "Correct it.",
    "normalised-leads": "their leads were normalised. Export them in mV or uV, or give the unit 'z'.",
    "inverted-leads": "they are upside down. Multiply the samples by -1, or correct the sign of the gain.",
}


class Archive:
    """Collects a few facts of every ECG that was taken, and judges them together before a cohort is finished.

    A single ECG may be slow, wide, low or turned by disease; half of an archive is not.

    Args:
        rules: How ids and dates are judged.
    """

    def __init__(self, rules: Rules) -> None:
        # Declared sampling rate to evidence for another one, and to that one.
        self._rates: dict[float, list[tuple[float, float]]] = defaultdict(list)
        self._upright: list[float] = []
        self._heights: list[float] = []
        self._n = 0
        self._refused: Counter[str] = Counter()
        self._people = People(rules)

    def add(self, ecg_id: str, values: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        """Take note of one ECG.

        Args:
            ecg_id: Its id.
            values: What `CohortWriter.add` was given beside it.
            facts: What its reader or its examination found out for this judgement.
        """
        age = values.get("age")
        # Children's hearts are fast and narrow: at an adult's measure they seem to run at twice their rate.
        if "rate_doubt" in facts and not (age is not None and age < _GROWN_UP):
            self._rates[float(values["sampling_rate"])].append((facts["rate_doubt"], facts["likely_hz"]))
        self._n += 1
        self._people.add(values, facts)
        if "upright" in facts:
            self._upright.append(facts["upright"])
        if "height_mv" in facts:
            self._heights.append(facts["height_mv"])

    def refuse(self, error: HeartprintError) -> None:
        """Take note of an ECG that was refused: where most are, for what is alike in all, the rest is not right."""
        self._refused[error.code] += 1

    def judge(self) -> list[Caution]:
        """Say what is odd about all of them together.

        Raises:
            HeartprintError: ``implausible-rate``, ``implausible-amplitude``, ``normalised-leads`` or
                ``inverted-leads``: the archive as a whole cannot be right.
        """
        self._judge_refused()
        cautions = [caution for rate, found in sorted(self._rates.items()) for caution in _judge_rate(rate, found)]
        cautions += self._judge_heights()
        self._judge_polarity()
        return [*cautions, *self._people.judge()]

    def corrections(self) -> Corrections:
        """What is taken back of single ECGs, or of their fields, now that all of them are known."""
        return self._people.corrections()

    def _judge_refused(self) -> None:
        for code, sentence in _ALIKE_IN_ALL.items():
            n = self._refused[code]
            if n >= _ENOUGH and n > self._n:
                raise HeartprintError(code, f"{n:,} ECGs were refused, and only {self._n:,} not, because {sentence}")

    def _judge_heights(self) -> list[Caution]:
        if len(self._heights) < _ENOUGH:
            return []
        median = float(np.median(self._heights))
        if not ARCHIVE_LOW_MV <= median <= ARCHIVE_HIGH_MV:
            raise HeartprintError(
                "implausible-amplitude",
                f"The median of the typical QRS of {len(self._heights):,} ECGs is {median:.2g} mV; of archives of "
                f"adults it is about 1.4 mV ({ARCHIVE_LOW_MV:g} to {ARCHIVE_HIGH_MV:g} mV is plausible). The unit or "
                "the gain is wrong for all of them: whole numbers may be counts of several uV, which are given as the "
                "unit, for example '4.88uV'. Correct it.",
            )
        if len(self._heights) >= _SURE and not ARCHIVE_USUAL_MV[0] <= median <= ARCHIVE_USUAL_MV[1]:
            return [
                Caution(
                    "unusual-amplitude",
                    f"The median of the typical QRS of {len(self._heights):,} ECGs is {median:.2g} mV; of archives of "
                    "adults it is about 1.4 mV. Check the unit: one step of the machine may be, for example, 2.5 uV "
                    "(then it is '2.5uV').",
                )
            ]
        return []

    def _judge_polarity(self) -> None:
        if len(self._upright) >= _ENOUGH and np.median(self._upright) < _UPSIDE_DOWN:
            share = np.mean(np.asarray(self._upright) < 0)
            raise HeartprintError(
                "inverted-leads",
                f"Of {len(self._upright):,} ECGs {share:.0%} look upside down, with QRS and T downwards in I, V5 and "
                "V6. Multiply the samples by -1, or correct the sign of the gain.",
            )


def _judge_rate(rate: float, found: list[tuple[float, float]]) -> list[Caution]:
    doubts = np.array([evidence for evidence, _ in found])
    doubtful = doubts > DOUBT_CAUTION
    n = int(doubtful.sum())
    if not n:
        return []
    likely = np.array([hz for _, hz in found])[doubtful]
    values, counts = np.unique(likely, return_counts=True)
    guess = float(values[np.argmax(counts)])
    seen = f"{n:,} of the {len(found):,} ECGs at {rate:g} Hz look as if they had been recorded at {guess:g} Hz"
    if len(found) >= _ENOUGH and np.median(doubts) > DOUBT_CAUTION:
        raise HeartprintError(
            "implausible-rate",
            f"{seen}, by their heart rates, QRS, QT and spectra together. Correct the sampling rate, or trust it "
            "(--trust-rate), for example where these are small children without known ages.",
        )
    if len(found) >= _ENOUGH and n > _SOME * len(found) and n >= _ENOUGH:
        return [Caution("implausible-rate", f"{seen}. One machine's sampling rate may be wrong: check these.")]
    return []
