"""Where gradients point as seen from the weights."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from nndoctor.record.model import ParameterSample
from tests.probe.conftest import recorded

STILL = torch.linspace(-1, 1, 24).reshape(4, 6)  # sums to nothing, so that it stands at a right angle to ones


def cosines(loss: Callable[[Tensor], Tensor], rate: float = 0.5, by_hand: bool = False) -> list[float | None]:
    """How much of the gradient points along weights that begin as ones, at each look."""

    def train() -> None:
        net = nn.Linear(6, 4, bias=False)
        nn.init.ones_(net.weight)
        optimizer = None if by_hand else torch.optim.SGD(net.parameters(), lr=rate)
        for _ in range(12):
            net(torch.ones(2, 6))
            net.zero_grad()
            loss(net.weight).backward()
            if optimizer is not None:
                optimizer.step()
                continue
            with torch.no_grad():
                assert net.weight.grad is not None
                net.weight -= rate * net.weight.grad
                net.weight.grad = None

    return [p.inward for s in recorded(train).samples for p in s.parameters]


@pytest.mark.parametrize("by_hand", [False, True])
def test_a_penalty_points_along_the_weights(by_hand: bool) -> None:
    """However far a step goes, by an optimiser or by hand; its opposite points away from them."""
    inward = cosines(lambda w: w.square().sum() / 2, by_hand=by_hand)
    outward = cosines(lambda w: -w.square().sum() / 2, by_hand=by_hand)

    assert len(inward) >= 5
    assert [pytest.approx(1.0, abs=1e-5)] * len(inward) == inward
    assert [pytest.approx(-1.0, abs=1e-5)] * len(outward) == outward


def test_a_gradient_at_a_right_angle_has_no_part_of_it() -> None:
    """Of the first look; later on the weights have moved along it."""
    assert pytest.approx(0.0, abs=1e-5) == cosines(lambda w: (w * STILL).sum(), rate=0.01)[0]


# --- steps by hand ------------------------------------------------------------------------------------------------


def subtract(weights: list[Tensor], gradients: list[Tensor]) -> None:
    """One line for the second tensor, which climbs, and one for the others."""
    with torch.no_grad():
        for w, g in zip(weights, gradients, strict=True):
            if w is weights[1]:
                w.add_(g, alpha=0.01)
            else:
                w -= 0.01 * g


def behind(weights: list[Tensor], gradients: list[Tensor]) -> None:
    """The same past autograd's eyes."""
    for w, g in zip(weights, gradients, strict=True):
        w.data.add_(g, alpha=0.01 if w is weights[1] else -0.01)


def steps_by_hand(step: Callable[[list[Tensor], list[Tensor]], None], values: bool) -> list[ParameterSample]:
    """A network of three bare tensors; gradients as values, or in `.grad` and cleared before anything else happens."""

    def train() -> None:
        torch.manual_seed(0)
        weights = [torch.randn(6, 4).requires_grad_(), torch.randn(4, 4).requires_grad_(), torch.zeros(1, requires_grad=True)]
        x = torch.randn(16, 6)
        for _ in range(12):
            loss = torch.nn.functional.mse_loss((x @ weights[0]).tanh() @ weights[1] + weights[2], x[:, :4])
            if values:
                gradients = list(torch.autograd.grad(loss, weights))
            else:
                loss.backward()
                gradients = [w.grad for w in weights if w.grad is not None]
                for w in weights:
                    w.grad = None
            step(weights, gradients)

    return [p for s in recorded(train).samples for p in s.parameters if p.update]


@pytest.mark.parametrize("values", [False, True])
@pytest.mark.parametrize("step", [subtract, behind])
def test_a_step_by_hand_goes_along_its_gradient_or_against_it(step: Callable[[list[Tensor], list[Tensor]], None], values: bool) -> None:
    """By tensor, with the line that writes it, whether or not the gradient is still there when the step is measured."""
    seen = steps_by_hand(step, values)
    second = sorted({p.parameter for p in seen})[1]

    assert len(seen) >= 12
    assert [pytest.approx(1.0 if p.parameter == second else -1.0, abs=1e-3) for p in seen] == [p.climb for p in seen]
    assert {step.__name__} == {p.written.function for p in seen if p.written is not None}


def test_a_step_of_an_optimiser_is_none_by_hand() -> None:
    """Its direction is its own affair."""

    def train() -> None:
        net = nn.Linear(6, 4)
        optimizer = torch.optim.Adam(net.parameters())
        for _ in range(12):
            optimizer.zero_grad()
            net(torch.ones(2, 6)).square().mean().backward()
            optimizer.step()

    assert {None} == {p.climb for s in recorded(train).samples for p in s.parameters if s.step > 1}
