from __future__ import annotations

import pickle

from heartprint.foundation.errors import HeartprintError, unknown_name


def test_names_the_nearest() -> None:
    error = unknown_name("layout", "two-rythm", ["standard", "two_rhythm", "shuffled"])
    assert error.code == "unknown-layout"
    assert "Did you mean 'two_rhythm'?" in error.message
    assert "shuffled, standard, two_rhythm" in error.message


def test_guesses_nothing_where_nothing_is_near() -> None:
    error = unknown_name("label column", "qqqq", ["standard"])
    assert error.code == "unknown-label-column"
    assert "Did you mean" not in error.message
    assert "standard" in error.message


def test_survives_the_way_from_a_worker() -> None:
    error = pickle.loads(pickle.dumps(HeartprintError("flat-lead", "Lead I is flat.")))
    assert (type(error), error.code, error.message, str(error)) == (
        HeartprintError,
        "flat-lead",
        "Lead I is flat.",
        "Lead I is flat.",
    )
