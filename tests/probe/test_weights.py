"""Where gradients point as seen from the weights."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

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
