"""ECGs on disk: cohorts, readers, simulated patients, tasks, splits, pairs, measurements."""

from heartprint.cohorts.cohort import Cohort, CohortInfo
from heartprint.cohorts.pairs import FlowRow, PairPolicy, Pairs, policy_flow
from heartprint.cohorts.splits import draw_budgets, half_of_patients, patient_folds, prove_disjoint, split_by_patient
from heartprint.cohorts.tasks import TASKS, AnyTask, Regression, Task, get_task
from heartprint.cohorts.writer import write_cohort

__all__ = [
    "TASKS",
    "AnyTask",
    "Cohort",
    "CohortInfo",
    "FlowRow",
    "PairPolicy",
    "Pairs",
    "Regression",
    "Task",
    "draw_budgets",
    "get_task",
    "half_of_patients",
    "patient_folds",
    "policy_flow",
    "prove_disjoint",
    "split_by_patient",
    "write_cohort",
]
