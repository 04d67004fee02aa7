"""NT-Xent, the loss by which views of one patient find each other."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional


def nt_xent(z1: Tensor, z2: Tensor, patients: Tensor, temperature: float = 0.1) -> Tensor:
    """Normalised temperature-scaled cross entropy (Sohn 2016; Chen et al. 2020) that knows patients.

    Every view must find its partner among all other views of the batch. Views of the same patient that are not the
    partner are neither positives nor negatives: they are left out of the denominator.

    Args:
        z1: ``(B, d)`` projections of the first views.
        z2: ``(B, d)`` projections of the second views, in the same order.
        patients: ``(B,)`` integers, equal for pairs of the same patient. For methods that know no patients: all
            different.
        temperature: Divides the cosine similarities.

    Returns:
        Mean over the 2B views, a scalar; float32, or float64 if the projections are.
    """
    logits, partners = contrastive_logits(z1, z2, patients, temperature)
    return functional.cross_entropy(logits, partners)


def contrastive_logits(z1: Tensor, z2: Tensor, patients: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """What each view has to choose from.

    Returns:
        ``(2B, 2B)`` cosine similarities over temperature, minus infinity where a view is no candidate; and ``(2B,)``
        the column of each view's partner. Similarities of half-precision projections are computed in float32.
    """
    n = len(z1)
    logits = _similarities(torch.cat([z1, z2]), temperature)
    owner = patients.to(logits.device).repeat(2)
    partners = torch.arange(2 * n, device=logits.device).roll(n)
    excluded = owner[:, None] == owner[None, :]
    excluded.scatter_(1, partners[:, None], False)
    return logits.masked_fill(excluded, -torch.inf), partners


def contrastive_accuracy(logits: Tensor, partners: Tensor) -> Tensor:
    """Share of the views whose partner is the most similar candidate, a scalar in [0, 1]."""
    return (logits.argmax(dim=1) == partners).float().mean()


def several_positives(views: Sequence[Tensor], patients: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """NT-Xent for items with more than two views: each is to find all the others (Khosla et al. 2020, L_out).

    A view's candidates are the other views of its item, its positives, and all views of other patients; its loss is
    the mean over its positives. Other items of the same patient are left out. For two views it is `nt_xent`.

    Args:
        views: V times ``(B, d)`` projections, in the same order of items.
        patients: ``(B,)`` integers, as for `nt_xent`.
        temperature: Divides the cosine similarities.

    Returns:
        The loss, a scalar; and the share of the views whose most similar candidate is a positive.
    """
    n = len(views[0])
    logits = _similarities(torch.cat(list(views)), temperature)
    owner = patients.to(logits.device).repeat(len(views))
    item = torch.arange(n, device=logits.device).repeat(len(views))
    itself = torch.eye(len(item), dtype=torch.bool, device=logits.device)
    positive = (item[:, None] == item[None, :]) & ~itself
    excluded = (owner[:, None] == owner[None, :]) & ~positive
    logits = logits.masked_fill(excluded, -torch.inf)
    chosen = torch.log_softmax(logits, dim=1).masked_fill(~positive, 0.0)
    found = positive.gather(1, logits.detach().argmax(dim=1, keepdim=True)).float().mean()
    return -chosen.sum() / positive.sum(), found


def _similarities(z: Tensor, temperature: float) -> Tensor:
    """``(n, d)`` -> ``(n, n)`` cosines over temperature; those of half-precision projections in float32."""
    # Inside autocast the product below would be taken in half precision, whose steps at 1/0.1 are 0.06 wide.
    with torch.autocast(z.device.type, enabled=False):
        z = functional.normalize(z.to(torch.promote_types(z.dtype, torch.float32)), dim=1)
        return z @ z.T / temperature
