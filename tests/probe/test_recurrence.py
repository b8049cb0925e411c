"""How far back through time the gradient comes: measured as it is, on every kind of recurrence, and without a trace in the run."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.probe.conftest import recorded

LENGTH = 12
LOOKS = [1, 2, 3, 5, 7, 10]


class Recurrent(nn.Module):
    """One of torch's layers over all of time, and an answer from its last output."""

    def __init__(self, kind: type[nn.RNNBase], **settings: Any) -> None:
        super().__init__()
        self.body = kind(4, 8, batch_first=True, **settings)
        self.out = nn.Linear(16 if self.body.bidirectional else 8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.body(x)[0][:, -1])  # type: ignore[no-any-return]


class Looped(nn.Module):
    """A cell of torch's that is called for each step of time."""

    def __init__(self, kind: type[nn.RNNCellBase]) -> None:
        super().__init__()
        self.body, self.out = kind(4, 8), nn.Linear(8, 3)  # type: ignore[call-arg]

    def forward(self, x: Tensor) -> Tensor:
        state = None
        for t in range(x.shape[1]):
            state = self.body(x[:, t], state)
        return self.out(state[0] if isinstance(state, tuple) else state)  # type: ignore[no-any-return]


class Own(nn.Module):
    """A layer of the user's that is called for each step of time."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.out = nn.Linear(12, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        state = x.new_zeros(len(x), 8)
        for t in range(x.shape[1]):
            state = torch.tanh(self.body(torch.cat([x[:, t], state], 1)))
        return self.out(state)  # type: ignore[no-any-return]


MODELS: dict[str, Callable[[], nn.Module]] = {
    "RNN": lambda: Recurrent(nn.RNN),
    "LSTM": lambda: Recurrent(nn.LSTM, num_layers=2, dropout=0.3),
    "GRU": lambda: Recurrent(nn.GRU, bidirectional=True),
    "GRUCell": lambda: Looped(nn.GRUCell),
    "LSTMCell": lambda: Looped(nn.LSTMCell),
    "Linear": Own,
}


def play(build: Callable[[], nn.Module]) -> list[Any]:
    """A run of 24 steps: its losses, weights and moments bit by bit, and what is drawn after it."""
    torch.manual_seed(0)
    x, y = torch.randn(64, LENGTH, 4), torch.randint(0, 3, (64,))
    net = build()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    losses = []
    for _ in range(24):
        rows = torch.randperm(64)[:24]
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
        losses.append(loss.item().hex())
    kept = [*net.parameters(), *(v for s in optimizer.state.values() for v in s.values()), torch.get_rng_state(), torch.rand(3)]
    return [losses, *(hashlib.sha256(t.detach().numpy().tobytes()).hexdigest() for t in kept)]


@pytest.mark.parametrize("name", MODELS)
def test_a_recurrence_is_followed_and_the_run_is_the_same(name: str) -> None:
    """Six looks at all of time, the layer and its line; every bit, and every random number drawn later, is as unwatched."""
    plain = play(MODELS[name])
    watched: list[Any] = []
    recording = recorded(lambda: watched.extend(play(MODELS[name])))
    found = recording.recurrences

    assert plain == watched
    assert [(step, "net.body", name, LENGTH) for step in LOOKS] == [(r.step, r.module, r.type, r.length) for r in found]
    assert all(0 < r.reach <= 1 for r in found)
    assert all(r.place is not None and r.place.file.endswith("test_recurrence.py") for r in found)


class Halving(nn.Module):
    """A state that is halved in each step of time, so that what comes back from its end is known."""

    def __init__(self, by_hand: bool) -> None:
        super().__init__()
        self.body: nn.Module = nn.Linear(2, 1) if by_hand else nn.RNN(1, 1, nonlinearity="relu", batch_first=True)
        with torch.no_grad():
            for p, value in zip(self.body.parameters(), ([[1.0, 0.5]], [0.0]) if by_hand else ([[1.0]], [[0.5]], [0.0], [0.0]), strict=True):
                p.copy_(torch.tensor(value))

    def forward(self, x: Tensor) -> Tensor:
        if isinstance(self.body, nn.RNN):
            return self.body(x)[0][:, -1]  # type: ignore[no-any-return]
        state = x.new_zeros(len(x), 1)
        for t in range(x.shape[1]):
            state = self.body(torch.cat([x[:, t], state], 1))
        return state


@pytest.mark.parametrize("by_hand", [False, True])
def test_the_reach_is_the_part_of_the_gradient_that_comes_back(by_hand: bool) -> None:
    """Halved in each step: from the last of twelve steps to the third, which ends the first quarter, it is halved nine times."""

    def train() -> None:
        net = Halving(by_hand)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.0)
        for _ in range(12):
            optimizer.zero_grad()
            F.mse_loss(net(torch.rand(8, LENGTH, 1)), torch.full((8, 1), -1.0)).backward()
            optimizer.step()

    assert [pytest.approx(0.5**9)] * len(LOOKS) == [r.reach for r in recorded(train).recurrences]


def test_the_reach_of_a_gated_layer_is_that_of_its_inputs() -> None:
    """What autograd says of the inputs themselves, where the script asks for their gradient; loss on every output, states first."""
    norms: list[Tensor] = []

    def train() -> None:
        torch.manual_seed(1)
        net = nn.Sequential(nn.GRU(4, 8, num_layers=2))
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        for _ in range(3):
            x = torch.randn(LENGTH, 16, 4, requires_grad=True)
            optimizer.zero_grad()
            outputs, last = net(x)
            (outputs[4:].square().mean() + last.square().mean()).backward()
            norms.append(torch.linalg.vector_norm(x.grad, dim=(1, 2)))  # type: ignore[arg-type]
            optimizer.step()

    found = recorded(train).recurrences

    assert [pytest.approx(float(n[:3].max() / n.max()), rel=1e-4) for n in norms] == [r.reach for r in found]


def test_what_is_no_recurrence_is_not_followed() -> None:
    """A layer that is called twice, seven steps of time, and passes without gradient."""

    def train() -> None:
        net = nn.Sequential(nn.Linear(4, 4))
        short = Recurrent(nn.RNN)
        optimizer = torch.optim.SGD([*net.parameters(), *short.parameters()], lr=0.1)
        for _ in range(12):
            x = torch.randn(8, 7, 4)
            optimizer.zero_grad()
            F.cross_entropy(short(net(net(x))), torch.zeros(8, dtype=torch.long)).backward()
            optimizer.step()
            with torch.no_grad():
                short(torch.randn(8, LENGTH, 4))

    assert [] == recorded(train).recurrences
