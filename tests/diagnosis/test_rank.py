"""The ranking rule, number by number as it stands in `rank.py`, on causes and symptoms made for it."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from nndoctor.diagnosis.model import Curve, Diagnosis, Suspect, Trial
from nndoctor.diagnosis.rank import Scored, after_trials, rank, score
from nndoctor.knowledge.model import Cause, Evidence, Fix
from nndoctor.record.model import Recording
from nndoctor.symptoms.catalogue import FACTS
from nndoctor.symptoms.model import Symptom
from tests.symptoms.build import header

# One fact (a missing call) and what is inferred from how a run went.
FACT, OTHER_FACT = "no-step", "double-softmax"
FLAT, CRAWLS, TINY, HUGE = "loss-flat", "loss-crawls", "updates-tiny", "updates-huge"


def cause(name: str, *leads_to: str, prior: float = -4.0, severity: str = "error", needs: tuple[str, ...] = (), **weights: float) -> Cause:
    """A cause whose evidence has these weights (underscores for hyphens); it needs all that speaks for it."""
    evidence = [Evidence(symptom.replace("_", "-"), weight) for symptom, weight in weights.items()]
    wanted = list(needs) or [e.symptom for e in evidence if e.weight > 0]
    return Cause(
        name, name, "loop", "What.", "Why.", severity, prior, wanted, evidence, list(leads_to), "None.", [Fix("Fix it.")], [],
    )  # fmt: skip


def symptom(name: str, strength: float = 1.0) -> Symptom:
    return Symptom(name, f"{name} holds.", 1.0, strength=strength)


def ranked(causes: list[Cause], *names: str) -> dict[str, Scored]:
    """The causes in their order, by id, where these symptoms hold in full."""
    found = [s for c in causes if (s := score(c, [symptom(n) for n in names])) is not None]
    return {s.cause.id: s for s in rank(found)}


def test_the_examples_are_what_they_are_taken_for() -> None:
    """Two facts, and four that are none."""
    assert {FACT, OTHER_FACT} <= FACTS
    assert set() == {FLAT, CRAWLS, TINY, HUGE} & FACTS


# --- 1. a cause is considered if one of the symptoms that it needs holds -------------------------------------------


def test_one_of_the_needed_symptoms_suffices() -> None:
    """Rule 1: the others need not hold."""
    either = cause("either", loss_flat=3.0, loss_crawls=3.0)

    assert score(either, [symptom(FLAT)]) is not None
    assert score(either, [symptom(CRAWLS), symptom(HUGE)]) is not None


def test_without_a_needed_symptom_a_cause_is_not_considered() -> None:
    """Rule 1: much evidence of another kind does not count, and a cause that needs nothing is never suspected."""
    picky = cause("picky", needs=(FACT,), no_step=3.0, loss_flat=9.0)
    quiet = replace(picky, needs=[])

    assert score(picky, [symptom(FLAT)]) is None
    assert score(quiet, [symptom(FLAT), symptom(FACT)]) is None


# --- 2. log odds are the prior plus weight times strength ----------------------------------------------------------


def test_odds_add_up() -> None:
    """Rule 2: weights for and against, each times its symptom's strength; what does not hold adds nothing."""
    c = cause("sum", prior=-4.0, loss_flat=3.0, loss_crawls=2.0, learns=-3.0, updates_tiny=9.0)

    s = score(c, [symptom(FLAT), symptom(CRAWLS, 0.5), symptom("learns", 0.5)])

    assert s is not None
    assert -4.0 + 3.0 + 1.0 - 1.5 == pytest.approx(s.odds)
    assert {FLAT: 3.0, CRAWLS: 1.0, "learns": -1.5} == s.parts


def test_evidence_comes_strongest_first() -> None:
    """Rule 2: by weight times strength, and what speaks against stands apart."""
    c = cause("sum", loss_flat=3.0, loss_crawls=2.0, updates_tiny=1.0, learns=-3.0, loss_diverged=-1.0)

    s = score(c, [symptom(FLAT, 0.2), symptom(CRAWLS), symptom(TINY), symptom("loss-diverged"), symptom("learns")])

    assert s is not None
    assert [CRAWLS, TINY, FLAT] == [x.name for x in s.evidence]
    assert ["learns", "loss-diverged"] == [x.name for x in s.against]


@pytest.mark.parametrize(("prior", "confidence"), [(-3.0, 0.5), (-3.0 + math.log(3), 0.75), (900.0, 1.0), (-900.0, 0.0)])
def test_confidence_is_the_probability_of_the_odds(prior: float, confidence: float) -> None:
    """Rule 2: even at zero; and however far the odds, nothing overflows."""
    s = score(cause("c", prior=prior, loss_flat=3.0), [symptom(FLAT)])

    assert s is not None
    assert confidence == pytest.approx(s.confidence)


def test_a_suspect_is_never_wholly_certain() -> None:
    """A diagnosis that says 100 % has not been wrong yet."""
    s = score(cause("c", prior=900.0, loss_flat=3.0), [symptom(FLAT)])

    assert s is not None
    assert 0.99 == s.suspect("error", None, None).confidence


# --- 3. a likely cause stands above what it brings about -----------------------------------------------------------


def test_a_consequence_stands_below_its_cause() -> None:
    """Rule 3: however high its own odds, and with its parent named; a fact of its own keeps it in."""
    parent = cause("parent", "child", no_step=6.0)
    child = cause("child", double_softmax=9.0)

    found = ranked([child, parent], FACT, OTHER_FACT)

    assert ["parent", "child"] == list(found)
    assert ("parent", False) == (found["child"].consequence_of, found["child"].left_out)
    assert found["child"].odds < found["parent"].odds
    assert (None, False) == (found["parent"].consequence_of, found["parent"].left_out)


def test_a_consequence_without_evidence_of_its_own_is_left_out() -> None:
    """Rule 3: without the symptoms that the parent explains its odds are below even."""
    parent = cause("parent", "child", loss_flat=4.3, updates_tiny=0.2)
    child = cause("child", prior=-2.0, loss_flat=4.0, updates_tiny=1.0, loss_crawls=1.5)

    found = ranked([parent, child], FLAT, TINY, CRAWLS)

    assert ("parent", True) == (found["child"].consequence_of, found["child"].left_out)


def test_a_likely_parent_leaves_in_what_has_evidence_of_its_own() -> None:
    """Rule 3: a parent that is likely, though not sure, does not rule its consequence out."""
    parent = cause("parent", "child", prior=-4.0, loss_flat=4.3)
    child = cause("child", prior=-2.0, loss_crawls=2.2)

    found = ranked([parent, child], FLAT, CRAWLS)

    assert 0.5 < found["parent"].confidence < 0.7
    assert ("parent", False) == (found["child"].consequence_of, found["child"].left_out)


def test_a_sure_parent_leaves_in_facts_alone() -> None:
    """Rule 3: the same consequence is left out where the parent is sure, unless it rests on a fact."""
    parent = cause("parent", "dynamic", "fact", loss_flat=6.0)
    dynamic = cause("dynamic", prior=-2.0, loss_crawls=3.0)
    fact = cause("fact", prior=-2.0, no_step=2.5)

    found = ranked([parent, dynamic, fact], FLAT, CRAWLS, FACT)

    assert ("parent", True) == (found["dynamic"].consequence_of, found["dynamic"].left_out)
    assert ("parent", False) == (found["fact"].consequence_of, found["fact"].left_out)


def test_an_unlikely_cause_explains_nothing() -> None:
    """Rule 3: at less than even odds it has no consequences."""
    parent = cause("parent", "child", loss_flat=3.0)
    child = cause("child", loss_crawls=6.0)

    found = ranked([parent, child], FLAT, CRAWLS)

    assert ["child", "parent"] == list(found)
    assert (None, False) == (found["child"].consequence_of, found["child"].left_out)


def test_the_likeliest_of_several_parents_is_named() -> None:
    """Rule 3: in whichever order they come."""
    weak, strong = cause("weak", "child", loss_flat=4.5), cause("strong", "child", updates_tiny=6.0)
    child = cause("child", no_step=5.0)

    for order in ([weak, strong, child], [child, strong, weak]):
        assert "strong" == ranked(order, FLAT, TINY, FACT)["child"].consequence_of


def test_of_two_that_explain_each_other_one_stands() -> None:
    """Rule 3 and 4: an error that rests on a fact, which a likely cause without facts is said to bring about."""
    fact, dynamic = cause("fact", no_step=3.0, loss_flat=3.0), cause("dynamic", "fact", updates_huge=5.0, loss_flat=0.5)

    found = ranked([fact, dynamic], FACT, FLAT, HUGE)

    assert 1 == sum(s.consequence_of is None for s in found.values())


# --- 4. facts explain how the run went -----------------------------------------------------------------------------


def test_a_sure_fact_explains_dynamics() -> None:
    """Rule 4: without being told that it leads to them; the dynamics are left out, however plain."""
    fact, dynamic = cause("fact", no_step=6.0), cause("dynamic", prior=-2.0, updates_huge=9.0)

    found = ranked([dynamic, fact], FACT, HUGE)

    assert ["fact", "dynamic"] == list(found)
    assert ("fact", True) == (found["dynamic"].consequence_of, found["dynamic"].left_out)


@pytest.mark.parametrize(
    ("why", "first", "second"),
    [
        ("two facts stand side by side", cause("a", no_step=6.0), cause("b", double_softmax=6.0)),
        ("dynamics do not explain dynamics", cause("a", loss_flat=6.0), cause("b", updates_huge=6.0)),
        ("a fact that is not sure", cause("a", no_step=4.5), cause("b", updates_huge=6.0)),
        ("a fact that does not make a run fail", cause("a", severity="warning", no_step=6.0), cause("b", updates_huge=6.0)),
        ("a fact of little weight is not what it rests on", cause("a", no_step=0.9, loss_flat=6.0), cause("b", updates_huge=6.0)),
    ],
)
def test_what_does_not_explain_dynamics(why: str, first: Cause, second: Cause) -> None:
    """Rule 4: only a sure error that rests on a fact does, and only dynamics are explained."""
    found = ranked([first, second], FACT, OTHER_FACT, FLAT, HUGE)

    assert [None, None] == [s.consequence_of for s in found.values()], why


# --- 5. the weaker of two keeps what the stronger does not explain -------------------------------------------------


def test_the_weaker_loses_half_of_what_both_explain() -> None:
    """Rule 5: shared evidence counts half for it; its own counts in full, and the stronger loses nothing."""
    strong = cause("strong", loss_flat=4.0, updates_tiny=2.0)
    weak = cause("weak", loss_flat=4.0, loss_crawls=1.0)

    found = ranked([weak, strong], FLAT, TINY, CRAWLS)

    assert ["strong", "weak"] == list(found)
    assert -4.0 + 4.0 + 2.0 == pytest.approx(found["strong"].odds)
    assert -4.0 + 4.0 / 2 + 1.0 == pytest.approx(found["weak"].odds)


def test_a_weak_cause_takes_nothing_from_a_weaker_one() -> None:
    """Rule 5: the stronger has to be likely; and what speaks against a cause is not shared."""
    unlikely, weaker = cause("unlikely", loss_flat=3.5), cause("weaker", loss_flat=3.0)
    likely = cause("likely", loss_flat=5.0, learns=-0.1)
    doubted = cause("doubted", loss_crawls=4.5, learns=-1.0)

    assert -1.0 == pytest.approx(ranked([unlikely, weaker], FLAT)["weaker"].odds)
    assert -0.5 == pytest.approx(ranked([likely, doubted], FLAT, CRAWLS, "learns")["doubted"].odds)


# --- 6 to 10. a trial outweighs all this ----------------------------------------------------------------------------

NAMES = ("a", "b", "c", "d")
CAUSES = {name: cause(name, loss_flat=1.0) for name in NAMES}
FACTUAL = [symptom(FACT)]


def suspect(name: str, confidence: float = 0.8, severity: str = "error", evidence: list[Symptom] | None = None) -> Suspect:
    return Suspect(CAUSES[name], confidence, severity, evidence or [])


def trial(name: str, outcome: str, gain: float = 0.0, size: int = 1, spelling: str = "") -> Trial:
    """A trial of a run that scores 0."""
    return Trial("a change", 100, 0.1, 0.1 + gain, "accuracy", outcome, spelling or f"of {name}", name, size, gain=gain, reached=gain)


def tried(suspects: list[Suspect], trials: list[Trial], hidden: list[Suspect] | None = None, failing: bool = True) -> Diagnosis:
    diagnosis = Diagnosis("sick", suspects, [], [], Curve("", None, None, None), [], Recording(header()), hidden or [], failing)
    return after_trials(diagnosis, trials, CAUSES)


def test_a_confirmed_suspect_stands_first() -> None:
    """Rule 6: above any that was not tried, and with more confidence than its evidence gave."""
    found = tried([suspect("a", 0.9), suspect("b", 0.6, "warning")], [trial("b", "confirmed", 0.8)]).suspects

    assert ["b", "a"] == [s.cause.id for s in found]
    assert 0.9 < found[0].confidence < 1
    assert ["warning", "error"] == [s.severity for s in found]


def test_what_was_confirmed_is_told() -> None:
    """Rule 6: a note, a hidden suspicion, or a cause that nobody thought of."""
    note = tried([suspect("a", 0.9), suspect("b", 0.3, "note")], [trial("b", "confirmed", 0.8)]).suspects
    hidden = tried([suspect("a", 0.9)], [trial("b", "confirmed", 0.8)], [suspect("b", 0.1, "note")]).suspects
    unthought = tried([suspect("a", 0.9)], [trial("b", "confirmed", 0.8)]).suspects

    for found in (note, hidden, unthought):
        assert ("b", "error") == (found[0].cause.id, found[0].severity)


@pytest.mark.parametrize(
    ("one", "other", "first"),
    [
        ((0.90, 3), (0.85, 1), "b"),  # matched by a smaller edit
        ((0.90, 3), (0.70, 1), "a"),  # not matched
        ((0.90, 1), (0.95, 1), "a"),  # alike: the stronger suspicion
    ],
)
def test_the_smallest_of_several_cures_names_the_cause(one: tuple[float, int], other: tuple[float, int], first: str) -> None:
    """Rule 6: among those that do about as well as the best."""
    made = [trial("a", "confirmed", *one), trial("b", "confirmed", *other)]
    found = tried([suspect("a", 0.9), suspect("b", 0.6)], made).suspects

    assert first == found[0].cause.id
    assert first == found[1].consequence_of
    assert ["error", "warning"] == [s.severity for s in found]


def test_a_refuted_suspect_sinks() -> None:
    """Rule 7: below those that were not refuted; to a note once another one is confirmed."""
    alone = tried([suspect("a", 0.9), suspect("b", 0.7), suspect("c", 0.6)], [trial("a", "refuted")]).suspects
    beaten = tried([suspect("a", 0.9), suspect("b", 0.7)], [trial("a", "refuted"), trial("b", "confirmed", 0.8)]).suspects

    assert ["b", "c", "a"] == [s.cause.id for s in alone]
    assert [0.7, 0.6] == [s.confidence for s in alone[:2]]
    assert ("error", True) == (alone[-1].severity, alone[-1].confidence < 0.5)
    assert [("b", "error"), ("a", "note")] == [(s.cause.id, s.severity) for s in beaten]


def test_a_run_that_learns_is_healthy_once_its_suspects_are_refuted() -> None:
    """Rule 7: but not where the run fails, nor where a fact stands against it."""
    refuted = [trial("a", "refuted")]

    assert "healthy" == tried([suspect("a")], refuted, failing=False).verdict
    assert "sick" == tried([suspect("a")], refuted, failing=True).verdict
    assert "sick" == tried([suspect("a", evidence=FACTUAL)], refuted, failing=False).verdict
    assert "healthy" == tried([suspect("a", evidence=FACTUAL)], [trial("a", "refuted", spelling="loss=negated")], failing=False).verdict


@pytest.mark.parametrize("outcome", ["not possible", "unclear"])
def test_a_trial_that_says_nothing_changes_nothing(outcome: str) -> None:
    """Rule 8: the suspect keeps its rank, and carries the trial."""
    found = tried([suspect("a", 0.9), suspect("b", 0.7)], [trial("a", outcome, 0.15)]).suspects

    assert [("a", 0.9, "error"), ("b", 0.7, "error")] == [(s.cause.id, s.confidence, s.severity) for s in found]
    assert found[0].trial is not None and outcome == found[0].trial.outcome


def test_of_several_trials_the_best_counts() -> None:
    """One cure in three suffices."""
    made = [trial("a", "refuted", -0.5), trial("a", "confirmed", 0.6), trial("a", "not possible")]

    assert tried([suspect("a")], made).suspects[0].trial is made[1]


@pytest.mark.parametrize(
    ("why", "first", "known", "gain"),
    [
        ("half is left, and the fact is untried", ["a", "b"], suspect("a", 0.9, evidence=FACTUAL), 0.3),
        ("the cure mends all", ["b", "a"], suspect("a", 0.9, evidence=FACTUAL), 0.8),
        ("no fact", ["b", "a"], suspect("a", 0.9), 0.3),
        ("not sure", ["b", "a"], suspect("a", 0.6, evidence=FACTUAL), 0.3),
    ],
)
def test_a_cure_that_leaves_most_unlearnt_does_not_overtake_a_fact(why: str, first: list[str], known: Suspect, gain: float) -> None:
    """Rule 9: what it mended is a consequence then."""
    found = tried([known, suspect("b", 0.6)], [trial("b", "confirmed", gain)]).suspects

    assert first == [s.cause.id for s in found], why
    assert found[0].confidence >= found[1].confidence
    if first == ["a", "b"]:
        assert ("a", True) == (found[1].consequence_of, bool(found[1].trial and found[1].trial.confirmed))
        made = [trial("a", "refuted"), trial("b", "confirmed", gain)]
        assert "b" == tried([known, suspect("b", 0.6)], made).suspects[0].cause.id


@pytest.mark.parametrize(("reached", "first"), [(0.95, "a"), (0.2, "b")])
def test_a_control_speaks_for_a_family(reached: float, first: str) -> None:
    """Rule 10: one batch that can be memorised acquits model, loss and loop."""
    data = Suspect(replace(CAUSES["a"], stage="data"), 0.55, "error", [])
    model = Suspect(replace(CAUSES["b"], stage="model"), 0.6, "error", [])
    control = replace(trial("", "control", spelling="one-batch=repeated"), reached=reached)

    assert first == tried([model, data], [control]).suspects[0].cause.id


# --- the whole ----------------------------------------------------------------------------------------------------


def test_order_does_not_depend_on_the_order_of_the_causes() -> None:
    """Most suspected first, whichever way round they are read."""
    causes = [
        cause("fact", "step", no_step=6.0),
        cause("rate", prior=-3.0, updates_huge=5.0),
        cause("step", double_softmax=5.0),
        cause("small", "rate", loss_flat=3.5),
    ]
    names = (FACT, OTHER_FACT, FLAT, HUGE)

    assert list(ranked(causes, *names)) == list(ranked(causes[::-1], *names))
    assert "fact" == next(iter(ranked(causes, *names)))


def test_nothing_to_rank_is_an_empty_list() -> None:
    """A run without symptoms has no suspects."""
    assert [] == rank([])
