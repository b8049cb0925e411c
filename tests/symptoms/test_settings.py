"""What the script was set to, held against the run: each symptom where it holds, and the setting that only looks alike."""

from __future__ import annotations

from nndoctor.record.model import LoaderInfo, Recording
from tests.symptoms.build import adam, change, geometric, healthy, lacks, symptom_of


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

    assert "ended by itself after 20 steps" in symptom_of(r, "short-run").text
    assert lacks(r, "short-run", limit=10.0)
    assert lacks(cut, "short-run")


# --- ended-falling ------------------------------------------------------------------------------------------------


def test_a_loss_that_was_still_falling() -> None:
    """By a third over the last third; not where it stood still, or where all is learnt."""
    r = ended(geometric(2.3, 1.0, 30))

    assert "the script ended" in symptom_of(r, "ended-falling").text
    assert lacks(r, "ended-falling", limit=0.9)
    assert lacks(ended([2.3, 1.6, *[1.5] * 28]), "ended-falling")
    assert lacks(ended(geometric(2.3, 0.1, 30), accuracy=0.99), "ended-falling")
    assert lacks(healthy(geometric(2.3, 1.0, 30), accuracy=0.3), "ended-falling")
