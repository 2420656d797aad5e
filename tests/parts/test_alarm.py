"""The parts of a score: on which scale its terms are added up."""

import numpy as np
import pytest
import torch
from scipy import stats

from hourglass.parts.alarm import Alarm, centred_upwards
from hourglass.parts.neighbours import Neighbours

NORMAL = torch.from_numpy(stats.norm.ppf((np.arange(999) + 0.5) / 999, loc=3, scale=2))


def test_the_scale_of_a_normal_term_is_its_standard_deviation():
    centre, scale = centred_upwards(torch.stack([NORMAL, -5 * NORMAL], 1))
    np.testing.assert_allclose(centre, [3, -15], rtol=1e-9)
    np.testing.assert_allclose(scale, [2, 10], rtol=5e-3)


def test_what_lies_below_the_median_does_not_count():
    stretched = torch.where(NORMAL < 3, 100 * NORMAL - 297, NORMAL)
    for found, wanted in zip(centred_upwards(stretched[:, None]), centred_upwards(NORMAL[:, None]), strict=True):
        torch.testing.assert_close(found, wanted)


def test_a_term_with_a_single_value_for_most_rows():
    centre, scale = centred_upwards(torch.tensor([[0.0]] * 99 + [[10.0]]))
    assert centre.item() == 0
    assert scale.item() == pytest.approx(10 * (0.01 * 0.99) ** 0.5)  # the standard deviation
    assert centred_upwards(torch.ones(9, 1))[1].item() == pytest.approx(1e-6)


def test_training_rows_are_compared_with_the_range_of_the_others():
    x = torch.tensor([[1.0, 5.0], [2.0, 5.0], [4.0, torch.nan], [9.0, torch.nan], [3.0, 7.0]])
    alarm = Alarm.learn((0, 1), x)
    assert not alarm.outside(x).any()
    with alarm.of_the_others(x):
        assert alarm.outside(x).tolist() == [[-1, 0], [0, 0], [0, 0], [5, 0], [0, 2]]
    assert alarm.outside(torch.tensor([[0.0, 8.0]])).tolist() == [[-1, 1]]
    lonely = torch.tensor([[1.0, 5.0], [2.0, torch.nan], [3.0, torch.nan]])
    alarm = Alarm.learn((0, 1), lonely)
    with alarm.of_the_others(lonely):
        assert alarm.outside(lonely).tolist() == [[-1, 0], [0, 0], [1, 0]]  # a single value is the range, with or without it


def test_a_score_by_hand():
    x = torch.arange(21.0)[:, None]
    alarm = Alarm.learn((0,), x, Neighbours.of(x[:1], x))
    errors = torch.exp(2 * x / 10)
    alarm.calibrate(x, errors)
    # the logarithm of the root error rises by 0.1 a row: its median is row 10, its 95th percentile row 19
    row, error = torch.tensor([[30.0]]), torch.exp(torch.tensor([[6.0]]))
    from_net = 1.645 * (30 - 10) / 9
    # the distances to row 0 are 0 (it is the only one kept), 1, 2 ... 20
    from_rows = 1.645 * (np.log(30) - np.log(10)) / (np.log(19) - np.log(10))
    wanted = np.log(np.exp(from_net) + np.exp(from_rows)) + 1.5 * (30 - 20)
    assert alarm(row, error).item() == pytest.approx(wanted, rel=1e-4)


def test_more_references_by_hand():
    alarm = Alarm((0,), 0)
    alarm.reference = torch.tensor([1.0, 3.0])
    alarm.add_references(torch.tensor([4.0, 2.0]))
    assert alarm.reference.tolist() == [1, 2, 3, 4]
    assert alarm.p_values(torch.tensor([2.5])).tolist() == pytest.approx([3 / 5])  # two at least as strange, and itself


def referred_to(*scores):
    alarm = Alarm((0,), len(scores))
    alarm.reference = torch.tensor(scores)
    return alarm


def test_a_p_value_that_is_the_rate_is_no_more_than_it():
    alarm = referred_to(*map(float, range(119)))
    assert float(alarm.p_values(torch.tensor([113.5]))) == 6 / 120 == 0.05
    assert alarm.threshold(0.05) == 113


def test_what_only_rounding_raises_above_its_like_is_as_strange_as_it():
    alarm = referred_to(1.0, 2.0, 2.0, 3.0)
    scores = torch.tensor([2.000002, 1.999998, 2.0001, 3.000003], dtype=torch.float64)
    np.testing.assert_allclose(alarm.p_values(scores), [0.8, 0.8, 0.4, 0.4])
    assert alarm.places(scores).tolist() == [4, 4, 6, 7]  # twice as many as lie below, and those like it once
    assert alarm.places(alarm.reference).tolist() == [1, 4, 4, 7]
