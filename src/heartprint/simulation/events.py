"""Lifelike rhythm and beats, in numba: atria and ventricles keep their own times.

The sinus node, an ectopic focus or fibrillation drive the atria; the AV node conducts, delays or drops; ectopic beats,
escape beats and a pacemaker come between. `beats_of` writes down both chambers' events, `draw_beats` adds their waves.
Noise and the machine are those of `synthesis`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from heartprint.foundation.compiled import numba
from heartprint.simulation.conditions import (
    AV_COMPLETE,
    AV_TWO_TO_ONE,
    AV_WENCKEBACH,
    PACE_ATRIUM,
    PACE_BOTH,
    PACE_VENTRICLE,
)
from heartprint.simulation.effects import (
    ECTOPIC_WAVES,
    N_P,
    N_QRS_END,
    NORMAL_WAVES,
    PACED_WAVES,
    REFERENCE_QT_S,
)
from heartprint.simulation.synthesis import (
    ECG,
    FIBRILLATION,
    FLUTTER,
    RUN_IN_S,
)

N_BEAT = len(NORMAL_WAVES)
OTHER_P = slice(N_BEAT, N_BEAT + N_P)
DELTA = OTHER_P.stop
ECTOPIC_A = slice(DELTA + 1, DELTA + 1 + len(ECTOPIC_WAVES))
ECTOPIC_B = slice(ECTOPIC_A.stop, ECTOPIC_A.stop + len(ECTOPIC_WAVES))
PACED = slice(ECTOPIC_B.stop, ECTOPIC_B.stop + len(PACED_WAVES))
N_LIFELIKE = PACED.stop
"""Waves of a lifelike ECG: the beat's, P of another focus, delta, two kinds of ectopic beats, paced beats."""
_OTHER_P, _A, _B, _PACED = OTHER_P.start, ECTOPIC_A.start, ECTOPIC_B.start, PACED.start
_N_ECTOPIC, _N_PACED = len(ECTOPIC_WAVES), len(PACED_WAVES)

ATRIAL_TACHYCARDIA, JUNCTIONAL = 3, 4
CONDUCTED, EXTRA_A, EXTRA_B, PACED_BEAT = range(4)
MORE_NORMALS, MORE_UNIFORMS = 384, 512
MAX_EVENTS = 128
_REACH = 3.6  # standard deviations after which a wave is below 0.2 % of its peak
_REFRACTORY_S = 0.34
"""The AV node lets nothing through for this long after a beat (ours); times the root of RR."""

_WIDENED = {"centre": (N_LIFELIKE,), "left": (N_LIFELIKE,), "right": (N_LIFELIKE,), "amplitude": (N_LIFELIKE, 8)}
LIFELIKE_ECG = np.dtype(
    [(name, ECG[name].base, _WIDENED.get(name, ECG[name].shape)) for name in ECG.names or ()]
    + [
        ("pr", "f8"),
        ("av", "i4"),
        ("escape_rr", "f8"),
        ("escape_wide", "i4"),
        ("pacing", "i4"),
        ("pace_rr", "f8"),
        ("pace_av", "f8"),
        ("spike_atrial", "f8", (8,)),
        ("spike_ventricular", "f8", (8,)),
        ("fractal", "f8"),
        ("wander", "f8"),
        ("p_size", "f8"),
        ("p_time", "f8"),
        ("p_shape", "f8"),
        ("beat_size", "f8"),
        ("bigeminy", "i4"),
        ("couplet", "f8"),
        ("multifocal", "f8"),
        ("irregularity", "f8"),
        ("flutter_ratio", "i4"),
        ("f2_hz", "f8"),
        ("f2_leads", "f8", (8,)),
        ("flat_lead", "i4"),
    ]
)
"""`synthesis.ECG` with more waves, and what only lifelike ECGs have. ``flutter_ratio`` 0 = variable."""


@numba.njit(cache=True)
def _atrial_interval(e: Any, t: float, g: float, slow: float) -> float:
    """Seconds to the next sinus impulse after ``t``: breathing, Mayer waves, a 1/f wander and a little of its own."""
    breath = math.sin(2 * math.pi * e.respiration_hz * t + e.respiration_phase)
    mayer = math.sin(2 * math.pi * 0.095 * t + 2 * e.respiration_phase)
    share = 1.0 + e.rsa * breath + e.mayer * mayer + e.fractal * slow + e.jitter * g
    return float(e.rr * min(max(share, 0.5), 1.9))


@numba.njit(cache=True)
def beats_of(ecgs: Any, i: int, normals: Any, uniforms: Any, end: float, atrial: Any, ventricular: Any) -> Any:
    """Time the events of both chambers of ECG ``i``.

    Args:
        ecgs: ``(n,)`` of `LIFELIKE_ECG`.
        i: Which.
        normals: ``(MORE_NORMALS,)`` standard normal draws.
        uniforms: ``(MORE_UNIFORMS,)`` uniform draws.
        end: Seconds to fill.
        atrial: Output ``(MAX_EVENTS, 5)``: start of P in s, share of the other focus, size, spike (0 or 1), shift in s.
        ventricular: Output ``(MAX_EVENTS, 4)``: QRS onset in s, kind, spike (0 or 1), the RR that QT follows in s.

    Returns:
        Numbers of atrial and ventricular events.
    """
    e = ecgs[i]
    n_a, n_v, used, drawn = 0, 0, 0, 0
    begin = -RUN_IN_S - 1.0
    stop = end + 0.8
    fibrillates = e.rhythm == FIBRILLATION or e.rhythm == FLUTTER
    paced = e.pacing == PACE_VENTRICLE or e.pacing == PACE_BOTH
    # --- the atria
    if not fibrillates and e.rhythm != JUNCTIONAL:
        t = begin - uniforms[0] * e.rr
        used = 1
        fast, medium, lazy = 0.0, normals[MORE_NORMALS - 1], normals[MORE_NORMALS - 2]
        blend = 0.0
        premature = False
        focus = 1.0 if e.rhythm == ATRIAL_TACHYCARDIA else 0.0
        while t < stop and n_a < MAX_EVENTS:
            g = normals[drawn % 380]
            h = normals[(drawn + 97) % 380]
            k = normals[(drawn + 191) % 380]
            drawn += 1
            fast = 0.3 * fast + 0.95 * g
            medium = 0.8 * medium + 0.6 * h
            lazy = 0.97 * lazy + 0.243 * k
            blend = 0.7 * blend + 0.7 * h
            share = focus + e.p_shape * blend
            if e.wander > 0.0:
                share += e.wander * (0.5 + 0.5 * math.sin(2 * math.pi * 0.11 * t + e.respiration_phase))
            if premature:
                share = 1.0
            atrial[n_a, 0] = t
            atrial[n_a, 1] = min(max(share, -0.4), 1.2)
            atrial[n_a, 2] = max(1.0 + e.p_size * k, 0.1)
            atrial[n_a, 3] = 1.0 if e.pacing == PACE_ATRIUM or (e.pacing == PACE_BOTH and e.pace_rr > 0.0) else 0.0
            atrial[n_a, 4] = e.p_time * g
            n_a += 1
            u = uniforms[used % 500]
            used += 1
            if atrial[n_a - 1, 3] > 0.0:
                step = e.pace_rr
            elif e.rhythm == ATRIAL_TACHYCARDIA:
                step = e.rr * (1.0 + 0.012 * g)
            else:
                step = _atrial_interval(e, t, g, 0.45 * fast + 0.6 * medium + 0.8 * lazy)
                if premature:
                    step *= 1.08
                premature = False
                if u < e.atrial_ectopy:
                    premature = True
                    step *= 0.48 + 0.34 * uniforms[used % 500]
                    used += 1
            t += max(step, 0.24)
    # --- the ventricles
    n_a_done = 0
    last = begin - 0.5
    previous = e.rr
    extra_at, extra_kind = 1e9, EXTRA_A
    escape_at = begin + uniforms[501] * e.escape_rr
    pace_at = begin + uniforms[502] * e.pace_rr
    ratio = e.flutter_ratio if e.flutter_ratio > 0 else 2 + int(uniforms[503] * 3)
    turn = int(uniforms[504] * 2)
    cycle = 3 + int(uniforms[505] * 3)
    place = int(uniforms[506] * cycle)
    sensed = e.pacing == PACE_BOTH and not fibrillates
    while n_v < MAX_EVENTS:
        # The next beat that comes down from above, or is paced, or escapes.
        at, kind, spike = 1e9, CONDUCTED, 0.0
        g = normals[(n_v * 3 + 53) % 380]
        if paced and not sensed:
            at, kind, spike = pace_at, PACED_BEAT, 1.0
        elif e.av == AV_COMPLETE:
            at, kind = escape_at, (EXTRA_B if e.escape_wide else CONDUCTED)
        elif fibrillates or e.rhythm == JUNCTIONAL:
            if e.rhythm == FLUTTER:
                if e.flutter_ratio == 0:
                    if uniforms[used % 500] < 0.30:
                        ratio = 2 + int(uniforms[(used + 1) % 500] * 3.4)
                    used += 2
                rr = ratio / e.f_hz * (1.0 + 0.006 * g)
            elif e.rhythm == JUNCTIONAL or e.regular != 0:
                rr = e.rr * (1.0 + 0.012 * g)
            else:
                # Lian 2007, see `synthesis.rhythm`; the less irregular, the closer to the mean.
                node = e.refractory * (0.75 + 0.25 * previous / e.rr) * math.exp(0.10 * g)
                wait = 0.0
                for _ in range(40):
                    wait += -math.log(1.0 - uniforms[used % 500] * 0.999999) / e.impulses_hz
                    used += 1
                    if wait >= node:
                        break
                    node += e.concealed
                rr = e.rr * (wait / e.rr) ** e.irregularity
            rr = min(max(rr, 0.27), 2.6)
            at = last + rr
        else:
            while n_a_done < n_a:
                start = atrial[n_a_done, 0]
                delay = e.pr * (1.0 + 0.008 * g) - 0.10 * e.pr * max(atrial[n_a_done, 1], 0.0)
                conducts = True
                if sensed:
                    delay = e.pace_av
                    kind, spike = PACED_BEAT, 1.0
                elif e.av == AV_WENCKEBACH:
                    place = (place + 1) % cycle
                    conducts = place != 0
                    delay += 0.11 * (1.0 - 0.45 ** (place - 1.0))
                elif e.av == AV_TWO_TO_ONE:
                    turn = 1 - turn
                    conducts = turn == 0
                arrives = start + delay
                if not sensed and arrives - last < _REFRACTORY_S * math.sqrt(max(e.rr, 0.5)):
                    conducts = False
                if extra_at < arrives:
                    # An ectopic beat comes first; the impulse is looked at again after it.
                    if e.av == AV_WENCKEBACH:
                        place = (place + cycle - 1) % cycle
                    elif e.av == AV_TWO_TO_ONE:
                        turn = 1 - turn
                    at = arrives
                    break
                n_a_done += 1
                if conducts:
                    at = arrives
                    break
            if at == 1e9 and extra_at == 1e9:
                break
        if extra_at < at:
            at, kind, spike = extra_at, extra_kind, 0.0
            extra_at = 1e9
            if uniforms[used % 500] < e.couplet:
                extra_at = at + 0.36 + 0.12 * uniforms[(used + 1) % 500]
            used += 2
        else:
            chance = e.ventricular_ectopy
            if e.bigeminy != 0:
                chance = 0.92
            if uniforms[used % 500] < chance:
                coupling = 0.55 + 0.16 * uniforms[(used + 1) % 500]
                extra_at = at + max(coupling * min(e.rr, 1.1), 0.36)
                extra_kind = EXTRA_B if uniforms[(used + 2) % 500] < e.multifocal else EXTRA_A
            used += 3
        rr = min(max(at - last, 0.27), 2.6)
        ventricular[n_v, 0], ventricular[n_v, 1], ventricular[n_v, 2] = at, kind, spike
        ventricular[n_v, 3] = rr
        n_v += 1
        previous, last = rr, at
        if paced and not sensed:
            pace_at = at + e.pace_rr
        if e.av == AV_COMPLETE:
            escape_at = at + e.escape_rr * (1.0 + 0.01 * g)
        if at > stop:
            break
    # QT follows the rate slowly.
    adapted = e.rr
    for b in range(n_v):
        rr = ventricular[b, 3]
        adapted += 0.15 * (rr - adapted)
        ventricular[b, 3] = 0.85 * adapted + 0.15 * rr
    return n_a, n_v


@numba.njit(cache=True)
def _wave(e: Any, k: int, begin: float, shift: float, stretch: float, size: float, fs: float, out: Any) -> None:
    """Add wave ``k``, timed from ``begin`` plus ``shift``, its repolarisation stretched (0 = not repolarisation)."""
    centre, left, right = e.centre[k], e.left[k], e.right[k]
    if stretch > 0.0:
        centre = e.qrs + (centre - e.qrs) * stretch
        left *= stretch
        right *= stretch
    peak = begin + shift + centre
    low = max(math.ceil((peak - _REACH * left + RUN_IN_S) * fs), 0)
    high = min(math.floor((peak + _REACH * right + RUN_IN_S) * fs), out.shape[0] - 1)
    for s in range(low, high + 1):
        z = s / fs - RUN_IN_S - peak
        z = z / left if z < 0 else z / right
        w = size * math.exp(-0.5 * z * z)
        for lead in range(8):
            out[s, lead] += w * e.amplitude[k, lead]


@numba.njit(cache=True)
def _spike(mv: Any, at: float, fs: float, out: Any) -> None:
    """A pacing spike: half a millisecond at the electrode, as wide as the sampling lets it be in the record."""
    width = max(0.0008, 0.42 / fs)
    low = max(math.ceil((at - 4 * width + RUN_IN_S) * fs), 0)
    high = min(math.floor((at + 4 * width + RUN_IN_S) * fs), out.shape[0] - 1)
    for s in range(low, high + 1):
        z = (s / fs - RUN_IN_S - at) / width
        w = math.exp(-0.5 * z * z)
        for lead in range(8):
            out[s, lead] += w * mv[lead]


@numba.njit(cache=True)
def draw_beats(
    ecgs: Any, i: int, normals: Any, atrial: Any, n_a: int, ventricular: Any, n_v: int, fs: float, out: Any
) -> None:
    """Add the beats, spikes and f-waves of ECG ``i`` to ``out`` ``(n, 8)``, in mV; sample 0 lies at ``-RUN_IN_S``."""
    e = ecgs[i]
    for a in range(n_a):
        start, share, size = atrial[a, 0], atrial[a, 1], atrial[a, 2]
        # Centres of P are counted from a QRS onset that would follow after PR.
        shift = e.pr + atrial[a, 4]
        for k in range(N_P):
            _wave(e, k, start, shift, 0.0, size * (1.0 - share), fs, out)
            _wave(e, _OTHER_P + k, start, shift, 0.0, size * share, fs, out)
        if atrial[a, 3] > 0.0:
            _spike(e.spike_atrial, start - 0.010, fs, out)
    for b in range(n_v):
        begin = ventricular[b, 0]
        kind = int(ventricular[b, 1])
        qt = e.qtc * ventricular[b, 3] ** (1.0 / 3.0)
        stretch = (qt - e.qrs) / (REFERENCE_QT_S - e.qrs)
        stretch = min(max(stretch, 0.55), 1.6)
        size = 1.0 + e.respiration_gain * math.sin(2 * math.pi * e.respiration_hz * begin + e.respiration_phase)
        size += e.beat_size * normals[(b * 5 + 11) % 380]
        if kind == CONDUCTED:
            for k in range(N_P, N_BEAT):
                _wave(e, k, begin, 0.0, stretch if k >= N_QRS_END else 0.0, size, fs, out)
            _wave(e, DELTA, begin, 0.0, 0.0, size, fs, out)
        else:
            first, count = _PACED, _N_PACED
            if kind == EXTRA_A:
                first, count = _A, _N_ECTOPIC
            elif kind == EXTRA_B:
                first, count = _B, _N_ECTOPIC
            for k in range(first, first + count):
                _wave(e, k, begin, 0.0, stretch if k == first + count - 1 else 0.0, size, fs, out)
        if ventricular[b, 2] > 0.0:
            _spike(e.spike_ventricular, begin, fs, out)
    if e.rhythm == FIBRILLATION or e.rhythm == FLUTTER:
        depth = 0.02 if e.rhythm == FLUTTER else 0.14
        slow_hz = 0.1 + 0.4 * abs(normals[0])
        for s in range(out.shape[0]):
            t = s / fs
            wobble = depth * e.f_hz / slow_hz * math.sin(2 * math.pi * slow_hz * t + normals[1])
            theta = 2 * math.pi * e.f_hz * t + wobble
            other = 2 * math.pi * e.f2_hz * t - 1.3 * wobble + 3 * normals[3]
            swell = 1.0
            if e.rhythm == FIBRILLATION:
                swell += 0.40 * math.sin(2 * math.pi * 0.37 * t + 3 * normals[2])
            w = swell * (math.sin(theta) + 0.45 * math.sin(2 * theta) + 0.2 * math.sin(3 * theta))
            w2 = (2.0 - swell) * (math.sin(other) + 0.4 * math.sin(2 * other + 1.0))
            for lead in range(8):
                out[s, lead] += w * e.f_leads[lead] + w2 * e.f2_leads[lead]


@numba.njit(cache=True)
def beat_lifelike(ecgs: Any, i: int, normals: Any, uniforms: Any, fs: float, out: Any) -> None:
    """Let the heart of a lifelike ECG beat, as `synthesis.beat` does for teaching worlds."""
    atrial, ventricular = np.zeros((MAX_EVENTS, 5)), np.zeros((MAX_EVENTS, 4))
    n_a, n_v = beats_of(ecgs, i, normals, uniforms, out.shape[0] / fs - RUN_IN_S, atrial, ventricular)
    draw_beats(ecgs, i, normals, atrial, n_a, ventricular, n_v, fs, out)
