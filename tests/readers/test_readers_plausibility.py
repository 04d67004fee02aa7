"""Every reader of waveforms refuses or tells a wrong sampling rate, turned leads, flat leads and offsets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

from heartprint.cohorts.checks import Limits
from heartprint.cohorts.cohort import MISSING, REFUSED_FILE
from heartprint.foundation.errors import HeartprintError
from heartprint.readers import READERS, Table, ingest
from heartprint.readers.ingestion import Outcome, read_part
from heartprint.readers.people import Rules
from heartprint.sheets import render
from heartprint.signals.leads import LEADS_8, LEADS_12, twelve_leads
from tests.readers import sources
from tests.signals.hearts import lifelike

WAVEFORMS = sorted(set(READERS) - {"images"})
# EchoNext's leads are standardised: their offset and scale are gone, and a flat one cannot be divided.
IN_MV = [name for name in WAVEFORMS if name != "echonext"]
Leads = npt.NDArray[np.float32]


def heart(seconds: float = 10.0, rate: int = 100, seed: int = 0) -> Leads:
    """(12, n) mV, as `tests.cohorts.ecgs.twelve`, of a heart that can be judged."""
    leads = lifelike(rate=rate, seconds=seconds, bpm=62 + 7 * (seed % 5), seed=seed)
    return twelve_leads(leads.astype(np.float32))


def too_slow(seconds: float = 10.0, rate: int = 100, seed: int = 0) -> Leads:
    """As many samples, recorded twice as fast as is declared."""
    return heart(seconds / 2, 2 * rate, seed)


def upside_down(seconds: float = 10.0, rate: int = 100, seed: int = 0) -> Leads:
    return -heart(seconds, rate, seed)


def without_v3(seconds: float = 10.0, rate: int = 100, seed: int = 0) -> Leads:
    leads = heart(seconds, rate, seed)
    leads[LEADS_12.index("V3")] = 0.1
    return leads


def outcomes(
    name: str, make: Callable[..., Leads], folder: Path, patch: pytest.MonkeyPatch, **options
) -> tuple[sources.Example, dict[str, Outcome]]:
    """What becomes of the good ECGs of a reader's example, drawn by ``make``."""
    patch.setattr(sources, "twelve", make)
    example = sources.EXAMPLES[name](folder)
    rows = list(example.reader.open(example.src).rows)
    found = {outcome.ecg_id: outcome for outcome in read_part(rows, Limits(**options), Rules(shifted_dates=True))}
    return example, {known.ecg_id: found[known.ecg_id] for known in example.known}


def codes(outcome: Outcome) -> set[str]:
    if outcome.error:
        return {outcome.error.code}
    # The Philips file among these ends with a pulse, as its machine writes one.
    return {caution.code for caution in outcome.cautions} - {"calibration-pulse"}


@pytest.mark.parametrize("name", WAVEFORMS)
def test_what_is_right_is_taken_without_a_word(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, found = outcomes(name, heart, tmp_path, monkeypatch)
    for outcome in found.values():
        assert codes(outcome) == set()
        assert outcome.facts["rate_doubt"] == 0
        assert outcome.facts["upright"] > 2


@pytest.mark.parametrize("name", WAVEFORMS)
def test_half_of_the_sampling_rate_is_found(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, found = outcomes(name, too_slow, tmp_path, monkeypatch)
    assert all("implausible-rate" in codes(outcome) for outcome in found.values())
    (tmp_path / "trusted").mkdir()
    _, trusted = outcomes(name, too_slow, tmp_path / "trusted", monkeypatch, trust_rate=True)
    assert all("implausible-rate" not in codes(outcome) for outcome in trusted.values())


@pytest.mark.parametrize("name", WAVEFORMS)
def test_upside_down_is_found(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, found = outcomes(name, upside_down, tmp_path, monkeypatch)
    assert all("inverted-leads" in codes(outcome) for outcome in found.values())


@pytest.mark.parametrize("name", IN_MV)
def test_a_flat_chest_lead_is_refused_or_missing(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    example, found = outcomes(name, without_v3, tmp_path, monkeypatch)
    assert all(codes(outcome) == {"flat-lead"} and outcome.error for outcome in found.values())
    cohort = ingest(example.reader, example.src, tmp_path.with_name(f"{tmp_path.name}-out"), flat_leads="missing")
    assert cohort.ecg_ids.tolist() == [known.ecg_id for known in example.known]
    for row in range(len(cohort)):
        samples = cohort.samples(row)
        assert (samples[LEADS_8.index("V3")] == MISSING).all()
        assert (samples[LEADS_8.index("V4")] != MISSING).mean() > 0.9
        page = render(cohort.signal(row), cohort.sampling_rate(row), layout="standard")
        assert page.min() < 128 < page.max()
    told = pl.read_parquet(cohort.path / "cautions.parquet")
    assert [code for code in told["code"] if code != "calibration-pulse"] == ["flat-lead"] * len(cohort)


@pytest.mark.parametrize("name", ["code-15", "sami-trop", "table"])
def test_an_offset_beyond_16_bits_is_removed(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The formats whose samples are floating point can hold one."""

    def shifted(seconds: float = 10.0, rate: int = 100, seed: int = 0) -> Leads:
        leads = heart(seconds, rate, seed)
        leads[LEADS_12.index("V2")] += 41.0
        return leads

    monkeypatch.setattr(sources, "write_record", lambda *args, **_: _as_small(*args))
    _, found = outcomes(name, shifted, tmp_path, monkeypatch)
    for outcome in found.values():
        if outcome.ecg_id != "c":
            assert codes(outcome) == {"offset-removed"}
            assert outcome.stored is not None
            assert np.ptp(outcome.stored[LEADS_8.index("V2")]) > 300


def _as_small(folder: Path, name: str, leads: Leads, *_: object) -> object:
    from tests.cohorts.ecgs import write_record

    return write_record(folder, name, leads - np.median(leads, axis=1, keepdims=True))


def write_table(folder: Path, ecgs: list[Leads], rate: float, unit: str = "mV") -> Path:
    lines = ["path,patient_id,sampling_rate,unit"]
    for i, leads in enumerate(ecgs):
        np.save(folder / f"{i}.npy", leads)
        lines.append(f"{i}.npy,p{i},{rate:g},{unit}")
    (folder / "ecgs.csv").write_text("\n".join(lines) + "\n")
    return folder / "ecgs.csv"


def test_an_archive_at_a_wrong_rate_is_refused_whole_and_leaves_nothing(tmp_path: Path) -> None:
    # At twice its rate a single adult's ECG could be a child's; a whole archive is not.
    table = write_table(tmp_path, [heart(20.0, 250, seed=i) for i in range(12)], 500)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(HeartprintError) as caught:
        ingest(Table(), table, tmp_path / "out")
    assert caught.value.code == "implausible-rate"
    assert "250 Hz" in caught.value.message
    assert sorted(tmp_path.iterdir()) == before
    assert len(ingest(Table(), table, tmp_path / "out", trust_rate=True)) == 12


def test_an_archive_of_counts_read_as_microvolts_is_refused_and_its_step_taken(tmp_path: Path) -> None:
    ecgs = [np.rint(heart(seed=i) * 1000 / 4.88) for i in range(6)]
    with pytest.raises(HeartprintError) as caught:
        ingest(Table(), write_table(tmp_path, ecgs, 100, "uV"), tmp_path / "out")
    assert caught.value.code == "implausible-amplitude"
    cohort = ingest(Table(), write_table(tmp_path, ecgs, 100, "4.88uV"), tmp_path / "out")
    assert len(cohort) == 6
    assert np.abs(cohort.signal(0) - heart()[[LEADS_12.index(n) for n in LEADS_8]]).max() < 0.0031


def test_a_resumed_ingestion_judges_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Facts travel through the journal: what was read before a kill counts in the judgement."""
    from heartprint.readers import ingestion

    monkeypatch.setattr(ingestion, "PART", 3)
    table = write_table(tmp_path, [heart(20.0, 250, seed=i) for i in range(9)], 500)
    real, calls = ingestion.read_part, []

    def killed(*args: object) -> list[Outcome]:
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*args)

    monkeypatch.setattr(ingestion, "read_part", killed)
    with pytest.raises(KeyboardInterrupt):
        ingest(Table(), table, tmp_path / "out", workers=1)
    with pytest.raises(HeartprintError, match="9 of the 9 ECGs"):
        ingest(Table(), table, tmp_path / "out", workers=1)
    assert len(calls) == 4


def test_options_are_noted_and_checked(tmp_path: Path) -> None:
    table = write_table(tmp_path, [heart()], 100)
    limits = ingest(Table(), table, tmp_path / "out", trust_rate=True, flat_leads="missing").info.settings["limits"]
    assert (limits["trust_rate"], limits["flat_leads"]) == (True, "missing")
    with pytest.raises(HeartprintError) as caught:
        ingest(Table(), table, tmp_path / "out", flat_leads="maybe")  # type: ignore[arg-type]
    assert caught.value.code == "bad-options"
    assert (tmp_path / "out" / REFUSED_FILE).exists()
