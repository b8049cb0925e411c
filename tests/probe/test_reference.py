"""The closed-form learners: what they find in rows with and without a signal of each kind."""

from __future__ import annotations

import numpy as np

from nndoctor.probe import local
from nndoctor.probe.reference import Rows, compare

DRAW = np.random.default_rng


def rows(x: np.ndarray, y: np.ndarray, raw: np.ndarray | None = None) -> Rows:
    """Twenty rows a step."""
    return Rows(x.reshape(len(x), -1).astype(np.float64), y, np.arange(len(x)) // 20, raw)


def test_patterns_that_move_are_found_by_the_learner_that_knows_of_place() -> None:
    """Two shapes of a pulse at any place in a noisy line: line and neighbours find hardly more than guessing does."""
    draw = DRAW(1)
    y = draw.integers(0, 2, 600)
    x = 0.2 * draw.normal(size=(600, 64))
    shapes = np.array([[0, 1, 2, 3, 4, 0, 0.0], [4, 3, 2, 1, 0, 0, 0.0]])
    for i in range(600):
        at = draw.integers(0, 57)
        x[i, at : at + 7] += shapes[y[i]]

    found = compare(0, "classes", rows(x, y, x.astype(np.float32)))

    assert found is not None and found.local is not None
    assert found.local > 0.9
    assert max(found.linear or 0, found.neighbours or 0) < 0.7


def test_the_order_of_tokens_is_found_by_the_learner_that_knows_of_it() -> None:
    """Which of two tokens comes first, among others; counts are the same for both classes."""
    draw = DRAW(2)
    ids = draw.integers(2, 12, (600, 10))
    y = draw.integers(0, 2, 600)
    for i in range(600):
        a, b = np.sort(draw.choice(10, 2, replace=False))
        ids[i, [a, b]] = (0, 1) if y[i] else (1, 0)
    counts = np.stack([np.bincount(row, minlength=16) for row in ids])

    found = compare(0, "classes", rows(counts, y, ids))

    assert found is not None and found.local is not None
    assert found.local > 0.85
    assert max(found.linear or 0, found.kernel or 0, found.neighbours or 0) < 0.65


def test_a_table_has_no_place() -> None:
    """A linear target of columns in no order: the reading as a line finds less than the columns themselves."""
    draw = DRAW(3)
    x = draw.normal(size=(400, 20))
    y = (x @ draw.normal(size=20) > 0).astype(int)

    found = compare(0, "classes", rows(x, y, x.astype(np.float32)))

    assert found is not None and found.linear is not None and found.local is not None
    assert found.linear > found.local + 0.1


def test_readings_of_a_row() -> None:
    """Tokens, images, sequences with time on either axis, lines, and lines that may be images; nothing of what is too short."""
    draw = DRAW(4)
    count = lambda x: len(local.views(x))  # noqa: E731

    assert 1 == count(draw.integers(0, 9, (20, 12)))
    assert 1 == count(draw.normal(size=(20, 3, 16, 16)))
    assert 2 == count(draw.normal(size=(20, 30, 40)))
    assert 1 == count(draw.normal(size=(20, 30, 4)))
    assert 1 == count(draw.normal(size=(20, 30)))
    assert 2 == count(draw.normal(size=(20, 64)))
    assert 0 == count(draw.normal(size=(20, 5)))
    assert 0 == count(np.full((20, 64), np.nan))


def test_wrong_labels_are_wrong_where_one_is_sure() -> None:
    """Of labels drawn at random in two rows of five as often as elsewhere; of classes that overlap, at their border."""
    draw = DRAW(5)
    y = draw.integers(0, 4, 800)
    x = 4 * np.eye(4)[y] + 0.5 * draw.normal(size=(800, 4))
    wrong = np.where(draw.random(800) < 0.4, draw.integers(0, 4, 800), y)
    near = np.eye(4)[y] + 0.6 * draw.normal(size=(800, 4))

    noisy, overlap = compare(0, "classes", rows(x, wrong)), compare(0, "classes", rows(near, y))

    assert noisy is not None and noisy.wrong and noisy.sure_wrong
    assert overlap is not None and overlap.wrong and overlap.sure_wrong is not None
    assert noisy.sure_wrong / noisy.wrong > 0.6
    assert overlap.sure_wrong / overlap.wrong < 0.5


def test_class_numbers_are_better_told_apart_as_classes() -> None:
    """Four clusters whose numbers go to and fro; amounts in their order; and nothing is said of what cannot be classes."""
    draw = DRAW(6)
    kind = draw.integers(0, 4, 600)
    x = np.stack([kind + 0.2 * draw.normal(size=600), draw.normal(size=600)], axis=1)
    corners = 3 * np.eye(4)[kind] + 0.4 * draw.normal(size=(600, 4))

    classes = compare(0, "real", rows(corners, kind.astype(np.float64)))
    amounts = compare(0, "real", rows(x, kind.astype(np.float64)))
    others = [
        compare(0, "real", rows(x, kind + 0.5)),
        compare(0, "real", rows(x, draw.integers(0, 40, 600).astype(np.float64))),
        compare(0, "real", rows(x, np.stack([kind, kind], axis=1).astype(np.float64))),
        compare(0, "real", rows(x, (kind > 1).astype(np.float64))),
    ]

    assert classes is not None and classes.as_classes is not None
    assert amounts is not None and amounts.as_classes is not None and amounts.linear is not None
    assert classes.as_classes > 0.9
    assert amounts.linear > amounts.as_classes + 0.15
    assert [None] * len(others) == [found.as_classes for found in others if found is not None]


def test_a_signal_behind_a_code_for_what_is_missing() -> None:
    """A few cells of -9999, standardised with the rest, leave the rest alike; without such cells there is nothing to cut off."""
    draw = DRAW(4)
    x = draw.normal(size=(600, 12))
    y = x[:, 0] + x[:, 1]
    marred = np.where(draw.random(x.shape) < 0.002, -9999.0, x)

    wild = compare(0, "real", rows((marred - marred.mean(0)) / marred.std(0), y))
    tame = compare(0, "real", rows(x, y))

    assert wild is not None and wild.tamed is not None
    assert tame is not None and tame.tamed is None
    assert wild.tamed > wild.plain + 0.3


def test_codes_are_counted_where_several_columns_hold_them() -> None:
    """The target is what the codes of a row add up to, wherever in the row they stand."""
    draw = DRAW(5)
    codes = draw.integers(0, 12, (600, 20))
    y = draw.normal(size=12)[codes].sum(1)

    found = compare(0, "real", rows((codes - codes.mean()) / codes.std(), y))

    assert found is not None and found.encoded is not None
    assert 20 == found.codes
    assert found.encoded > 0.9 > found.plain + 0.3


def test_pairs_of_codes_are_counted() -> None:
    """One code right after another makes the class, wherever in the row they stand; each occurs as often in the other class."""
    draw = DRAW(3)
    codes = draw.integers(0, 12, (900, 20))
    y = np.arange(900) % 2
    for row, label in zip(codes, y, strict=True):
        row[(row == 4) | (row == 9)] = 0
        places = 2 * draw.permutation(9)[:2] + draw.integers(0, 2)
        row[places], row[places + 1] = (4, 9) if label else (9, 4)

    found = compare(0, "classes", rows((codes - codes.mean()) / codes.std(), y))

    assert found is not None
    assert (found.encoded or 0) > 0.9 > found.plain + 0.3, found
