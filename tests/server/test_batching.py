import asyncio
import threading

import numpy as np
import polars as pl
import pytest

import hourglass as hg
from hourglass.server.batching import Lane
from hourglass.server.limits import Limits, Refusal


def doubled(rows):
    return {"twice": 2 * rows}


def answered(*requests, limits=None):
    """What a lane answers to requests that come at once, and how many rows each of its calls had."""
    calls = []

    async def run():
        lane = Lane(limits or Limits(), calls.append)
        found = await asyncio.gather(*(lane.answer(*request) for request in requests), return_exceptions=True)
        lane.close()
        assert lane.waiting == 0
        assert not lane.busy
        return found

    return asyncio.run(run()), calls


def test_rows_of_one_key_go_together_and_come_back_apart():
    found, calls = answered(*((doubled, np.arange(n), n, "a") for n in (1, 3, 2)))
    assert [answer["twice"].tolist() for answer in found] == [[0], [0, 2, 4], [0, 2]]
    assert calls == [6]


def test_lists_and_tables_go_together_too():
    found, calls = answered(*((lambda rows: {"same": rows}, rows, 2, "a") for rows in (["a", "b"], ["c", "d"])))
    assert [answer["same"] for answer in found] == [["a", "b"], ["c", "d"]]
    assert calls == [4]
    frames = [pl.DataFrame({"x": [1, 2]}), pl.DataFrame({"x": [3, 4]})]
    found, calls = answered(*((lambda rows: {"same": rows}, frame, 2, "a") for frame in frames))
    assert all(answer["same"].equals(frame) for answer, frame in zip(found, frames, strict=True))
    assert calls == [4]


def test_other_keys_and_none_go_apart():
    _, calls = answered(*((doubled, np.zeros(2), 2, key) for key in ("a", "b", None, None, "a")))
    assert calls == [4, 2, 2, 2]


def test_no_more_rows_than_the_limit_go_together():
    _, calls = answered(*((doubled, np.zeros(4), 4, "a") for _ in range(5)), limits=Limits(together=8))
    assert calls == [8, 8, 4]
    _, calls = answered((doubled, np.zeros(20), 20, "a"), limits=Limits(together=8))
    assert calls == [20]


def test_what_fails_together_is_tried_apart():
    def picky(rows):
        if (rows < 0).any():
            raise hg.DataError("It is below 0.")
        return doubled(rows)

    found, calls = answered(*((picky, np.array([n]), 1, "a") for n in (1, -1, 2)))
    assert [str(answer) for answer in found] == ["{'twice': array([2])}", "It is below 0.", "{'twice': array([4])}"]
    assert calls == [3]


class Panic(BaseException):
    """As libraries written in Rust raise it."""


@pytest.mark.parametrize("error", [Refusal(422, "No."), ZeroDivisionError("No."), MemoryError("No."), Panic("No.")])
def test_whatever_is_raised_together_ends_no_lane(error):
    def failing(rows):
        raise error

    found, calls = answered(*((failing, np.zeros(1), 1, "a") for _ in range(3)), (doubled, np.ones(1), 1, "b"))
    assert found[:3] == [error] * 3
    assert found[3]["twice"] == [2]
    assert calls == [3, 1]


def test_whatever_is_raised_is_raised_where_it_is_waited_for():
    found, _ = answered((lambda rows: 1 / 0, np.zeros(1), 1, "a"), (doubled, np.zeros(1), 1, "b"))
    assert isinstance(found[0], ZeroDivisionError)
    assert found[1]["twice"] == 0


def test_too_many_rows_are_sent_away():
    found, _ = answered(*((doubled, np.zeros(6), 6, "a") for _ in range(3)), limits=Limits(waiting=12))
    assert [type(answer) for answer in found] == [dict, dict, Refusal]
    assert (found[2].status, str(found[2])) == (429, "12 rows are waiting for this model. Try again in a second.")
    assert found[2].headers == {"Retry-After": "1"}


def test_nobody_waits_longer_than_the_limit_and_what_nobody_waits_for_is_left():
    begun, held, seen = threading.Event(), threading.Event(), []

    def slow(rows):
        begun.set()
        held.wait(60)
        seen.append(len(rows))
        return doubled(rows)

    async def run():
        lane = Lane(Limits(seconds=0.1))
        first = asyncio.ensure_future(lane.answer(slow, np.zeros(1), 1, "a"))
        await asyncio.to_thread(begun.wait, 60)
        second = asyncio.ensure_future(lane.answer(slow, np.zeros(2), 2, "b"))
        found = await asyncio.gather(first, second, return_exceptions=True)
        held.set()
        while lane.busy:
            await asyncio.sleep(0.01)
        lane.close()
        return found, lane.waiting

    found, waiting = asyncio.run(run())
    assert [answer.status for answer in found] == [503, 503]
    assert str(found[0]) == "It took more than 0.1 s. Send fewer rows, or try again later."
    assert (seen, waiting) == ([1], 0)


def test_while_one_call_runs_the_next_gather():
    begun, held = threading.Event(), threading.Event()

    def slow(rows):
        begun.set()
        held.wait(60)
        return doubled(rows)

    async def run():
        calls = []
        lane = Lane(Limits(gather=0.001, seconds=60), calls.append)
        answers = [asyncio.ensure_future(lane.answer(slow, np.zeros(1), 1, "a"))]
        await asyncio.to_thread(begun.wait, 60)
        answers += [asyncio.ensure_future(lane.answer(slow, np.zeros(1), 1, "a")) for _ in range(9)]
        await asyncio.sleep(0)  # they have asked
        held.set()
        await asyncio.gather(*answers)
        lane.close()
        return calls

    assert asyncio.run(run()) == [1, 9]


def test_limits_are_above_zero(sentence):
    assert sentence(hg.ParameterError, Limits, rows=0) == "The limit 'rows' must be above 0. Got 0 instead."
    assert sentence(hg.ParameterError, Limits, seconds=float("inf")) == "The limit 'seconds' must have an end. Got inf instead."
    with pytest.raises(AttributeError):
        Limits().rows = 3
