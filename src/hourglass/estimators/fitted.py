"""What every fitted model has: a kind of data, rows passed through in chunks, a file."""

from __future__ import annotations

import copy
import inspect
import math
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor, nn

from hourglass import storage
from hourglass.batches import SparseRows
from hourglass.data.record import float_of
from hourglass.errors import DataError, FileError, ModelFileError, ParameterError, StoppedWarning, hearing, warn
from hourglass.estimators.parameters import from_config, require_known, require_valid, to_config
from hourglass.estimators.progress import TrainingProgress
from hourglass.kinds import KINDS, Kind, Melodies, Series, as_raw, infer, kind_from_config, kind_name, length, rows
from hourglass.kinds.base import all_equal, require_rows
from hourglass.kinds.frames import is_sparse
from hourglass.kinds.windows import Windows
from hourglass.parts.base import Part, called, how_to_know, known_as, one_of
from hourglass.training import Epoch, Trainer

if TYPE_CHECKING:
    import polars as pl

    from hourglass.export import Graph

CHUNK = 2**19  # numbers that pass through the model at a time: 2 MB of float32, which stay in the processor's cache


def rows_at_once(shape: tuple[int, ...], widest: int = 1) -> int:
    """How many rows pass through a model at a time: as many as fit the processor's cache.

    A row counts as large as its shape, or as ``widest`` where the model makes more of it.
    """
    return max(1, CHUNK // max(math.prod(shape), widest))


@contextmanager
def trainable() -> Iterator[None]:
    """Torch as fitting needs it, whatever is set around it: new tensors of float32, and gradients."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        with torch.inference_mode(False), torch.enable_grad():
            yield
    finally:
        torch.set_default_dtype(before)


class _NoColumnsError(DataError, AttributeError):
    """What only a table has is asked of something else: an `AttributeError` too, so that `hasattr` says no."""


class Fitted(BaseEstimator, ABC):  # type: ignore[misc]
    """Checks what comes, passes it through ``model_``, whose ``scaling`` comes first, and keeps it in a file."""

    by_name: ClassVar[dict[str, type[Fitted]]] = {}
    columns: dict[str, str] | None = None
    device: str | torch.device | None = None
    callbacks: Sequence[Callable[..., Any]] = ()
    verbose: bool = False
    _keeps_sparse: ClassVar[bool] = False  # matrices; else they become dense
    model_: Any
    _widest = 1  # what a row counts as at least, see `rows_at_once`

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Refuse a parameter that isn't there in a sentence of ours, unless a subclass of a user's takes whatever comes."""
        taken = inspect.signature(cls.__init__).parameters
        if all(parameter.kind is not parameter.VAR_KEYWORD for parameter in taken.values()):
            require_known(cls, kwargs, cls._get_param_names())
        made: Self = super().__new__(cls)
        return made

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        Fitted.by_name[known_as(cls)] = cls

    @property
    def schema_(self) -> pl.DataFrame:
        """What was decided for each column of a table, and why: column, type, why, dtype, missing (share of the rows), levels."""
        check_is_fitted(self)
        if self.kind_.name != "table":
            raise _NoColumnsError(f"Only a table has columns. The model was fitted on {self.kind_.describe()}.")
        return self.kind_.schema()  # type: ignore[attr-defined, no-any-return]

    @contextmanager
    def _or_as_before(self) -> Iterator[None]:
        """What fails meanwhile leaves the estimator as it was: unfitted, or with the model of an earlier fit."""
        before = self.__dict__.copy()
        try:
            yield
        except BaseException:
            self.__dict__ = before
            raise

    def _require_valid(self) -> None:
        require_valid(type(self).__name__, self.get_params(deep=False))

    def _learn_kind(self, raw: Any, asked: str | Series | Melodies | None, *, fewest: int = 2, timeless: bool = False) -> None:
        """Choose the kind and learn it from the data."""
        kind = one_of(kind_name(asked) or infer(raw).kind, KINDS, "kind", type(self).__name__)
        n, part = length(raw), None if isinstance(asked, str) else asked
        if 0 < n < fewest and kind.name == "melody":  # a long tune is many windows
            n = length(kind.learn(raw, asked=part).learned(raw))
        if n < fewest:
            raise DataError(
                f"Found array with {n} sample(s) (shape={tuple(raw.shape)}) while a minimum of {fewest} is required: "
                f"{type(self).__name__} can't learn from {f'{n} sample' + 's' * (n > 1) if n else 'nothing'}."
            )
        if asked is None and (said := kind.left_out(raw)):
            warn(said)
        self.kind_: Kind = self._suited(kind.learn(raw, self.columns, timeless=timeless, asked=part), raw, timeless)
        self._learn_names(raw)

    def _learn_names(self, raw: Any) -> None:
        """Take on what scikit-learn wants to know of the data: how many columns, and of a table their names."""
        if self.kind_.name == "table":
            validate_data(self, raw, reset=True, skip_check_array=True)
        else:
            self.n_features_in_ = self.kind_.n_features
            self.__dict__.pop("feature_names_in_", None)

    def _suited(self, kind: Kind, raw: Any, timeless: bool) -> Kind:
        """A kind that was learned from the data, as this estimator takes it."""
        return kind

    def _learned_from(self, raw: Any) -> Tensor | SparseRows:
        """All of the data as numbers (n, *shape), on the device."""
        values = self._numbers(raw)
        if isinstance(values, Tensor) and self.kind_.name == "table" and bool((values == values[0]).all()):
            raise all_equal(len(values))
        return values

    def _numbers(self, raw: Any) -> Tensor | SparseRows:
        """Raw data as numbers (n, *shape), on the device; what is sparse stays so."""
        if is_sparse(raw):
            return SparseRows(raw.astype(float_of(raw.dtype), copy=False), self._device)
        return self.kind_.to_tensor(raw).to(self._device)

    def _train(self, trainer: Trainer, stop: Callable[[Epoch], bool]) -> bool:
        """Train to the end, to Ctrl-C, or until ``stop`` says so, then take the best weights; False after Ctrl-C."""
        self.history_: list[dict[str, Any]] = [asdict(epoch) for epoch in trainer.history]
        try:
            with TrainingProgress(trainer.plan, silent=not self.verbose) as progress:
                for epoch in trainer.epochs():
                    self.history_.append(asdict(epoch))
                    progress.show(epoch)
                    if stop(epoch):
                        break
        except KeyboardInterrupt:
            warn(
                f"Training was stopped by hand after {len(trainer.history)} epochs: the best weights so far are kept.",
                StoppedWarning,
            )
            return False
        finally:
            trainer.restore_best()
            trainer.model.eval()
        return True

    def _asked_to_stop(self, epoch: Epoch) -> bool:
        """Whether a callback wants training to end."""
        answers = [callback(self, epoch) for callback in self.callbacks]  # all are called, whatever the first says
        return any(answers)

    def _checked(self, X: Any) -> Any:
        """Raw data that fits the fitted kind."""
        check_is_fitted(self)
        raw = self._fitting(self._raw(X))
        if isinstance(raw, Windows) and len(raw.record.seams) and raw is not X:
            raise DataError(f"Got {len(raw.record.seams) + 1} records: a model learns from several, and looks at one at a time.")
        return raw

    def _fitting(self, raw: Any) -> Any:
        """Raw data that fits the kind that was learned."""
        raw = self.kind_.opened(raw)
        self.kind_.check(raw)
        if self.kind_.name == "table" and not self.kind_.matches_names(raw):  # type: ignore[attr-defined]
            try:
                validate_data(self, raw, reset=False, skip_check_array=True)
            except ValueError as error:  # scikit-learn's words, our type
                raise DataError(str(error)) from error
        require_rows(raw)
        return raw

    def _raw(self, X: Any) -> Any:
        """Data as raw data of the kind that was learned; sparse where that is an array of numbers, and is kept so."""
        sparse = self._keeps_sparse and not getattr(self.kind_, "columns", ())
        return as_raw(X, kind=self.kind_.name, sparse=sparse)

    def _collect(self, X: Any, function: Callable[..., Tensor], *beside: Tensor) -> Tensor:
        """A function of model and x over all rows, a chunk at a time, into one tensor in memory.

        What is ``beside`` has as many rows, of which those of the chunk are handed over too.
        """
        with hearing():  # what there is to say of the data was said where it came in
            raw = self._checked(X)
        result: Tensor | None = None
        with torch.inference_mode():
            for some, model, x in self._chunks(raw):
                part = function(model, x, *(each[some].to(self._device) for each in beside))
                if result is None:
                    result = torch.empty((length(raw), *part.shape[1:]), dtype=part.dtype)
                result[some] = part
        assert result is not None  # _checked refuses empty data
        return result

    def _chunks(self, raw: Any) -> Iterator[tuple[slice, Any, Tensor]]:
        """All rows of checked data, some at a time: which they are, the model in their precision, and how it sees them."""
        n, size = length(raw), rows_at_once(self.kind_.shape, self._widest)
        for start in range(0, n, size):
            some = slice(start, min(start + size, n))
            values = self.kind_.to_tensor(rows(raw, some.start, some.stop), start).to(self._device)
            assert len(values) == some.stop - start  # a row each
            model = self._model_for(values.dtype)
            yield some, model, model.scaling(values)

    def _seen(self, X: Any) -> Tensor:
        """All rows as the networks see them (n, *shape)."""
        return self._collect(X, lambda model, x: x)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def _adopt(self, model: nn.Module) -> None:
        """Make a model the fitted one, where it is to be computed; what was derived from an earlier one is forgotten."""
        self.model_ = model.to(self._device)
        self._by_dtype: dict[torch.dtype, nn.Module] = {}

    def _model_for(self, dtype: torch.dtype) -> Any:
        """The model in the precision of its input: float64 for float64, else float32."""
        if dtype == torch.float64 and dtype not in self._by_dtype:
            self._by_dtype[dtype] = copy.deepcopy(self.model_).double()
        return self._by_dtype.get(dtype, self.model_)

    @property
    def _device(self) -> torch.device:
        """Where rows are computed."""
        return torch.device(self.device or ("cuda" if torch.cuda.is_available() else "cpu"))

    def _generator(self, seed: int) -> torch.Generator:
        return torch.Generator(self._device).manual_seed(seed)

    # Saving

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted model as one ``.safetensors`` file, whole or not at all; `hourglass.load` reads it.

        Parameters
        ----------
        path : str or path
            Where to write.

        Raises
        ------
        FileError
            The file can't be written, or ends in ``.onnx``.
        """
        check_is_fitted(self)
        if str(path).lower().endswith(".onnx"):
            raise FileError(f"Can't save a model to '{path}': use export_onnx for that, or name a file that ends in .safetensors.")
        storage.write(path, self._tensors(), self._header())

    def export_onnx(self, path: str | os.PathLike[str], X: Any = None) -> None:
        """Write the fitted model as one ``.onnx`` file, which runs without Hourglass and without torch; `OnnxModel` reads it.

        Scaling of the input, likelihood and threshold are in the graph, which computes in single precision and takes any number of
        rows. Before the file is there, onnxruntime has to give the numbers of this model, to 1e-4 of each, for rows that are made
        up; else nothing is written.

        Parameters
        ----------
        path : str or path
            Where to write.
        X : as in ``fit``, optional
            More rows to compare the two on. All alarms have to be the same, but for rows that have the score of the threshold
            itself, to the fifth digit.

        Raises
        ------
        ModelFileError
            The model can't be exported, or onnxruntime gives other numbers.
        MissingExtraError
            onnx, onnxscript or onnxruntime isn't installed.
        FileError
            The file can't be written, or ends in ``.safetensors``.
        """
        from hourglass import export

        check_is_fitted(self)
        if str(path).lower().endswith(".safetensors"):
            raise FileError(f"Can't export a model to '{path}': use save for that, or name a file that ends in .onnx.")
        raw = None if X is None else self._checked(X)
        export.write(path, self._graph(), self._facts(), self._compared, raw)

    @abstractmethod
    def _graph(self) -> Graph:
        """What is exported."""

    def _facts(self) -> dict[str, Any]:
        """What an exported file says beside its graph."""
        return {"estimator": type(self).__name__, "rows_at_once": rows_at_once(self.kind_.shape, self._widest)}

    @abstractmethod
    def _compared(self, raw: Any) -> dict[str, np.ndarray[Any, Any]]:
        """What the graph has to give for raw data, by the names of its outputs."""

    def _tensors(self) -> dict[str, Tensor]:
        """All that a file holds of the model in numbers."""
        tensors: dict[str, Tensor] = self.model_.state_dict()
        return tensors

    def _header(self) -> dict[str, Any]:
        """All that a file says of the model beside its tensors."""
        return {
            "estimator": known_as(type(self)),
            "parameters": to_config(self.get_params(deep=False)),
            "kind": self.kind_.to_config(),
            "features": getattr(self, "feature_names_in_", np.array([])).tolist(),
            "history": self.history_,
        }

    @staticmethod
    def _named(name: str) -> type[Fitted]:
        """The estimator that a model file calls so."""
        known = called(name, Fitted.by_name)
        if known is None:
            raise ModelFileError(f"The file holds an unknown estimator, {name!r}. {how_to_know(name)}")
        return known

    @classmethod
    @trainable()
    def _from_file(
        cls, path: str | os.PathLike[str], tensors: dict[str, Tensor], header: dict[str, Any], given: dict[str, Any]
    ) -> Self:
        known = {name for base in cls.__mro__ if issubclass(base, Fitted) for name in base._get_param_names()}
        if unknown := sorted(header["parameters"].keys() - known):
            raise ModelFileError(
                f"{str(path)!r} holds an unknown parameter of {cls.__name__}, {unknown[0]!r}. Update Hourglass to read it."
            )
        parameters, taken = from_config(header["parameters"], given, path), cls._get_param_names()
        fitted = cls(**{name: value for name, value in parameters.items() if name in taken})
        fitted.__dict__.update(parameters)  # of a subclass, those too that its __init__ doesn't take
        fitted.kind_ = kind_from_config(header["kind"])
        fitted.n_features_in_ = fitted.kind_.n_features
        if header["features"]:
            fitted.feature_names_in_ = np.array(header["features"], dtype=object)
        fitted.history_ = header["history"]
        fitted._fill(tensors, header, given, Path(path))
        return fitted

    @abstractmethod
    def _fill(self, tensors: dict[str, Tensor], header: dict[str, Any], given: dict[str, Any], path: Path) -> None:
        """Build what a file holds and give it its tensors."""

    # scikit-learn's conventions

    def set_params(self, **params: Any) -> Self:
        """Set parameters by name; those of a part, such as ``bottleneck__k``, replace it by a changed copy.

        A fitted model goes to another ``device`` at once.
        """
        require_known(type(self), (name.partition("__")[0] for name in params), self._get_param_names(), ParameterError)
        changed: dict[str, dict[str, Any]] = {}
        for name in [name for name in params if "__" in name]:
            owner, _, field = name.partition("__")
            part = params.get(owner, getattr(self, owner, None))
            if isinstance(part, Part):
                changed.setdefault(owner, {})[field] = params.pop(name)
            elif owner in self.get_params(deep=False) and not hasattr(part, "set_params"):
                raise ParameterError(f"The '{owner}' {part!r} of {type(self).__name__} has no field {field!r}, as it is no part.")
        for owner, fields in changed.items():
            params[owner] = params.get(owner, getattr(self, owner)).changed(owner, fields)
        with self._or_as_before():
            super().set_params(**params)
            if "device" in params and hasattr(self, "model_"):
                self._require_valid()
                self._move()
        return self

    def _move(self) -> None:
        """Take what was learned to where rows are computed."""
        self.model_.to(self._device)
        self._by_dtype = {}

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        return state | {"_by_dtype": {}} if "model_" in state else state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "model_" in state:
            self._move()  # to what may be another device on this machine

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        tags.input_tags.sparse = True
        return tags
