"""The alarm bell: trained on usual rows, it tells which new ones are not."""

from __future__ import annotations

import dataclasses
import math
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import false_discovery_control
from sklearn.base import OutlierMixin, clone
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from hourglass import storage
from hourglass.errors import DataError, HourglassWarning, ParameterError
from hourglass.estimators import members
from hourglass.estimators.base import BaseAutoencoder
from hourglass.estimators.blame import Cells, explained, judged
from hourglass.estimators.drift import Drift, compare
from hourglass.estimators.fitted import Fitted, rows_at_once
from hourglass.estimators.parameters import is_rate, seed_from
from hourglass.estimators.watch import WIDTH, Watch
from hourglass.kinds import as_raw, infer, length, taken
from hourglass.parts.alarm import Alarm

if TYPE_CHECKING:
    import polars as pl

FEWEST = 30  # rows below which a warning says that little can be promised
MOST_KEPT = 5000  # rows that the distance is measured to
MOST_REFERENCES = 50_000  # rows held out whose scores are kept
FIFTH = 5  # rank of the kept row that the distance is measured to, where some may be strange
TRIMMED = 0.1  # of contaminated training rows
Numbers = NDArray[np.floating[Any]]


class AnomalyDetector(OutlierMixin, Fitted):  # type: ignore[misc]
    """Learn what is usual, and flag what is not, at a promised rate of false alarms.

    Of tables it learns, unless given an estimator, to rebuild each column from the others. Three members of an ensemble share the
    rows out, so that every row is new to one of them; the errors on new rows say which errors are usual. Beside the errors count
    the distance to the nearest training row, and how far a row lies outside the range of the training rows.

    Parameters
    ----------
    estimator : Autoencoder, optional
        What rebuilds the rows; its error of reconstruction is the score, measured against rows that are held out of its training.
    alarm_rate : float or "auto", default="auto"
        The share of usual rows that may raise an alarm, above 0 and at most 0.5. "auto" is 0.01 with 1,000 training rows or more,
        else 0.05.
    contamination : float or "auto", default="auto"
        As in scikit-learn: this share of the training rows is flagged. It then takes the place of ``alarm_rate``.
    neighbours : int, optional
        How many training rows are kept, to measure the distance to. 0 keeps none, and a model file then holds no row of the data.
        Unless given, at most 5,000 for the ensemble, and none for an estimator.
    contaminated : bool, default=False
        Whether up to a tenth of the training rows may be strange themselves. Training is then done twice, the second time without
        the strangest tenth, which is left out of what is usual as well, and the distance is that to the fifth nearest row: a few
        strange rows that remain then don't make their likes look usual.
    columns : dict of str to str, optional
        What columns of a table are, where it is not to be found out: "numeric", "boolean", "categorical", "datetime", "left out".
        For the ensemble; an estimator has its own.
    max_epochs : int, optional
        How often 100 batches are learned from, by the ensemble: 20 times unless given.
    max_seconds : float, optional
        How long to train the ensemble at most.
    random_state : int, RandomState, Generator or None
        The same seed gives the same numbers.
    verbose : bool, default=False
        Whether to show progress.

    Attributes
    ----------
    offset_ : float
        The score below which a row raises an alarm.
    alarm_rate_ : float
        The rate of false alarms in force.
    estimator_ : Autoencoder or None
        The fitted estimator, if one was given.
    history_ : list of dict
        A record of each epoch.
    n_features_in_ : int
        How many numbers a row has.
    schema_ : polars.DataFrame
        What was decided for each column of a table, and why.

    References
    ----------
    Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World", 2005, section 2.2 (the p-values).

    Examples
    --------
    >>> import numpy as np
    >>> import hourglass as hg
    >>> usual = np.random.default_rng(0).normal(size=(500, 3))
    >>> det = hg.AnomalyDetector(hg.Autoencoder(2, max_epochs=2), alarm_rate=0.05, random_state=0).fit(usual)
    >>> det.predict([[0, 0, 0], [0, 100, 0]])
    array([ 1, -1])
    """

    _widest = WIDTH

    def __init__(
        self,
        estimator: BaseAutoencoder | None = None,
        *,
        alarm_rate: float | str = "auto",
        contamination: float | str = "auto",
        neighbours: int | None = None,
        contaminated: bool = False,
        columns: dict[str, str] | None = None,
        max_epochs: int | None = None,
        max_seconds: float | None = None,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.estimator = estimator
        self.alarm_rate = alarm_rate
        self.contamination = contamination
        self.neighbours = neighbours
        self.contaminated = contaminated
        self.columns = columns
        self.max_epochs = max_epochs
        self.max_seconds = max_seconds
        self.random_state = random_state
        self.verbose = verbose

    # Fitting

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn what is usual.

        Parameters
        ----------
        X : array of shape (n, ...), pandas, polars or pyarrow table, or path
            Usual rows; no labels are needed.
        y : None
            Ignored.

        Returns
        -------
        self

        Raises
        ------
        ParameterError
            A parameter breaks its rule.
        DataError
            The data can't be used.
        """
        self._require_valid()
        raw = as_raw(X)
        generator = torch.Generator().manual_seed(seed_from(self.random_state))
        if self.estimator is None:
            self._fit_members(raw, generator)
        else:
            self._fit_estimator(raw, generator)
        self._set_threshold(raw)
        return self

    def _fit_members(self, raw: Any, generator: torch.Generator) -> None:
        if (kind := infer(raw).kind) != "table":
            raise ParameterError(
                f"AnomalyDetector needs an estimator for data of kind '{kind}', as in AnomalyDetector(Autoencoder(32)). "
                "Got None instead."
            )
        self._learn_kind(raw, "table", fewest=2 * members.MEMBERS, timeless=True)
        self.estimator_: BaseAutoencoder | None = None
        values = self._learned_from(raw)
        scaling = self.kind_.scaling(values, squashed=True)
        x = scaling(values.double()).float()
        del values
        watch, scores = self._watch(x, scaling, generator)
        if self.contaminated:
            least = _least(np.arange(len(x)), scores.numpy())
            watch, _ = self._watch(x[torch.from_numpy(least)], scaling, generator)
        self._adopt(watch)

    def _watch(self, x: Tensor, scaling: Any, generator: torch.Generator) -> tuple[Watch, Tensor]:
        """Train the members on rows x (n, elements); also their scores (n,), as rows that were held out."""
        model = members.build(self.kind_, scaling, generator)
        plan = dataclasses.replace(
            members.PLAN, max_epochs=self.max_epochs or members.PLAN.max_epochs, max_seconds=self.max_seconds
        )
        trainer, folds = members.trainer(model, x, plan, generator)
        self._train(trainer)
        most_kept = MOST_KEPT if self.neighbours is None else self.neighbours
        kept = x[torch.randperm(len(x), generator=generator)[:most_kept]]
        watch = Watch(model, Alarm.learn(self.kind_.column_of, x, kept, self._rank), ensemble=True)
        most = len(x) if self.contaminated else MOST_REFERENCES // members.MEMBERS
        held_out = members.side_by_side([fold[:most] for fold in folds])
        errors = []
        with torch.inference_mode():
            for part in torch.split(held_out, rows_at_once(model.shape, WIDTH)):
                mine = x[part]  # (m, members, elements)
                expected = members.expected_out_of_fold(model, mine, watch.group)
                errors.append(watch.errors(mine.flatten(0, 1), expected.flatten(0, 1)))
            aside = x[held_out.flatten()]
            watch.alarm.calibrate(aside, torch.cat(errors))
            scores = torch.full((len(x),), -torch.inf)
            scores[held_out.flatten()] = watch.alarm(aside, torch.cat(errors))
        return watch, scores

    def _fit_estimator(self, raw: Any, generator: torch.Generator) -> None:
        n = length(raw)
        if n < 10:
            raise DataError(f"Found array with {n} sample(s) (shape={tuple(raw.shape)}) while a minimum of 10 is required.")
        order = torch.randperm(n, generator=generator).numpy()
        held_out, learned = np.sort(order[: n // 5]), np.sort(order[n // 5 :])
        seed = int(torch.randint(2**31, (1,), generator=generator))
        watch = self._watch_estimator(raw, learned, held_out, seed)
        if self.contaminated:
            self._adopt(watch)
            learned, held_out = (_least(some, self._scores(taken(raw, some))) for some in (learned, held_out))
            watch = self._watch_estimator(raw, learned, held_out, seed)
        self._adopt(watch)

    def _watch_estimator(self, raw: Any, learned: NDArray[np.intp], held_out: NDArray[np.intp], seed: int) -> Watch:
        estimator: BaseAutoencoder = clone(self.estimator)
        if estimator.get_params()["random_state"] is None:
            estimator.set_params(random_state=seed)
        self.estimator_ = estimator._fit(taken(raw, learned), timeless=True)
        self.kind_, self.history_, self.n_features_in_ = estimator.kind_, estimator.history_, estimator.n_features_in_
        if hasattr(estimator, "feature_names_in_"):
            self.feature_names_in_ = estimator.feature_names_in_
        with torch.inference_mode():
            x, aside = (estimator._collect(taken(raw, some), lambda _, x: x).float() for some in (learned, held_out))
            alarm = Alarm.learn(self.kind_.column_of, x.flatten(1), x[: self.neighbours or 0].flatten(1), self._rank)
            watch = Watch(estimator.model_, alarm, ensemble=False)
            errors = torch.cat([watch.errors(part) for part in torch.split(aside, rows_at_once(self.kind_.shape, WIDTH))])
            alarm.calibrate(aside.flatten(1), errors)
        return watch

    @property
    def _rank(self) -> int:
        """Of the kept row that distances are measured to."""
        return FIFTH if self.contaminated else 1

    def _require_valid(self) -> None:
        super()._require_valid()
        if self.estimator is not None and not isinstance(self.estimator, BaseAutoencoder):
            raise ParameterError(
                f"The 'estimator' parameter of AnomalyDetector must be an autoencoder or None. Got {self.estimator!r} instead."
            )

    def _set_threshold(self, raw: Any) -> None:
        n = len(self._alarm.reference)
        if n < FEWEST:
            warnings.warn(
                f"Only {n} rows tell what is usual: give at least {FEWEST}, better 1,000, for alarms to be relied on.",
                HourglassWarning,
                stacklevel=3,
            )
        if self.contamination != "auto":
            self.alarm_rate_ = float(self.contamination)
            self.offset_ = float(np.quantile(self.score_samples(raw), self.alarm_rate_))
        else:
            self.set_alarm_rate((0.01 if length(raw) >= 1000 else 0.05) if self.alarm_rate == "auto" else float(self.alarm_rate))

    def set_alarm_rate(self, rate: float) -> Self:
        """Promise another rate of false alarms, without another fit.

        Parameters
        ----------
        rate : float
            The share of usual rows that may raise an alarm, above 0 and at most 0.5.

        Returns
        -------
        self
        """
        check_is_fitted(self)
        if not is_rate(rate):
            raise ParameterError(f"The alarm rate must be a float above 0 and at most 0.5. Got {rate!r} instead.")
        n = len(self._alarm.reference)
        if rate * (n + 1) < 1:
            warnings.warn(
                f"{n} rows are too few to promise an alarm rate of {rate:g}: only rows stranger than all of them raise an alarm, "
                f"a rate of {1 / (n + 1):.2g}. Give at least {int(np.ceil(1 / rate))} rows.",
                HourglassWarning,
                stacklevel=2,
            )
        self.alarm_rate_ = float(rate)
        self.offset_ = -self._alarm.threshold(rate)
        return self

    # Scoring

    def score_samples(self, X: Any) -> Numbers:
        """How usual each row is; higher is more usual.

        Parameters
        ----------
        X : as in ``fit``
            Rows of the fitted shape.

        Returns
        -------
        ndarray of shape (n,)
            The negated score of `Alarm`: standard deviations, about 0 for usual rows.
        """
        return -self._scores(X)

    def _scores(self, X: Any) -> Numbers:
        scores: Numbers = self._collect(X, lambda watch, x: watch(x).double()).numpy()
        return scores

    def decision_function(self, X: Any) -> Numbers:
        """``score_samples`` less ``offset_``: below 0 is an alarm.

        Parameters
        ----------
        X : as in ``fit``
            Rows of the fitted shape.

        Returns
        -------
        ndarray of shape (n,)
        """
        scores: Numbers = self.score_samples(X) - self.offset_
        return scores

    def predict(self, X: Any, *, fdr: float | None = None) -> NDArray[np.intp]:
        """+1 for usual rows, -1 for alarms.

        Parameters
        ----------
        X : as in ``fit``
            Rows of the fitted shape.
        fdr : float, optional
            In place of the alarm rate: at most this share of the alarms is false (Benjamini and Hochberg 1995).

        Returns
        -------
        ndarray of shape (n,)
        """
        if fdr is None:
            return np.where(self.decision_function(X) < 0, -1, 1)
        return np.where(false_discovery_control(self.p_values(X)) <= fdr, -1, 1)

    def p_values(self, X: Any) -> Numbers:
        """The share of usual rows that are at least as strange: of usual rows, a share of at most p has a p-value of at most p.

        Parameters
        ----------
        X : as in ``fit``
            Rows of the fitted shape.

        Returns
        -------
        ndarray of shape (n,)
            Above 0, at most 1.
        """
        return self._p_values(self._scores(X))

    def _p_values(self, scores: Numbers) -> Numbers:
        values: Numbers = self._alarm.p_values(torch.from_numpy(scores)).double().numpy()
        return values

    def alarms(self, X: Any, *, reasons: int = 3) -> pl.DataFrame:
        """A line for each row: its score, and if it raised an alarm, the columns most to blame, in words.

        Parameters
        ----------
        X : as in ``fit``
            Rows of the fitted shape.
        reasons : int, default=3
            How many columns to name; of tables only.

        Returns
        -------
        polars.DataFrame
            row, score (higher is stranger), p_value, alarm, reason1, reason2 ...
        """
        import polars as pl

        raw = self._checked(X)
        scores = self._scores(raw)
        alarm = -scores < self.offset_
        frame = pl.DataFrame({"row": np.arange(len(scores)), "score": scores, "p_value": self._p_values(scores), "alarm": alarm})
        if not reasons or self.kind_.name != "table":
            return frame
        blamed = self._blamed(raw, np.flatnonzero(alarm), scores, reasons)
        for number in range(1, min(reasons, len(self.kind_.names)) + 1):
            mine = blamed.filter(pl.int_range(pl.len()).over("row") == number - 1).select("row", reason=pl.col("reason"))
            frame = frame.join(mine.rename({"reason": f"reason{number}"}), on="row", how="left", maintain_order="left")
        return frame

    def explain(self, X: Any, *, most: int | None = None) -> pl.DataFrame:
        """What raised each alarm: the columns of its row by their share of the score. For tables.

        Parameters
        ----------
        X : as in ``fit``
            Rows of the fitted shape.
        most : int, optional
            How many columns of each row to name; all of them unless given.

        Returns
        -------
        polars.DataFrame
            A line for each column of each alarm, the strangest row first, in it the column most to blame: row, p_value, column,
            share, then, in the units of the table, observed, expected (from the other columns), low and high (the range of the
            training rows), and all of it in words, reason. Categories and dates have their values in the words alone.
        """
        raw = self._checked(X)
        if self.kind_.name != "table":
            raise DataError(f"explain is for tables. The detector was fitted on {self.kind_.describe()}.")
        scores = self._scores(raw)
        return self._blamed(raw, np.flatnonzero(-scores < self.offset_), scores, most)

    def _blamed(self, raw: Any, alarms: NDArray[np.intp], scores: Numbers, most: int | None) -> pl.DataFrame:
        """The frame of `explain` for the rows of those numbers."""
        alarms = alarms[np.argsort(-scores[alarms], kind="stable")]
        strange = taken(raw, alarms)
        found = self._collect(strange, judged).numpy() if len(alarms) else np.empty((0, 2, len(self.kind_.names)))
        observed = self.kind_.to_tensor(strange).double().numpy() if len(alarms) else found[:, 1]
        cells = Cells(alarms, self._p_values(scores)[alarms], found[:, 0], observed, found[:, 1])
        return explained(self.model_, self.kind_, cells, most)

    def drift(self, X_new: Any) -> Drift:
        """Whether a batch of new rows is still of the sort that the detector was trained on, and which columns have moved.

        Compared are the scores with those of usual rows, and each column with the training rows, by the largest distance between
        their cumulative distributions (two-sample Kolmogorov-Smirnov). A distance counts from 0.05 on, if its p-value, of the
        columns after the correction of Benjamini and Hochberg, is below 0.01.

        Parameters
        ----------
        X_new : as in ``fit``
            Rows of the fitted shape, best some hundreds.

        Returns
        -------
        Drift
            ``drifted``, ``p_value``, ``moved``, and ``columns``, a frame with a line for each column, the most moved first.
        """
        raw = self._checked(X_new)
        x = self._collect(raw, lambda _, x: x.flatten(1)).float()
        return compare(self._alarm, self.kind_.names, x, self._p_values(self._scores(raw)))

    @property
    def _alarm(self) -> Alarm:
        alarm: Alarm = self.model_.alarm
        return alarm

    # Saving

    def _header(self) -> dict[str, Any]:
        header = super()._header()
        del header["parameters"]["estimator"]
        inner = None if self.estimator_ is None else self.estimator_._header()
        sizes = len(self._alarm.kept), len(self._alarm.reference)
        return header | {"inner": inner, "sizes": sizes, "alarm_rate": self.alarm_rate_, "offset": self.offset_}

    def _fill(self, tensors: dict[str, Tensor], header: dict[str, Any], given: dict[str, Any], path: Path) -> None:
        rows, references = header["sizes"]
        alarm = Alarm(self.kind_.column_of, rows, references, self._rank)
        if header["inner"] is None:
            self.estimator_ = None
            model = members.build(self.kind_, self.kind_.scaling(), torch.Generator())
        else:
            own = {name.removeprefix("model."): tensor for name, tensor in tensors.items() if name.startswith("model.")}
            self.estimator_ = Fitted.by_name[header["inner"]["estimator"]]._from_file(path, own, header["inner"], given)
            self.estimator = clone(self.estimator_)
            model = self.estimator_.model_
        watch = Watch(model, alarm, ensemble=header["inner"] is None)
        storage.load_tensors(watch, tensors, path)
        self._adopt(watch.eval())
        self.alarm_rate_, self.offset_ = header["alarm_rate"], header["offset"]


def _least(index: NDArray[np.intp], scores: Numbers) -> NDArray[np.intp]:
    """The rows of those numbers without the strangest."""
    return np.sort(index[np.argsort(scores, kind="stable")[: math.ceil(len(index) * (1 - TRIMMED))]])
