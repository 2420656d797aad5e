"""Measures of rows of symbols."""

import numpy as np
import pytest

import hourglass as hg
from hourglass.analysis.around import alike
from hourglass.analysis.sequences import edits

CHANCE = np.random.default_rng(0)


def by_the_book(first, second):
    """Levenshtein's distance, a cell at a time."""
    before = list(range(len(second) + 1))
    for i, a in enumerate(first, 1):
        row = [i]
        for j, b in enumerate(second, 1):
            row.append(min(row[j - 1] + 1, before[j] + 1, before[j - 1] + (a != b)))
        before = row
    return before[-1]


def test_edits_agree_with_the_book():
    lines = ["".join(CHANCE.choice(list("abc"), CHANCE.integers(0, 9))) for _ in range(40)]
    for line in lines[:10]:
        assert edits(line, lines).tolist() == [by_the_book(line, other) for other in lines]
    assert edits(("so", "it", "is"), [("so", "is"), ("it", "is", "so")]).tolist() == [1, 2]


def test_quality_of_strings_by_hand():
    train, test = ["ab", "abb", "ba"], ["ab", "bab"]
    found = hg.quality(["ab", "ab", "aaab"], train, test)
    assert found["unique"] == 2 / 3
    assert found["novel"] == 1 / 2
    assert found["edits to the nearest training row"] == pytest.approx((0 + 0 + 2) / 3)
    assert found["lengths, total variation"] == pytest.approx((abs(2 / 3 - 2 / 3) + 1 / 3 + 1 / 3) / 2)
    assert found["symbols, total variation"] == pytest.approx(abs(5 / 8 - 3 / 7))  # of a; of b as much
    assert found["pairs of symbols, total variation"] == pytest.approx((abs(3 / 5 - 2 / 4) + 2 / 5 + 1 / 4 + 1 / 4) / 2)
    real = dict(found.frame.select("measure", "real").iter_rows())
    assert real["edits to the nearest training row"] == 1 / 2


def test_quality_of_strings_of_which_one_is_empty():
    found = hg.quality(["ab", ""], ["ab", "abb"], ["ab", "b"])
    assert (found["unique"], found["novel"]) == (1, 1 / 2)
    assert found["edits to the nearest training row"] == (0 + 2) / 2
    assert found["lengths, total variation"] == (0 + 1 / 2 + 1 / 2) / 2
    assert found["symbols, total variation"] == pytest.approx(3 / 5 - 1 / 2)
    for given in (["ab", ""], ["ab"]), (["ab"], ["ab", ""]):
        with pytest.raises(hg.DataError, match=r"^Row 1 is empty. Leave it out.$"):
            hg.quality(["ab"], *given)


def test_rows_without_a_symbol_are_samples_too():
    rows = [["so", "it", "is"], ["it"], ["is", "it", "so"], ["so", "so"]]
    model = hg.VariationalAutoencoder(2, kind="token", max_epochs=1, random_state=0).fit(rows)
    for drawn in ([["it", "is"], []], [[], []]):
        found = model.nearest(drawn, rows)
        assert (found["row"][1], found["distance"][1]) == (1, pytest.approx(np.sqrt(3)))  # an end for a symbol, and one behind it
    with pytest.raises(hg.DataError, match=r"^Row 1 is empty. Leave it out.$"):
        model.transform([["so"], []])
    places, how, column = alike(model.kind_, [[], ["is"]], rows)
    assert (places.tolist(), how.tolist(), column.name) == ([1, 1], [1, 1], "edits")


def test_quality_of_a_model_of_lists():
    rows = [["so", "it", "is"], ["it", "is"], ["is", "it", "so"], ["so"]] * 5
    model = hg.VariationalAutoencoder(2, kind="token", max_epochs=1, random_state=0).fit(rows)
    found = hg.quality(model, rows, rows[:4])
    assert found["rebuilt exactly"] == hg.metrics.exact(model, rows[:4]) == hg.metrics.survival(model, rows[:4])
    assert found.frame.height == 9
    lines = [" ".join(row) for row in rows]  # as a file has them
    assert hg.quality(model, np.array(lines, dtype=object), np.array(lines[:4], dtype=object)).frame.equals(found.frame)
    assert "samples" in str(found)
