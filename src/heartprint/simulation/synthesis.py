"""From waves to samples: RR series, beats, electrode noise and the machine's filters, in numba.

Beats are sums of Gaussian waves (McSharry 2003) with one amplitude per lead, RR intervals in AF come from an AV node
under random bombardment (after Lian 2007), f-waves from a frequency-modulated sawtooth (Stridh & Sornmo 2001). Noise
arises at nine electrodes and enters the leads as differences, so it obeys Einthoven's law like the heart does.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from heartprint.foundation.compiled import numba
from heartprint.simulation.effects import (
    ECTOPIC_WAVES,
    N_P,
    N_QRS_END,
    NORMAL_WAVES,
    REFERENCE_QT_S,
)

N_WAVES = len(NORMAL_WAVES)
N_ALL = N_WAVES + len(ECTOPIC_WAVES)
SINUS, FIBRILLATION, FLUTTER = 0, 1, 2
_BEAT, _PREMATURE, _VENTRICULAR, _NO_P = 0, 1, 2, 3
RUN_IN_S = 1.0
"""Simulated and thrown away before each ECG, so that filters and rhythm have settled."""
N_NORMALS, N_UNIFORMS, N_KNOTS = 96, 256, 28
_MAX_BEATS = 96
_REACH = 3.6  # standard deviations after which a wave is below 0.2 % of its peak

ECG = np.dtype(
    [
        ("machine", "i4"),
        ("rhythm", "i4"),
        ("rr", "f8"),
        ("rsa", "f8"),
        ("mayer", "f8"),
        ("jitter", "f8"),
        ("respiration_hz", "f8"),
        ("respiration_phase", "f8"),
        ("respiration_gain", "f8"),
        ("atrial_ectopy", "f8"),
        ("ventricular_ectopy", "f8"),
        ("regular", "i4"),
        ("impulses_hz", "f8"),
        ("refractory", "f8"),
        ("concealed", "f8"),
        ("f_hz", "f8"),
        ("f_leads", "f8", (8,)),
        ("qrs", "f8"),
        ("qtc", "f8"),
        ("centre", "f8", (N_ALL,)),
        ("left", "f8", (N_ALL,)),
        ("right", "f8", (N_ALL,)),
        ("amplitude", "f8", (N_ALL, 8)),
        ("breathing", "f8", (9,)),
        ("drift", "f8", (9,)),
        ("muscle", "f8", (9,)),
        ("mains", "f8", (9,)),
        ("burst_start", "f8"),
        ("burst_length", "f8"),
        ("burst_gain", "f8"),
        ("artefact_electrode", "i4"),
        ("artefact_start", "f8"),
        ("artefact_mv", "f8"),
    ]
)
"""All that one ECG's samples follow from, beside its noise draws. Times in s from the start or from QRS onset,
amplitudes in mV, chances per beat. The nine electrodes are RA, LA, LL, C1-C6; leads are in `LEADS_8` order."""


@numba.njit(cache=True, inline="always")
def _repolarise(t: float, qrs: float, stretch: float) -> float:
    return qrs + (t - qrs) * stretch


@numba.njit(cache=True)
def rhythm(
    ecgs: Any, i: int, normals: Any, uniforms: Any, end: float, onset: Any, kind: Any, slow_rr: Any, rr_before: Any
) -> int:
    """Time the beats of ECG ``i``.

    Args:
        ecgs: ``(n,)`` of `ECG`.
        i: Which.
        normals: ``(N_NORMALS,)`` standard normal draws.
        uniforms: ``(N_UNIFORMS,)`` uniform draws.
        end: Seconds to fill.
        onset: Output, QRS onsets in s (the first lie before 0).
        kind: Output, kind of each beat.
        slow_rr: Output, the RR interval that QT follows, in s (it adapts slowly).
        rr_before: Output, RR interval before each beat, in s.

    Returns:
        Number of beats.
    """
    e = ecgs[i]
    mean = e.rr
    t = -RUN_IN_S - uniforms[0] * mean
    used = 1
    n = 0
    previous, before, adapted = mean, 0, mean
    ratio = 2 + int(uniforms[N_UNIFORMS - 1] * 3)
    while t < end + 0.6 and n < _MAX_BEATS:
        g = normals[n % N_NORMALS]
        u = uniforms[used % N_UNIFORMS]
        used += 1
        this = _NO_P if e.rhythm != SINUS else _BEAT
        if e.rhythm == SINUS:
            rr = mean * (
                1.0
                + e.rsa * math.sin(2 * math.pi * e.respiration_hz * t + e.respiration_phase)
                + e.mayer * math.sin(2 * math.pi * 0.095 * t + 2 * e.respiration_phase)
                + e.jitter * g
            )
        elif e.rhythm == FLUTTER:
            # The node lets every second to fifth wave through and now and then changes its mind.
            if u < 0.15:
                ratio = 2 + int(uniforms[used % N_UNIFORMS] * 3.6)
                used += 1
            rr = ratio / e.f_hz * (1.0 + 0.006 * g)
        elif e.regular != 0:
            rr = mean * (1.0 + e.jitter * g)
        else:
            # Lian 2007: impulses arrive at random; those that meet a refractory node prolong its refractoriness a
            # little (concealed conduction), the first that finds it open is conducted.
            node = e.refractory * (0.75 + 0.25 * previous / mean) * math.exp(0.10 * g)
            wait = 0.0
            for _ in range(40):
                wait += -math.log(1.0 - uniforms[used % N_UNIFORMS] * 0.999999) / e.impulses_hz
                used += 1
                if wait >= node:
                    break
                node += e.concealed
            rr = wait
        if before == _VENTRICULAR:
            rr = max(2.0 * mean - previous, rr) if e.rhythm == SINUS else rr * 1.2
        elif u < e.ventricular_ectopy:
            this = _VENTRICULAR
            rr *= 0.58 + 0.15 * uniforms[used % N_UNIFORMS]
        elif e.rhythm == SINUS and before == _BEAT and u > 1.0 - e.atrial_ectopy:
            this = _PREMATURE
            rr *= 0.60 + 0.20 * uniforms[used % N_UNIFORMS]
        rr = min(max(rr, 0.27), 2.6)
        t += rr
        adapted += 0.15 * (rr - adapted)
        onset[n], kind[n], slow_rr[n], rr_before[n] = t, this, 0.85 * adapted + 0.15 * rr, rr
        previous, before = rr, this
        n += 1
    return n


@numba.njit(cache=True)
def heart(
    ecgs: Any, i: int, normals: Any, n_beats: int, onset: Any, kind: Any, slow_rr: Any, fs: float, out: Any
) -> None:
    """Add the beats and f-waves of ECG ``i`` to ``out`` ``(n, 8)``, in mV; sample 0 lies at ``-RUN_IN_S``."""
    e = ecgs[i]
    n = out.shape[0]
    for b in range(n_beats):
        begin = onset[b]
        qt = e.qtc * slow_rr[b] ** (1.0 / 3.0)
        stretch = (qt - e.qrs) / (REFERENCE_QT_S - e.qrs)
        stretch = min(max(stretch, 0.55), 1.6)
        scale = 1.0 + e.respiration_gain * math.sin(2 * math.pi * e.respiration_hz * begin + e.respiration_phase)
        first, last = 0, N_WAVES
        if kind[b] == _VENTRICULAR:
            first, last = N_WAVES, N_ALL
        elif kind[b] == _NO_P:
            first = N_P
        for k in range(first, last):
            centre, left, right = e.centre[k], e.left[k], e.right[k]
            if N_QRS_END <= k < N_WAVES or k == N_ALL - 1:
                centre = _repolarise(centre, e.qrs, stretch)
                left *= stretch
                right *= stretch
            if kind[b] == _PREMATURE and k < N_P:
                centre += 0.02
            peak = begin + centre
            low = max(math.ceil((peak - _REACH * left + RUN_IN_S) * fs), 0)
            high = min(math.floor((peak + _REACH * right + RUN_IN_S) * fs), n - 1)
            for s in range(low, high + 1):
                z = s / fs - RUN_IN_S - peak
                z = z / left if z < 0 else z / right
                w = scale * math.exp(-0.5 * z * z)
                for lead in range(8):
                    out[s, lead] += w * e.amplitude[k, lead]
    if e.rhythm == SINUS:
        return
    depth = 0.02 if e.rhythm == FLUTTER else 0.12
    beat_hz = 0.1 + 0.4 * abs(normals[0])
    for s in range(n):
        t = s / fs
        theta = 2 * math.pi * e.f_hz * t + depth * e.f_hz / beat_hz * math.sin(2 * math.pi * beat_hz * t + normals[1])
        swell = 1.0 if e.rhythm == FLUTTER else 1.0 + 0.35 * math.sin(2 * math.pi * 0.37 * t + 3 * normals[2])
        w = swell * (math.sin(theta) + 0.45 * math.sin(2 * theta) + 0.2 * math.sin(3 * theta))
        for lead in range(8):
            out[s, lead] += w * e.f_leads[lead]


@numba.njit(cache=True)
def electrode_noise(ecgs: Any, i: int, white: Any, knots: Any, mains_hz: float, fs: float, out: Any) -> None:
    """Add wander, muscle, mains and motion of ECG ``i``, made at the nine electrodes, to ``out`` ``(n, 8)``.

    Args:
        ecgs: ``(n_ecgs,)`` of `ECG`.
        i: Which.
        white: ``(9, n)`` standard normal draws.
        knots: ``(9, N_KNOTS)`` standard normal draws, two per second, for slow drift.
        mains_hz: Mains frequency, or 0 where the sampling rate cannot carry it.
        fs: Sampling rate in Hz.
        out: ``(n, 8)`` mV.
    """
    e = ecgs[i]
    n = out.shape[0]
    volts = np.empty(9)
    smooth = np.zeros(9)
    for s in range(n):
        t = s / fs - RUN_IN_S
        breath = math.sin(2 * math.pi * e.respiration_hz * t + e.respiration_phase + 0.6)
        hum = math.sin(2 * math.pi * mains_hz * t) if mains_hz > 0 else 0.0
        burst = e.burst_gain if e.burst_start <= t < e.burst_start + e.burst_length else 1.0
        at = (t + RUN_IN_S) * 2.0
        j = min(int(at), N_KNOTS - 2)
        share = 0.5 - 0.5 * math.cos(math.pi * (at - j))
        for k in range(9):
            slow = (1 - share) * knots[k, j] + share * knots[k, j + 1]
            smooth[k] += 0.6 / fs * (slow * 3.0 - smooth[k])
            volts[k] = (
                e.breathing[k] * breath
                + e.drift[k] * (0.5 * slow + 1.5 * smooth[k])
                + e.muscle[k] * burst * white[k, s]
                + e.mains[k] * hum
            )
        if e.artefact_electrode >= 0 and t > e.artefact_start:
            since = t - e.artefact_start
            volts[e.artefact_electrode] += e.artefact_mv * math.exp(-since / 0.5) * (1.0 - math.exp(-since / 0.04))
        terminal = (volts[0] + volts[1] + volts[2]) / 3.0
        out[s, 0] += volts[1] - volts[0]
        out[s, 1] += volts[2] - volts[0]
        for k in range(6):
            out[s, 2 + k] += volts[3 + k] - terminal


@numba.njit(cache=True)
def record(signal: Any, fs: float, low_pass: Any, high_pass_hz: float, uv_per_bit: float, out: Any) -> int:
    """Pass ``signal`` ``(n, 8)`` in mV through the machine and store the part after the run-in.

    Args:
        signal: mV.
        fs: Sampling rate in Hz.
        low_pass: ``(5,)`` b0, b1, b2, a1, a2 of a second-order low-pass.
        high_pass_hz: Corner of the first-order high-pass.
        uv_per_bit: Microvolts per stored step.
        out: Output ``(8, n_samples)`` int16.

    Returns:
        Number of samples that had to be clipped.
    """
    skip = signal.shape[0] - out.shape[1]
    keep = 1.0 / (1.0 + 2 * math.pi * high_pass_hz / fs)
    clipped = 0
    for lead in range(8):
        x1 = x2 = y1 = y2 = signal[0, lead]
        slow, last = 0.0, y1
        for s in range(signal.shape[0]):
            x = signal[s, lead]
            y = low_pass[0] * x + low_pass[1] * x1 + low_pass[2] * x2 - low_pass[3] * y1 - low_pass[4] * y2
            x2, x1, y2, y1 = x1, x, y1, y
            slow = keep * (slow + y - last)
            last = y
            if s >= skip:
                stored = round(slow * 1000.0 / uv_per_bit)
                if stored > 32767.0 or stored < -32767.0:
                    clipped += 1
                    stored = 32767.0 if stored > 0 else -32767.0
                out[lead, s - skip] = np.int16(stored)
    return clipped


@numba.njit(cache=True)
def beat(ecgs: Any, i: int, normals: Any, uniforms: Any, fs: float, out: Any) -> None:
    """Let the heart of ECG ``i`` beat: add rhythm, waves and f-waves to ``out`` ``(n, 8)``, mV.

    See `rhythm` and `heart` for the arguments.
    """
    onset, slow_rr, rr_before = np.empty(_MAX_BEATS), np.empty(_MAX_BEATS), np.empty(_MAX_BEATS)
    kind = np.empty(_MAX_BEATS, dtype=np.int64)
    n_beats = rhythm(ecgs, i, normals, uniforms, out.shape[0] / fs, onset, kind, slow_rr, rr_before)
    heart(ecgs, i, normals, n_beats, onset, kind, slow_rr, fs, out)


def low_pass_coefficients(corner_hz: float, fs: float) -> npt.NDArray[np.float64]:
    """Second-order Butterworth low-pass, at most at 0.45 of the sampling rate: b0, b1, b2, a1, a2."""
    from scipy.signal import butter

    b, a = butter(2, min(corner_hz, 0.45 * fs) / (fs / 2))
    return np.array([b[0], b[1], b[2], a[1], a[2]])
