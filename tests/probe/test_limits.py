"""When enough has been seen: after so many steps, and where these have shown no validation, once the first one is over."""

from __future__ import annotations

from collections.abc import Callable

from nndoctor.probe.launch import Limits
from tests.probe.conftest import Outcome

SCRIPT = """
import torch
from torch import nn
torch.manual_seed(0)
x = torch.randn(90, 4)
net = nn.Linear(4, 1)
optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
def score():
    with torch.no_grad():
        return ((net(x) - x[:, :1]) ** 2).mean().item()
{before}
for epoch in range(100_000):
    for _ in range(25):
        optimizer.zero_grad()
        ((net(x) - x[:, :1]) ** 2).mean().backward()
        optimizer.step()
    {after}
"""


def test_first_validation_is_awaited(examined: Callable[..., Outcome]) -> None:
    """Ten steps are asked for, and the first epoch has 25: it is seen whole, with the pass after it, and not one step more. A pass
    before the first step says nothing of what training does, and does not count.
    """
    seen = examined(SCRIPT.format(before="score()", after="score()"), Limits(steps=10, wait=60.0, timeout=120))

    assert ("steps", 25) == (seen.end.reason, seen.end.steps)
    assert [0, 25] == [e.step for e in seen.recording.evaluations]


def test_steps_that_hold_a_validation_are_enough(examined: Callable[..., Outcome]) -> None:
    """Of thirty steps 25 come before a pass: no second one is waited for."""
    seen = examined(SCRIPT.format(before="", after="score()"), Limits(steps=30, wait=60.0, timeout=120))

    assert ("steps", 30) == (seen.end.reason, seen.end.steps)


def test_nobody_waits_for_ever(examined: Callable[..., Outcome]) -> None:
    """A script that never validates is watched for so many seconds more, or not at all."""
    never = SCRIPT.format(before="", after="pass")

    assert ("steps", 10) == ((seen := examined(never, Limits(steps=10, wait=0.0, timeout=120)).end).reason, seen.steps)
    longer = examined(never, Limits(steps=10, wait=0.2, timeout=120)).end
    assert "steps" == longer.reason
    assert longer.steps > 10


def test_who_turns_to_something_else_is_not_waited_for(examined: Callable[..., Outcome]) -> None:
    """The steps were made, no validation came, and the script makes no step any more: it is ended by the wait for one, and what a pass in
    progress may take, not by the seconds that training may last.
    """
    gone = SCRIPT.format(before="", after="if epoch: [None for _ in iter(int, 1)]")

    end = examined(gone, Limits(steps=40, seconds=300.0, grace=0.3, wait=0.3, timeout=120)).end

    assert ("steps", 50) == (end.reason, end.steps)
