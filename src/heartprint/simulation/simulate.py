"""Simulated cohorts: `simulate` writes one, `make_block` and `samples_of` are its parts."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from heartprint.cohorts.cohort import Cohort
from heartprint.cohorts.writer import COHORT_OUTPUT, cohort_recipe, recipe_in, write_cohort
from heartprint.foundation.errors import HeartprintError, unknown_name
from heartprint.foundation.outputs import claim_output
from heartprint.foundation.progress import Progress
from heartprint.foundation.randomness import generator
from heartprint.simulation.draws import BLOCK, open_more_streams, open_streams
from heartprint.simulation.effects import HOSPITALS, Hospital, Machine
from heartprint.simulation.events import MORE_NORMALS, MORE_UNIFORMS, beat_lifelike
from heartprint.simulation.heart import draw_heart
from heartprint.simulation.lifelike import draw_life
from heartprint.simulation.people import People, draw_people
from heartprint.simulation.recording import draw_noise, draw_rhythm, empty_ecgs
from heartprint.simulation.signature import draw_signature
from heartprint.simulation.synthesis import (
    FIBRILLATION,
    FLUTTER,
    N_KNOTS,
    N_NORMALS,
    N_UNIFORMS,
    RUN_IN_S,
    beat,
    electrode_noise,
    low_pass_coefficients,
    record,
)

DURATION_S = 10.0
RATES = (100, 500)

EXTRA_LABELS = ("paced", "lbbb", "rbbb", "infarct", "pre_excitation")
"""Conditions that are labels of lifelike ECGs, beside AF and LVEF."""


@dataclass(frozen=True)
class Block:
    """A block of patients with all that their samples follow from; ``found``: what lifelike ECGs show, by name."""

    first: int
    people: People
    ecgs: npt.NDArray[np.void]
    found: dict[str, npt.NDArray[np.bool_]] = field(default_factory=dict)


def make_block(seed: int, first: int, hospital: Hospital) -> Block:
    """Draw patients ``first`` .. ``first + BLOCK - 1`` of a hospital.

    Args:
        seed: The cohort's seed.
        first: Number of the first patient, a multiple of `BLOCK`.
        hospital: Where they are seen, with the effect sizes that hold there.

    Returns:
        The block: equal arguments give equal blocks, whatever else is simulated.
    """
    patient, visit = open_streams(seed, hospital.name, first)
    more_patient, more_visit = open_more_streams(seed, hospital.name, first)
    people = draw_people(patient, visit, more_patient, more_visit, hospital)
    heart = draw_heart(patient, people, hospital)
    if hospital.effects.conditions is not None:
        life = draw_life(patient, visit, more_patient, more_visit, people, heart, hospital)
        draw_noise(visit, hospital, life.ecgs)
        return Block(first, life.people, life.ecgs, life.found)
    signature = draw_signature(patient, visit, heart, people, hospital)
    ecgs = empty_ecgs()
    for name in ("centre", "left", "right", "amplitude", "qrs", "qtc"):
        ecgs[name] = getattr(signature, name)
    draw_rhythm(patient, visit, people, signature.leads, hospital, ecgs)
    draw_noise(visit, hospital, ecgs)
    return Block(first, people, ecgs)


@cache
def _low_pass(corner_hz: float, rate: int) -> npt.NDArray[np.float64]:
    return low_pass_coefficients(corner_hz, rate)


def machine_of(block: Block, patient: int, visit: int, hospital: Hospital) -> Machine:
    """The machine that records an ECG of a block."""
    return hospital.machines[int(block.ecgs["machine"][patient, visit])]


def samples_of(
    block: Block, patient: int, visit: int, *, seed: int, hospital: Hospital, rate: int
) -> tuple[npt.NDArray[np.int16], int]:
    """Synthesise one ECG of a block.

    Args:
        block: The patients.
        patient: Row within the block.
        visit: Which visit.
        seed: The cohort's seed.
        hospital: Whose machine records it.
        rate: Sampling rate in Hz.

    Returns:
        ``(8, n)`` int16 samples in steps of the machine's ``uv_per_bit``, and how many were clipped.
    """
    machine = machine_of(block, patient, visit, hospital)
    lifelike = hospital.effects.conditions is not None
    stream = generator(seed, f"simulated noise {hospital.name}", block.first + patient, visit)
    total = round((DURATION_S + RUN_IN_S) * rate)
    n_normals, n_uniforms = (MORE_NORMALS, MORE_UNIFORMS) if lifelike else (N_NORMALS, N_UNIFORMS)
    normals, uniforms = stream.standard_normal(n_normals), stream.random(n_uniforms)
    knots = stream.standard_normal((9, N_KNOTS))
    white = stream.standard_normal((9, total), dtype=np.float32)
    ecgs, fs = block.ecgs[patient], float(rate)
    signal = np.zeros((total, 8))
    (beat_lifelike if lifelike else beat)(ecgs, visit, normals, uniforms, fs, signal)
    mains = machine.mains_hz if machine.mains_hz < 0.45 * rate else 0.0
    electrode_noise(ecgs, visit, white, knots, mains, fs, signal)
    if lifelike and ecgs["flat_lead"][visit] >= 0:
        signal[:, ecgs["flat_lead"][visit]] = 0.0
    out = np.empty((8, round(DURATION_S * rate)), dtype=np.int16)
    low_pass = _low_pass(machine.low_pass_hz, rate)
    clipped = record(signal, fs, low_pass, machine.high_pass_hz, machine.uv_per_bit, out)
    return out, clipped


def simulate(
    out: str | Path,
    n_patients: int,
    *,
    seed: int = 0,
    hospital: str = "internal",
    rate: int = 100,
    progress: bool = True,
    overwrite: bool = False,
) -> Cohort:
    """Simulate patients with a stable electrical signature and write their ECGs as a cohort.

    A patient's heart is a set of Gaussian waves on dipoles (McSharry 2003, Sameni 2007) in an own torso (after Dower
    1980); visits differ in rate, position, electrodes, repolarisation, noise and rhythm. Sex, age and LVEF act on the
    waves by the effects of `effects`, which cites them. Every ECG has 10 s and eight leads. Columns: sex, age,
    recorded_at, site, device, ``label_af`` (1 = AF or flutter in this ECG) and ``label_lvef`` (per cent); lifelike ECGs
    also have `EXTRA_LABELS`.

    Args:
        out: The cohort's folder.
        n_patients: How many patients; each has 1-6 ECGs. More patients leave the first ones as they are.
        seed: Equal seeds give equal cohorts.
        hospital: A name in ``HOSPITALS``: ``internal`` and ``external`` teach, ``lifelike`` and ``cardiology`` are as
            in life, in ``passing-lvef`` and ``passing-state`` low LVEF (and AF) come and go.
        rate: Sampling rate, 100 or 500 Hz.
        progress: Show progress on standard error.
        overwrite: Whether an older cohort of the same recipe (patients, seed, hospital, rate) may be replaced.

    Returns:
        The cohort, marked as simulated.

    Raises:
        HeartprintError: ``bad-patient-count``, ``unknown-hospital``, ``unsupported-rate``, what `claim_output` raises
            for ``out``, or those of `write_cohort`.
    """
    if n_patients < 1:
        raise HeartprintError(
            "bad-patient-count", f"A cohort needs at least one patient, not {n_patients}. Give --patients 1 or more."
        )
    if hospital not in HOSPITALS:
        raise unknown_name("hospital", hospital, HOSPITALS)
    if rate not in RATES:
        raise HeartprintError(
            "unsupported-rate", f"ECGs are simulated at 100 or 500 Hz, not {rate}. Give --rate 100 or --rate 500."
        )
    place = HOSPITALS[hospital]
    extra = EXTRA_LABELS if place.effects.conditions is not None else ()
    settings = {"patients": n_patients, "seed": seed, "rate": rate, "hospital": asdict(place)}
    source = f"Simulated patients of a simulated {hospital} hospital (seed {seed}); no real ECG went into them"
    out = Path(out)
    recipe = cohort_recipe(source, settings)
    claim_output(out, COHORT_OUTPUT, recipe=recipe, recipe_of=recipe_in, overwrite=overwrite)
    with (
        write_cohort(
            out, source=source, simulated=True, label_names=("af", "lvef", *extra), settings=settings
        ) as writer,
        Progress(f"Simulating {hospital} patients", n_patients) if progress else nullcontext() as bar,
    ):
        for first in range(0, n_patients, BLOCK):
            block = make_block(seed, first, place)
            people = block.people
            times = people.recorded_at.tolist()
            for i in range(min(BLOCK, n_patients - first)):
                patient_id = f"{hospital}-{seed}-{first + i:06d}"
                for k in range(int(people.n_visits[i])):
                    samples, clipped = samples_of(block, i, k, seed=seed, hospital=place, rate=rate)
                    machine = machine_of(block, i, k, place)
                    writer.add(
                        samples,
                        ecg_id=f"{patient_id}-{k}",
                        patient_id=patient_id,
                        sampling_rate=float(rate),
                        uv_per_bit=machine.uv_per_bit,
                        recorded_at=times[i][k],
                        age=float(people.age[i, k]),
                        sex="female" if people.female[i] else "male",
                        site=f"simulated {hospital} hospital",
                        device=machine.device,
                        labels={
                            "af": float(block.ecgs["rhythm"][i, k] in (FIBRILLATION, FLUTTER)),
                            "lvef": float(people.lvef_echo[i, k]),
                            **{name: float(block.found[name][i, k]) for name in extra},
                        },
                        n_clipped=clipped,
                    )
                if bar is not None:
                    bar.advance()
    return Cohort.open(out)
