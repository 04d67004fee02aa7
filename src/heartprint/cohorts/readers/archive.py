"""An archive as a whole: what no single ECG shows, and thousands together do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from heartprint.foundation.errors import Caution


class Archive:
    """Collects a few facts of every ECG that was taken, and judges them together before a cohort is finished."""

    def __init__(self) -> None:
        self._n = 0

    def add(self, ecg_id: str, values: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        """Take note of one ECG.

        Args:
            ecg_id: Its id.
            values: What `CohortWriter.add` was given beside it.
            facts: What its reader or its examination found out for this judgement.
        """
        self._n += 1

    def judge(self) -> list[Caution]:
        """Say what is odd about all of them together.

        Raises:
            HeartprintError: The archive as a whole cannot be right.
        """
        return []
