"""An archive as a whole: what no single ECG shows, and thousands together do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from heartprint.cohorts.readers.people import Corrections, People, Rules
from heartprint.foundation.errors import Caution


class Archive:
    """Collects a few facts of every ECG that was taken, and judges them together before a cohort is finished.

    Args:
        rules: How ids and dates are judged.
    """

    def __init__(self, rules: Rules) -> None:
        self._n = 0
        self._people = People(rules)

    def add(self, ecg_id: str, values: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        """Take note of one ECG.

        Args:
            ecg_id: Its id.
            values: What `CohortWriter.add` was given beside it.
            facts: What its reader or its examination found out for this judgement.
        """
        self._n += 1
        self._people.add(values, facts)

    def judge(self) -> list[Caution]:
        """Say what is odd about all of them together.

        Raises:
            HeartprintError: The archive as a whole cannot be right.
        """
        return self._people.judge()

    def corrections(self) -> Corrections:
        """What is taken back of single ECGs, or of their fields, now that all of them are known."""
        return self._people.corrections()
