"""A model in ONNX: run by onnxruntime, without torch."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from hourglass.errors import DataError, ModelFileError, ParameterError, with_article
from hourglass.kinds import Kind, as_raw, kind_from_config
from hourglass.kinds.base import as_codes, indexed_like, require_alike, require_rows
from hourglass.kinds.image import WITH_TRANSPARENCY
from hourglass.kinds.table import TableKind
from hourglass.kinds.token import TokenKind
from hourglass.parts.base import require_rate
from hourglass.runtime.session import Numbers, Session

if TYPE_CHECKING:
    import polars as pl

SLACK = 1e-7  # of a p-value, in single precision


class OnnxModel:
    """A model that ``export_onnx`` wrote, run by onnxruntime; torch is not needed.

    It takes what the exported model takes: tables by the names of their columns, arrays, images, series. What it offers depends on
    what was exported: an autoencoder has codes, reconstructions and scores, a detector scores, p-values and alarms. All of it is
    computed in single precision.

    Parameters
    ----------
    path : str or path
        The ``.onnx`` file.
    threads : int, optional
        How many threads run it; unless given, as many as onnxruntime takes.

    Attributes
    ----------
    estimator : str
        The class of what was exported.
    kind_ : Kind
        What the data is.
    outputs : tuple of str
        What the graph gives: some of "codes", "reconstruction", "score", "p_value", "alarm", "denoised", "decoded".
    alarm_rate_ : float or None
        Of a detector, the rate of false alarms in force.

    Raises
    ------
    ModelFileError
        The file is missing, damaged, or no model that Hourglass exported.
    MissingExtraError
        onnxruntime isn't installed.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import hourglass as hg
    >>> X = np.random.default_rng(0).normal(size=(200, 3))
    >>> ae = hg.Autoencoder(2, max_epochs=2, random_state=0).fit(X)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ae.export_onnx(folder + "/model.onnx")
    ...     model = hg.OnnxModel(folder + "/model.onnx")
    >>> model.outputs
    ('codes', 'reconstruction', 'score', 'decoded')
    >>> bool(np.allclose(model.transform(X), ae.transform(X), atol=1e-5))
    True
    """

    def __init__(self, path: str | os.PathLike[str], *, threads: int | None = None) -> None:
        self._path = str(path)
        self.session = Session(self._path, threads)
        self.outputs = self.session.outputs
        facts = self.session.facts
        self.estimator: str = facts["estimator"]
        self.kind_: Kind = kind_from_config(facts["kind"])
        self.alarm_rate_: float | None = facts["alarm_rate"]

    def run(self, X: Any, *names: str) -> list[Numbers]:
        """Outputs of the graph for X, by their names.

        Parameters
        ----------
        X : array of shape (n, ...), pandas, polars or pyarrow table, or path
            Data of the kind that the model was fitted on.
        *names : str
            Which of ``outputs``, but for "decoded", which is of codes: see ``inverse_transform``.

        Returns
        -------
        list of ndarray
            An array of n rows for each name.

        Raises
        ------
        DataError
            The data doesn't fit the model.
        ModelFileError
            The model has no such output.
        ParameterError
            No name is given, or one that is not of X.
        """
        self._require(*names)
        if not names or "decoded" in names:
            raise ParameterError(f"Say which outputs: {', '.join(name for name in self.outputs if name != 'decoded')}.")
        return self.session.run(names, self._numbers(self._checked(X)))

    def transform(self, X: Any) -> Numbers:
        """The codes of X, as `Autoencoder.transform` gives them.

        Parameters
        ----------
        X : as in ``run``
            Data.

        Returns
        -------
        ndarray of shape (n, codes), float32
        """
        return self.run(X, "codes")[0]

    def inverse_transform(self, Z: Any, *, like: Any = None) -> Any:
        """Data of codes, in the kind and the container that ``fit`` saw.

        Parameters
        ----------
        Z : array or frame of shape (n, codes)
            Codes, as ``transform`` gives them.
        like : as in ``run``, optional
            The data that the codes are of, as for `Autoencoder.inverse_transform`.

        Returns
        -------
        array or table of shape (n, ...)

        Raises
        ------
        DataError
            Codes are not finite numbers, or not as many as the model has, or ``like`` has another number of rows.
        ModelFileError
            The model has no codes.
        """
        self._require("decoded")
        codes, raw = as_codes(Z, self.session.codes), None if like is None else self._checked(like)
        require_alike(self.kind_, codes, raw)
        found = self.kind_.from_array(self.session.decode(codes), raw)
        return indexed_like(found, Z) if like is None else found

    def reconstruct(self, X: Any) -> Any:
        """X through the waist and back.

        Parameters
        ----------
        X : as in ``run``
            Data.

        Returns
        -------
        array or table of the kind, shape and container of X
        """
        self._require("reconstruction")
        raw = self._checked(X)
        return self.kind_.from_array(self._output("reconstruction", raw), raw)

    def denoise(self, X: Any) -> Any:
        """Of a denoising autoencoder: X as it was before it was damaged.

        Parameters
        ----------
        X : as in ``run``
            Damaged data.

        Returns
        -------
        array or table of the kind, shape and container of X
            Where gaps of a table are all that is mended, its other cells come back as they are; so do rows of symbols that the
            model can't take, see `DenoisingAutoencoder.denoise`.
        """
        self._require("denoised")
        raw, kind = self._checked(X), self.kind_
        if isinstance(kind, TokenKind):
            return kind.mended(raw, lambda rows: kind.from_array(self._output("denoised", rows), rows))
        found = self._output("denoised", raw)
        if isinstance(kind, TableKind) and self.session.facts.get("fills"):  # older files don't say
            return kind.filled(raw, found)  # the graph rounds what it hands through to single precision
        data = kind.from_array(found, raw)
        if kind.name == "image" and kind.shape[0] == WITH_TRANSPARENCY:
            data[..., -1] = raw[..., -1]
        return data

    def score_samples(self, X: Any) -> Numbers:
        """How usual each row is, as the exported model has it; higher is more usual.

        Parameters
        ----------
        X : as in ``run``
            Data.

        Returns
        -------
        ndarray of shape (n,), float32
        """
        return self.run(X, "score")[0]

    def p_values(self, X: Any) -> Numbers:
        """Of a detector: the share of usual rows that are at least as strange.

        Parameters
        ----------
        X : as in ``run``
            Data.

        Returns
        -------
        ndarray of shape (n,), float32
        """
        return self.run(X, "p_value")[0]

    def predict(self, X: Any) -> NDArray[np.intp]:
        """Of a detector: +1 for usual rows, -1 for alarms.

        Parameters
        ----------
        X : as in ``run``
            Data.

        Returns
        -------
        ndarray of shape (n,)
        """
        return np.where(self.alarms(X)["alarm"].to_numpy(), -1, 1)

    def alarms(self, X: Any, *, reasons: int = 0) -> pl.DataFrame:
        """Of a detector: a line for each row.

        Parameters
        ----------
        X : as in ``run``
            Data.
        reasons : int, default=0
            Ignored: what is to blame, only `AnomalyDetector.alarms` says.

        Returns
        -------
        polars.DataFrame
            row, score (higher is stranger), p_value, alarm.
        """
        import polars as pl

        score, p_value, alarm = self.run(X, "score", "p_value", "alarm")
        facts = self.session.facts
        if self.alarm_rate_ != facts["alarm_rate"]:
            alarm = p_value <= max(self.alarm_rate_ or 0, facts["least_rate"]) + SLACK
        row = np.arange(len(score))
        return pl.DataFrame({"row": row, "score": -score.astype(float), "p_value": p_value.astype(float), "alarm": alarm})

    def set_alarm_rate(self, rate: float) -> Self:
        """Of a detector: promise another rate of false alarms than the file has.

        Parameters
        ----------
        rate : float
            The share of usual rows that may raise an alarm, above 0 and at most 0.5.

        Returns
        -------
        self

        Raises
        ------
        ParameterError
            The rate is none.
        ModelFileError
            The model is no detector.
        """
        self._require("p_value")
        require_rate(rate)
        self.alarm_rate_ = float(rate)
        return self

    # From data to numbers, and through the graph

    def _require(self, *names: str) -> None:
        for name in names:
            if name not in self.outputs:
                raise ModelFileError(
                    f"'{self._path}' gives no {name}: it was exported from {with_article(self.estimator)}. "
                    f"It has {', '.join(self.outputs)}."
                )

    def _checked(self, X: Any) -> Any:
        raw = self.kind_.opened(as_raw(X, kind=self.kind_.name))
        self.kind_.check(raw)
        require_rows(raw)
        return raw

    def _output(self, name: str, raw: Any) -> Numbers:
        """An output of the graph for checked data."""
        return self.session.run((name,), self._numbers(raw))[0]

    def _numbers(self, raw: Any) -> Numbers:
        """Data as the graph takes it."""
        array, dtype, shape = self.kind_.to_array(raw), self.session.dtype, self.session.shape
        if array.shape[1:] != shape:
            raise DataError(f"'{self._path}' takes rows of shape {shape}. Got {array.shape[1:]}.")
        if dtype == np.uint8 and array.dtype != np.uint8:
            levels = "255 * X" if raw.dtype.kind == "f" else "X / 257"
            raise DataError(
                f"'{self._path}' takes images of uint8. Got {raw.dtype}: convert them, ({levels}).round().astype('uint8')."
            )
        return np.ascontiguousarray(array, dtype=dtype)
