"""What happens to rows of symbols."""

import pytest
import torch

import hourglass as hg
from hourglass.parts.typos import DOUBLED, LEFT_OUT, PUT_IN, SWAPPED, WHOLE, another, edited

SYMBOLS = 5  # the end and four others


def rows(*texts, length):
    """Ones among zeros (n, length, symbols) of digits; 0 is the end, and behind it there are zeros."""
    x = torch.zeros(len(texts), length, SYMBOLS)
    for row, text in enumerate(texts):
        for place, digit in enumerate(text):
            x[row, place, int(digit)] = 1
    return x


def texts(x):
    return ["".join(str(int(place.argmax())) for place in row if place.any()) for row in x]


def alphabet(n=4000, length=20):
    """Rows of random symbols, half of them shorter than the others, and their end."""
    numbers = torch.randint(1, SYMBOLS, (n, length), generator=torch.Generator().manual_seed(0))
    numbers[: n // 2, 11] = 0
    x = torch.nn.functional.one_hot(numbers, SYMBOLS).float()
    x[: n // 2, 12:] = 0
    return x


def made(part, x, seed=0):
    return part(x, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("text", "faults", "found"),
    [
        ("1230", {}, "1230"),
        ("1230", {0: SWAPPED}, "4230"),
        ("1230", {1: LEFT_OUT}, "130"),
        ("1230", {1: DOUBLED}, "12230"),
        ("1230", {1: PUT_IN}, "14230"),
        ("1230", {3: PUT_IN}, "12340"),
        ("1230", {0: LEFT_OUT, 1: LEFT_OUT, 2: LEFT_OUT}, "0"),
        ("123123", {0: LEFT_OUT}, "231230"),  # it was as long as rows can be, and now has an end
        ("123123", {0: DOUBLED}, "112312"),  # and here it loses its last symbol
        ("123120", {0: DOUBLED, 1: PUT_IN}, "114231"),
        ("12312", {0: LEFT_OUT}, "23120"),
    ],
)
def test_each_fault(text, faults, found):
    x = rows(text, length=6)
    number, there = x.argmax(-1), x.sum(-1) > 0
    fault = torch.tensor([[faults.get(place, WHOLE) for place in range(6)]])
    assert texts(edited(x, there, number, torch.full_like(number, 4), fault)) == [found]


def test_another_symbol_is_neither_the_same_nor_the_end():
    number = torch.arange(1, SYMBOLS).repeat(1000)[None]
    found = another(number, torch.rand(number.shape, generator=torch.Generator().manual_seed(0)), SYMBOLS)
    assert (found != number).all()
    counts = torch.bincount(found[0], minlength=SYMBOLS).tolist()
    assert counts[0] == 0
    assert counts[1:] == pytest.approx([1000] * 4, rel=0.15)
    assert another(torch.ones(1, 3).long(), torch.rand(1, 3), 2).tolist() == [[1, 1, 1]]  # there is no other


def test_symbols_are_swapped_as_often_as_it_says():
    x = alphabet()
    seen = made(hg.SwapSymbols(0.3), x)
    real = (x.sum(-1) > 0) & (x.argmax(-1) != 0)
    changed = (seen != x).any(-1)
    assert float(changed[real].float().mean()) == pytest.approx(0.3, abs=0.01)
    assert not changed[~real].any()  # the end stands


def test_rows_get_longer_and_shorter():
    x = alphabet()[:2000]  # of 11 symbols and the end, in a length of 20
    lengths = made(hg.Typos(0.2), x).sum((1, 2)) - 1
    # a symbol is left out with a chance of 0.05, and with one of 0.1 there are two; before the end one is put in with 0.05
    assert float(lengths.mean()) == pytest.approx(11 * 1.05 + 0.05, abs=0.1)
    assert float(lengths.var()) == pytest.approx(11 * (0.15 - 0.05**2) + 0.05 * 0.95, rel=0.1)


def test_rows_stay_rows():
    x = alphabet()
    before = x.clone()
    seen = made(hg.Typos((0.0, 0.5)), x)
    assert torch.equal(x, before)
    assert seen.shape == x.shape
    there = seen.sum(-1)
    assert ((there == 0) | (there == 1)).all()
    assert (there.diff(dim=1) <= 0).all()  # nothing behind the end
    ends = (seen[..., 0] == 1).sum(1)
    assert (ends <= 1).all()
    assert ((ends == 1) | (there.sum(1) == 20)).all()


def test_no_damage_is_no_change():
    x = alphabet(100)
    assert torch.equal(made(hg.Typos(0.0), x), x)


def test_rows_may_grow_by_their_share():
    lengths = torch.tensor([10, 11])
    assert hg.Typos((0.0, 0.2)).longest(lengths).tolist() == [12, 14]
    assert hg.SwapSymbols(0.5).longest(lengths).tolist() == [10, 11]
    both = hg.SwapSymbols(0.5) + hg.Typos(0.2)
    assert both.longest(lengths).tolist() == [12, 14]
    assert (both.made_for, both.everywhere, hg.Noise(0.1).made_for) == ({"symbols"}, True, set())


@pytest.mark.parametrize("part", [hg.Typos(0.2), hg.SwapSymbols((0.0, 0.5))])
def test_chance_comes_from_the_generator_alone(part):
    x, before = alphabet(50), torch.get_rng_state()
    assert torch.equal(made(part, x, 3), made(part, x, 3))
    assert torch.equal(before, torch.get_rng_state())
    assert not torch.equal(made(part, x, 3), made(part, x, 4))


def test_as_text():
    assert hg.corruption("typos:0.1") == hg.Typos(0.1)
    assert hg.corruption("swap:0-0.2+typos").parts == (hg.SwapSymbols((0.0, 0.2)), hg.Typos(0.1))


def test_bad_share():
    with pytest.raises(
        hg.ParameterError,
        match=r"^The 'share' parameter of Typos must be a float from 0 to 1, or a range of them\. Got 1\.5 instead\.$",
    ):
        hg.Typos(1.5)
