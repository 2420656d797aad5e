"""The alarm bell: trained on usual rows, it tells which new ones are not."""

from __future__ import annotations

import copy
import dataclasses
import os
import warnings
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import false_discovery_control
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from hourglass import storage
from hourglass.errors import DataError, HourglassWarning, ParameterError
from hourglass.estimators import members
from hourglass.estimators.base import CHUNK, BaseAutoencoder
from hourglass.estimators.parameters import from_config, is_rate, require_valid, seed_from, to_config
from hourglass.estimators.progress import TrainingProgress
from hourglass.kinds import Kind, as_raw, infer, kind_from_config, length, rows
from hourglass.kinds.table import TableKind
from hourglass.model import Hourglass
from hourglass.parts.alarm import BEYOND, Alarm
from hourglass.parts.scaling import Squash, squash, standardize

if TYPE_CHECKING:
    import polars as pl

FEWEST = 30  # rows below which a warning says that little can be promised
EXPLANATION = ("row", "p_value", "column", "share", "observed", "expected", "low", "high")
Numbers = NDArray[np.floating[Any]]


class AnomalyDetector(OutlierMixin, BaseEstimator):  # type: ignore[misc]
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

    def __init__(
        self,
        estimator: BaseAutoencoder | None = None,
        *,
        alarm_rate: float | str = "auto",
        contamination: float | str = "auto",
        neighbours: int | None = None,
        max_epochs: int | None = None,
        max_seconds: float | None = None,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.estimator = estimator
        self.alarm_rate = alarm_rate
        self.contamination = contamination
        self.neighbours = neighbours
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
        n = length(raw)
        if n < 2 * members.MEMBERS:
            raise DataError(
                f"Found array with {n} sample(s) (shape={tuple(raw.shape)}) while a minimum of {2 * members.MEMBERS} is required."
            )
        self.estimator_: BaseAutoencoder | None = None
        self.kind_: Kind = TableKind.learn(raw)
        validate_data(self, raw, reset=True, skip_check_array=True)
        values = self.kind_.to_tensor(raw)
        scaling = squash(values)
        x = scaling(values.double()).float()
        if bool((x == x[0]).all()):
            raise DataError(f"All {n} rows are equal, so there is nothing to learn. Check that the right file was read.")
        model = members.build(x.shape[1], scaling, generator)
        plan = dataclasses.replace(
            members.PLAN, max_epochs=self.max_epochs or members.PLAN.max_epochs, max_seconds=self.max_seconds
        )
        trainer, fold = members.trainer(model, x, plan, generator)
        self.history_ = []
        with TrainingProgress(plan, silent=not self.verbose) as progress:
            for epoch in trainer.epochs():
                self.history_.append(vars(epoch))
                progress.show(epoch)
        trainer.restore_best()
        self._adopt(model.eval())
        kept = x[torch.randperm(n, generator=generator)[: 5000 if self.neighbours is None else self.neighbours]]
        self._alarm = Alarm(x.shape[1], 0, 0)
        self._alarm.low, self._alarm.high = x.amin(0), x.amax(0)
        with torch.inference_mode():
            size = CHUNK // x.shape[1] + 1
            errors = [self._errors(part, of) for part, of in zip(torch.split(x, size), torch.split(fold, size), strict=True)]
            self._alarm = Alarm.learn(x, kept, x, torch.cat(errors))

    def _fit_estimator(self, raw: Any, generator: torch.Generator) -> None:
        n = length(raw)
        if n < 10:
            raise DataError(f"Found array with {n} sample(s) (shape={tuple(raw.shape)}) while a minimum of 10 is required.")
        order = torch.randperm(n, generator=generator).numpy()
        held_out, learned = np.sort(order[: n // 5]), np.sort(order[n // 5 :])
        estimator: BaseAutoencoder = clone(self.estimator)
        if estimator.get_params()["random_state"] is None:
            estimator.set_params(random_state=int(torch.randint(2**31, (1,), generator=generator)))
        self.estimator_ = estimator.fit(_taken(raw, learned))
        self.kind_, self.history_ = estimator.kind_, estimator.history_
        self._adopt(estimator.model_)
        self.n_features_in_ = estimator.n_features_in_
        if hasattr(estimator, "feature_names_in_"):
            self.feature_names_in_ = estimator.feature_names_in_
        with torch.inference_mode():
            x, aside = (self._scaled(_taken(raw, some), 0).float() for some in (learned, held_out))
            self._alarm = Alarm(x.shape[1], 0, 0)
            self._alarm.low, self._alarm.high = x.amin(0), x.amax(0)
            kept = x[: self.neighbours or 0]
            self._alarm = Alarm.learn(x, kept, aside, self._errors(aside))

    def _require_valid(self) -> None:
        require_valid(type(self).__name__, self.get_params(deep=False))
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
            Standard deviations of the terms of the score, added and negated.
        """
        raw = self._checked(X)
        n, size = length(raw), max(1, CHUNK // self.kind_.n_features)
        scores = np.empty(n)
        with torch.inference_mode():
            for start in range(0, n, size):
                x = self._scaled(rows(raw, start, min(start + size, n)), start)
                alarm: Alarm = self._in(x.dtype)[1]
                scores[start : start + len(x)] = -alarm(x, self._errors(x)).numpy()
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
        scores = torch.from_numpy(-self.score_samples(X))
        values: Numbers = self._alarm.p_values(scores).numpy()
        return values

    def explain(self, X: Any) -> pl.DataFrame:
        """What raised each alarm: the columns of its row by their share of the score. For tables.

        Parameters
        ----------
        X : as in ``fit``
            Rows of the fitted shape.

        Returns
        -------
        polars.DataFrame
            A line for each column of each alarm, the most to blame first: row, p_value, column, share, observed, expected (from the
            other columns), low and high (the range of the training rows), in the units of the table.
        """
        import polars as pl

        raw = self._checked(X)
        if self.kind_.name != "table":
            raise DataError(f"explain is for tables. The detector was fitted on {self.kind_.describe()}.")
        p_values = self.p_values(raw)
        alarms = np.flatnonzero(self.predict(raw) == -1)
        alarms = alarms[np.argsort(p_values[alarms], kind="stable")]
        names = list(getattr(self, "feature_names_in_", [f"x{i}" for i in range(self.n_features_in_)]))
        frames = [pl.DataFrame(schema=dict.fromkeys(EXPLANATION, pl.Float64) | {"row": pl.Int64, "column": pl.String})]
        with torch.inference_mode():
            for row in alarms:
                x = self._scaled(_taken(raw, np.array([row])), int(row)).double()
                expected = self._expected(x)
                blame = ((x - expected).square() / self._alarm.spread + (BEYOND * self._alarm.outside(x)).square())[0]
                units = self.model_.scaling.inverse(torch.cat([x, expected, self._alarm.low[None], self._alarm.high[None]]))
                values = (np.full(len(names), row), np.full(len(names), p_values[row]), names, blame / blame.sum(), *units)
                facts = {
                    name: value if isinstance(value, list) else np.asarray(value)
                    for name, value in zip(EXPLANATION, values, strict=True)
                }
                frames.append(pl.DataFrame(facts, schema=frames[0].schema).sort("share", descending=True))
        return pl.concat(frames)

    def _expected(self, x: Tensor) -> Tensor:
        """What each element (n, columns) is expected to be."""
        model = self._in(x.dtype)[0]
        rebuilt = model.reconstruct(x) if self.estimator_ is not None else members.expected(model, x).mean(1)
        return self._alarm.within(rebuilt)

    def _checked(self, X: Any) -> Any:
        check_is_fitted(self)
        return BaseAutoencoder._checked(self, X)

    def _scaled(self, raw: Any, first_row: int) -> Tensor:
        x: Tensor = self.model_.scaling(self.kind_.to_tensor(raw, first_row))
        return x.flatten(1)

    def _adopt(self, model: Hourglass) -> None:
        self.model_ = model
        self._by_dtype: dict[torch.dtype, tuple[Hourglass, Alarm]] = {}

    def _in(self, dtype: torch.dtype) -> tuple[Hourglass, Alarm]:
        """Model and alarm in the precision of their input: float64 for float64, else float32."""
        if dtype != torch.float64:
            return self.model_, self._alarm
        if dtype not in self._by_dtype:
            self._by_dtype[dtype] = copy.deepcopy(self.model_).double(), copy.deepcopy(self._alarm).double()
        return self._by_dtype[dtype]

    def _errors(self, x: Tensor, member: Tensor | None = None) -> Tensor:
        """Squared error of each element (n, columns); of the ensemble's mean, or of each row's given member (n,)."""
        model = self.model_ if x.dtype != torch.float64 else self._in(x.dtype)[0]
        low, high = self._alarm.low.to(x), self._alarm.high.to(x)
        if self.estimator_ is not None:
            rebuilt = model.reconstruct(x.reshape(len(x), *model.shape)).flatten(1)
            return (x - rebuilt.clamp(low, high)).square()
        errors = (x[:, None] - members.expected(model, x).clamp(low, high)).square()
        return errors.mean(1) if member is None else errors[torch.arange(len(x)), member]

    # Saving

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted detector as one ``.safetensors`` file, whole or not at all; `hourglass.load` reads it.

        Parameters
        ----------
        path : str or path
            Where to write.

        Raises
        ------
        FileError
            The file can't be written.
        """
        check_is_fitted(self)
        inner = None if self.estimator_ is None else self.estimator_._header()
        header = {
            "estimator": type(self).__name__,
            "parameters": to_config({name: value for name, value in self.get_params(deep=False).items() if name != "estimator"}),
            "inner": inner,
            "kind": self.kind_.to_config(),
            "features": getattr(self, "feature_names_in_", np.array([])).tolist(),
            "history": self.history_,
            "alarm_rate": self.alarm_rate_,
            "offset": self.offset_,
        }
        tensors = {f"model.{name}": tensor for name, tensor in self.model_.state_dict().items()}
        storage.write(path, tensors | {f"alarm.{name}": tensor for name, tensor in self._alarm.state_dict().items()}, header)

    @classmethod
    def _from_file(
        cls, path: str | os.PathLike[str], tensors: dict[str, Tensor], header: dict[str, Any], given: dict[str, Any]
    ) -> Self:
        of_model, of_alarm = (
            {name.removeprefix(side): tensor for name, tensor in tensors.items() if name.startswith(side)}
            for side in ("model.", "alarm.")
        )
        detector = cls(**from_config(header["parameters"], given, path))
        detector.kind_, detector.history_ = kind_from_config(header["kind"]), header["history"]
        detector.n_features_in_ = detector.kind_.n_features
        if header["features"]:
            detector.feature_names_in_ = np.array(header["features"], dtype=object)
        if header["inner"] is None:
            blank = standardize(torch.stack([torch.zeros(detector.kind_.shape) - 1, torch.ones(detector.kind_.shape)]))
            scaling = Squash(blank, copy.deepcopy(blank))
            model: Hourglass = members.build(detector.kind_.shape[0], scaling, torch.Generator())
            storage.load_tensors(model, of_model, path)
            detector.estimator_ = None
            detector._adopt(model.eval())
        else:
            fitted = BaseAutoencoder.by_name[header["inner"]["estimator"]]._from_file(path, of_model, header["inner"], given)
            detector.estimator_, detector.estimator = fitted, clone(fitted)
            detector._adopt(fitted.model_)
        detector._alarm = Alarm(*(len(of_alarm[name]) for name in ("spread", "kept", "reference")))
        storage.load_tensors(detector._alarm, of_alarm, path)
        detector.alarm_rate_, detector.offset_ = header["alarm_rate"], header["offset"]
        return detector

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


def _taken(raw: Any, index: NDArray[np.intp]) -> Any:
    """Rows of an array or a table by number."""
    if hasattr(raw, "iloc"):
        return raw.iloc[index]
    return raw.take(index) if hasattr(raw, "to_batches") else raw[index]
