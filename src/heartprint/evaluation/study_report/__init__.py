"""The report of a study: one self-contained HTML page, its numbers as JSON, its figures as PNG."""

from __future__ import annotations

from heartprint.evaluation.study_report.report import write_report

__all__ = ["write_report"]
