"""Where in a series an alarm was raised: stretches of steps, the channels to blame, and what seems to be the matter, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import find_objects, label

from hourglass.data.record import in_time, when
from hourglass.kinds.windows import Windows, dominant_period
from hourglass.parts.beats import Judged

if TYPE_CHECKING:
    import polars as pl

OF_PEAK = 0.5  # of an alarm's highest error: what belongs to its stretch
CLEAR = 1.0  # standard deviations that the highest error has to reach, for a stretch to be narrowed down
MOST = 3  # stretches of a row, unless asked otherwise; and channels that an event names
SHARED = 0.1  # of the blame, from which on a channel is named beside the first
BRIEF = 3  # samples that a spike has at most
BRUNT = 0.9  # of the squared error, that a spike has in so few
LEVEL, NOISE, GAIN, SIMILAR = 1.2, 2.0, 1.3, 0.8  # from where on an error is one of level, of noise, of gain in a similar shape
ROUNDS = 5  # of weighted least squares
GAINS = 0.5, 2.0  # that the copy of a window can be given
WIDESPREAD = 0.2  # of a record that is alarming, from where on its rate is looked at
OTHER_RATE = 0.1  # by which its period then differs
LONGEST = 200  # windows of an event that are looked at
LARGE, HUGE = 1e12, 1e100  # values above the first are squared in double precision, and count as the second at most
Floats = NDArray[np.floating[Any]]


class Stretch(NamedTuple):
    """Steps from ``start`` to before ``end`` of a channel."""

    start: int
    end: int
    peak: int
    channel: int
    share: float
    reason: str


class Seen(NamedTuple):
    """What is known of each step of a piece of a series, by channel (channels, time)."""

    values: Floats  # in the units of the data
    expected: Floats
    errors: Floats  # in standard deviations of a usual step's logarithm
    runs: Floats
    usual: Floats  # (2, channels) longest run of missing, and of equal samples


def seen_in(detector: Any, values: torch.Tensor) -> list[Seen]:
    """What is known of the steps of windows (n, channels, time) in the units of the data."""
    kind, some = detector.kind_, values.to(detector._device)
    if values.nan_to_num(0).abs().max() > LARGE:
        some = some.double().clamp(-HUGE, HUGE)
    watch = detector._model_for(some.dtype)
    with torch.inference_mode():
        x = watch.scaling(some)
        copies, distance = watch.rebuilt(x)
        if kind.scale == "window":
            copies = fitted(x, copies)
        judged: Judged = watch.alarm.judge(x, copies, distance)
        expected = in_units(kind, watch.scaling, copies, some)
    errors, runs = judged.errors.cpu().numpy(), judged.runs.cpu().numpy()
    found = zip(values.numpy(), expected.cpu().numpy(), errors, runs, strict=True)
    return [Seen(*some, watch.alarm.usual.cpu().numpy()) for some in found]


def fitted(x: torch.Tensor, copies: torch.Tensor) -> torch.Tensor:
    """Copies (n, channels, time) with the gain and the offset that fit most of x: what is strange in it has moved its own.

    Least squares with weights 1 / (1 + (r / s)^2), of residuals r and their median s, in a few rounds (Holland and Welsch, "Robust
    regression using iteratively reweighted least-squares", 1977).
    """
    known = ~(x.isnan() | copies.isnan())
    y, c = x.nan_to_num(0), copies.nan_to_num(0)
    weights, found = known.to(x.dtype), copies
    for _ in range(ROUNDS):
        total = weights.sum(2, keepdim=True).clamp(min=1e-9)
        mean_y, mean_c = (weights * y).sum(2, keepdim=True) / total, (weights * c).sum(2, keepdim=True) / total
        spread = (weights * (c - mean_c).square()).sum(2, keepdim=True).clamp(min=1e-9)
        gain = (weights * (y - mean_y) * (c - mean_c)).sum(2, keepdim=True) / spread
        found = mean_y + gain.clamp(*GAINS) * (copies - mean_c)
        off = (x - found).abs()
        usual = off.nanmedian(2, keepdim=True).values.nan_to_num(1.0).clamp(min=1e-3)
        weights = known / (1 + (off.nan_to_num(0) / usual).square())
    return found


def in_units(kind: Any, scaling: Any, x: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Scaled windows (n, channels, time) in the units of the data; those scaled each by itself get level and gain of ``values``."""
    if kind.scale == "channel":
        return scaling.inverse(x)  # type: ignore[no-any-return]
    centre = values.nanmean(2, keepdim=True)
    return x * (values - centre).square().nanmean(2, keepdim=True).sqrt() + centre


def stretches(seen: Seen, channels: tuple[str, ...], most: int | None = None) -> list[Stretch]:
    """The strangest stretches of a window: neighbouring steps of at least `OF_PEAK` of its highest error, the channels apart."""
    strange = np.maximum(seen.errors, seen.runs)
    peak = strange.max()
    labels, _ = label(strange >= OF_PEAK * peak, [[0, 0, 0], [1, 1, 1], [0, 0, 0]])
    places = find_objects(labels)
    blame = np.array([weight(strange[place][labels[place] == i + 1]) for i, place in enumerate(places)])
    found = []
    for i in np.argsort(-blame, kind="stable")[: MOST if most is None else most]:
        rows, steps = places[i]
        own = strange[rows, steps][0]
        share = float(blame[i] / blame.sum())
        found.append(stretch(seen, channels, rows.start, (steps.start, steps.stop, steps.start + int(own.argmax())), share))
    return found


def stretch(seen: Seen, channels: tuple[str, ...], channel: int, place: tuple[int, int, int], share: float) -> Stretch:
    """A stretch of a channel, whose start, end and peak are given, with what is the matter with it."""
    start, end, peak = place
    name = f"{channels[channel]}: " if len(channels) > 1 else ""
    return Stretch(start, end, peak, channel, share, name + matter(seen, channel, slice(start, end)))


def weight(strange: Floats) -> float:
    """How much strange steps are to blame: their relative squared errors, added up."""
    return float(np.exp(np.minimum(2 * strange, 60.0)).sum())


def matter(seen: Seen, channel: int, steps: slice) -> str:
    """What is the matter with a channel's steps, in words."""
    values, expected = (some[channel, steps].astype(np.float64) for some in (seen.values, seen.expected))
    n, runs = len(values), seen.runs[channel, steps]
    known = ~np.isnan(values)
    if known.mean() < 0.5:
        return f"no values for {n:,} samples, usual are at most {seen.usual[0, channel]:,.0f}"
    if runs.max() >= 1 and np.mean(np.diff(values[known]) == 0) > 0.5:
        return f"a flat line at {values[known][n // 2 if n // 2 < known.sum() else 0]:.4g} for {n:,} samples"
    both = known & np.isfinite(expected)
    if not both.any():
        return "nothing to compare with"
    off = values[both] - expected[both]
    at = int(np.abs(off).argmax())
    off /= abs(off[at]) or 1.0  # so that no square is too large
    if n <= BRIEF or np.sort(np.square(off))[-BRIEF:].sum() > BRUNT * np.square(off).sum():
        return f"a spike to {values[both][at]:.4g}, expected {expected[both][at]:.4g}"
    if abs(off.mean()) > LEVEL * off.std():
        return f"its level is {values[both].mean():.4g}, expected {expected[both].mean():.4g}"
    return _shape(values[both], expected[both])


def _shape(values: Floats, expected: Floats) -> str:
    """What differs in shape: more noise, less or more gain, or something else."""
    scale = max(np.abs(values).max(), np.abs(expected).max()) or 1.0  # so that no square is too large
    both = values / scale, expected / scale
    rough, usual = (float(np.std(np.diff(some, 2))) if len(some) > 3 else 0.0 for some in both)
    if rough > NOISE * usual > 0:
        return f"it is {rough / usual:,.1f} times as rough as expected"
    a, b = (some - some.mean() for some in both)
    power = float(np.sqrt((a @ a) * (b @ b)))
    if power > 0 and a @ b / power > SIMILAR:
        gain = float(np.sqrt((a @ a) / (b @ b)))
        if gain > GAIN or gain < 1 / GAIN:
            return f"its swing is {gain:.2g} times the expected one"
    reach, usual_reach = (f"{some.min():.4g} to {some.max():.4g}" for some in (values, expected))
    return f"another shape: it goes from {reach}, expected {usual_reach}"


def stretched(detector: Any, strange: Any, rows: NDArray[np.intp], p_values: Floats, most: int | None) -> pl.DataFrame:
    """A line for each of at most ``most`` stretches of each strange row, the strangest first."""
    import polars as pl

    kind, lines = detector.kind_, []
    looked = seen_in(detector, kind.to_tensor(strange)) if len(rows) else []
    for row, p_value, seen in zip(rows, p_values, looked, strict=True):
        for one in stretches(seen, kind.channels, most):
            there = (one.channel, one.peak)
            words = {"channel": kind.channels[one.channel], "reason": f"samples {one.start}-{one.end - 1}: {one.reason}"}
            observed = {"observed": float(seen.values[there]), "expected": float(seen.expected[there])}
            lines.append({"row": int(row), "p_value": float(p_value), **one._asdict(), **words, **observed})
    schema = {"row": pl.Int64, "p_value": pl.Float64, "channel": pl.String, "start": pl.Int64, "end": pl.Int64, "peak": pl.Int64}
    schema |= {"share": pl.Float64, "observed": pl.Float64, "expected": pl.Float64, "reason": pl.String}
    return pl.DataFrame(lines, schema=schema)


# Of records


def alarming(scores: Floats, threshold: float, gap: int) -> list[tuple[int, int]]:
    """Stretches (start, end) of steps above a threshold; nearer than ``gap``, two are one."""
    above = np.flatnonzero(scores > threshold)
    if not len(above):
        return []
    cuts = np.flatnonzero(np.diff(above) > gap)
    return list(zip(above[np.r_[0, cuts + 1]].tolist(), (above[np.r_[cuts, len(above) - 1]] + 1).tolist(), strict=True))


def events(detector: Any, windows: Windows, scores: Floats, most: int | None = None) -> pl.DataFrame:
    """A line for each event of a record whose steps have these scores, in the order of time."""
    import polars as pl

    kind, record = detector.kind_, windows.record
    rough = alarming(scores, -detector.offset_, windows.window // 2)
    other = other_rate(kind, record.values, sum(b - a for a, b in rough))
    if most is not None:
        rough = sorted(sorted(rough, key=lambda ends: -scores[slice(*ends)].max())[:most])
    lines, order = [], in_time(record)
    for start, end in rough:
        one = _event(detector, windows, start, end)
        highest = float(scores[start:end].max())
        names = [kind.channels[c] for number, (c, share) in enumerate(one.channels[:MOST]) if share >= SHARED or number == 0]
        first, last, peak = _rows(record.place, order, one)
        lines.append(
            {
                "start": int(order[first]),
                "end": int(order[last]) + 1,
                "peak": int(order[peak]),
                "time": when(record, one.start),
                "score": highest,
                "p_value": float(detector._p_values(np.array([highest]))[0]),
                "channels": ", ".join(names),
                "share": one.channels[0][1],
                "reason": other or one.reason,
            }
        )
    schema = {"start": pl.Int64, "end": pl.Int64, "peak": pl.Int64, "time": pl.String, "score": pl.Float64, "p_value": pl.Float64}
    return pl.DataFrame(lines, schema=schema | {"channels": pl.String, "share": pl.Float64, "reason": pl.String})


def with_events(detector: Any, frame: pl.DataFrame, windows: Windows, scores: Floats) -> pl.DataFrame:
    """The frame of rows with an alarm wherever an event is, the number of that event, and at its first row its reason.

    The scores are those of the steps of the record.
    """
    import polars as pl

    number, order = np.zeros(frame.height, np.int64), in_time(windows.record)
    rank = np.argsort(order)
    found = events(detector, windows, scores).select("start", "end", "reason")
    for event, (start, end, _) in enumerate(found.iter_rows(), 1):
        number[order[rank[start] : rank[end - 1] + 1]] = event
    reasons = pl.repeat(None, frame.height, dtype=pl.String, eager=True).alias("reason1").scatter(found["start"], found["reason"])
    return frame.with_columns(pl.Series("alarm", number > 0), pl.Series("event", number).replace(0, None), reasons)


def _rows(place: NDArray[np.intp] | None, order: NDArray[np.intp], event: _Event) -> tuple[int, int, int]:
    """The first, the last and the highest row of an event, by their number in the order of time; if it has none, the next one."""
    if place is None:
        return event.start, event.end - 1, event.peak
    first, until, peak = (int(np.searchsorted(place, step, sorter=order)) for step in (event.start, event.end, event.peak))
    twins = int(np.searchsorted(place, place[order[peak]], "right", sorter=order))  # of them the last one counts
    last = max(until - 1, first)
    return first, last, min(twins - 1, last)


class _Event(NamedTuple):
    start: int
    end: int
    peak: int
    channels: list[tuple[int, float]]  # each with its share of the blame, the largest first
    reason: str


def _event(detector: Any, windows: Windows, start: int, end: int) -> _Event:
    """The event that the steps from ``start`` to ``end`` are the alarms of: narrowed down to where the error is high."""
    seen = _piece(detector, windows, start, end)
    strange = np.maximum(seen.errors, seen.runs)  # (channels, time)
    of_steps = strange.max(0)
    high = np.flatnonzero(of_steps >= max(OF_PEAK * of_steps.max(), CLEAR)) if of_steps.max() >= CLEAR else np.arange(len(of_steps))
    inner = slice(int(high[0]), int(high[-1]) + 1)
    blame = np.array([weight(channel[inner]) for channel in strange])
    order = np.argsort(-blame, kind="stable")
    shares = [(int(c), float(blame[c] / blame.sum())) for c in order]
    peak = int(of_steps.argmax())
    told = stretch(seen, detector.kind_.channels, int(order[0]), (inner.start, inner.stop, peak), shares[0][1])
    return _Event(start + inner.start, start + inner.stop, start + peak, shares, told.reason)


def _piece(detector: Any, windows: Windows, start: int, end: int) -> Seen:
    """What is known of the steps of a stretch: of each the least error that a window around it finds."""
    mine = windows.starts[slice(*np.searchsorted(windows.starts, (start - windows.window + 1, end)))]
    every = max(len(mine) // LONGEST, 1)
    some = windows.at(mine[::every])
    values = detector.kind_.to_tensor(some)
    looked = seen_in(detector, values)
    shape = (values.shape[1], end - start)
    found = Seen(
        windows.record.values[start:end].T, np.full(shape, np.nan), np.full(shape, np.inf), np.zeros(shape), looked[0].usual
    )
    for begin, one in zip(some.starts, looked, strict=True):
        a, b = max(begin, start), min(begin + windows.window, end)
        there, here = slice(a - start, b - start), slice(a - begin, b - begin)
        less = one.errors[:, here] < found.errors[:, there]
        found.errors[:, there] = np.where(less, one.errors[:, here], found.errors[:, there])
        found.expected[:, there] = np.where(less, one.expected[:, here], found.expected[:, there])
        found.runs[:, there] = np.maximum(found.runs[:, there], one.runs[:, here])
    found.errors[np.isinf(found.errors)] = -np.inf
    return found


def other_rate(kind: Any, values: Floats, alarms: int) -> str:
    """What to say of a record that is alarming all over, with another period than the one that was learned from; else nothing."""
    if not kind.period or alarms < WIDESPREAD * len(values):
        return ""
    period = dominant_period(values)
    if not period or abs(period / kind.period - 1) < OTHER_RATE:
        return ""
    return (
        f"its period is {period:.4g} samples, that of the training {kind.period:.4g}: is the sampling rate "
        f"{period / kind.period:.3g} times the one that was learned from?"
    )
