"""Each cure on a small run that is sick by the one fault that it takes away: sick without it, well with it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.probe.changes.conftest import accuracy, classes, fit, in_force, mlp, numbers, r2

Run = Callable[[], float]  # trains, and gives a score from 0 to 1
RUNS: dict[str, tuple[str, Run]] = {}


def cured_by(spelling: str) -> Callable[[Run], Run]:
    """Register a sick run."""

    def register(run: Run) -> Run:
        RUNS[run.__name__] = (spelling, run)
        return run

    return register


def _sgd(model: nn.Module, lr: float = 0.1) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)


@cured_by("lr*0.01")
def rate_too_high() -> float:
    x, y = numbers()
    model = mlp(4, 1)
    fit(model, lambda: F.mse_loss(model(x), y), _sgd(model, 5.0))
    return r2(model, x, y)


@cured_by("lr*100")
def rate_too_low_by_a_schedule_that_sets_it_anew() -> float:
    x, y = classes()
    model = mlp(8, 3)
    optimizer = _sgd(model, 1e-3)
    for _ in range(150):
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        for group in optimizer.param_groups:
            group["lr"] = 1e-3
        optimizer.step()
    return accuracy(model, x, y)


@cured_by("lr*100")
def rate_too_low_by_hand() -> float:
    x, y = classes()
    model = mlp(8, 3)
    for _ in range(150):
        model.zero_grad()
        F.cross_entropy(model(x), y).backward()
        with torch.no_grad():
            for p in model.parameters():
                assert p.grad is not None
                p -= 5e-3 * p.grad
    return accuracy(model, x, y)


@cured_by("momentum=0.5")
def momentum_near_one() -> float:
    x, y = numbers()
    model = mlp(4, 1)
    fit(model, lambda: F.mse_loss(model(x), y), torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9999), 100)
    return r2(model, x, y)


@cured_by("optimizer=adam")
def an_optimiser_whose_settings_stop_it() -> float:
    x, y = classes()
    model = mlp(8, 3, width=64)
    fit(model, lambda: F.cross_entropy(model(x), y), torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e4))
    return accuracy(model, x, y)


@cured_by("weight-decay=0")
def decay_that_crushes() -> float:
    x, y = numbers()
    model = mlp(4, 1)
    fit(model, lambda: F.mse_loss(model(x), y), torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=50))
    return r2(model, x, y)


@cured_by("parameters=all")
def half_of_it_not_handed_in() -> float:
    x, y = classes()
    model = mlp(8, 3)
    with torch.no_grad():
        model[0].weight.mul_(0.01)
    fit(model, lambda: F.cross_entropy(model(x), y), torch.optim.Adam(model[4].parameters(), lr=1e-2))
    return accuracy(model, x, y)


@cured_by("gradients=cleared")
def never_cleared() -> float:
    x, y = numbers()
    model = mlp(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for _ in range(150):
        F.mse_loss(model(x), y).backward()
        optimizer.step()
    return r2(model, x, y)


@cured_by("gradients=averaged")
def accumulated_without_a_mean() -> float:
    x, y = numbers()
    model = mlp(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
    for _ in range(60):
        optimizer.zero_grad()
        for part in range(32):
            F.mse_loss(model(x[part::32]), y[part::32]).backward()
        optimizer.step()
    return r2(model, x, y)


@cured_by("step=called")
def never_stepped() -> float:
    x, y = classes()
    model = mlp(8, 3)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(150):
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
    return accuracy(model, x, y)


@cured_by("step=called")
def one_of_two_never_steps() -> float:
    x, y = classes()
    model = mlp(8, 3)
    with torch.no_grad():
        model[0].weight.mul_(0.01)
    body, head = torch.optim.Adam(model[:4].parameters(), lr=1e-2), torch.optim.Adam(model[4].parameters(), lr=1e-2)
    for _ in range(150):
        body.zero_grad()
        head.zero_grad()
        F.cross_entropy(model(x), y).backward()
        head.step()
    return accuracy(model, x, y)


@cured_by("gradients=cleared")
def never_cleared_by_hand() -> float:
    x, y = numbers()
    model = mlp(4, 1)
    for _ in range(150):
        F.mse_loss(model(x), y).backward()
        with torch.no_grad():
            for p in model.parameters():
                assert p.grad is not None
                p -= 0.05 * p.grad
    return r2(model, x, y)


@cured_by("step=called")
def cleared_before_the_step() -> float:
    x, y = classes()
    model = mlp(8, 3)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(150):
        F.cross_entropy(model(x), y).backward()
        optimizer.zero_grad()
        optimizer.step()
    return accuracy(model, x, y)


@cured_by("clip=off")
def clipped_to_nothing() -> float:
    x, y = classes()
    model = mlp(8, 3)
    optimizer = _sgd(model)
    for _ in range(150):
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1e-4)
        optimizer.step()
    return accuracy(model, x, y)


@cured_by("clip=1")
def a_spike_now_and_then() -> float:
    x, y = numbers()
    model = mlp(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for step in range(200):
        optimizer.zero_grad()
        (F.mse_loss(model(x), y) * (1e5 if step % 20 == 10 else 1.0)).backward()
        optimizer.step()
    return r2(model, x, y)


@cured_by("schedule=constant")
def a_schedule_that_decays_away() -> float:
    x, y = classes()
    model = mlp(8, 3)
    optimizer = _sgd(model)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    for _ in range(150):
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
        schedule.step()
    return accuracy(model, x, y)


@cured_by("epsilon=usual")
def epsilon_above_all_gradients() -> float:
    x, y = classes()
    model = mlp(8, 3)
    fit(model, lambda: F.cross_entropy(model(x), y), torch.optim.Adam(model.parameters(), lr=0.01, eps=100.0))
    return accuracy(model, x, y)


@cured_by("maximize=off")
def uphill() -> float:
    x, y = classes()
    model = mlp(8, 3)
    fit(model, lambda: F.cross_entropy(model(x), y), torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, maximize=True))
    return accuracy(model, x, y)


@cured_by("loss=negated")
def negated() -> float:
    x, y = classes()
    model = mlp(8, 3)
    fit(model, lambda: -F.cross_entropy(model(x), y), _sgd(model))
    return accuracy(model, x, y)


@cured_by("activation=relu")
def a_stack_of_sigmoid_modules() -> float:
    x, y = classes()
    layers: list[nn.Module] = [nn.Linear(8, 32)]
    for _ in range(5):
        layers += [nn.Sigmoid(), nn.Linear(32, 32)]
    model = nn.Sequential(*layers, nn.Sigmoid(), nn.Linear(32, 3))
    fit(model, lambda: F.cross_entropy(model(x), y), _sgd(model), 250)
    return accuracy(model, x, y)


class _Functional(nn.Module):
    """Six layers with a function between them."""

    def __init__(self, act: Callable[[Tensor], Tensor], outputs: int, bias: float = 0.0) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(8, 32), *(nn.Linear(32, 32) for _ in range(5))])
        self.head = nn.Linear(32, outputs)
        self.act = act
        for layer in self.layers if bias else ():
            nn.init.constant_(layer.bias, bias)

    def forward(self, x: Tensor) -> Tensor:
        """Layer by layer."""
        for layer in self.layers:
            x = self.act(layer(x))
        return self.head(x)


@cured_by("activation=relu")
def a_stack_of_sigmoid_functions() -> float:
    x, y = classes()
    model = _Functional(torch.sigmoid, 3)
    fit(model, lambda: F.cross_entropy(model(x), y), _sgd(model), 250)
    return accuracy(model, x, y)


@cured_by("activation=leaky_relu")
def dead_units() -> float:
    x, y = classes()
    model = mlp(8, 3)
    nn.init.constant_(model[0].bias, -6.0)
    fit(model, lambda: F.cross_entropy(model(x), y), torch.optim.Adam(model.parameters(), lr=1e-2), 250)
    return accuracy(model, x, y)


@cured_by("output=identity")
def softmax_before_cross_entropy() -> float:
    x, y = classes()
    model = mlp(8, 3, nn.Softmax(dim=0))
    fit(model, lambda: F.cross_entropy(model(x), y), _sgd(model))
    return accuracy(model, x, y)


@cured_by("output=identity")
def relu_on_a_regression_output() -> float:
    x, y = numbers()
    model = mlp(4, 1, nn.ReLU())
    fit(model, lambda: F.mse_loss(model(x), y - 3), _sgd(model, 0.02))
    return r2(model, x, y - 3)


@cured_by("output=sigmoid")
def logits_where_probabilities_are_wanted() -> float:
    x, y = classes(kinds=2)
    model = mlp(8, 1)
    try:
        fit(model, lambda: F.binary_cross_entropy(model(x), y[:, None].float()), _sgd(model))
    except RuntimeError:  # torch refuses what lies outside of 0 and 1
        return 0.0
    with torch.no_grad():
        return float(((model(x)[:, 0] > 0) == (y > 0)).float().mean())


@cured_by("output=log-softmax")
def logits_where_log_probabilities_are_wanted() -> float:
    x, y = classes()
    model = mlp(8, 3)
    fit(model, lambda: F.nll_loss(model(x), y), _sgd(model, 0.03))
    return accuracy(model, x, y)


@cured_by("init=standard")
def weights_all_alike() -> float:
    x, y = classes()
    model = mlp(8, 3)
    for p in model.parameters():
        nn.init.constant_(p, 0.1)
    fit(model, lambda: F.cross_entropy(model(x), y), _sgd(model))
    return accuracy(model, x, y)


@cured_by("init=standard")
def loose_weights_all_alike() -> float:
    x, y = classes()
    w1, b1, w2 = torch.zeros(8, 32, requires_grad=True), torch.zeros(32, requires_grad=True), torch.zeros(32, 3, requires_grad=True)

    def forward(x: Tensor) -> Tensor:
        return torch.tanh(x @ w1 + b1) @ w2

    optimizer = torch.optim.SGD([w1, b1, w2], lr=0.3)
    for _ in range(200):
        optimizer.zero_grad()
        F.cross_entropy(forward(x), y).backward()
        optimizer.step()
    return float((forward(x).argmax(1) == y).float().mean())


@cured_by("dropout=off")
def nearly_everything_dropped() -> float:
    x, y = numbers()
    model = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Dropout(0.97), nn.Linear(32, 32), nn.ReLU(), nn.Dropout(0.97), nn.Linear(32, 1))
    fit(model, lambda: F.mse_loss(model(x), y), _sgd(model, 0.02))
    model.eval()
    return r2(model, x, y)


@cured_by("norm=batch-statistics")
def running_statistics_that_never_run() -> float:
    x, y = classes()
    model = nn.Sequential(nn.Linear(8, 32), nn.BatchNorm1d(32, momentum=0.0), nn.ReLU(), nn.Linear(32, 3))
    with torch.no_grad():
        model[0].weight.mul_(100)
        model[0].bias.add_(300)
    fit(model, lambda: F.cross_entropy(model(x), y), _sgd(model))
    model.eval()
    return accuracy(model, x, y)


@cured_by("mode=train")
def trained_in_eval_mode() -> float:
    x, y = classes()
    model = nn.Sequential(nn.Linear(8, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 3))
    with torch.no_grad():
        model[0].weight.mul_(1000)
    model.eval()
    fit(model, lambda: F.cross_entropy(model(x), y), torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9), 60)
    return accuracy(model, x, y) if not model.training else 0.0


@cured_by("evaluation=eval")
def evaluated_in_training_mode() -> float:
    x, y = numbers()
    model = nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Dropout(0.9), nn.Linear(64, 1))
    fit(model, lambda: F.mse_loss(model(x), y), _sgd(model, 0.01), 300)
    return r2(model, x, y)


@cured_by("requires-grad=on")
def frozen() -> float:
    x, y = classes()
    model = mlp(8, 3)
    for p in model[:4].parameters():
        p.requires_grad_(False)
        nn.init.constant_(p, 0.01)
    nn.init.normal_(model[0].weight, std=0.01)
    nn.init.normal_(model[2].weight, std=0.01)
    fit(model, lambda: F.cross_entropy(model(x), y), torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-2))
    return accuracy(model, x, y)


class _Cut(nn.Module):
    """A body that the loss does not reach."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.body, self.head, self.how = nn.Linear(8, 32), nn.Linear(32, 3), how
        nn.init.normal_(self.body.weight, std=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        """Cut in one of three ways."""
        if self.how == "no_grad":
            with torch.no_grad():
                h = torch.relu(self.body(x))
        else:
            h = torch.relu(self.body(x))
            h = h.detach() if self.how == "detach" else h.data
        return self.head(h)


def _cut(how: str) -> float:
    x, y = classes()
    model = _Cut(how)
    fit(model, lambda: F.cross_entropy(model(x), y), _sgd(model), 250)
    return accuracy(model, x, y)


@cured_by("graph=connected")
def detached() -> float:
    return _cut("detach")


@cured_by("graph=connected")
def through_data() -> float:
    return _cut("data")


@cured_by("graph=connected")
def without_gradients() -> float:
    return _cut("no_grad")


class _Deep(nn.Module):
    """Sixteen layers."""

    def __init__(self, gain: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(8, 24), *(nn.Linear(24, 24) for _ in range(15))])
        self.head = nn.Linear(24, 3)
        for layer in self.layers:
            nn.init.kaiming_normal_(layer.weight)
            nn.init.zeros_(layer.bias)
            with torch.no_grad():
                layer.weight.mul_(gain)

    def forward(self, x: Tensor) -> Tensor:
        """One after the other."""
        for layer in self.layers:
            x = torch.relu(layer(x))
        return self.head(x)


def _deep() -> float:
    x, y = classes()
    model = _Deep(0.5)
    fit(model, lambda: F.cross_entropy(model(x), y), _sgd(model, 0.05), 400)
    return accuracy(model, x, y)


@cured_by("insert=norm")
def too_deep_for_its_gradients() -> float:
    return _deep()


@cured_by("insert=residual")
def too_deep_without_a_way_around() -> float:
    return _deep()


@cured_by("inputs=standardized")
def raw_inputs() -> float:
    x, y = classes()
    x = x * torch.tensor([1e3, 1, 1, 1e2, 1, 1, 10, 1]) + 500
    model = mlp(8, 3)
    fit(model, lambda: F.cross_entropy(model(x), y), _sgd(model))
    return accuracy(model, x, y)


@cured_by("inputs=imputed")
def missing_values() -> float:
    x, y = numbers()
    x, y = x.clone(), y.clone()
    x[3, 1] = torch.nan
    y[7] = torch.nan
    model = mlp(4, 1)
    fit(model, lambda: F.mse_loss(model(x), y), _sgd(model, 0.05))
    good = torch.isfinite(y[:, 0]) & torch.isfinite(x).all(1)
    return r2(model, x[good], y[good])


@cured_by("inputs=clipped")
def outliers() -> float:
    x, y = numbers()
    x = x.clone()
    x[::50] *= 1e4
    model = mlp(4, 1)
    fit(model, lambda: F.mse_loss(model(x), y), _sgd(model, 0.05))
    rest = torch.arange(len(x)) % 50 != 0
    return r2(model, x[rest], y[rest])


@cured_by("target=reshaped")
def broadcast() -> float:
    x, y = numbers()
    model = mlp(4, 1)
    with pytest.warns(UserWarning, match="target size") if not _is_changed() else _quiet():
        fit(model, lambda: F.mse_loss(model(x), y[:, 0]), _sgd(model, 0.05))
    return r2(model, x, y)


@cured_by("target=reshaped")
def broadcast_by_hand() -> float:
    x, y = numbers()
    model = mlp(4, 1)

    def loss() -> Tensor:
        return ((model(x) - y[:, 0]) ** 2).mean()

    fit(model, loss, _sgd(model, 0.05))
    return r2(model, x, y)


@cured_by("loss=cross-entropy")
def squared_error_on_rare_classes() -> float:
    x, y = classes(kinds=3)
    model = mlp(8, 3, nn.Sigmoid())
    nn.init.constant_(model[4].bias, -12.0)
    one_hot = F.one_hot(y, 3).float()
    fit(model, lambda: F.mse_loss(model(x), one_hot), _sgd(model, 0.05))
    return accuracy(model, x, y)


@cured_by("loss=squared-error")
def cross_entropy_on_numbers() -> float:
    x, y = numbers()
    model = mlp(4, 1)
    fit(model, lambda: F.cross_entropy(model(x), y), _sgd(model, 0.05))
    return r2(model, x, y)


@cured_by("loss=stable")
def logarithm_of_nothing() -> float:
    x, y = classes()
    model = mlp(8, 3)
    with torch.no_grad():
        model[4].weight.mul_(200)

    def loss() -> Tensor:
        scores = model(x).exp()
        p = scores / scores.sum(1, keepdim=True)
        return -torch.log(p[torch.arange(len(y)), y]).mean()

    fit(model, loss, torch.optim.Adam(model.parameters(), lr=1e-2), 250)
    return accuracy(model, x, y)


@cured_by("precision=float32")
def updates_that_round_to_nothing() -> float:
    x, y = numbers()
    model = mlp(4, 1).bfloat16()
    fit(model, lambda: F.mse_loss(model(x.to(model[0].weight.dtype)), y.to(model[0].weight.dtype)), torch.optim.SGD(model.parameters(), lr=2e-3), 800)
    return r2(model.float(), x, y)


@cured_by("precision=float32")
def a_half_that_was_read_from_a_file() -> float:
    x, y = numbers()
    weight = nn.Parameter(torch.from_numpy(np.full((4, 1), 300.0, dtype=np.float16)))  # at 300 float16 has steps of a quarter
    fit(nn.ParameterList([weight]), lambda: F.mse_loss(x @ (weight.float() - 300.0), y), torch.optim.SGD([weight], lr=0.05), 200)
    return float(1 - F.mse_loss(x @ (weight.detach().float() - 300.0), y) / y.var())


def _is_changed() -> bool:
    return getattr(nn.Module.__call__, "__wrapped__", None) is not None


class _quiet:  # noqa: N801
    def __enter__(self) -> None: ...

    def __exit__(self, *error: object) -> None: ...


@pytest.mark.parametrize("name", RUNS)
def test_a_cure_takes_its_cause_away(name: str) -> None:
    """Sick without it; with it the run learns, and the change says that it took hold."""
    spelling, run = RUNS[name]
    torch.manual_seed(0)
    before = run()
    with in_force(spelling) as points:
        torch.manual_seed(0)
        after = run()

    [(said, applied)] = points.outcomes()
    assert spelling == said
    assert applied > 0
    assert not before >= 0.75
    assert after > 0.8
    assert not before > after - 0.15
