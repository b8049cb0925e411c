"""What loss functions are given: targets that are places in the batch, wild ones, distributions; and how well they are met."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nndoctor.record.model import Recording
from tests.probe.conftest import recorded


def trained(loss: Callable[[Tensor, int], Tensor], outputs: int, steps: int = 12) -> Recording:
    """A linear layer whose outputs [16, outputs] that loss takes, with the number of the step."""

    def train() -> None:
        torch.manual_seed(0)
        net = nn.Linear(4, outputs)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
        for step in range(steps):
            optimizer.zero_grad()
            rows = 16 if step < steps - 1 else 10  # the last batch of an epoch
            loss(net(torch.randn(rows, 4)), step).backward()
            optimizer.step()

    return recorded(train)


# --- positional ---------------------------------------------------------------------------------------------------


def among_others(output: Tensor, step: int) -> Tensor:
    """Each row is told apart from the others of its batch."""
    return F.cross_entropy(output @ output.T, torch.arange(len(output)))


def test_places_in_the_batch_are_no_classes() -> None:
    """The same labels in each batch, each row another one: no simple learner is fitted to them."""
    recording = trained(among_others, 8)

    assert [True] == [labels.positional for labels in recording.labels]
    assert [] == recording.references


@pytest.mark.parametrize(
    ("why", "labels"),
    [
        ("drawn anew", lambda n, step: torch.randperm(16)[:n]),
        ("the same in each batch, and one class for two rows", lambda n, step: torch.arange(n) // 2),
        ("one class", lambda n, step: torch.zeros(n, dtype=torch.long)),
        ("other classes from the fourth batch on", lambda n, step: (torch.arange(n) + step // 3) % 16),
    ],
)
def test_classes_are_no_places_in_the_batch(why: str, labels: Callable[[int, int], Tensor]) -> None:
    """One batch that differs, or one class that two rows of a batch have, makes them classes."""
    recording = trained(lambda output, step: F.cross_entropy(output, labels(len(output), step)), 16)

    assert [False] == [labels.positional for labels in recording.labels], why


# --- outliers -----------------------------------------------------------------------------------------------------


def regressed(wild: float, steps: int = 12) -> Recording:
    """Standard normal targets of two columns, and one value in the first batch that is that large."""

    def loss(output: Tensor, step: int) -> Tensor:
        targets = torch.randn(len(output), 2)
        if step == 0:
            targets[3, 1] = wild
        return F.mse_loss(output, targets)

    return trained(loss, 2, steps)


def test_a_wild_target_is_measured() -> None:
    """Its share of the values, and its distance in robust deviations, which for normal targets are the plain ones."""
    wild, usual, few = regressed(1000.0).labels[0], regressed(3.0).labels[0], regressed(1000.0, steps=2).labels[0]

    assert ("real", 186) == (wild.task, wild.rows)
    assert pytest.approx(1 / (2 * 186)) == wild.outliers
    assert pytest.approx(1000.0, rel=0.25) == wild.outlier_size
    assert (0.0, True) == (usual.outliers, usual.outlier_size < 20)
    assert (0.0, 0.0) == (few.outliers, few.outlier_size)


# --- squares ------------------------------------------------------------------------------------------------------


def a_head_and(part: Callable[[Tensor, Tensor], Tensor], target: Callable[[int], Tensor] = torch.randn) -> Recording:
    """Two outputs: squared error of the first one, in the shapes that belong together, and some part of the loss for the second."""
    return trained(lambda output, step: ((output[:, 0] - torch.randn(len(output))) ** 2).mean() + part(output[:, 1:], target(len(output))).mean(), 2)


def on_two_lines(column: Tensor, row: Tensor) -> Tensor:
    """The target gets its axis, and the prediction loses its own."""
    row = row.unsqueeze(1)
    return (column.squeeze(1) - row).abs()


@pytest.mark.parametrize(
    ("why", "part"),
    [
        ("a squared difference", lambda column, row: (column - row) ** 2),
        ("the target first", lambda column, row: torch.sub(row, column).abs()),
        ("the other way round", on_two_lines),
        ("a logarithm times a label", lambda column, row: -row * F.logsigmoid(column)),
    ],
)
def test_a_part_of_the_loss_that_becomes_a_square(why: str, part: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Whatever the other parts are, and with the line where both sides met."""
    graph = a_head_and(part).graphs[0]

    assert [{(16,), (16, 1)}] == [{tuple(s.prediction), tuple(s.target)} for s in graph.stretched], why
    assert graph.stretched[0].place is not None


@pytest.mark.parametrize(
    ("why", "part", "target"),
    [
        ("shapes that belong together", lambda column, row: (column.squeeze(1) - row) ** 2, torch.randn),
        ("pairs, spelt out", lambda column, row: (column.squeeze(1)[:, None] - row).abs(), torch.randn),
        ("a grid", lambda column, row: (column - row) ** 2, lambda n: torch.linspace(0, 1, n)),
        ("another number of values than rows", lambda column, row: (column - row) ** 2, lambda n: torch.randn(7)),
        ("one value for all", lambda column, row: (column - row) ** 2, torch.ones),
        ("a kernel", lambda column, row: torch.logsumexp(-((column - row) ** 2), 1), torch.randn),
        ("predictions among themselves", lambda column, row: (column - column.squeeze(1)) ** 2, torch.randn),
    ],
)
def test_what_is_no_square_by_mistake(why: str, part: Callable[[Tensor, Tensor], Tensor], target: Callable[[int], Tensor]) -> None:
    """What has no target of the batch on one side, or was given its axis where the sides meet."""
    assert [] == [s for graph in a_head_and(part, target).graphs for s in graph.stretched], why


# --- the rest of a batch ------------------------------------------------------------------------------------------


def rest_of(wild: float, rows: int = 40) -> tuple[float | None, float | None]:
    """R2 of a batch of targets 0, 1, 2, ... that are predicted to a tenth, but for one that is so large; and that of its rest."""

    def train() -> None:
        net = nn.Linear(1, 1)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.0)
        with torch.no_grad():
            net.weight.fill_(1.0), net.bias.fill_(0.1)
        x = torch.arange(float(rows))[:, None]
        targets = x.clone()
        targets[3] += wild
        F.mse_loss(net(x), targets).backward()
        optimizer.step()

    sample = recorded(train).samples[0]
    return sample.r2, sample.r2_rest


def test_a_batch_is_scored_without_its_worst_rows_too() -> None:
    """One wild target of forty spoils the score, and not that of the rest; of a handful no rest is told."""
    (r2, rest), (tame, tame_rest) = rest_of(1000.0), rest_of(0.0)

    assert (r2 or 0.0) < 0.1
    assert pytest.approx(0.9999, abs=1e-4) == rest
    assert (pytest.approx(0.9999, abs=1e-4), pytest.approx(0.9999, abs=1e-4)) == (tame, tame_rest)
    assert rest_of(1000.0, rows=15)[1] is None


# --- distributions ------------------------------------------------------------------------------------------------


def test_a_divergence_is_scored_at_every_look() -> None:
    """Accuracy is that of the likeliest class, so that another loss can be compared with it."""

    def loss(output: Tensor, step: int) -> Tensor:
        shares = torch.softmax(4 * torch.eye(5)[torch.arange(len(output)) % 5], 1)
        return F.kl_div(F.log_softmax(output, 1), shares, reduction="batchmean")

    recording = trained(loss, 5, steps=60)

    assert "probabilities" == recording.labels[0].task
    assert [1, 2, 3, 5, 7, 10, 20, 30, 40, 50, 60] == [s.step for s in recording.samples]
    assert [] == [s.step for s in recording.samples if s.accuracy is None]


# --- scores -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_hand", [False, True])
def test_a_score_is_that_of_its_own_step(by_hand: bool) -> None:
    """From the first step on, by an optimiser or without one: a third of the rows is right in each step of a number that three divides."""

    def train() -> None:
        net = nn.Linear(1, 3, bias=False)
        net.weight = nn.Parameter(torch.tensor([[1.0], [0.0], [0.0]]))
        optimizer = None if by_hand else torch.optim.SGD(net.parameters(), lr=0.0)
        for step in range(1, 24):
            net.zero_grad()
            F.cross_entropy(net(torch.ones(12, 1)), torch.arange(12) % 3 if step % 3 == 0 else torch.zeros(12, dtype=torch.long)).backward()
            if optimizer is not None:
                optimizer.step()

    scores = {s.step: s.accuracy for s in recorded(train).samples}

    assert {1: 1.0, 2: 1.0, 3: pytest.approx(1 / 3), 5: 1.0, 7: 1.0, 10: 1.0, 20: 1.0} == scores


# --- what the output stands for ---------------------------------------------------------------------------------------


def logarithms_of_counts(output: Tensor, step: int) -> Tensor:
    """Rates, told exactly by their logarithms."""
    counts = torch.arange(1.0, len(output) + 1)[:, None]
    return F.poisson_nll_loss(output * 0 + counts.log(), counts)


def odds_of_labels(output: Tensor, step: int) -> Tensor:
    """Two labels a row, told exactly by their log odds."""
    labels = torch.stack([torch.arange(len(output)) % 2, torch.arange(len(output)) % 3 > 0], 1).float()
    return F.binary_cross_entropy_with_logits(output * 0 + 200 * (labels - 0.5), labels)


@pytest.mark.parametrize(("loss", "outputs"), [(logarithms_of_counts, 1), (odds_of_labels, 2)])
def test_r2_is_of_what_the_output_stands_for(loss: Callable[[Tensor, int], Tensor], outputs: int) -> None:
    """A perfect prediction has one of 1, in whatever form the loss wants it."""
    scores = [s.r2 for s in trained(loss, outputs).samples if s.r2 is not None]

    assert scores
    assert all(abs(score - 1) < 1e-5 for score in scores)


# --- by hand ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "loss"),
    [
        ("squared-error", lambda e: e.square().mean()),
        ("squared-error", lambda e: e.square().mean().sqrt()),
        ("difference", lambda e: torch.log1p(e.square()).mean()),
        ("difference", lambda e: (e.square() + 1e-3).sqrt().mean()),
    ],
)
def test_an_error_that_is_tamed_before_the_mean_is_no_square(form: str, loss: Callable[[Tensor], Tensor]) -> None:
    """A root or a logarithm of each lets a wild target count little; of their mean it changes nothing."""
    targets = torch.linspace(-1, 1, 16).unsqueeze(1)

    recording = trained(lambda output, step: loss(output - targets[: len(output)]), 1)

    assert f"by-hand:{form}" == recording.losses[0].function
