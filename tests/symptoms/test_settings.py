"""What the script was set to, held against the run: each symptom where it holds, and the setting that only looks alike."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from nndoctor.record.model import Call, LoaderInfo, ModuleInfo, Place, Recording, SchedulerInfo, SettingChange
from tests.symptoms.build import LOSS, OPTIMIZER, adam, change, geometric, healthy, lacks, symptom_of


def ended(losses: list[float], accuracy: float = 0.3) -> Recording:
    """A run that its script ended."""
    r = healthy(losses, accuracy=accuracy)
    assert r.end is not None
    r.end.reason = "finished"
    return r


# --- batch-tiny ---------------------------------------------------------------------------------------------------


def test_one_sample_a_step() -> None:
    """Of many; accumulated over eight backward calls it is eight, and of twenty samples there are no more to have."""
    r = healthy()
    change(r.steps, batch=1)

    assert "Each step sees 1 of some 1,500 samples" in symptom_of(r, "batch-tiny").text
    assert lacks(r, "batch-tiny", limit=0.5)
    change(r.steps, backwards=8)
    assert lacks(r, "batch-tiny")
    few = healthy()
    change(few.steps, batch=1)
    change(few.loaders, length=20)
    change(few.features, distinct=20)
    assert lacks(few, "batch-tiny")


# --- few-updates --------------------------------------------------------------------------------------------------


def test_a_batch_that_holds_most_of_the_data() -> None:
    """An epoch is a step or two; a small table is trained whole by right."""
    r, small = healthy(), healthy()
    for made, length in ((r, 2048), (small, 150)):
        change(made.steps, batch=min(length, 1024))
        made.loaders = [LoaderInfo(0, 1024, True, "RandomSampler", length, 0, False)]

    assert "1,024 of 2,048 samples, so that an epoch is 2 steps" in symptom_of(r, "few-updates").text
    assert lacks(r, "few-updates", limit=1.0)
    assert lacks(small, "few-updates")
    assert lacks(healthy(), "few-updates")


# --- momentum-long ------------------------------------------------------------------------------------------------


def test_a_momentum_that_remembers_the_whole_run() -> None:
    """SGD's, or the first beta of Adam; the second beta may be as long as it likes."""
    sgd, betas, usual = healthy(), healthy(), healthy()
    every = list(sgd.optimizers[0].groups[0].parameters)
    sgd.optimizers = [adam(*every, type="SGD")]
    sgd.optimizers[0].groups[0].settings.update({"momentum": 0.999})
    betas.optimizers[0].groups[0].settings.update({"betas": (0.99, 0.9)})
    usual.optimizers[0].groups[0].settings.update({"betas": (0.9, 0.999), "momentum": 0.9})

    assert 10.0 == round(symptom_of(sgd, "momentum-long").value or 0, 3)
    assert 1.0 == round(symptom_of(betas, "momentum-long").value or 0, 3)
    assert lacks(sgd, "momentum-long", limit=20.0)
    assert lacks(usual, "momentum-long")


def test_a_run_that_was_cut_may_be_long_enough_for_its_momentum() -> None:
    """What counts in full is a run that ended by itself."""
    cut, whole = healthy(), healthy()
    for r in (cut, whole):
        r.optimizers[0].groups[0].settings.update({"momentum": 0.999})
    change([whole.end], reason="finished")

    assert (0.8, 1.0) == (symptom_of(cut, "momentum-long").strength, symptom_of(whole, "momentum-long").strength)
    assert symptom_of(cut, "momentum-long").text.endswith("so far.")


# --- short-run ----------------------------------------------------------------------------------------------------


def test_a_script_that_ends_after_a_few_steps() -> None:
    """By itself: a run that the probe cut off says nothing of the script's own length."""
    r = ended(geometric(2.3, 1.5, 20))
    cut = healthy(geometric(2.3, 1.5, 20))
    tried = ended(geometric(2.3, 1.5, 9))

    assert "ended by itself after 20 steps" in symptom_of(r, "short-run").text
    assert lacks(r, "short-run", limit=10.0)
    assert lacks(cut, "short-run")
    assert lacks(tried, "short-run")  # whether it runs at all


# --- ended-falling ------------------------------------------------------------------------------------------------


def test_a_loss_that_was_still_falling() -> None:
    """By a third over the last third; not where it stood still, or where all is learnt."""
    r = ended(geometric(2.3, 1.0, 30))

    assert "the script ended" in symptom_of(r, "ended-falling").text
    assert lacks(r, "ended-falling", limit=0.9)
    assert lacks(ended([2.3, 1.6, *[1.5] * 28]), "ended-falling")
    assert lacks(ended(geometric(2.3, 0.1, 30), accuracy=0.99), "ended-falling")
    assert lacks(healthy(geometric(2.3, 1.0, 30), accuracy=0.3), "ended-falling")


# --- clip-cuts ----------------------------------------------------------------------------------------------------


def clipped(limit: float, before: float, after: float) -> Recording:
    """Gradients of the norm `before`, which clipping to that limit leaves with the norm `after`."""
    recording = healthy()
    change(recording.steps, clip=limit, unclipped_norm=before, gradient_norm=after)
    recording.calls.append(Call("clip", 100, Place("train.py", 33)))
    return recording


def test_clipping_to_a_hundredth() -> None:
    """The limit in force and what it leaves; the line is that of clipping."""
    r = clipped(0.01, 1.0, 0.01)

    s = symptom_of(r, "clip-cuts")

    assert (0.01, 0.02, Place("train.py", 33)) == (s.value, s.threshold, s.place)
    assert "Clipping to 0.01 leaves 1.00% of the gradient's norm" in s.text
    assert lacks(r, "clip-cuts", limit=0.005)


def test_the_limit_that_is_told_is_one_that_was_in_force() -> None:
    """Where the last step was not clipped, that of the last one that was."""
    r = clipped(0.05, 50.0, 0.05)
    change(r.steps[-1:], clip=None)

    assert "Clipping to 0.05 leaves 0.10%" in symptom_of(r, "clip-cuts").text


def test_clipping_as_a_safety_net() -> None:
    """Most steps pass whole; one in twenty is cut to a thousandth."""
    r = clipped(1.0, 0.8, 0.8)
    change(r.steps[::20], unclipped_norm=1000.0, gradient_norm=1.0)

    assert lacks(r, "clip-cuts")
    assert lacks(clipped(1.0, 10.0, 1.0), "clip-cuts")


def test_gradients_that_a_line_of_the_script_cuts() -> None:
    """The very same norm at every step; right after backward it was a hundred times that. Norms that differ are nobody's limit."""
    r = healthy()
    change(r.steps, gradient_norm=0.05)
    change(r.steps[::10], made_norm=5.0)

    assert "Clipping to 0.05 leaves 1.00%" in symptom_of(r, "clip-cuts").text
    change(r.steps[::2], gradient_norm=0.04)
    assert lacks(r, "clip-cuts")


def test_a_limit_on_each_number_is_none_on_the_norm() -> None:
    """Cut off at a thousandth each, ten million numbers still have a norm of three; and what is no number is no ratio."""
    r = clipped(0.001, 1.0, float("nan"))

    assert lacks(clipped(0.001, 4.0, 3.0), "clip-cuts")
    assert lacks(r, "clip-cuts")


# --- rate-decays-away ---------------------------------------------------------------------------------------------


def scheduled(rate: Callable[[int], float]) -> Recording:
    """A rate that changes at every step."""
    recording = healthy()
    recording.schedulers = [SchedulerInfo(0, "LambdaLR", Place("train.py", 21))]
    recording.settings = [SettingChange(i, 0, 0, {"lr": rate(i)}) for i in range(2, 101)]
    return recording


def test_a_rate_that_falls_to_nothing_at_once() -> None:
    """From where to where, and the line of the scheduler."""
    r = scheduled(lambda i: 1e-3 * 0.8 ** (i - 1))

    s = symptom_of(r, "rate-decays-away")

    assert (0.01, Place("train.py", 21)) == (s.threshold, s.place)
    assert 0.8**50 == pytest.approx(s.value, rel=0.3)
    assert "falls from 0.001 to" in s.text and "within 100 steps" in s.text
    assert lacks(r, "rate-decays-away", limit=1e-6)


@pytest.mark.parametrize(
    ("why", "rate"),
    [
        ("linear", lambda i: 1e-3 * (100 - i) / 100),
        ("cosine", lambda i: 5e-4 * (1 + math.cos(math.pi * i / 100))),
        ("a warm-up that has only begun", lambda i: 1e-9 * 1.15**i),
        ("constant", lambda i: 1e-3),
    ],
)
def test_schedules_that_leave_time_to_learn(why: str, rate: Callable[[int], float]) -> None:
    """Half of the steps are made at about half of the rate; a warm-up has its highest rate still before it."""
    assert lacks(scheduled(rate), "rate-decays-away"), why


# --- rate-cut-falling ---------------------------------------------------------------------------------------------


def plateaued(losses: list[float], cut: int) -> Recording:
    """A tenth of the rate from that step on, a hundredth eight steps later, and so on."""
    recording = scheduled(lambda i: 1e-2 * 0.1 ** max(0, (i - cut) // 8 + 1))
    recording.steps = healthy(losses).steps
    return recording


def test_a_rate_that_is_cut_in_the_midst_of_the_fall() -> None:
    """What was gained before it, and what after it."""
    r = plateaued([*geometric(2.3, 0.9, 30), *[0.9] * 70], 30)

    s = symptom_of(r, "rate-cut-falling")

    assert 0.05 == s.threshold and 0.2 < s.value < 0.4
    assert "when the rate was cut at step 30" in s.text and "in the 71 steps after that it fell by 11%" in s.text
    assert lacks(r, "rate-cut-falling", limit=0.5)


def test_a_rate_that_is_cut_when_nothing_falls_any_more() -> None:
    """As a schedule should; nor where the fall goes on, or the rate is not lost."""
    assert lacks(plateaued([*geometric(2.3, 0.9, 10), *[0.9] * 90], 30), "rate-cut-falling")
    assert lacks(plateaued(geometric(2.3, 0.1), 30), "rate-cut-falling")
    assert lacks(healthy(), "rate-cut-falling")


# --- decay-dominates ----------------------------------------------------------------------------------------------


def decayed(weight_decay: float, gradient: float) -> Recording:
    """Weights of norm 4 under that decay and that gradient."""
    recording = healthy()
    recording.optimizers[0].groups[0].settings["weight_decay"] = weight_decay
    for sample in recording.samples:
        change(sample.parameters, gradient=gradient)
    return recording


def test_decay_that_pulls_eight_times_as_hard() -> None:
    """The decay, and the ratio of the two pulls."""
    r = decayed(1.0, 0.5)

    s = symptom_of(r, "decay-dominates")

    assert (8.0, 2.0, OPTIMIZER) == (s.value, s.threshold, s.place)
    assert "Weight decay 1 pulls on the weights 8.0 times as hard" in s.text
    assert lacks(r, "decay-dominates", limit=9)


def test_usual_decay_does_not_dominate() -> None:
    """A hundredth, AdamW's default, is too little to; so is a large one under a larger gradient."""
    assert lacks(decayed(0.01, 1e-3), "decay-dominates")
    assert lacks(decayed(0.1, 0.5), "decay-dominates")
    assert lacks(decayed(0.0, 0.5), "decay-dominates")


def test_decay_that_is_taken_from_the_weights_meets_the_step() -> None:
    """Under AdamW the gradient's size says nothing: of a change of norm 0.5 at rate 1 a decay of 0.1 makes 0.4, and the loss 0.3; one of
    0.12 nearly all. At a tenth of the rate it is a tenth of that.
    """

    def apart(weight_decay: float, rate: float) -> Recording:
        r = decayed(weight_decay, 1e-4)
        r.optimizers[0].type = "AdamW"
        r.optimizers[0].groups[0].settings["lr"] = rate
        for sample in r.samples:
            change(sample.parameters, update=0.5)
        return r

    assert lacks(apart(0.1, 1.0), "decay-dominates")
    assert 1.333 == pytest.approx(symptom_of(apart(0.1, 1.0), "decay-dominates", limit=1).value, rel=1e-3)
    assert symptom_of(apart(0.12, 1.0), "decay-dominates").value > 3
    assert lacks(apart(0.12, 0.1), "decay-dominates")


# --- dropout-strong -----------------------------------------------------------------------------------------------


def test_dropout_that_leaves_next_to_nothing() -> None:
    """The strongest layer is named, and how many more there are; a half is usual."""
    r = healthy()
    r.modules += [ModuleInfo(0, f"net.{i}", "Dropout", True, 0, {"p": p}) for i, p in ((9, 0.9), (11, 0.95))]

    s = symptom_of(r, "dropout-strong")

    assert (0.95, "net.11") == (s.value, s.where)
    assert "drops 95% of its inputs in training, as do 1 more" in s.text
    assert lacks(r, "dropout-strong", limit=0.99)
    change(r.modules[-2:], settings={"p": 0.5})
    assert lacks(r, "dropout-strong")


# --- epsilon-dominates --------------------------------------------------------------------------------------------


def with_epsilon(epsilon: float, gradient: float) -> Recording:
    """Adam with that epsilon, and gradients of that size by number."""
    r = healthy()
    r.optimizers[0].groups[0].settings["eps"] = epsilon
    sizes = {p.index: math.prod(p.shape) for p in r.parameters}
    for s in r.samples:
        for x in s.parameters:
            x.gradient = gradient * math.sqrt(sizes[x.parameter])
    return r


def test_an_epsilon_of_one() -> None:
    """A hundred times the gradients; one far below them, and the default on gradients that are next to nothing, are let be."""
    r = with_epsilon(1.0, 0.01)

    s = symptom_of(r, "epsilon-dominates")

    assert (pytest.approx(100.0), 10.0) == (s.value, s.threshold)
    assert "epsilon of 1 to gradients 100 times smaller" in s.text
    assert lacks(r, "epsilon-dominates", limit=200.0)
    assert lacks(with_epsilon(1e-4, 0.01), "epsilon-dominates")
    assert lacks(with_epsilon(1e-8, 1e-12), "epsilon-dominates")


# --- smoothing-strong ---------------------------------------------------------------------------------------------


def test_smoothing_that_leaves_a_tenth() -> None:
    """As the loss was told; a tenth is usual."""
    r = healthy()
    change(r.losses, settings={"label_smoothing": 0.9})

    assert "smooths labels by 90%" in symptom_of(r, "smoothing-strong").text
    assert lacks(r, "smoothing-strong", limit=0.95)
    change(r.losses, settings={"label_smoothing": 0.1})
    assert lacks(r, "smoothing-strong")


# --- rate-never-arrives -------------------------------------------------------------------------------------------


def warmed(rate: Callable[[int], float], reason: str = "finished") -> Recording:
    """A rate that changes at every step of a run that ended for that reason."""
    recording = scheduled(rate)
    assert recording.end is not None
    recording.end.reason = reason
    return recording


def test_a_warm_up_of_a_thousand_steps_in_a_hundred() -> None:
    """From where to where the rate came, and the line of the scheduler."""
    r = warmed(lambda i: 1e-3 * i)

    s = symptom_of(r, "rate-never-arrives")

    assert (pytest.approx(1.5, abs=0.05), 1.2, Place("train.py", 21)) == (s.value, s.threshold, s.place)
    assert "still rising" in s.text and "when the script ended after 100 steps" in s.text
    assert lacks(r, "rate-never-arrives", limit=1.6)


@pytest.mark.parametrize(
    ("why", "recording"),
    [
        ("it arrives after a third", warmed(lambda i: 1e-3 * min(1.0, i / 33))),
        ("it comes down again", warmed(lambda i: 1e-3 * (i if i < 90 else 180 - i))),
        ("it never moves", warmed(lambda i: 1e-3)),
        ("the probe ended, not the script", warmed(lambda i: 1e-3 * i, reason="steps")),
    ],
)
def test_warm_ups_that_arrive_or_may_still(why: str, recording: Recording) -> None:
    """A rate that is level in the last third has arrived; of what the probe cut off nobody knows the end."""
    assert lacks(recording, "rate-never-arrives"), why


# --- full-batch-optimizer -----------------------------------------------------------------------------------------


def comparing(kind: str, batch: int = 32) -> Recording:
    """The healthy run, on 1,500 samples, by another optimiser and in such batches."""
    recording = healthy()
    change(recording.optimizers, type=kind)
    change(recording.steps, batch=batch)
    return recording


@pytest.mark.parametrize("kind", ["LBFGS", "Rprop"])
def test_an_optimiser_for_the_whole_set_on_small_batches(kind: str) -> None:
    """Its name, the batch and the samples that there are."""
    r = comparing(kind)

    s = symptom_of(r, "full-batch-optimizer")

    assert (32 / 1500, 0.5, OPTIMIZER) == (s.value, s.threshold, s.place)
    assert s.text.startswith(kind) and "another 32 of some 1,500 samples" in s.text
    assert lacks(r, "full-batch-optimizer", limit=0.01)


def test_batches_that_such_an_optimiser_can_use() -> None:
    """All of the data, or most of it; and an optimiser that averages may be given what one likes, as may one that never steps."""
    idle = healthy()
    idle.optimizers.append(adam(index=1, type="LBFGS", stepped=False))

    assert lacks(comparing("LBFGS", batch=1500), "full-batch-optimizer")
    assert lacks(comparing("Rprop", batch=1000), "full-batch-optimizer")
    assert lacks(comparing("RMSprop"), "full-batch-optimizer")
    assert lacks(idle, "full-batch-optimizer")


# --- few-negatives ------------------------------------------------------------------------------------------------


def contrasted(batch: int, positional: bool = True) -> Recording:
    """A run whose targets are the places of the rows in a batch of that size."""
    recording = healthy()
    change(recording.steps, batch=batch)
    change(recording.labels, positional=positional)
    return recording


def test_pairs_that_are_told_apart_from_three_others() -> None:
    """The batch, and how many others there are; of two there is one."""
    r = contrasted(4)

    s = symptom_of(r, "few-negatives")

    assert (4.0, 8.0, "batch", LOSS) == (s.value, s.threshold, s.where, s.place)
    assert "a batch has 4: each sample is told apart from 3 others" in s.text
    assert "from 1 other." in symptom_of(contrasted(2), "few-negatives").text
    assert lacks(r, "few-negatives", limit=3.0)


def test_many_negatives_and_plain_classes() -> None:
    """Thirty-one others are a task, and a small batch of ordinary labels has no negatives at all."""
    assert lacks(contrasted(32), "few-negatives")
    assert lacks(contrasted(4, positional=False), "few-negatives")
