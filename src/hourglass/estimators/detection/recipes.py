"""How a detector is made: of tables by an ensemble, of pictures by maps, of series by a memory, of all by an estimator."""

from __future__ import annotations

import copy
import dataclasses
import math
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import clone
from torch import Tensor, nn

from hourglass.errors import DataError, ParameterError
from hourglass.estimators.detection import beats, members, pictures
from hourglass.estimators.detection.beats import SeriesWatch
from hourglass.estimators.detection.judges import JUDGES, blank_column_alarm, blank_map_alarm, column_alarm, rank
from hourglass.estimators.detection.pictures import MapWatch
from hourglass.estimators.detection.watch import WIDEST, Watch
from hourglass.estimators.fitted import rows_at_once
from hourglass.estimators.variational import VariationalAutoencoder
from hourglass.kinds import KINDS, Series, infer, kind_name, length, taken
from hourglass.kinds.base import require_rows
from hourglass.kinds.windows import Windows
from hourglass.parts import Variational
from hourglass.parts.base import one_of
from hourglass.parts.scaling import scaled
from hourglass.training import Epoch

MOST_KEPT = 5000  # rows, or thumbnails, that the distance is measured to
MOST_WINDOWS = 2000  # of a record, the same: a day of it is to be scored in a minute
MOST_REFERENCES = 50_000  # rows held out whose scores are kept
WAIST = Variational(16, beta=0.2, warmup=0.3)  # of rows of symbols: with more codes strange ones are rebuilt as well
TRIMMED = 0.1  # of contaminated training rows: what is usual is told by the others
ALIKE = 0.03  # of the windows of a record begin at about the same point of what goes on in it
DOUBTED = 0.2  # of contaminated training rows of a table: the ensemble learns from the others
FEWEST = 10  # rows of which some can be held out
HOLDS_OUT = 5  # one row of so many
Rows = NDArray[np.intp]


class Recipe(NamedTuple):
    """One way to make what a detector holds."""

    fit: Callable[[Any, Any, torch.Generator], Watch]  # of a detector, whose kind and history it sets, and raw data
    blank: Callable[[Any, dict[str, Any], dict[str, Tensor]], Watch]  # as a file's header and tensors want it, to be filled


def of(detector: Any, raw: Any) -> Recipe:
    """The recipe for a detector and its training rows."""
    if detector.estimator is not None:
        _require_no_features(detector, "an estimator, which has its own networks")
        return RECIPES["estimator"]
    kind = one_of(kind_name(detector.kind) or infer(raw).kind, KINDS, "kind", type(detector).__name__).name
    if kind != "image":
        _require_no_features(detector, {"table": "a table", "series": "series"}.get(kind, "rows of symbols"))
    return RECIPES["estimator" if KINDS[kind].symbolic else kind]


def of_file(header: dict[str, Any]) -> Recipe:
    """The recipe that a model file was made by."""
    return RECIPES["estimator" if header["inner"] is not None else header["kind"]["kind"]]


def _require_no_features(detector: Any, what: str) -> None:
    if detector.features is not None:
        raise ParameterError(f"The 'features' parameter of {type(detector).__name__} is for images. It can't stand before {what}.")


def _most_kept(detector: Any) -> int:
    """How many rows, or thumbnails, the distance is measured to."""
    return MOST_KEPT if detector.neighbours is None else int(detector.neighbours)


# Tables: an ensemble, each row new to one of its members


def _fit_members(detector: Any, raw: Any, generator: torch.Generator) -> Watch:
    detector._learn_kind(raw, "table", fewest=2 * members.MEMBERS, timeless=True)
    values = detector._learned_from(raw)
    scaling = detector.kind_.scaling(values, squashed=True).to(detector._device)
    x = scaled(lambda some: scaling(some.double()), values)
    del values
    watch, rows, errors = _watch_members(detector, x, scaling, generator)
    if detector.contaminated:
        order = _scores_of(watch, x, rows, errors).argsort(stable=True)  # the strangest last
        learned, usual = (math.ceil(len(x) * (1 - share)) for share in (DOUBTED, TRIMMED))
        watch, *_ = _watch_members(detector, x[order[:learned]], scaling, generator, x[order[learned:usual]])
    return watch


def _watch_members(
    detector: Any, x: Tensor, scaling: Any, generator: torch.Generator, aside: Tensor | None = None
) -> tuple[Watch, Tensor, Tensor]:
    """Train the members on rows x (n, elements); also the rows (m,) held out, and their errors (m, columns).

    Rows ``aside`` (m, elements) are usual as well, but nothing is learned from them.
    """
    model = members.build(detector.kind_, scaling, generator)
    max_epochs = detector.max_epochs or members.PLAN.max_epochs
    plan = dataclasses.replace(members.PLAN, max_epochs=max_epochs, max_seconds=detector.max_seconds)
    trainer, folds = members.trainer(model, x, plan, generator)
    detector._adopt(model)
    detector._train(trainer, detector._asked_to_stop)
    chosen = torch.randperm(len(x), generator=generator, device=x.device)[: _most_kept(detector)]
    usual = x if aside is None else torch.cat([x, aside])
    watch = members.EnsembleWatch(model, column_alarm(detector, usual, x[chosen], scaling))
    most = len(x) if detector.contaminated else MOST_REFERENCES // members.MEMBERS
    held_out = members.side_by_side([fold[:most] for fold in folds])
    with torch.inference_mode():
        errors = _calibrate(watch, usual, len(x), held_out, chosen)
    return watch, held_out.flatten(), errors


def _calibrate(watch: members.EnsembleWatch, usual: Tensor, n: int, held_out: Tensor, chosen: Tensor) -> Tensor:
    """Let the alarm learn how strange rows held out are; also their errors (m, columns).

    Of the usual rows (all, elements), members learned from the first n, of which the ``chosen`` are kept. Each is judged as if it
    had no part in the scaling.
    """
    alarm, rows, at_once = watch.alarm, held_out.flatten(), rows_at_once(watch.model.shape, WIDEST)
    by_others = partial(watch.scaling.by_others, count=(~usual.isnan()).sum(0))
    errors = torch.cat([watch.errors_out_of_fold(by_others(usual[part])) for part in torch.split(held_out, at_once)])
    rest = torch.split(usual[n:], at_once) if n < len(usual) else ()
    aside = [(part, watch.errors(by_others(part))) for part in rest]
    with alarm.of_the_others(usual):
        alarm.calibrate(usual[rows], errors)
        _refer_to_sorts(watch, usual[rows], errors, torch.isin(rows, chosen), at_once)
        for part, its_errors in aside:
            alarm.add_references(alarm(part, its_errors))
    return errors


def _refer_to_sorts(watch: members.EnsembleWatch, x: Tensor, errors: Tensor, kept: Tensor, at_once: int) -> None:
    """Let rows x (m, elements) that all members know by their likes have the score that these will have when they come.

    Among few sorts of rows, each is many rows with the same score: were it not quite that of the reference, all would be taken for
    stranger than their likes, or none. It is told in double precision, as most rows will come in it. Of the likes of a row that is
    itself ``kept`` (m,), a new one finds one more to be compared with: else those with a single like would be strange too often.
    """
    which, one, known = members.sorts(x)
    if not known.any():
        return
    exact = copy.deepcopy(watch).double()

    def scores() -> Tensor:
        of_sorts = x.new_zeros(len(one))
        of_sorts[known] = torch.cat([exact(part.double()).float() for part in torch.split(x[one[known]], at_once)])
        return torch.where(known[which], of_sorts[which], watch.alarm(x, errors))

    found, twins = scores(), kept & (which.bincount()[which] > 1)
    near, exactly = watch.alarm.neighbours, exact.alarm.neighbours
    if near and exactly and twins.any():
        with near.one_further(), exactly.one_further():
            found = torch.where(twins, scores(), found)
    watch.alarm.reference = found.sort().values


def _scores_of(watch: Watch, x: Tensor, rows: Tensor, errors: Tensor) -> Tensor:
    """Scores (n,) of rows x (n, elements), of which some were held out, with these errors (m, columns)."""
    with torch.inference_mode():
        scores = x.new_full((len(x),), -torch.inf)
        scores[rows] = watch.alarm(x[rows], errors)
        if (left := scores.isneginf()).any():  # a fold may have a row more than others
            scores[left] = watch(x[left])
    return scores


def _blank_members(detector: Any, header: dict[str, Any], tensors: dict[str, Tensor]) -> Watch:
    scaling = detector.kind_.scaling()
    model = members.build(detector.kind_, scaling, torch.Generator())
    return members.EnsembleWatch(model, blank_column_alarm(detector, header, scaling))


# All others: one of `HOLDS_OUT` rows held out


def _hold_out(
    make: Callable[[Any, Any, Rows, Rows, int], Watch], detector: Any, raw: Any, generator: torch.Generator, rows: Any = None
) -> Watch:
    """The watch that ``make`` makes of raw data, with a fifth of the rows held out.

    ``rows`` are those rows where they are not the data as it came: windows of a record.
    """
    rows = raw if rows is None else rows
    require_rows(rows, FEWEST)
    if isinstance(rows, Windows):
        learned, held_out = beats.parted(rows)
    else:
        n = length(rows)
        order = torch.randperm(n, generator=generator, device=generator.device).cpu().numpy()
        held_out, learned = np.sort(order[: n // HOLDS_OUT]), np.sort(order[n // HOLDS_OUT :])
    seed = int(torch.randint(2**31, (1,), generator=generator, device=generator.device))
    watch = make(detector, raw, learned, held_out, seed)
    if detector.contaminated:
        detector._adopt(watch)
        learned, held_out = (_least(some, _row_scores(detector, taken(rows, some))) for some in (learned, held_out))
        watch = make(detector, raw, learned, held_out, seed)
    return watch


def _row_scores(detector: Any, rows: Any) -> NDArray[np.floating[Any]]:
    """How strange rows are (n,), of a long record its windows, of a tune its strangest window."""
    scores: NDArray[np.floating[Any]] = detector._collect(rows, lambda watch, x: watch(x).double()).numpy()
    tunes = detector.kind_.origins(rows).get("tune")
    if tunes is None:
        return scores
    strangest = np.full(length(rows), -np.inf)
    np.maximum.at(strangest, tunes, scores)
    return strangest


def _least(index: Rows, scores: NDArray[np.floating[Any]]) -> Rows:
    """The rows of those numbers without the strangest."""
    return np.sort(index[np.argsort(scores, kind="stable")[: math.ceil(len(index) * (1 - TRIMMED))]])


def _watch_pictures(detector: Any, raw: Any, learned: Rows, held_out: Rows, seed: int) -> Watch:
    generator, device = detector._generator(seed), detector._device
    detector._learn_kind(raw, "image")
    kind, scaling = detector.kind_, detector.kind_.scaling()
    front, shape = pictures.front_of(kind, _own(detector.features), type(detector).__name__)
    task = pictures.Task(kind, front.to(device), shape, partial(rank, detector), _most_kept(detector))
    with torch.no_grad():
        x, aside = (scaling(kind.to_tensor(taken(raw, some)).to(device)).float() for some in (learned, held_out))
        if detector.features is not None:
            pictures.standardise(front, x)
        watch, detector.history_ = pictures.learn(task, x, aside, generator)
    return watch.eval()


def _own(features: nn.Module | None) -> nn.Module | None:
    """A copy of a user's network that will learn nothing more."""
    return None if features is None else copy.deepcopy(features).cpu().eval().requires_grad_(False)


def _blank_pictures(detector: Any, header: dict[str, Any], tensors: dict[str, Tensor]) -> Watch:
    kind = detector.kind_
    front, shape = pictures.front_of(kind, _own(detector.features), type(detector).__name__)
    model, inverse = pictures.blank(kind, shape, len(tensors["model.encoder.1.weight"]))
    return MapWatch(model, blank_map_alarm(detector, header, tensors), front, inverse)


# Series: a memory of what is usual


def _fit_series(detector: Any, raw: Any, generator: torch.Generator) -> Watch:
    if detector.neighbours == 0:
        raise ParameterError(
            "The 'neighbours' parameter of AnomalyDetector can't be 0 for series, which are compared with those remembered. "
            "Give an estimator, such as Autoencoder(8, kind='series'), whose file holds none of the data."
        )
    began = time.perf_counter()
    detector._learn_kind(raw, detector.kind if isinstance(detector.kind, Series) else "series")
    kind = detector.kind_
    if not kind.of_record and getattr(detector.kind, "scale", None) is None:
        kind = detector.kind_ = dataclasses.replace(kind, scale="window")
    with torch.no_grad():
        watch = (_remember_windows if kind.of_record else _remember_rows)(detector, kind.opened(raw), generator)
    seconds = time.perf_counter() - began
    error = float(torch.exp(2 * watch.alarm.centre[0])) * math.prod(kind.shape) / 2  # nats of a window, for its mean squared error
    detector.history_ = [dataclasses.asdict(Epoch(1, error, error, seconds, length(raw) / seconds, 0.0))]
    return watch


def _remember_rows(detector: Any, raw: Any, generator: torch.Generator) -> Watch:
    values = detector.kind_.to_tensor(raw).to(detector._device)
    if len(values) < beats.FEWEST:
        raise DataError(f"Found {len(values)} rows, while a minimum of {beats.FEWEST} is required to tell what is usual.")
    scaling = detector.kind_.scaling(values)
    x, most = scaled(scaling, values), detector.neighbours or MOST_KEPT
    watch, scores = beats.learn_rows(scaling, x, most, generator, _beyond(detector))
    if detector.contaminated:
        usual = torch.from_numpy(_least(np.arange(len(x)), scores.cpu().numpy()))
        watch, _ = beats.learn_rows(scaling, x[usual], most, generator, _beyond(detector))
    return watch


def _remember_windows(detector: Any, windows: Windows, generator: torch.Generator) -> Watch:
    most = detector.neighbours or MOST_WINDOWS

    def learned(some: Windows) -> tuple[SeriesWatch, beats.Blocks]:
        scaling = detector.kind_.scaling(torch.from_numpy(some.covered().T[None])).to(detector._device)
        return beats.learn_record(scaling, some, most, generator, _beyond(detector))

    watch, blocks = learned(windows)
    if detector.contaminated:
        scores = beats.window_scores(watch, windows, blocks)
        watch, _ = learned(windows[_least(np.arange(len(windows)), scores.cpu().numpy())])
    return watch


def _beyond(detector: Any) -> float:
    """Of what is remembered, the share that is nearer than what a window is compared with."""
    share = TRIMMED * ALIKE if detector.kind_.of_record else TRIMMED
    return share if detector.contaminated else 0.0


def _blank_series(detector: Any, header: dict[str, Any], tensors: dict[str, Tensor]) -> Watch:
    return beats.blank(detector.kind_, tensors, _beyond(detector))


# An estimator's own model


def _fit_estimator(detector: Any, raw: Any, generator: torch.Generator) -> Watch:
    if not _of_series(detector, raw):
        return _hold_out(_watch_estimator, detector, raw, generator)
    if detector.neighbours:
        raise ParameterError(
            "The 'neighbours' parameter of AnomalyDetector is not for an estimator of series, which are compared with what it "
            "makes of them. Leave one of the two out."
        )
    alike = clone(detector.estimator)
    alike._learn_kind(raw, alike.kind)
    return _hold_out(_watch_estimator, detector, raw, generator, alike.kind_.opened(raw))


def _of_series(detector: Any, raw: Any) -> bool:
    return detector.estimator is not None and (kind_name(detector.estimator.kind) or infer(raw).kind) == "series"


def _watch_estimator(detector: Any, raw: Any, learned: Rows, held_out: Rows, seed: int) -> Watch:
    estimator = clone(detector.estimator if detector.estimator is not None else _of_symbols(detector))
    if estimator.get_params()["random_state"] is None:
        estimator.set_params(random_state=seed)
    if _of_series(detector, raw):
        detector.estimator_ = estimator._fit(raw, timeless=True, only=learned)
        raw = estimator.kind_.opened(raw)
    else:
        detector.estimator_ = estimator._fit(taken(raw, learned), timeless=True)
    detector.kind_, detector.history_ = estimator.kind_, estimator.history_
    detector._learn_names(raw)
    if detector.device is not None:  # where alarms are raised, wherever it was trained
        estimator.device = detector.device
        estimator._adopt(estimator.model_)

    judge = JUDGES[detector.kind_.family]
    with torch.inference_mode():
        x = estimator._collect(taken(raw, learned), lambda _, x: judge.seen(x.float())).to(detector._device)
        others = taken(raw, held_out)
        aside = estimator._collect(others, lambda _, x: x.float()).to(detector._device)
        return judge.learn(detector, x, aside, others, detector._generator(seed))


def _of_symbols(detector: Any) -> Any:
    """What rebuilds rows of symbols unless there is an estimator."""
    asked = {name: getattr(detector, name) for name in ("kind", "max_epochs", "max_seconds", "device", "callbacks", "verbose")}
    return VariationalAutoencoder(WAIST, decoder="recurrent", **asked)


def _blank_estimator(detector: Any, header: dict[str, Any], tensors: dict[str, Tensor]) -> Watch:
    return JUDGES[detector.kind_.family].blank(detector, header, tensors)


RECIPES = {
    "table": Recipe(_fit_members, _blank_members),
    "image": Recipe(partial(_hold_out, _watch_pictures), _blank_pictures),
    "series": Recipe(_fit_series, _blank_series),
    "estimator": Recipe(_fit_estimator, _blank_estimator),
}
