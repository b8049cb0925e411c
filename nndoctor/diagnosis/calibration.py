"""From the odds that the weights add up to, to how often a suspect with such odds is right.

A logistic map (Platt 1999), fitted on runs whose fault is known; the numbers stand in the knowledge base with the command
that made them. It changes no order and no decision, only the confidence that a person reads.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import nndoctor.knowledge
from nndoctor.knowledge.page import Mistakes, read_page

FILE = Path(nndoctor.knowledge.__file__).with_name("calibration.yaml")
_LEAST = 1e-6  # confidence that has finite odds
_MOST = 50.0  # log odds beyond which exp would overflow


@dataclass(frozen=True)
class Calibration:
    """p = 1 / (1 + exp(-(slope * odds + offset)))."""

    slope: float = 1.0
    offset: float = 0.0

    def confidence(self, odds: float) -> float:
        """Probability that a suspect with these log odds is right."""
        return 1.0 / (1.0 + math.exp(-max(min(self.slope * odds + self.offset, _MOST), -_MOST)))

    def odds(self, confidence: float) -> float:
        """The log odds that have this confidence, from 0 to 1; certainty counts as one in a million."""
        confidence = min(max(confidence, _LEAST), 1.0 - _LEAST)
        return (math.log(confidence / (1.0 - confidence)) - self.offset) / self.slope

    def unfitted(self, confidence: float) -> float:
        """What a confidence was before it was fitted: the log odds taken at their word. Rules count by this."""
        return Calibration().confidence(self.odds(confidence))


@cache
def shipped() -> Calibration:
    """The fitted one. Raises KnowledgeError where the file is malformed."""
    mistakes = Mistakes()
    page = read_page(FILE, mistakes)
    found = Calibration()
    if page is not None:
        page.check_keys(("slope", "offset", "first_answers"))
        found = Calibration(page.number("slope", lowest=0.05), page.number("offset"))
    mistakes.raise_any()
    return found
