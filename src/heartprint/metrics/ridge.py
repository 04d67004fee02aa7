"""Ridge regression for all penalties at once, with exact predictions of the patients left out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from heartprint.foundation.arrays import Float64Array

RIDGE_PENALTIES: Float64Array = np.logspace(-6, 1, 15)
"""Penalties tried, relative to the total variance of the weighted, standardised features (the trace)."""

Solver = Callable[[int], Float64Array]


def standardisation(x: Float64Array, weights: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Weighted mean ``(d,)`` and scale ``(d,)`` of features ``(n, d)``; a constant feature has an infinite scale."""
    mean = weights @ x / weights.sum()
    scale = np.sqrt(weights @ (x - mean) ** 2 / weights.sum())
    # A feature that is constant but for rounding carries nothing and must not be blown up.
    scale[~(scale > 1e-7 * np.maximum(np.abs(mean), 1e-30))] = np.inf
    return mean, scale


def ridge_path(
    z: Float64Array, root: Float64Array, y: Float64Array, folds: npt.NDArray[np.int64]
) -> tuple[Float64Array, Solver]:
    """Solve weighted ridge regression for all `RIDGE_PENALTIES`.

    Args:
        z: ``(n, d)`` features of weighted mean 0, in rows scaled by the root of their weight.
        root: ``(n,)`` those roots.
        y: ``(n,)`` targets, not scaled, of weighted mean 0.
        folds: ``(n,)`` from 0.

    Returns:
        Held-out predictions ``(n, penalties)`` and the weights ``(d,)`` by number of the penalty.
    """
    fit = _ridge_dual if len(z) <= 1.5 * z.shape[1] else _ridge_primal
    return fit(z, root, y, folds)


def _ridge_dual(
    z: Float64Array, root: Float64Array, y: Float64Array, folds: npt.NDArray[np.int64]
) -> tuple[Float64Array, Solver]:
    """Held-out predictions ``(n, penalties)`` and weights by penalty, from the ``(n, n)`` kernel."""
    n = len(z)
    values, vectors = np.linalg.eigh(z @ z.T)
    values = np.maximum(values, 0.0)
    penalties = RIDGE_PENALTIES * max(float(values.sum()), 1e-300)
    target = root * y
    rotated = vectors.T @ target
    unit = root / np.linalg.norm(root)
    shrink = values[:, None] / (values[:, None] + penalties)  # (n, penalties)
    residual = (
        target[:, None] - vectors @ (shrink * rotated[:, None]) - np.outer(unit, np.full(len(penalties), unit @ target))
    )
    held_out = np.empty((n, len(penalties)))
    for fold in range(int(folds.max()) + 1):
        rows = np.flatnonzero(folds == fold)
        part, own = vectors[rows], unit[rows]
        smoother = (part * shrink.T[:, None, :]) @ part.T + np.outer(own, own)  # (penalties, rows, rows)
        # e_held_out = (I - H_SS)^-1 e_S for any linear smoother H that is a penalised least-squares fit.
        deleted = np.linalg.solve(np.eye(len(rows)) - smoother, residual[rows].T[:, :, None])[:, :, 0]
        held_out[rows] = y[rows, None] - deleted.T / root[rows, None]

    def solve(p: int) -> Float64Array:
        out: Float64Array = z.T @ (vectors @ (rotated / (values + penalties[p])))
        return out

    return held_out, solve


def _ridge_primal(
    z: Float64Array, root: Float64Array, y: Float64Array, folds: npt.NDArray[np.int64]
) -> tuple[Float64Array, Solver]:
    """The same from the ``(d, d)`` covariance, for more labels than features."""
    target = root * y
    whole, whole_rhs = z.T @ z, z.T @ target
    penalties = RIDGE_PENALTIES * max(float(np.trace(whole)), 1e-300)
    held_out = np.empty((len(z), len(penalties)))
    for fold in range(int(folds.max()) + 1):
        out = folds == fold
        z_out, root_out, target_out = z[out], root[out], target[out]
        # Taking the fold's rows away shifts the mean of what is left, hence the rank-one correction.
        size = float(root @ root - root_out @ root_out)
        shift = -(z_out.T @ root_out)
        total = float(root @ target - root_out @ target_out)
        values, vectors = np.linalg.eigh(whole - z_out.T @ z_out - np.outer(shift, shift) / size)
        rhs = vectors.T @ (whole_rhs - z_out.T @ target_out - shift * (total / size))
        weights = vectors @ (rhs[:, None] / (np.maximum(values, 0.0)[:, None] + penalties))
        held_out[out] = (z_out / root_out[:, None]) @ weights + (total - shift @ weights) / size

    def solve(p: int) -> Float64Array:
        weights: Float64Array = np.linalg.solve(whole + penalties[p] * np.eye(len(whole)), whole_rhs)
        return weights

    return held_out, solve
