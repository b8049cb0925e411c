"""What the diagnosis makes of the laboratory's recordings, and how far its confidence can be trusted.

    python -m tests.lab.judge [--write]

Every figure is of base tasks that were held out: confidence is calibrated on the other bases (five folds), and the
baselines are fitted on them. `--write` fits on all of them and puts the numbers into the knowledge base.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from nndoctor.diagnosis.calibration import FILE, Calibration, shipped
from nndoctor.diagnosis.engine import diagnose
from nndoctor.errors import NndoctorError
from nndoctor.record import codec
from nndoctor.record.model import Recording
from tests.lab import published
from tests.lab.build import Mutant, mutants

_HARMED, _UNHARMED = 0.1, 0.03  # loss of validation score from which a mutant is sick, and up to which it is healthy
_FOLDS = 5
_BINS = 10


@dataclass
class Verdict:
    """One mutant, and what was said of it."""

    mutant: Mutant
    harm: float  # validation score that the fault costs
    told: list[tuple[str, float]]  # causes at warning or above with their log odds, first first
    shown: list[tuple[str, float]]  # those, and the notes
    rules: str  # what the published thresholds say first
    right: frozenset[str] = field(default_factory=frozenset)

    @property
    def sick(self) -> bool:
        """Whether the fault shows."""
        o = self.mutant.operator
        return bool(o.cause) and (o.harms == "by-construction" or self.harm >= _HARMED)

    @property
    def healthy(self) -> bool:
        """Whether nothing is wrong with the run, a fault that does no harm included."""
        return not self.sick and self.harm <= _UNHARMED

    def found(self, most: int) -> bool:
        """Whether a right cause is among the first."""
        return any(cause in self.right for cause, _ in self.told[:most])


def verdicts(every: Iterable[Mutant]) -> list[Verdict]:
    """All mutants that were made, diagnosed anew from their recordings."""
    made = [m for m in every if m.file("json").exists() and m.file("jsonl").exists()]
    results = {m.name: json.loads(m.file("json").read_text()) for m in made}
    as_it_is = {(m.base.name, m.seed): results[m.name]["score"] for m in made if m.operator.name == "as-it-is"}
    out = []
    for m in made:
        result, base = results[m.name], as_it_is.get((m.base.name, m.seed))
        if base is None or ("Error" in result["error"] and "nan" not in result["error"].lower()):
            continue  # the operator does not fit this base after all
        try:
            recording = codec.load(m.file("jsonl"))
        except NndoctorError:
            continue
        suspects = diagnose(recording).suspects
        shown = [(s.cause.id, _odds(s.confidence)) for s in suspects]
        told = [pair for pair, s in zip(shown, suspects, strict=True) if s.severity != "note"]
        score = result["score"] if result["score"] is not None else 0.0
        out.append(Verdict(m, base - max(score, 0.0), told, shown, _published(recording), frozenset({m.operator.cause, *m.operator.accept})))
    return out


def _published(recording: Recording) -> str:
    return next(iter(published.causes(recording)), "")


def _odds(confidence: float) -> float:
    return shipped().odds(min(max(confidence, 1e-4), 1 - 1e-4))


# --- calibration --------------------------------------------------------------------------------------------------


def fit(known: Sequence[tuple[float, bool]]) -> Calibration:
    """Logistic regression from log odds to being right, drawn towards the identity (Platt 1999)."""
    x, y = np.array([o for o, _ in known]), np.array([r for _, r in known], dtype=np.float64)
    slope, offset, strength = 1.0, 0.0, 2.0
    for _ in range(200):  # Newton
        p = 1 / (1 + np.exp(-(slope * x + offset)))
        gradient = np.array([((p - y) * x).sum() + strength * (slope - 1), (p - y).sum() + strength * offset])
        w = p * (1 - p)
        hessian = np.array([[(w * x * x).sum() + strength, (w * x).sum()], [(w * x).sum(), w.sum() + strength]])
        slope, offset = np.array([slope, offset]) - np.linalg.solve(hessian, gradient)
    return Calibration(float(slope), float(offset))


def calibrated(every: Sequence[Verdict]) -> list[tuple[float, bool]]:
    """Confidence and truth of each first suspect, calibrated on other bases."""
    bases = sorted({v.mutant.base.name for v in every})
    out = []
    for fold in range(_FOLDS):
        held = set(bases[fold::_FOLDS])
        learnt = fit(_first([v for v in every if v.mutant.base.name not in held]))
        for odds, right in _first([v for v in every if v.mutant.base.name in held]):
            out.append((learnt.confidence(odds), right))
    return out


def _first(every: Iterable[Verdict]) -> list[tuple[float, bool]]:
    """Log odds of what is shown first, a note included, and whether it is right; of runs that are sick or healthy for certain."""
    return [(v.shown[0][1], v.sick and v.shown[0][0] in v.right) for v in every if v.shown and (v.sick or v.healthy)]


def calibration_error(known: Sequence[tuple[float, bool]]) -> float:
    """Expected calibration error over ten equal bins (Guo et al. 2017)."""
    p, y = np.array([c for c, _ in known]), np.array([r for _, r in known], dtype=np.float64)
    member = np.minimum((p * _BINS).astype(int), _BINS - 1)
    return float(sum(abs(p[member == b].mean() - y[member == b].mean()) * (member == b).mean() for b in range(_BINS) if (member == b).any()))


# --- report -------------------------------------------------------------------------------------------------------


def report(every: Sequence[Verdict]) -> str:
    """The whole table as text."""
    sick, healthy = [v for v in every if v.sick], [v for v in every if v.healthy]
    harmless = [v for v in healthy if not v.mutant.operator.cause]
    lines = [f"{len(every)} mutants of {len({v.mutant.base.name for v in every})} bases: {len(sick)} sick, {len(healthy)} unharmed ({len(harmless)} of them without a fault)"]
    lines += ["", f"{'cause':<26}{'sick':>5}{'top-1':>7}{'top-3':>7}"]
    by_cause: dict[str, list[Verdict]] = defaultdict(list)
    for v in sick:
        by_cause[v.mutant.operator.cause].append(v)
    lines += [f"{cause:<26}{len(vs):>5}{_share(v.found(1) for v in vs):>7}{_share(v.found(3) for v in vs):>7}" for cause, vs in sorted(by_cause.items())]
    lines += ["", f"{'base':<26}{'sick':>5}{'top-1':>7}{'top-3':>7}"]
    by_base: dict[str, list[Verdict]] = defaultdict(list)
    for v in sick:
        by_base[v.mutant.base.name].append(v)
    lines += [f"{base:<26}{len(vs):>5}{_share(v.found(1) for v in vs):>7}{_share(v.found(3) for v in vs):>7}" for base, vs in sorted(by_base.items())]
    constant = Counter(v.mutant.operator.cause for v in sick).most_common(1)[0]
    lines += [
        "",
        f"top-1 {_share(v.found(1) for v in sick)}   top-3 {_share(v.found(3) for v in sick)}   causes told {np.mean([len(v.told) for v in sick]):.2f}",
        f"told of runs without a fault {_share(bool(v.told) for v in harmless)}   of faults that do no harm {_share(bool(v.told) for v in healthy if v.mutant.operator.cause)}",
        f"expected calibration error {calibration_error(_plain(every)):.3f} as it is, {calibration_error(calibrated(every)):.3f} calibrated on other bases",
        f"verdicts that another seed turns {_share(_flips(every))}, first answers {_share(_flips(every, by_cause=True))}",
        f"best constant answer ({constant[0]}) {constant[1] / len(sick):.0%}",
        f"published thresholds: top-1 {_share(v.rules in v.right for v in sick)}, told of runs without a fault {_share(bool(v.rules) for v in harmless)}",
        "", "wrong first answers",
    ]  # fmt: skip
    pairs = Counter((v.mutant.operator.cause, v.told[0][0] if v.told else "-") for v in sick if not v.found(1))
    lines += [f"  {n:>3}  {cause} called {said}" for (cause, said), n in pairs.most_common(30)]
    lines += ["", *(f"  alarm {v.mutant.name}: {v.told[0][0]} ({v.harm:+.2f})" for v in healthy if v.told)]
    lines += ["", *(f"  miss {v.mutant.name}: {[c for c, _ in v.told[:3]]} ({v.harm:+.2f})" for v in sick if not v.found(1))]
    return "\n".join(lines)


def _flips(every: Iterable[Verdict], by_cause: bool = False) -> list[bool]:
    """Of each mutant whose seeds are all sick or all unharmed, whether they were told apart: sick from healthy, or by the first cause."""
    groups: dict[tuple[str, str], list[Verdict]] = defaultdict(list)
    for v in every:
        groups[v.mutant.base.name, v.mutant.operator.name].append(v)
    alike = [vs for vs in groups.values() if len(vs) > 1 and (all(v.sick for v in vs) or all(v.healthy for v in vs))]
    said = [[(v.told[0][0] if by_cause and v.told else bool(v.told)) for v in vs] for vs in alike]
    return [answer != Counter(answers).most_common(1)[0][0] for answers in said for answer in answers]


def _plain(every: Sequence[Verdict]) -> list[tuple[float, bool]]:
    return [(Calibration().confidence(odds), right) for odds, right in _first(every)]


def _share(truths: Iterable[bool]) -> str:
    found = list(truths)
    return f"{np.mean(found):.0%}" if found else "-"


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="fit on all bases and write the knowledge base's calibration")
    parser.add_argument("--each", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()
    every = verdicts(mutants(options.each, options.seeds))
    print(report(every))
    if options.write:
        learnt = fit(_first(every))
        FILE.write_text(
            "# From the log odds of a suspect to how often such a suspect is right: fitted by `make calibrate`, never by hand.\n"
            f"slope: {learnt.slope:.3f}\noffset: {learnt.offset:.3f}\nfirst_answers: {len(_first(every))}\n", encoding="utf-8",
        )  # fmt: skip
        print(f"slope {learnt.slope:.3f}, offset {learnt.offset:.3f}: written")


if __name__ == "__main__":
    main()
