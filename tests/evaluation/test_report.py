"""The report says what the numbers say, and stands alone."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heartprint.evaluation.study.config import FEATURES, StudyConfig
from heartprint.evaluation.study.run import StudyResult
from heartprint.evaluation.study_report import write_report
from heartprint.evaluation.study_report.figures import _spread, budget_title, figure_groups, styles
from heartprint.evaluation.study_report.notes import Reader, constancy, labels_saved, number, saved_sentence
from heartprint.evaluation.study_report.report import example_pairs
from heartprint.foundation.config import validate_config
from heartprint.pages.kit import patients_shown
from tests.evaluation.fabricated import fabricate_result, study_values


def make_config(**changes: Any) -> StudyConfig:
    return validate_config(study_values(**changes), StudyConfig)


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> StudyResult:
    full = [{"encoder": name, "task": "lvef_below_40", "budget": 60} for name in ("bcl", "random")]
    config = make_config(full=full)
    made = fabricate_result(tmp_path_factory.mktemp("study"), config)
    made.unequal["simclr"].append("steps 200, BCL has 120")
    write_report(made)
    return made


@pytest.fixture(scope="module")
def page(result: StudyResult) -> str:
    return (result.folder / "report.html").read_text(encoding="utf-8")


class _Strict(HTMLParser):
    VOID = frozenset({"meta", "img", "br", "hr", "link", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.sources: list[str] = []
        self.alts: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag not in self.VOID:
            self.open.append(tag)
        if values.get("id"):
            self.ids.add(str(values["id"]))
        if tag == "a":
            self.links.append(str(values.get("href")))
        if tag in ("img", "script", "link", "iframe"):
            self.sources.append(str(values.get("src") or values.get("href")))
            self.alts.append(values.get("alt"))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"


def test_the_page_is_whole_and_needs_nothing_else(page: str) -> None:
    parser = _Strict()
    parser.feed(page)
    assert parser.open == []
    assert parser.sources and all(s.startswith("data:image/") for s in parser.sources)
    assert all(parser.alts)
    assert all(link.startswith("#") and link[1:] in parser.ids for link in parser.links)
    assert not re.search(r"https?://", re.sub(r"data:[^\"]+", "", page))
    assert "None" not in re.sub(r"data:[^\"]+", "", page)
    assert "nan" not in re.sub(r"<[^>]+>", " ", page).split()


def test_a_simulation_is_called_one_everywhere(page: str, tmp_path: Path) -> None:
    assert "They prove nothing about hospitals" in page
    assert page.count("SIMULATED") > 5
    real = fabricate_result(tmp_path, make_config(tasks=["female"]), simulated=False, n_patients=200)
    text = write_report(real).read_text(encoding="utf-8")
    # The encoders of the fabricated study learned from simulated ECGs, but no cohort here is simulated.
    assert "SIMULATED" not in text and "prove nothing" not in text
    assert "Pretrained on simulated patients: BCL" in text and "All labels and tests are of real patients" in text
    table = (real.folder / "report.md").read_text(encoding="utf-8")
    assert "SIMULATED" not in table and "Pretrained on simulated patients: BCL" in table
    # Its example pairs are sheets of patients: the same warning as on a cohort's card and on a run's page.
    assert str(patients_shown()) in text and str(patients_shown()) not in page


def test_names_in_the_tables_are_text(tmp_path: Path) -> None:
    config = make_config(tasks=["female"], title="<script>alert(1)</script> | a", question="")
    result = fabricate_result(tmp_path, config, n_patients=200)
    write_report(result)
    text = (result.folder / "report.md").read_text(encoding="utf-8")
    assert not re.search(r"<[A-Za-z/!?]", text)
    assert text.startswith("# &lt;script>alert(1)&lt;/script> \\| a\n")


def test_the_numbers_on_the_page_are_those_of_the_statistics(result: StudyResult, page: str) -> None:
    for e in result.statistics.estimates:
        if e.mode == "probe":
            assert number(e.auroc.estimate, 3) in page
    for d in result.statistics.differences:
        assert number(d.auroc.estimate, 3, sign=True) in page
    found = json.loads((result.folder / "report.json").read_text(encoding="utf-8"))
    assert len(found["estimates"]) == len(result.statistics.estimates)
    assert found["simulated_cohorts"] == ["External hospital", "Internal hospital"]


def test_the_tables_can_be_pasted(result: StudyResult) -> None:
    text = (result.folder / "report.md").read_text(encoding="utf-8")
    tables = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    # Two more of full fine-tuning: against the probe, and against the other row.
    assert len(tables) == 2 * len({(e.task, e.cohort) for e in result.statistics.estimates}) + 2
    for lines in tables:
        assert len({line.count("|") for line in lines}) == 1, "every line has as many cells as the head"
    assert "SIMULATED" in text and "&" not in text
    for estimate in result.statistics.estimates:
        assert number(estimate.auroc.estimate, 3) in text
    assert len(result.statistics.full_differences) == 2
    for difference in result.statistics.full_differences:
        assert number(difference.auroc.estimate, 3).lstrip("-") in text


def test_a_layout_file_that_is_not_here_costs_no_report(result: StudyResult) -> None:
    reference = next(e for e in result.encoders if e["name"] == result.config.reference)
    before = reference["layouts"]
    reference["layouts"] = ["not-on-this-machine.yaml"]
    try:
        shown = example_pairs(result)
    finally:
        reference["layouts"] = before
    assert shown is not None
    assert all(": standard, " in caption for pair in shown["pages"] for _, caption in pair)


def test_marks_of_unequal_comparisons_are_shown(page: str) -> None:
    assert "unequal: steps 200, BCL has 120" in page
    assert "other backbone" in page
    assert "Full fine-tuning" in page
    assert "minus each other row, both fully fine-tuned" in page


def test_losses_are_told_and_wins_are_not_claimed(result: StudyResult, page: str) -> None:
    # In the fabricated study measured features read AF far better than any network.
    assert "Where BCL loses" in page
    losses = json.loads((result.folder / "report.json").read_text(encoding="utf-8"))["losses"]
    assert len(losses) == 1 and losses[0].startswith("Atrial fibrillation or flutter: BCL is behind Waveform features")


def test_nobody_is_named(result: StudyResult, page: str) -> None:
    text = page + (result.folder / "report.json").read_text(encoding="utf-8")
    assert not any(p in text for p in result.test_sets["patient_id"].unique().to_list())
    assert result.plan.cohorts["internal"].info.patient_key not in text


def test_figures_are_there_as_files(result: StudyResult) -> None:
    names = {p.name for p in (result.folder / "figures").iterdir()}
    assert names == {"curves.png", "differences.png", "pairs.png"}


def test_many_rows_get_a_figure_per_group(tmp_path: Path) -> None:
    values = study_values(tasks=["female"], budgets=[20, "all"], draws=2)
    values["encoders"] += [{"name": f"more{i}", "group": "lite0", "init": "random"} for i in range(3)]
    config = validate_config(values, StudyConfig)
    groups = figure_groups(config)
    assert [g for g, _ in groups] == ["small", "lite0"]
    assert all(rows[-1] == FEATURES for _, rows in groups)
    write_report(fabricate_result(tmp_path, config, n_patients=200))
    assert (tmp_path / "figures" / "curves-lite0.png").is_file()
    assert not (tmp_path / "figures" / "differences.png").exists()


def test_every_row_has_a_look_of_its_own() -> None:
    config = make_config()
    looks = styles(config)
    assert set(looks) == {"bcl", "simclr", "random", "imagenet", FEATURES}
    assert len({(s.color, s.marker) for s in looks.values()}) == len(looks)


def test_labels_saved_counts_only_what_was_run(result: StudyResult) -> None:
    reader = Reader(result.config, result.statistics)
    rows = {r["row"]: r for r in labels_saved(reader, "female", "internal")}
    own = reader.estimate("bcl", "female", "20", "internal")
    assert own is not None
    for name, row in rows.items():
        cell = row["cells"][0]
        tried = [e for b in ("20", "60", "all") if (e := reader.estimate(name, "female", b, "internal"))]
        enough = [e.n_labels for e in tried if e.auroc.estimate >= own.auroc.estimate]
        assert cell["needs"] == (min(enough) if enough else None)
        sentence = saved_sentence(reader, "female", "internal", row)
        assert (sentence is None) == (cell["needs"] == own.n_labels)


def test_constancy_counts_patients_whose_answer_changes(result: StudyResult) -> None:
    found = {c["task"]: c for c in constancy(result.plan, {n: t.title for n, t in result.plan.tasks.items()})}
    home = result.plan.cohorts["internal"]
    af, ids = home.labels("af"), home.patient_ids
    several = [p for p in np.unique(ids) if af[ids == p].max() == 1]
    assert found["af"]["patients"] == len(several)
    assert found["af"]["changing"] == sum(af[ids == p].min() == 0 for p in several)
    assert found["female"]["changing"] == found["lvef_below_40"]["changing"] == 0


def test_label_texts_are_moved_apart_and_keep_their_order() -> None:
    ends = [(0.80, "b"), (0.801, "c"), (0.5, "a"), (0.999, "d")]
    spread = _spread(ends, 0.05, 0.4, 1.0)
    assert [name for _, name in spread] == ["a", "b", "c", "d"]
    assert min(np.diff([y for y, _ in spread])) > 0.049


@pytest.mark.parametrize(
    ("budget", "text"), [("all", "all labels"), ("1500", "1,500 labels"), ("0.001", "0.1 % of patients")]
)
def test_budgets_for_people(budget: str, text: str) -> None:
    assert budget_title(budget) == text


@pytest.mark.parametrize(("value", "text"), [(-0.004, "0.00"), (-0.05, "−0.05"), (0.1, "+0.10"), (float("nan"), "–")])
def test_numbers_for_people(value: float, text: str) -> None:
    assert number(value, sign=True) == text
