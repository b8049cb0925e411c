"""Validation: its passes, and what they were given beside what training was given."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from nndoctor.record.place import Place


@dataclass
class Evaluation:
    """One validation pass: forwards without gradient between two training steps."""

    kind: ClassVar[str] = "evaluation"
    step: int  # training steps made before it
    model: int
    forwards: int
    samples: int
    training: bool  # model.training during the pass
    gradients: bool  # grad mode during the pass
    seconds: float
    loss: float | None = None
    function: str = ""
    accuracy: float | None = None
    r2: float | None = None
    predicted: dict[str, int] = field(default_factory=dict)  # classes, where it is known which side of a comparison that is
    labels: dict[str, int] = field(default_factory=dict)  # classes that were right
    place: Place | None = None
    balanced: float | None = None  # accuracy in which every class counts the same


@dataclass
class Holdout:
    """Real-valued inputs of a model in validation passes, by feature as in `Features`; written at the end."""

    kind: ClassVar[str] = "holdout"
    model: int
    rows: int  # values of each feature that were seen
    mean: list[float]
    std: list[float]
    missing: float = 0.0  # share of rows with NaN or Inf
    repeated: bool = False  # every batch of several rows was one row again and again


@dataclass
class Vocabulary:
    """Ids that one line of the script fed a model with in its first pass, held against those of training; written at the end."""

    kind: ClassVar[str] = "vocabulary"
    model: int
    trained: int  # ids that were counted in training, less what fills rows up to one length
    validated: int  # and in validation
    strange: float  # share of validation on ids that training feeds less than a third as often, beyond what it feeds
    one: float  # the largest part of it that lies on one id
    chance: float = 0.0  # the same of late training, of as many ids, against the training before
    place: Place | None = None


@dataclass
class Overlap:
    """Rows of the last evaluation that one line of the script made, held against the training rows before it.

    Forwards whose rows were all trained on evaluate the training set itself, and do not count where there are others.
    """

    kind: ClassVar[str] = "overlap"
    model: int
    rows: int  # that count
    known: float  # share of them that were trained on
    trained: int  # distinct training rows
    fresh: float  # share of the last fifth of the training rows that were new then: 0 once the training set was seen whole
    twins: float = 0.0  # share of the evaluated rows that repeat another one of them
    covered: float = 0.0  # share of the training rows that were evaluated in them
    even: bool = False  # whether no training row came more often than the others
    chance: float = 0.0  # that a row equals a training row by luck, were its columns independent
    real: bool = True  # whether the rows hold real numbers
    ahead: float = 0.0  # share of the rows that were first trained on after it, and that were in it
    named: bool = False  # whether the calls of the script that make it speak of validation or test, and not of training
    place: Place | None = None
