"""Studies: encoders x tasks x label budgets x label draws x test cohorts, with one report."""

from __future__ import annotations

from heartprint.evaluation.study.config import StudyConfig
from heartprint.evaluation.study.run import StudyResult, estimate_for_patients, estimate_study, run_study

__all__ = ["StudyConfig", "StudyResult", "estimate_for_patients", "estimate_study", "run_study"]
