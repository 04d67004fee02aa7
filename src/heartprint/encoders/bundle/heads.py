"""What a model's heads answer: a class with a probability and a threshold, or a number with an interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, field_validator, model_validator

from heartprint.cohorts.tasks import AnyTask, Regression, Task
from heartprint.encoders.bundle.strict import Count, Strict
from heartprint.foundation.errors import HeartprintError
from heartprint.metrics.calibration import PlattScaling
from heartprint.metrics.regression import NORMAL_95, NumberCalibration

Floats = npt.NDArray[np.float64]
MAX_HEADS = 32
"""Most heads of one model; a folder that claims thousands is not a model that anybody trained."""


class ClassHead(Strict):
    """A head that answers a task of classes.

    Args:
        task: What it answers.
        platt: From the head's output, a logit, to a probability.
        threshold: Probability from which on an ECG is called positive.
        n_labels: Labels that it was made from, whatever for.
        n_positive: Positive ones among them.
        notes: How it was fitted and calibrated.
    """

    kind: Literal["classes"] = "classes"
    task: Task
    platt: PlattScaling
    threshold: Annotated[float, Field(gt=0, lt=1)]
    n_labels: Count
    n_positive: Count
    notes: dict[str, Any] = Field(default_factory=dict)

    @field_validator("platt")
    @classmethod
    def _rising_and_finite(cls, value: PlattScaling) -> PlattScaling:
        if not (math.isfinite(value.a) and value.a >= 0 and math.isfinite(value.b)):
            raise ValueError("Platt scaling needs a finite slope that is not negative and a finite offset")
        return value

    @model_validator(mode="after")
    def _no_more_positive_than_labels(self) -> ClassHead:
        if self.n_positive > self.n_labels:
            raise ValueError("there are more positive labels than labels")
        return self

    def __str__(self) -> str:
        return f"{self.task.title}, threshold {self.threshold:.3f}"


class NumberHead(Strict):
    """A head that tells a number.

    Args:
        task: Which number.
        calibration: From the head's output to the number, and how far the truth lies from it.
        n_labels: Labels that it was made from, whatever for.
        notes: How it was fitted and calibrated.
    """

    kind: Literal["regression"] = "regression"
    task: Regression
    calibration: NumberCalibration
    n_labels: Count
    notes: dict[str, Any] = Field(default_factory=dict)

    @field_validator("calibration")
    @classmethod
    def _rising_and_finite(cls, value: NumberCalibration) -> NumberCalibration:
        finite = all(math.isfinite(number) for number in (value.slope, value.offset, value.residual_sd))
        if not (finite and value.slope >= 0 and value.residual_sd > 0):
            raise ValueError("a number needs a finite slope that is not negative, a finite offset and an SD above 0")
        return value

    @field_validator("task")
    @classmethod
    def _a_range(cls, value: Regression) -> Regression:
        if not (math.isfinite(value.lowest) and math.isfinite(value.highest) and value.lowest < value.highest):
            raise ValueError("the lowest possible number must lie below the highest, and both must be finite")
        return value

    def values(self, outputs: npt.ArrayLike) -> tuple[Floats, Floats, Floats]:
        """The numbers ``(n,)`` of the head's outputs ``(n,)``, and the ends of their intervals.

        The interval holds 95 % of what is measured where residuals are normal and new ECGs are like those of the
        calibration. Nothing is told that cannot be: all three stay in the range of the task.
        """
        values, task = self.calibration(outputs), self.task
        reach = NORMAL_95 * self.calibration.residual_sd
        low, value, high = (np.clip(values + d, task.lowest, task.highest) for d in (-reach, 0.0, reach))
        return value, low, high

    def __str__(self) -> str:
        unit = f" {self.task.unit}" if self.task.unit else ""
        return f"{self.task.title}, SD {self.calibration.residual_sd:.3g}{unit}"


Head = Annotated[ClassHead | NumberHead, Field(discriminator="kind")]


def only_class_head(heads: Sequence[ClassHead | NumberHead], what: str) -> ClassHead:
    """The head of a model that has one, of classes.

    Args:
        heads: A model's heads.
        what: What needs such a model: the beginning of the sentence.

    Raises:
        HeartprintError: ``several-heads`` or ``needs-classes``.
    """
    if len(heads) > 1:
        names = ", ".join(head.task.name for head in heads)
        raise HeartprintError(
            "several-heads", f"{what} one task, and this model answers {names}. Choose one of them (--task NAME)."
        )
    (head,) = heads
    if isinstance(head, NumberHead):
        raise HeartprintError(
            "needs-classes", f"{what} a task of two classes, and '{head.task.name}' is a number. Use another model."
        )
    return head


def twice(tasks: Sequence[AnyTask]) -> str | None:
    """The first name that stands twice among some tasks; None if none does."""
    names = [task.name for task in tasks]
    return next((name for k, name in enumerate(names) if name in names[:k]), None)


_OF_ONE = ("task", "platt", "threshold")


def to_disk(description: dict[str, Any]) -> dict[str, Any]:
    """How ``config.json`` says what a `ModelConfig` holds: a single head of classes stands at the top.

    That is how all folders were written before there were several heads, and how most are.
    """
    heads = description["heads"]
    if len(heads) != 1 or heads[0]["kind"] != "classes":
        return description
    flat = {}
    for name, value in description.items():
        flat.update({key: heads[0][key] for key in _OF_ONE} if name == "heads" else {name: value})
    return flat


def from_disk(raw: dict[str, Any]) -> dict[str, Any]:
    """What `to_disk` has written, whatever it is, with a list of heads; what is not there stays missing."""
    if "heads" in raw:
        return raw
    tuned = raw.get("finetuning")
    counts = (
        {name: tuned[name] for name in ("n_labels", "n_positive") if name in tuned} if isinstance(tuned, dict) else {}
    )
    head = {"kind": "classes", **{name: raw[name] for name in _OF_ONE if name in raw}, **counts}
    return {**{name: value for name, value in raw.items() if name not in _OF_ONE}, "heads": [head]}
