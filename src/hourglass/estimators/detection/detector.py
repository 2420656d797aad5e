"""The alarm bell: trained on usual rows, it tells which new ones are not."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import false_discovery_control
from sklearn.base import OutlierMixin, clone
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from hourglass import storage
from hourglass.data import Record
from hourglass.data.record import parts_of
from hourglass.errors import DataError, ModelFileError, ParameterError, warn
from hourglass.estimators.base import BaseAutoencoder
from hourglass.estimators.detection import recipes
from hourglass.estimators.detection.blame import worth_naming
from hourglass.estimators.detection.drift import Drift, compare
from hourglass.estimators.detection.events import events, with_events
from hourglass.estimators.detection.judges import JUDGES
from hourglass.estimators.detection.members import MEMBERS
from hourglass.estimators.detection.recipes import HOLDS_OUT
from hourglass.estimators.detection.running import Stream, of_rows, scored_steps
from hourglass.estimators.detection.watch import WIDEST, Watch
from hourglass.estimators.fitted import Fitted, trainable
from hourglass.estimators.parameters import seed_from, without_parameters
from hourglass.kinds import Melodies, Series, as_raw, length, taken
from hourglass.kinds.windows import Windows
from hourglass.parts.alarm import Alarm, beyond
from hourglass.parts.base import Facts, is_count, is_number, require_rate
from hourglass.training import under

if TYPE_CHECKING:
    import polars as pl

    from hourglass.export import Graph

AT_ONCE = 2**18  # scores that are compared with the reference together
FEWEST = 30  # rows below which a warning says that little can be promised
OF_ESTIMATOR = ("kind", "columns", "max_epochs", "max_seconds", "callbacks")  # parameters that an estimator has its own of
Floats = NDArray[np.floating[Any]]


class AnomalyDetector(OutlierMixin, Fitted):  # type: ignore[misc]
    """Learn what is usual, and flag what is not, at a promised rate of false alarms.

    Of tables it learns, unless given an estimator, to rebuild each column from the others. Three members of an ensemble share the
    rows out, so that every row is new to one of them; the errors on new rows say which errors are usual. Beside the errors count
    the distance to the nearest training row, and how far a row lies outside the range of the training rows.

    Of pictures it learns to rebuild each place from all others, by a linear autoencoder in closed form, from copies that are moved
    a little. What counts is the peak of the map of errors, and beside it the same two for a thumbnail of the picture. A fifth of
    the pictures is held out, to tell what is usual.

    Of series it remembers rows, or windows of a record, and looks for the one that a new one is most like, moved and stretched a
    little; what counts is the distance, and the peak of the error. Each row is held out in turn, of a record blocks are.

    Of rows of symbols, molecules among them, it learns to foretell each symbol from those before and 16 codes; what counts is the
    mean of the nats that symbols cost, and the worst of them. A fifth of the rows is held out, to tell what is usual. Of melodies
    windows are judged, and whole tunes held out.

    Parameters
    ----------
    estimator : Autoencoder, optional
        What rebuilds the rows; its error of reconstruction is the score, measured against rows that are held out of its training.
        Of a long record it rebuilds windows, and a fifth of the record is held out, in up to five blocks.
    kind : str or Series, optional
        "table", "image", "series", "token", "words", "molecule" or "melody", or a `Series` or `Melodies`, which say more; inferred
        from the data unless given. An estimator has its own.
    alarm_rate : float or "auto", default="auto"
        The share of usual rows that may raise an alarm, above 0 and at most 0.5. "auto" is 0.01 with 1,000 training rows or more,
        else 0.05; of a record 0.01 with 100 windows' worth of samples.
    contamination : float or "auto", default="auto"
        As in scikit-learn: this share of the training rows is flagged. It then takes the place of ``alarm_rate``.
    neighbours : int, optional
        How many training rows are kept at most, to measure the distance to; of pictures, thumbnails of at most 16 x 16 cells; of a
        record, windows. Unless given, 5,000, of a record 2,000, and with an estimator none. 0 keeps none, and a model file then
        holds no row of the data. Series are compared with nothing else, so of them 0 is refused: give an estimator, which for
        series takes no other number. Of rows of symbols none are ever kept.
    features : torch module, optional
        Of pictures: what stands before the autoencoder, such as the first layers of a network that was trained elsewhere. It makes
        (batch, d, h, w) of pictures (batch, channels, height, width) with values from 0 to 1, and is not trained.
    contaminated : bool, default=False
        Whether up to a tenth of the training rows may be strange themselves. Training is then done twice, the second time without
        the strangest tenth, which is left out of what is usual as well; of a table the ensemble learns from the least strange four
        fifths. The distance is that to a row further off, beyond the nearest twentieth of those that are kept, of series beyond the
        nearest tenth, and at least to the fifth nearest: strange rows that remain, a cluster of them too, then don't make their
        likes look usual. Of a record, windows are left out.
    columns : dict of str to str, optional
        What columns of a table are, where it is not to be found out: "numeric", "boolean", "categorical", "datetime",
        "identifier", "left out"; of series "time", "id", "value". For the ensemble; an estimator has its own.
    max_epochs : int, optional
        How many epochs to train the ensemble, 10 unless given: each is 100 batches of up to 128 rows, or fewer, but no less than
        25, where rows have more than 512 numbers. Of rows of symbols, passes over all rows, as in `VariationalAutoencoder`.
        Pictures and series need no epochs, and an estimator has its own.
    max_seconds : float, optional
        How long to train at most, where ``max_epochs`` counts.
    device : str, optional
        "cpu", "cuda" ...: where it learns and scores. A GPU where there is one unless given; with an estimator, which trains on a
        ``device`` of its own, that one.
    random_state : int, RandomState, Generator or None
        The same seed gives the same numbers.
    callbacks : tuple of functions, default=()
        Called as ``callback(detector, epoch)`` after each epoch of the ensemble, as in `Autoencoder`, which is also what they get
        in place of the detector where rows of symbols are learned from. The detector scores nothing before ``fit`` is through. An
        estimator has its own.
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

    estimator_: Any
    _widest = WIDEST

    def __init__(
        self,
        estimator: BaseAutoencoder | None = None,
        *,
        kind: str | Series | Melodies | None = None,
        alarm_rate: float | str = "auto",
        contamination: float | str = "auto",
        neighbours: int | None = None,
        features: nn.Module | None = None,
        contaminated: bool = False,
        columns: dict[str, str] | None = None,
        max_epochs: int | None = None,
        max_seconds: float | None = None,
        device: str | torch.device | None = None,
        random_state: Any = None,
        callbacks: Sequence[Callable[..., Any]] = (),
        verbose: bool = False,
    ) -> None:
        self.estimator = estimator
        self.kind = kind
        self.alarm_rate = alarm_rate
        self.contamination = contamination
        self.neighbours = neighbours
        self.features = features
        self.contaminated = contaminated
        self.columns = columns
        self.max_epochs = max_epochs
        self.max_seconds = max_seconds
        self.device = device
        self.random_state = random_state
        self.callbacks = callbacks
        self.verbose = verbose

    # Fitting

    @without_parameters
    @trainable()
    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn what is usual.

        Parameters
        ----------
        X : array of shape (n, ...), pandas, polars or pyarrow table, sparse matrix, path, list of paths, Record, or list of those
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
        self._warn_of_unused()
        raw = as_raw(X, kind=self.kind if self.estimator is None else self.estimator.kind)
        generator = self._generator(seed_from(self.random_state))
        with self._or_as_before():
            self.estimator_, self._doubted = None, self.contaminated
            self._adopt(recipes.of(self, raw).fit(self, raw, generator))
            self._set_threshold(raw)
        return self

    def _require_valid(self) -> None:
        super()._require_valid()
        if self.estimator is not None and not isinstance(self.estimator, BaseAutoencoder):
            raise ParameterError(
                f"The 'estimator' parameter of AnomalyDetector must be an autoencoder or None. Got {self.estimator!r} instead."
            )

    def _warn_of_unused(self) -> None:
        """Say so if parameters are set of which the estimator has its own."""
        for name in OF_ESTIMATOR if self.estimator is not None else ():
            if (asked := getattr(self, name)) and asked != getattr(self.estimator, name):
                there = f"{type(self.estimator).__name__}({name}=...)"
                warn(f"{name}={asked!r} of AnomalyDetector is not used, as the estimator has its own: say it there, {there}.")

    def _set_threshold(self, raw: Any) -> None:
        n = len(self._alarm.reference)
        if n < FEWEST:
            least = self._rows_for(FEWEST)
            better = 1000 * (least // FEWEST)
            warn(f"Only {n} rows tell what is usual: fit on at least {least}, better {better:,}, for alarms to be relied on.")
        if self.contamination != "auto":
            self.alarm_rate_ = float(self.contamination)
            scores = [self.score_samples(part) for part in (parts_of(raw) if isinstance(raw, Record) else [raw])]
            self.offset_ = float(np.quantile(np.concatenate(scores), self.alarm_rate_))
        else:
            self.set_alarm_rate(self._rate_for(raw) if self.alarm_rate == "auto" else float(self.alarm_rate))

    def _rate_for(self, raw: Any) -> float:
        """The rate of false alarms for so many training rows; of a record what its windows can promise."""
        if self.kind_.of_record:
            least = self._alarm.least_rate
            return 0.01 if least <= 0.01 else min(max(0.05, least), 0.5)
        return 0.01 if length(self.kind_.opened(raw)) >= 1000 else 0.05

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
        require_rate(rate)
        n, least = round(len(self._alarm.reference) / self._alarm.of_one), self._alarm.least_rate
        if rate < least * (1 - 1e-9):
            rows = "rows" if self._alarm.of_one == 1 else "windows' worth of samples"
            needed = self._rows_for(math.ceil(1 / rate))
            warn(
                f"{n} {rows} are too few to promise an alarm rate of {rate:g}: only rows stranger than all of them raise an alarm, "
                f"a rate of {least:.2g}. Fit on at least {needed:,} {rows}."
            )
        self.alarm_rate_ = float(rate)
        self.offset_ = -float(beyond(torch.tensor(self._alarm.threshold(rate), dtype=torch.float64)))
        return self

    @property
    def _device(self) -> torch.device:
        return super()._device if self.device is not None or self.estimator is None else self.estimator._device

    def _rows_for(self, usual: int) -> int:
        """How many rows to fit on, so that so many of them tell what is usual."""
        if self.estimator_ is not None or self.kind_.name not in ("table", "series"):
            return usual * HOLDS_OUT
        folds = MEMBERS if self.kind_.name == "table" else 1  # which are cut to the same length
        return math.ceil(usual / folds) * folds

    def __sklearn_is_fitted__(self) -> bool:
        """Not before there is an alarm: what learns is the bare model."""
        return isinstance(getattr(self, "model_", None), Watch)

    # Scoring

    def score_samples(self, X: Any) -> Floats:
        """How usual each row is; higher is more usual.

        Parameters
        ----------
        X : as in ``fit``
            Rows of the fitted shape.

        Returns
        -------
        ndarray of shape (n,)
            The negated score of `Alarm`, roughly in standard deviations. Half of the usual rows lie above about -1, of a table
            above about 0 where no rows are kept (``neighbours``); strange ones are further below, alarms below ``offset_``.
        """
        scores = self._scores(self._checked(X))
        return np.negative(scores, out=scores)

    def _scores(self, raw: Any) -> Floats:
        """How strange each row of checked data is."""
        if isinstance(raw, Windows):
            return of_rows(scored_steps(self, raw), raw.record)
        scores: Floats = self._collect(raw, lambda watch, x: watch(x).double()).numpy()
        return scores

    def stream(self) -> Stream:
        """Scores of the samples of a record as they come, the same as in one batch.

        Returns
        -------
        Stream
            ``push(samples)`` gives the scores that are known by then, ``finish()`` those that are left; ``delay`` is after how many
            samples the score of one is known.

        Raises
        ------
        DataError
            The detector was not fitted on a record.
        """
        self._require_record("stream")
        return Stream(self)

    def events(self, X: Any, *, most: int | None = None) -> pl.DataFrame:
        """The alarms of a record as stretches of time.

        Parameters
        ----------
        X : Record or table with a column of times
            As in ``fit``.
        most : int, optional
            How many to name, the strangest; all unless given.

        Returns
        -------
        polars.DataFrame
            A line for each event, in the order of time: start, end (exclusive) and peak, as samples of the record or rows of the
            table (where those are out of order, end is the one behind the row that it ends in), time (of its start), score (the
            highest), p_value, channels (those most to blame, the first one most), share (of the first in the blame), reason (what
            seems to be the matter, in words).

        Raises
        ------
        DataError
            The detector was not fitted on a record.
        """
        self._require_record("events")
        _require_most(most)
        raw = self._checked(X)
        return events(self, raw, scored_steps(self, raw), most)

    def _require_record(self, what: str) -> None:
        check_is_fitted(self)
        if not self.kind_.of_record:
            raise DataError(
                f"{what} is for a detector that was fitted on a record. This one was fitted on {self.kind_.describe()}."
            )

    def decision_function(self, X: Any) -> Floats:
        """``score_samples`` less ``offset_``: below 0 is an alarm.

        Parameters
        ----------
        X : as in ``fit``
            Rows of the fitted shape.

        Returns
        -------
        ndarray of shape (n,)
        """
        scores: Floats = self.score_samples(X) - self.offset_
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
        if not is_number(fdr) or not 0 < fdr < 1:
            raise ParameterError(f"The 'fdr' of a prediction must be a float above 0 and below 1. Got {fdr!r} instead.")
        return np.where(false_discovery_control(self.p_values(X)) <= fdr, -1, 1)

    def p_values(self, X: Any) -> Floats:
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
        return self._p_values(self._scores(self._checked(X)))

    def _p_values(self, scores: Floats) -> Floats:
        values = np.empty(len(scores))
        for first in range(0, len(scores), AT_ONCE):
            part = slice(first, first + AT_ONCE)
            values[part] = self._alarm.p_values(torch.from_numpy(scores[part])).double().cpu().numpy()
        return values

    def alarms(self, X: Any, *, reasons: int = 3) -> pl.DataFrame:
        """A line for each row: its score, and if it raised an alarm, the columns or regions most to blame, in words.

        Parameters
        ----------
        X : as in ``fit``
            Rows of the fitted shape.
        reasons : int, default=3
            How many columns, or regions of a picture, to name at most; fewer where the others have next to no share in it.

        Returns
        -------
        polars.DataFrame
            row, score (higher is stranger), p_value, alarm, reason1, reason2 ... Of a record a line for each sample, whose alarm is
            that of its event (see ``events``): event is the number of that, from 1 on, and reason1 stands at its first sample. Of
            melodies a line for each window, with tune (the number of its tune), name and bar (its first one, counted from 1).
        """
        import polars as pl

        if not is_count(reasons, 0):
            raise ParameterError(f"The 'reasons' of alarms must be an int of at least 0. Got {reasons!r} instead.")
        raw = self._checked(X)
        if isinstance(raw, Windows):
            steps = scored_steps(self, raw)
            scores = of_rows(steps, raw.record)
        else:
            scores = self._scores(raw)
        alarm = -scores < self.offset_
        origins = self.kind_.origins(raw)
        frame = pl.DataFrame(
            {"row": np.arange(len(scores)), **origins, "score": scores, "p_value": self._p_values(scores), "alarm": alarm}
        )
        if isinstance(raw, Windows):
            return with_events(self, frame, raw, steps)
        if not reasons:
            return frame
        blamed = worth_naming(self._blamed(raw, np.flatnonzero(alarm), scores, reasons))
        for number in range(1, min(reasons, len(self.kind_.names)) + 1):
            mine = blamed.filter(pl.int_range(pl.len()).over("row") == number - 1).select("row", reason=pl.col("reason"))
            frame = frame.join(mine.rename({"reason": f"reason{number}"}), on="row", how="left", maintain_order="left")
        return frame

    def explain(self, X: Any, *, most: int | None = None) -> pl.DataFrame:
        """What raised each alarm: the columns of its row by their share of the score, or the regions of its picture.

        Parameters
        ----------
        X : as in ``fit``
            Rows of the fitted shape.
        most : int, optional
            How many columns, regions or stretches of each row to name; unless given, all columns, at most five regions and at most
            three stretches.

        Returns
        -------
        polars.DataFrame
            Of a table: a line for each column of each alarm, the strangest row first, in it the column most to blame: row,
            p_value, column, share, then, in the units of the table, observed, expected (from the other columns), low and high (15
            of 16 training rows lie between them), and all of it in words, reason. Categories and dates have values in words alone.

            Of rows of symbols a line for each position, the one that costs most first; observed and expected are symbols. Of
            melodies, whose rows are windows, the column is a bar and a beat; tune, name and bar are as in ``alarms``.

            Of pictures: a line for each region of each alarm, the strongest first: row, p_value, top, left, bottom and right (in
            pixels, the latter two exclusive), peak (1 is that of a usual picture), share (of what the regions add up to), reason.

            Of rows of series: a line for each stretch of each alarm: row, p_value, channel, start and end (in samples, the latter
            exclusive), peak, share, observed, expected, reason. Of a record the lines of ``events``.

        Raises
        ------
        DataError
            X doesn't fit what was fitted.
        """
        _require_most(most)
        raw = self._checked(X)
        if isinstance(raw, Windows):
            return events(self, raw, scored_steps(self, raw), most)
        scores = self._scores(raw)
        return self._blamed(raw, np.flatnonzero(-scores < self.offset_), scores, most)

    def _blamed(self, raw: Any, alarms: NDArray[np.intp], scores: Floats, most: int | None) -> pl.DataFrame:
        """The frame of `explain` for the rows of those numbers."""
        alarms = alarms[np.argsort(-scores[alarms], kind="stable")]
        return JUDGES[self.kind_.family].explained(self, taken(raw, alarms), alarms, self._p_values(scores)[alarms], most)

    def heatmaps(self, X: Any) -> NDArray[np.float32]:
        """How strange each pixel of each picture is.

        Parameters
        ----------
        X : as in ``fit``
            Images of the fitted shape.

        Returns
        -------
        ndarray of shape (n, height, width), float32
            The root of the smoothed squared error of each place, as told by all others; 1 is the peak of a usual picture.

        Raises
        ------
        DataError
            The detector was not fitted on images.
        """
        check_is_fitted(self)
        if self.kind_.name != "image":
            raise DataError(f"heatmaps is for images. The detector was fitted on {self.kind_.describe()}.")
        return self._heat(self._checked(X))

    def _heat(self, raw: Any) -> NDArray[np.float32]:
        maps: NDArray[np.float32] = self._collect(raw, lambda watch, x: watch.heat(x).float()).numpy()
        return maps

    def drift(self, X_new: Any) -> Drift:
        """Whether a batch of new rows is still of the sort that the detector was trained on, and what of them has moved.

        Compared are the scores with those of usual rows, and each column with the training rows, by the largest distance between
        their cumulative distributions (two-sample Kolmogorov-Smirnov) over the cells that are there, or by its share of gaps,
        whichever differs more surely. A distance counts from 0.05 on, if its p-value, of the columns after the correction of
        Benjamini and Hochberg, is below 0.01. Of pictures the columns are the cells of a thumbnail.

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
        if isinstance(raw, Windows):  # steps of the same windows say much the same
            scores = scored_steps(self, raw)
            raw = raw.scattered()
            scores = scores[raw.starts]
        else:
            scores = self._scores(raw)
        x = self._collect(raw, lambda watch, x: watch.seen(x)).float()
        return compare(self._alarm, self.model_.names(self.kind_), x, torch.from_numpy(scores))

    @property
    def _alarm(self) -> Alarm:
        alarm: Alarm = self.model_.alarm
        return alarm

    # Exporting

    def _graph(self) -> Graph:
        from hourglass.export import DetectorGraph, WatchGraph

        if self.kind_.of_record:
            raise ModelFileError("A detector of records can't be exported: what it says of a step comes from several windows.")
        if self.estimator_ is None:
            return WatchGraph(self.kind_, self.model_, -self.offset_)
        return DetectorGraph(self.kind_, self.model_, -self.offset_, self.estimator_._exported_codes())

    def _facts(self) -> dict[str, Any]:
        least_rate = self._alarm.least_rate
        return super()._facts() | {"alarm_rate": self.alarm_rate_, "offset": self.offset_, "least_rate": least_rate}

    def _compared(self, raw: Any) -> dict[str, NDArray[Any]]:
        scores = self._scores(raw)
        rebuilt = {} if self.estimator_ is None else self.estimator_._compared(raw)
        return rebuilt | {"score": -scores, "p_value": self._p_values(scores), "alarm": -scores < self.offset_}

    # Saving

    def _header(self) -> dict[str, Any]:
        header = super()._header()
        del header["parameters"]["estimator"]
        header["parameters"]["contaminated"] = self._doubted  # as it was fitted, whatever was set since: distances depend on it
        inner = None if self.estimator_ is None else self.estimator_._header()
        sizes = len(self._alarm.neighbours or ()), len(self._alarm.reference)
        facts = {"asked": self.estimator is not None, "sizes": sizes, "alarm_rate": self.alarm_rate_, "offset": self.offset_}
        return header | {"inner": inner} | facts

    def _fill(self, tensors: dict[str, Tensor], header: dict[str, Any], given: dict[str, Any], path: Path) -> None:
        self.estimator_, self._doubted = None, self.contaminated
        if header["inner"] is not None:
            facts = Facts(header["inner"], path)
            self.estimator_ = Fitted._named(facts["estimator"])._from_file(path, under(tensors, "model."), facts, given)
            self.estimator = clone(self.estimator_) if header["asked"] else None
        watch = recipes.of_file(header).blank(self, header, tensors)
        storage.load_tensors(watch, tensors, path)
        self._adopt(watch.eval())
        self.alarm_rate_, self.offset_ = header["alarm_rate"], header["offset"]


def _require_most(most: object) -> None:
    if most is not None and not is_count(most, 0):
        raise ParameterError(f"The 'most' that are named must be an int of at least 0 or None. Got {most!r} instead.")
