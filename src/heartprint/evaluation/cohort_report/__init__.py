"""``cohort.html``: a cohort on one page."""

from heartprint.evaluation.cohort_report.report import CARD_FILE, write_card

__all__ = ["CARD_FILE", "write_card"]
