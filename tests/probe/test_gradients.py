"""What clipping is known to have found, whichever function clips and however it is handed the parameters; gradients that are kept on purpose, and
such as pass through float16.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
import torch
from torch import Tensor, nn

from tests.probe.conftest import recorded

CLIPS: dict[str, Callable[[nn.Module], object]] = {
    "by value, of a generator": lambda net: nn.utils.clip_grad_value_(net.parameters(), 0.05),
    "by value, of a list": lambda net: nn.utils.clip_grad_value_(list(net.parameters()), clip_value=0.05),
    "by value, in words": lambda net: nn.utils.clip_grad_value_(parameters=net.parameters(), clip_value=0.05),
    "by norm": lambda net: nn.utils.clip_grad_norm_(net.parameters(), 0.05),
}


def length(parameters: Iterable[Tensor]) -> float:
    """Euclidean norm of all gradients."""
    return float(torch.linalg.vector_norm(torch.cat([p.grad.flatten() for p in parameters if p.grad is not None])))


@pytest.mark.parametrize("name", CLIPS)
def test_the_norm_before_clipping_is_known(name: str) -> None:
    """Beside the norm that the optimiser saw and the limit; a generator is left to the function that clips."""
    before, after = [], []

    def train() -> None:
        torch.manual_seed(0)
        net = nn.Linear(6, 4)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        for _ in range(12):
            optimizer.zero_grad()
            net(torch.randn(16, 6)).square().mean().backward()
            before.append(length(net.parameters()))
            CLIPS[name](net)
            after.append(length(net.parameters()))
            optimizer.step()

    steps = recorded(train).steps

    assert all(a < b for a, b in zip(after, before, strict=True))
    assert [0.05] * 12 == [s.clip for s in steps]
    assert [pytest.approx(b) for b in before] == [s.unclipped_norm for s in steps]
    assert [pytest.approx(a) for a in after] == [s.gradient_norm for s in steps]


@pytest.mark.parametrize(
    ("why", "after", "carried"),
    [
        ("never cleared", lambda p: None, True),
        ("a velocity that fades", lambda p: p.grad.mul_(0.9), False),
        ("clipped, and never cleared", lambda p: nn.utils.clip_grad_norm_([p], 0.01), True),
        ("cleared", lambda p: p.grad.zero_(), False),
    ],
)
def test_gradients_that_a_loop_by_hand_leaves(why: str, after: Callable[[Tensor], object], carried: bool) -> None:
    """Those that the script writes into are kept on purpose."""

    def train() -> None:
        torch.manual_seed(0)
        net = nn.Linear(6, 4)
        for _ in range(12):
            net(torch.randn(16, 6)).square().mean().backward()
            with torch.no_grad():
                for p in net.parameters():
                    assert p.grad is not None
                    p -= 0.01 * p.grad
                    after(p)

    steps = recorded(train).steps

    assert carried == any(s.carried for s in steps), why


def computed_in(dtype: torch.dtype, net: nn.Module, x: Tensor) -> Tensor:
    """Under autocast, and widened before the loss."""
    with torch.autocast("cpu", dtype=dtype):
        return net(x).float()  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("why", "output", "expected"),
    [
        ("autocast", lambda net, x: computed_in(torch.float16, net, x), True),
        ("a half of the network", lambda net, x: nn.functional.linear(x.half(), net.weight.half()).float(), True),
        ("autocast to bfloat16, which knows numbers as small as float32 does", lambda net, x: computed_in(torch.bfloat16, net, x), False),
        ("data in float16", lambda net, x: net(x.half().float()), False),
        ("all in float32", lambda net, x: net(x), False),
    ],
)
def test_gradients_that_pass_through_float16(why: str, output: Callable[[nn.Module, Tensor], Tensor], expected: bool) -> None:
    """Read off the graph: the loss and the weights are in float32 each time."""

    def train() -> None:
        net = nn.Linear(6, 4)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            output(net, torch.randn(16, 6)).square().mean().backward()
            optimizer.step()

    assert {expected} == {g.float16 for g in recorded(train).graphs}, why
