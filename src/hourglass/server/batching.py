"""Requests that come at about the same time, computed together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from hourglass.server.limits import Limits, Refusal

Answer = Mapping[str, Any]  # columns by name, each with an entry for each row
Call = Callable[[Any], Answer]


@dataclass(frozen=True, eq=False)
class Job:
    """Rows that somebody waits for."""

    rows: Any
    count: int
    call: Call
    future: asyncio.Future[Answer]


class Lane:
    """The work of one model: one call at a time, in a thread of its own, while the next ones gather.

    Parameters
    ----------
    limits : Limits
        Of which ``waiting``, ``seconds``, ``gather`` and ``together`` are those of a lane.
    seen : function
        Is told the number of rows of each call.
    """

    def __init__(self, limits: Limits, seen: Callable[[int], None] = lambda rows: None) -> None:
        self.limits, self.seen = limits, seen
        self.groups: dict[Hashable, list[Job]] = {}  # the oldest first
        self.waiting = 0  # rows
        self.busy = False
        self.thread = ThreadPoolExecutor(1)

    async def answer(self, call: Call, rows: Any, count: int, key: Hashable | None = None) -> Answer:
        """The answer of a call for some rows, computed together with those of the same key; alone without one.

        Raises
        ------
        Refusal
            Too many rows are waiting, or it took too long.
        Exception
            Whatever the call raises for these rows.
        """
        if self.waiting and self.waiting + count > self.limits.waiting:
            raise Refusal(429, f"{self.waiting:,} rows are waiting for this model. Try again in a second.", {"Retry-After": "1"})
        loop = asyncio.get_running_loop()
        job = Job(rows, count, call, loop.create_future())
        self.groups.setdefault(object() if key is None else key, []).append(job)
        self.waiting += count
        if not self.busy:
            self.busy = True
            loop.call_later(self.limits.gather, self._next)
        try:
            async with asyncio.timeout(self.limits.seconds):
                return await job.future
        except TimeoutError:
            raise Refusal(503, f"It took more than {self.limits.seconds:g} s. Send fewer rows, or try again later.") from None

    def close(self) -> None:
        """Let the thread end once it has nothing left to do."""
        self.thread.shutdown(wait=False)

    def _next(self) -> None:
        """Begin with what has waited for longest."""
        jobs = self._oldest()
        self.busy = bool(jobs)
        if jobs:
            self.seen(sum(job.count for job in jobs))
            work = asyncio.get_running_loop().run_in_executor(self.thread, _answers, jobs)
            work.add_done_callback(lambda done: self._deliver(jobs, done))

    def _oldest(self) -> list[Job]:
        """The jobs of the oldest group that somebody still waits for, as many as are computed together."""
        while self.groups:
            key = next(iter(self.groups))
            taken: list[Job] = []
            rest: list[Job] = []
            rows = 0
            for job in self.groups.pop(key):
                if job.future.done():
                    self.waiting -= job.count
                elif rest or (taken and rows + job.count > self.limits.together):
                    rest.append(job)
                else:
                    taken.append(job)
                    rows += job.count
            if rest:
                self.groups[key] = rest  # behind the others
            if taken:
                return taken
        return []

    def _deliver(self, jobs: list[Job], done: asyncio.Future[list[Answer | Exception]]) -> None:
        """Give each its answer, and begin with the next ones, whatever happened: a lane that doesn't go on is lost."""
        self.waiting -= sum(job.count for job in jobs)
        panic = done.exception()  # of polars, for one, which is no Exception
        for job, answer in zip(jobs, done.result() if panic is None else [panic] * len(jobs), strict=True):
            if job.future.done():
                continue
            if isinstance(answer, BaseException):
                job.future.set_exception(answer)
            else:
                job.future.set_result(answer)
        self._next()


def _answers(jobs: list[Job]) -> list[Answer | Exception]:
    """The answer of each job, or what it raised; together if there are several, and if that fails each by itself."""
    if len(jobs) > 1:
        together: list[Answer] | Exception = _tried(
            lambda: list(_split(jobs[0].call(_joined([job.rows for job in jobs])), [job.count for job in jobs]))
        )
        if not isinstance(together, Exception):
            return list(together)  # else some of them are at fault, and are told so when each is tried by itself
    return [_tried(partial(job.call, job.rows)) for job in jobs]


def _tried(work: Callable[[], Any]) -> Any:
    """What came of work, or what it raised."""
    try:
        return work()
    except Exception as error:
        return error


def _joined(parts: list[Any]) -> Any:
    """Arrays, tables or lists of rows, one behind the other."""
    import polars as pl

    if isinstance(parts[0], pl.DataFrame):
        return pl.concat(parts)
    return [row for part in parts for row in part] if isinstance(parts[0], list) else np.concatenate(parts)


def _split(answer: Answer, counts: list[int]) -> list[Answer]:
    """The answer of each of them, of so many rows."""
    ends = np.cumsum(counts).tolist()
    places = [slice(end - count, end) for count, end in zip(counts, ends, strict=True)]
    return [{name: column[place] for name, column in answer.items()} for place in places]
