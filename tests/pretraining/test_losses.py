from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from heartprint.pretraining.losses import contrastive_accuracy, contrastive_logits, nt_xent, several_positives


def literal_nt_xent(z1: np.ndarray, z2: np.ndarray, patients: list[int], temperature: float) -> float:
    """NT-Xent as it stands in Chen et al. 2020, equation 1, written out; same-patient views are skipped."""
    views = [*z1, *z2]
    owner = [*patients, *patients]
    n = len(z1)

    def similarity(i: int, j: int) -> float:
        a, b = views[i], views[j]
        return float(np.dot(a, b) / math.sqrt(np.dot(a, a)) / math.sqrt(np.dot(b, b)))

    total = 0.0
    for i in range(2 * n):
        partner = i + n if i < n else i - n
        denominator = 0.0
        for k in range(2 * n):
            if k == partner or owner[k] != owner[i]:
                denominator += math.exp(similarity(i, k) / temperature)
        total += -math.log(math.exp(similarity(i, partner) / temperature) / denominator)
    return total / (2 * n)


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(2, 9),
    d=st.integers(2, 6),
    temperature=st.floats(0.05, 2.0),
    seed=st.integers(0, 10_000),
    data=st.data(),
)
def test_equals_the_literal_twin(n: int, d: int, temperature: float, seed: int, data: st.DataObject) -> None:
    patients = data.draw(st.lists(st.integers(0, 3), min_size=n, max_size=n))
    rng = np.random.default_rng(seed)
    z1, z2 = rng.normal(size=(2, n, d))
    found = nt_xent(torch.tensor(z1), torch.tensor(z2), torch.tensor(patients), temperature)
    assert found.dtype == torch.float64
    assert float(found) == pytest.approx(literal_nt_xent(z1, z2, patients, temperature), abs=1e-10)


def test_equals_pytorch_metric_learning_when_no_patient_repeats() -> None:
    from pytorch_metric_learning.losses import NTXentLoss

    torch.manual_seed(0)
    z1, z2 = torch.randn(2, 12, 5, dtype=torch.float64).requires_grad_()
    ids = torch.arange(12)
    ours = nt_xent(z1, z2, ids, 0.2)
    theirs = NTXentLoss(temperature=0.2)(torch.cat([z1, z2]), ids.repeat(2))
    assert ours.item() == pytest.approx(theirs.item(), abs=1e-10)
    mine, reference = (torch.autograd.grad(loss, (z1, z2), retain_graph=True) for loss in (ours, theirs))
    for one, two in zip(mine, reference, strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=1e-10)


def test_gradient_is_right() -> None:
    torch.manual_seed(0)
    z1, z2 = torch.randn(2, 4, 3, dtype=torch.float64)
    patients = torch.tensor([0, 1, 0, 2])
    assert torch.autograd.gradcheck(
        lambda a, b: nt_xent(a, b, patients, 0.3), (z1.requires_grad_(), z2.requires_grad_())
    )


def test_other_ecgs_of_the_patient_are_no_negatives() -> None:
    """Whatever the other pair of the same patient does, the loss of this pair does not move."""
    torch.manual_seed(0)
    z1, z2 = torch.randn(2, 3, 4, dtype=torch.float64)
    patients = torch.tensor([5, 5, 6])
    logits, partners = contrastive_logits(z1, z2, patients, 0.1)
    assert partners.tolist() == [3, 4, 5, 0, 1, 2]
    assert torch.isinf(logits[0]).tolist() == [True, True, False, False, True, False]
    z1 = z1.clone().requires_grad_()
    own = torch.nn.functional.cross_entropy(*[x[:1] for x in contrastive_logits(z1, z2, patients, 0.1)])
    (gradient,) = torch.autograd.grad(own, z1)
    assert torch.all(gradient[1] == 0) and torch.any(gradient[2] != 0)


def test_masking_matters_only_where_a_patient_repeats() -> None:
    torch.manual_seed(0)
    z1, z2 = torch.randn(2, 6, 4)
    masked = nt_xent(z1, z2, torch.tensor([0, 0, 1, 2, 3, 4]), 0.1)
    assert masked < nt_xent(z1, z2, torch.arange(6), 0.1)


def test_symmetric_and_blind_to_length() -> None:
    torch.manual_seed(0)
    z1, z2 = torch.randn(2, 6, 4, dtype=torch.float64)
    patients = torch.tensor([0, 0, 1, 2, 3, 4])
    loss = float(nt_xent(z1, z2, patients))
    assert float(nt_xent(z2, z1, patients)) == pytest.approx(loss, abs=1e-12)
    assert float(nt_xent(7 * z1, 0.01 * z2, patients)) == pytest.approx(loss, abs=1e-12)


def test_similarities_are_float32_under_bfloat16() -> None:
    torch.manual_seed(0)
    z1, z2 = torch.randn(2, 8, 16).bfloat16()
    expected = nt_xent(z1.float(), z2.float(), torch.arange(8), 0.1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = nt_xent(z1, z2, torch.arange(8), 0.1)
    assert found.dtype == torch.float32
    assert float(found) == float(expected)


def test_contrastive_accuracy() -> None:
    z = torch.eye(4)
    assert float(contrastive_accuracy(*contrastive_logits(z, z, torch.arange(4), 0.1))) == 1.0
    assert float(contrastive_accuracy(*contrastive_logits(z, z.roll(1, 0), torch.arange(4), 0.1))) == 0.0


def literal_several(views: np.ndarray, patients: list[int], temperature: float) -> float:
    """Equation 2 of Khosla et al. 2020 (L_out), written out; views of the patient's other items are skipped."""
    n_views, n, _ = views.shape
    flat = [(v, i) for v in range(n_views) for i in range(n)]

    def similarity(a: tuple[int, int], b: tuple[int, int]) -> float:
        x, y = views[a], views[b]
        return float(np.dot(x, y) / math.sqrt(np.dot(x, x)) / math.sqrt(np.dot(y, y))) / temperature

    total = 0.0
    for anchor in flat:
        positives = [b for b in flat if b[1] == anchor[1] and b != anchor]
        others = [b for b in flat if patients[b[1]] != patients[anchor[1]]]
        denominator = sum(math.exp(similarity(anchor, b)) for b in positives + others)
        losses = [-math.log(math.exp(similarity(anchor, p)) / denominator) for p in positives]
        total += sum(losses) / len(losses)
    return total / len(flat)


@settings(max_examples=40, deadline=None)
@given(n=st.integers(2, 5), n_views=st.integers(2, 4), seed=st.integers(0, 10_000), data=st.data())
def test_several_positives_equal_the_literal_twin(n: int, n_views: int, seed: int, data: st.DataObject) -> None:
    patients = data.draw(st.lists(st.integers(0, 3), min_size=n, max_size=n))
    views = np.random.default_rng(seed).normal(size=(n_views, n, 3))
    loss, found = several_positives(tuple(torch.tensor(views)), torch.tensor(patients), 0.3)
    assert float(loss) == pytest.approx(literal_several(views, patients, 0.3), abs=1e-10)
    assert 0 <= float(found) <= 1
    if n_views == 2:
        pair = (*torch.tensor(views), torch.tensor(patients), 0.3)
        assert float(loss) == pytest.approx(float(nt_xent(*pair)), abs=1e-12)
        assert float(found) == float(contrastive_accuracy(*contrastive_logits(*pair)))


def test_several_positives_equal_pytorch_metric_learning() -> None:
    from pytorch_metric_learning.losses import SupConLoss

    torch.manual_seed(0)
    views = torch.randn(4, 6, 5, dtype=torch.float64).requires_grad_()
    ids = torch.arange(6)
    ours, _ = several_positives(tuple(views), ids, 0.2)
    theirs = SupConLoss(temperature=0.2)(views.flatten(0, 1), ids.repeat(4))
    mine, reference = (torch.autograd.grad(loss, views, retain_graph=True)[0] for loss in (ours, theirs))
    assert ours.item() == pytest.approx(theirs.item(), abs=1e-10)
    torch.testing.assert_close(mine, reference, rtol=0, atol=1e-10)
