"""What all estimators share: fitting, passing data through in chunks, saving."""

from __future__ import annotations

import copy
import dataclasses
import os
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from hourglass import storage
from hourglass.errors import CheckpointError, DataError, HourglassWarning
from hourglass.estimators.assembly import assemble
from hourglass.estimators.parameters import from_config, plan_from, require_valid, seed_from, to_config
from hourglass.estimators.progress import TrainingProgress
from hourglass.kinds import KINDS, Kind, as_raw, infer, kind_from_config, length, rows
from hourglass.kinds.base import require_finite
from hourglass.model import Hourglass
from hourglass.parts import Bottleneck, Part
from hourglass.parts.base import one_of
from hourglass.training import Batches, Epoch, Trainer

CHUNK = 2**19  # numbers that pass through the model at a time: 2 MB of float32, which stay in the processor's cache


class BaseAutoencoder(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Everything but the parameters. Subclasses differ in ``__init__`` alone, or add methods."""

    by_name: ClassVar[dict[str, type[BaseAutoencoder]]] = {}
    _trainer: Trainer | None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        BaseAutoencoder.by_name[cls.__name__] = cls

    # Fitting

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn to rebuild X through the waist.

        Ctrl-C ends training early and keeps the best weights so far.

        Parameters
        ----------
        X : array of shape (n, ...), pandas, polars or pyarrow table, path, or list of paths
            The data; no labels are needed.
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
            The data can't be used; the sentence names row and column.
        TrainingDivergedError
            The loss is no longer finite; the estimator then holds the last good weights.
        """
        self._require_valid()
        values = self._learn(as_raw(X))
        tensors, facts = self._unfinished(values)
        generator = self._generator(facts["seed"])
        model = self._build(values, generator)
        x = values if not values.is_floating_point() else model.scaling(values).float()
        order = torch.randperm(len(x), generator=generator, device=x.device)
        held_out = round(len(x) * self.validation_fraction) if len(x) >= 10 else 0
        train = Batches(x, order[held_out:], model.scaling)
        validation = Batches(x, order[:held_out], model.scaling) if held_out else None
        trainer = Trainer(model, train, validation, plan_from(self.get_params(deep=False), len(train)), generator)
        if tensors:
            trainer.load_state(tensors, facts)
        self._adopt(model)
        self._run(trainer, facts)
        return self

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Go once over X at a constant rate, from where training stands; the first call settles kind and scaling.

        Parameters
        ----------
        X : as in ``fit``
            More data of the same shape.
        y : None
            Ignored.

        Returns
        -------
        self
        """
        self._require_valid()
        if not hasattr(self, "model_"):
            values = self._learn(as_raw(X))
            self._adopt(self._build(values, self._generator(seed_from(self.random_state))))
            self.history_: list[dict[str, Any]] = []
        else:
            values = self._values(self._checked(X))
        x = values if not values.is_floating_point() else self.model_.scaling(values).float()
        batches = Batches(x, torch.arange(len(x), device=x.device), self.model_.scaling)
        if self._trainer is None:
            plan = plan_from(self.get_params(deep=False), len(x))
            plan = dataclasses.replace(plan, schedule="constant", max_seconds=None)
            self._trainer = Trainer(self.model_, batches, None, plan, self._generator(seed_from(self.random_state)))
            self._trainer.history = [Epoch(**record) for record in self.history_]
        self.history_ += [dataclasses.asdict(self._trainer.go_over(batches))]
        self._adopt(self.model_, self._trainer)
        return self

    def _require_valid(self) -> None:
        require_valid(type(self).__name__, self.get_params(deep=False))

    def _learn(self, raw: Any) -> Tensor:
        """Choose the kind, learn it from the data, and give the data as numbers."""
        name = infer(raw).kind if self.kind is None else self.kind
        kind = one_of(name, KINDS, "kind", type(self).__name__)
        n = length(raw)
        if n < 2:
            raise DataError(
                f"Found array with {n} sample(s) (shape={tuple(raw.shape)}) while a minimum of 2 is required: "
                f"{type(self).__name__} can't learn from {'1 sample' if n else 'nothing'}."
            )
        self.kind_: Kind = kind.learn(raw)
        if self.kind_.name == "table":
            validate_data(self, raw, reset=True, skip_check_array=True)
        else:
            self.n_features_in_ = self.kind_.n_features
        return self._values(raw)

    def _values(self, raw: Any) -> Tensor:
        """All of the data as numbers (n, *shape), on the device."""
        return self.kind_.to_tensor(raw).to(self._device)

    def _build(self, values: Tensor | None, generator: torch.Generator) -> Hourglass:
        return assemble(type(self).__name__, self.get_params(deep=False), self.kind_, values, generator)

    def _adopt(self, model: Hourglass, trainer: Trainer | None = None) -> None:
        """Make a model the fitted one; what was derived from an earlier one is forgotten."""
        self.model_ = model
        self.encoder_, self.bottleneck_, self.decoder_ = model.encoder, model.bottleneck, model.decoder
        self._trainer = trainer
        self._by_dtype = {torch.float32: model}

    def _run(self, trainer: Trainer, facts: dict[str, Any]) -> None:
        """Train to the end, to Ctrl-C, or until a callback says stop; then take the best weights."""
        self.history_ = [dataclasses.asdict(epoch) for epoch in trainer.history]
        try:
            with TrainingProgress(trainer.plan, silent=not self.verbose) as progress:
                for epoch in trainer.epochs():
                    self.history_.append(dataclasses.asdict(epoch))
                    progress.show(epoch)
                    if self.checkpoint is not None:
                        self._write_checkpoint(trainer, facts)
                    answers = [callback(self, epoch) for callback in self.callbacks]
                    if any(answers):
                        break
        except KeyboardInterrupt:
            self._say_stopped(trainer.history)
        else:
            if self.checkpoint is not None:
                Path(self.checkpoint).unlink(missing_ok=True)
        finally:
            trainer.restore_best()
            trainer.model.eval()
            self._adopt(trainer.model)  # a callback may have made a float64 copy of earlier weights

    def _say_stopped(self, history: list[Epoch]) -> None:
        warnings.warn(
            f"Training was stopped by hand after {len(history)} epochs: the best weights so far are kept.",
            HourglassWarning,
            stacklevel=4,
        )

    @property
    def _device(self) -> torch.device:
        return torch.device(self.device or ("cuda" if torch.cuda.is_available() else "cpu"))

    def _generator(self, seed: int) -> torch.Generator:
        return torch.Generator(self._device).manual_seed(seed)

    # Checkpoints

    def _unfinished(self, values: Tensor) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The state of an unfinished run from the checkpoint, or the facts that a new run is known by."""
        run = {
            "parameters": to_config(self.get_params(deep=False)),
            "kind": self.kind_.to_config(),
            "data": f"{tuple(values.shape)} {zlib.crc32(values.cpu().contiguous().numpy().data):08x}",
        }
        if self.checkpoint is None or not Path(self.checkpoint).exists():
            return {}, {"run": run, "seed": seed_from(self.random_state)}
        tensors, facts = storage.read(self.checkpoint)
        for name, value in run.items():
            if facts.get("run", {}).get(name) != _jsoned(value):
                raise CheckpointError(
                    f"The checkpoint {str(self.checkpoint)!r} belongs to a run with other {name}: "
                    "delete it to begin anew, or choose another path."
                )
        return tensors, facts

    def _write_checkpoint(self, trainer: Trainer, facts: dict[str, Any]) -> None:
        tensors, state = trainer.state()
        storage.write(self.checkpoint, tensors, {"run": facts["run"], "seed": facts["seed"], **state})

    # Passing data through

    def transform(self, X: Any) -> Any:
        """The codes of X.

        Parameters
        ----------
        X : as in ``fit``
            Data of the fitted shape.

        Returns
        -------
        ndarray of shape (n, codes)
            float64 for float64 data, else float32; a frame after ``set_output``.
        """
        return self._collect(X, lambda model, x: model.encode(x).z).numpy()

    def inverse_transform(self, Z: Any) -> Any:
        """Rebuild data from codes, in the kind and the container that ``fit`` saw.

        Parameters
        ----------
        Z : array or frame of shape (n, codes)
            Codes, as ``transform`` gives them.

        Returns
        -------
        array or table of shape (n, ...)

        Raises
        ------
        DataError
            The number of codes is not the model's.
        """
        check_is_fitted(self)
        codes = np.asarray(Z if not hasattr(Z, "to_numpy") else Z.to_numpy())
        if codes.dtype.kind not in "fiub":
            raise DataError(f"Codes are numbers, as transform gives them. Got an array of {codes.dtype}.")
        require_finite(codes, "The array of codes")
        codes = codes if codes.dtype == np.float64 else codes.astype(np.float32)
        wanted = len(self.get_feature_names_out())
        if codes.ndim != 2 or codes.shape[1] != wanted:
            raise DataError(f"The model has {wanted} codes, so Z must be of shape (n, {wanted}). Got {codes.shape}.")
        model = self._model_for(torch.from_numpy(codes[:0]).dtype)
        with torch.inference_mode():
            chunks = [
                model.scaling.inverse(model.likelihood.mean(model.decode(torch.tensor(part, device=self._device)))).cpu()
                for part in np.array_split(codes, max(1, codes.shape[0] * self.n_features_in_ // CHUNK))
            ]
        return self.kind_.from_tensor(torch.cat(chunks))

    def reconstruct(self, X: Any) -> Any:
        """X through the waist and back: what survives the squeeze.

        Parameters
        ----------
        X : as in ``fit``
            Data of the fitted shape.

        Returns
        -------
        array or table of the kind, shape and container of X
        """
        raw = self._checked(X)
        values = self._collect(raw, lambda model, x: model.scaling.inverse(model.reconstruct(x)))
        return self.kind_.from_tensor(values, raw)

    def score_samples(self, X: Any) -> Any:
        """The log-likelihood of each row's reconstruction.

        Parameters
        ----------
        X : as in ``fit``
            Data of the fitted shape.

        Returns
        -------
        ndarray of shape (n,)
            Nats, of densities over the scaled data; higher is more usual.
        """
        return -self._collect(X, lambda model, x: model.nll(x)).numpy()

    def score(self, X: Any, y: Any = None) -> float:
        """The mean of ``score_samples``, in nats a row: what a grid search maximises."""
        return float(self.score_samples(X).mean())

    def feature_errors(self, X: Any) -> Any:
        """The squared error of each element of each reconstruction.

        Parameters
        ----------
        X : as in ``fit``
            Data of the fitted shape.

        Returns
        -------
        ndarray of the shape of X
            In the units of the scaled data: standard deviations of a column, squared, or pixels from 0 to 1, squared.
        """
        errors = self._collect(X, lambda model, x: (x - model.reconstruct(x)).square())
        return self.kind_.arrange(errors)

    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """The names of the codes: code0, code1 ...

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        ndarray of str
        """
        check_is_fitted(self)
        codes = self.bottleneck if not isinstance(self.bottleneck, Bottleneck) else self.bottleneck.n
        return np.array([f"code{i}" for i in range(codes)], dtype=object)

    def _checked(self, X: Any) -> Any:
        """Raw data that fits the fitted kind."""
        check_is_fitted(self)
        raw = as_raw(X)
        if self.kind_.name == "table":
            self.kind_.check(raw)
            try:
                validate_data(self, raw, reset=False, skip_check_array=True)
            except ValueError as error:  # scikit-learn's words, our type
                raise DataError(str(error)) from error
        else:
            self.kind_.check(raw)
        if length(raw) == 0:
            raise DataError(f"Found array with 0 sample(s) (shape={tuple(raw.shape)}) while a minimum of 1 is required.")
        return raw

    def _collect(self, X: Any, function: Callable[[Hourglass, Tensor], Tensor]) -> Tensor:
        """A function of model and x over all rows, a chunk at a time, into one tensor in memory."""
        raw = self._checked(X)
        n, size = length(raw), max(1, CHUNK // self.kind_.n_features)
        result: Tensor | None = None
        with torch.inference_mode():
            for start in range(0, n, size):
                values = self.kind_.to_tensor(rows(raw, start, min(start + size, n)), start).to(self._device)
                model = self._model_for(values.dtype)
                part = function(model, model.scaling(values))
                if result is None:
                    result = torch.empty((n, *part.shape[1:]), dtype=part.dtype)
                result[start : start + len(part)] = part
        assert result is not None  # _checked refuses empty data
        return result

    def _model_for(self, dtype: torch.dtype) -> Hourglass:
        """The model in the precision of its input: float64 for float64, else float32."""
        if dtype == torch.float64 and dtype not in self._by_dtype:
            self._by_dtype[dtype] = copy.deepcopy(self.model_).double()
        return self._by_dtype.get(dtype, self.model_)

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
            The file can't be written.
        """
        check_is_fitted(self)
        storage.write(path, self.model_.state_dict(), self._header())

    def _header(self) -> dict[str, Any]:
        """All that a file says of the model beside its tensors."""
        return {
            "estimator": type(self).__name__,
            "parameters": to_config(self.get_params(deep=False)),
            "kind": self.kind_.to_config(),
            "features": getattr(self, "feature_names_in_", np.array([])).tolist(),
            "history": self.history_,
        }

    @classmethod
    def _from_file(
        cls, path: str | os.PathLike[str], tensors: dict[str, Tensor], header: dict[str, Any], given: dict[str, Any]
    ) -> Self:
        estimator: Self = cls(**from_config(header["parameters"], given, path))
        estimator.kind_ = kind_from_config(header["kind"])
        estimator.n_features_in_ = estimator.kind_.n_features
        if header["features"]:
            estimator.feature_names_in_ = np.array(header["features"], dtype=object)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", HourglassWarning)  # said when it was fitted
            model = estimator._build(None, estimator._generator(0))
        storage.load_tensors(model, tensors, path)
        estimator._adopt(model.eval())
        estimator.history_ = header["history"]
        return estimator

    # scikit-learn's conventions

    def set_params(self, **params: Any) -> Self:
        """Set parameters by name; those of a part, such as ``bottleneck__k``, replace it by a changed copy."""
        for name in [name for name in params if "__" in name]:
            owner, _, field = name.partition("__")
            part = params.get(owner, getattr(self, owner, None))
            if isinstance(part, Part) and field in part.get_params():
                params[owner] = dataclasses.replace(part, **{field: params.pop(name)})
        super().set_params(**params)
        return self

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        if "model_" in state:
            state |= {"_trainer": None, "_by_dtype": {torch.float32: self.model_}}
        return state

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.input_tags.three_d_array = True
        return tags


def _jsoned(value: Any) -> Any:
    """What a value looks like after a trip through JSON: tuples are lists."""
    if isinstance(value, dict):
        return {key: _jsoned(item) for key, item in value.items()}
    return [_jsoned(item) for item in value] if isinstance(value, (tuple, list)) else value
