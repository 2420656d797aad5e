"""What all autoencoders share: fitting, passing data through."""

from __future__ import annotations

import dataclasses
import math
import os
import warnings
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from hourglass import storage
from hourglass.batches import Batches, Patches
from hourglass.errors import CheckpointError, DataError, HourglassWarning
from hourglass.estimators import patches
from hourglass.estimators.assembly import WAIST, assemble, bottleneck_from, network_from, require_sides
from hourglass.estimators.fitted import CHUNK, Fitted
from hourglass.estimators.parameters import plan_from, seed_from, to_config
from hourglass.kinds import Album, Series, as_raw
from hourglass.kinds.base import require_finite
from hourglass.model import Hourglass
from hourglass.parts import Bottleneck, Corruption, Likelihood, Network, Open, Part, Plain
from hourglass.training import Epoch, Trainer


class BaseAutoencoder(TransformerMixin, Fitted):  # type: ignore[misc]
    """Everything that autoencoders share. Subclasses document it, choose what is taken where nothing is said, or add methods."""

    _trainer: Trainer | None

    def __init__(
        self,
        bottleneck: int | Bottleneck | None = None,
        *,
        kind: str | Series | None = None,
        columns: dict[str, str] | None = None,
        encoder: str | Network | nn.Module | Callable[..., nn.Module] | None = None,
        decoder: str | Network | nn.Module | Callable[..., nn.Module] | None = None,
        corruption: Corruption | str | None = None,
        likelihood: Likelihood | None = None,
        hidden: tuple[int, ...] | None = None,
        max_epochs: int | None = None,
        max_seconds: float | None = None,
        batch_size: int | None = None,
        optimizer: str | None = None,
        learning_rate: float | None = None,
        schedule: str | None = None,
        validation_fraction: float = 0.1,
        patience: int | None = None,
        gradient_clip: float | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        device: str | None = None,
        random_state: Any = None,
        callbacks: Sequence[Callable[..., Any]] = (),
        verbose: bool = False,
    ) -> None:
        self.bottleneck = bottleneck
        self.kind = kind
        self.columns = columns
        self.encoder = encoder
        self.decoder = decoder
        self.corruption = corruption
        self.likelihood = likelihood
        self.hidden = hidden
        self.max_epochs = max_epochs
        self.max_seconds = max_seconds
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.gradient_clip = gradient_clip
        self.checkpoint = checkpoint
        self.device = device
        self.random_state = random_state
        self.callbacks = callbacks
        self.verbose = verbose

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
        return self._fit(as_raw(X, apart=self._apart, kind=self.kind))

    def _fit(self, raw: Any, *, timeless: bool = False) -> Self:
        self._require_valid()
        values = self._learn(raw, timeless=timeless)
        tensors, facts = self._unfinished(values)
        generator = self._generator(facts["seed"])
        model = self._build(values, generator)
        order = torch.randperm(len(values), generator=generator, device=generator.device)
        held_out = round(len(order) * self.validation_fraction) if len(order) >= 10 else 0
        train, validation = self._batches(values, model, order, held_out)
        plan = plan_from(self._asked, len(train), self._network, train.per_step)
        trainer = Trainer(model, train, validation, plan, generator)
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
        raw = as_raw(X, apart=self._apart, kind=self.kind)
        if not hasattr(self, "model_"):
            values = self._learn(raw)
            self._adopt(self._build(values, self._generator(seed_from(self.random_state))))
            self.history_: list[dict[str, Any]] = []
        else:
            values = Album(raw) if self._restores else self.kind_.to_tensor(self._checked(raw)).to(self._device)
        batches, _ = self._batches(values, self.model_, torch.arange(len(values), device=self._device))
        if self._trainer is None:
            plan = plan_from(self._asked, len(batches), self._network, batches.per_step)
            plan = dataclasses.replace(plan, schedule="constant", max_seconds=None)
            self._trainer = Trainer(self.model_, batches, None, plan, self._generator(seed_from(self.random_state)))
            self._trainer.history = [Epoch(**record) for record in self.history_]
        self.history_ += [dataclasses.asdict(self._trainer.go_over(batches))]
        self._adopt(self.model_, self._trainer)
        return self

    def _learn(self, raw: Any, *, timeless: bool = False) -> Tensor | Album:
        """Learn the kind from the data, and give the data as numbers; pictures to be restored stay pictures, of whatever size."""
        self._learn_kind(raw, self.kind, timeless=timeless)
        require_sides(type(self).__name__, self._asked, self.kind_)
        if not self._restores:
            return self._learned_from(raw)
        self.kind_ = self.kind_.opaque()
        return Album(raw)

    def _batches(
        self, values: Tensor | Album, model: Hourglass, order: Tensor, held_out: int = 0
    ) -> tuple[Batches | Patches, Batches | Patches | None]:
        """What is learned from, and what is held out: the first so many in an order."""
        judged, learned = order[:held_out], order[held_out:]
        if isinstance(values, Album):
            train = patches.learned(values, learned.tolist(), self._network.patch, self.kind_.shape[0], self._device)
            return train, patches.judged(train, judged.tolist()) if held_out else None
        x = values if not values.is_floating_point() else model.scaling(values).float()
        return Batches(x, learned, model.scaling), Batches(x, judged, model.scaling) if held_out else None

    @property
    def _asked(self) -> dict[str, Any]:
        """The parameters, with what is chosen where nothing was said."""
        asked: dict[str, Any] = self.get_params(deep=False)
        return asked | {name: choice for name, choice in self._choices().items() if asked[name] is None}

    def _choices(self) -> dict[str, Any]:
        """What is taken for this kind of data where a parameter says nothing."""
        return {"bottleneck": Plain(WAIST)}

    @property
    def _network(self) -> Any:
        """The decoder that is asked for."""
        return network_from(type(self).__name__, "decoder", self._asked, bottleneck_from(self._asked))

    @property
    def _apart(self) -> bool:
        """Whether pictures may stay in their files until they are needed: there is no waist, as far as can be said without data."""
        return isinstance(self.bottleneck, Open)

    @property
    def _restores(self) -> bool:
        """Whether pictures of any size are corrected, in place of rows of one shape rebuilt."""
        return getattr(self._network, "restores", False)

    def _build(self, values: Tensor | Album | None, generator: torch.Generator) -> Hourglass:
        numbers = values if isinstance(values, Tensor) else None
        return assemble(type(self).__name__, self._asked, self.kind_, numbers, generator)

    def _adopt(self, model: nn.Module, trainer: Trainer | None = None) -> None:
        """Make a model the fitted one; what was derived from an earlier one is forgotten."""
        super()._adopt(model)
        self.encoder_, self.bottleneck_, self.decoder_ = model.encoder, model.bottleneck, model.decoder
        self._trainer = trainer

    def _run(self, trainer: Trainer, facts: dict[str, Any]) -> None:
        """Train, with a checkpoint and the callbacks after each epoch."""

        def stop(epoch: Epoch) -> bool:
            if self.checkpoint is not None:
                self._write_checkpoint(trainer, facts)
            answers = [callback(self, epoch) for callback in self.callbacks]  # all are called, whatever the first says
            return any(answers)

        try:
            finished = self._train(trainer, stop)
        finally:
            self._adopt(trainer.model)  # a callback may have made a float64 copy of earlier weights
        if finished and self.checkpoint is not None:
            Path(self.checkpoint).unlink(missing_ok=True)

    def _generator(self, seed: int) -> torch.Generator:
        return torch.Generator(self._device).manual_seed(seed)

    # Checkpoints

    def _unfinished(self, values: Tensor | Album) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The state of an unfinished run from the checkpoint, or the facts that a new run is known by."""
        run = {
            "parameters": to_config(self.get_params(deep=False)),
            "kind": self.kind_.to_config(),
            "data": f"{tuple(values.shape)} {zlib.crc32(_sample(values)):08x}",
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
        assert self.checkpoint is not None
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
        _ = self._waist  # a model without one is refused
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
        wanted = self._waist.n
        codes = np.asarray(Z if not hasattr(Z, "to_numpy") else Z.to_numpy())
        if codes.dtype.kind not in "fiub":
            raise DataError(f"Codes are numbers, as transform gives them. Got an array of {codes.dtype}.")
        require_finite(codes, "The array of codes")
        codes = codes if codes.dtype == np.float64 else codes.astype(np.float32)
        if codes.ndim != 2 or codes.shape[1] != wanted:
            raise DataError(f"The model has {wanted} codes, so Z must be of shape (n, {wanted}). Got {codes.shape}.")
        model = self._model_for(torch.from_numpy(codes[:0]).dtype)
        with torch.inference_mode():
            chunks = [
                model.scaling.inverse(model.likelihood.mean(model.decode(torch.tensor(part, device=self._device)))).cpu()
                for part in np.array_split(codes, max(1, codes.shape[0] * math.prod(self.kind_.shape) // CHUNK))
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
        """The error of each element of each reconstruction, squared.

        Parameters
        ----------
        X : as in ``fit``
            Data of the fitted shape.

        Returns
        -------
        ndarray of the shape of X
            In the units of the scaled data: standard deviations of a column, squared, or pixels from 0 to 1, squared. Of a
            category, in nats (minus the logarithm of its level's probability). Of a missing cell 0, of a column left out NaN.
        """
        errors = self._collect(X, lambda model, x: model.likelihood.errors(x, model.reconstruct(x)))
        return self.kind_.summed(errors)

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
        return np.array([f"code{i}" for i in range(self._waist.n)], dtype=object)

    @property
    def _waist(self) -> Bottleneck:
        """The bottleneck of the fitted model, which has codes."""
        check_is_fitted(self)
        waist = bottleneck_from(self._asked)
        if isinstance(waist, Open):
            raise DataError("The model has no waist, so there are no codes. Fit one that has, as in bottleneck=32.")
        return waist

    def _header(self) -> dict[str, Any]:
        return super()._header() | {"bottleneck": bottleneck_from(self._asked).to_config()}

    def _fill(self, tensors: dict[str, Tensor], header: dict[str, Any], given: dict[str, Any], path: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", HourglassWarning)  # said when it was fitted
            model = self._build(None, self._generator(0))
        storage.load_tensors(model, tensors, path)
        self._adopt(model.eval())

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
        return state | {"_trainer": None} if "model_" in state else state

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _sample(values: Tensor | Album) -> Any:
    """Bytes that tell one pile of data from another: all of a tensor, of pictures the first."""
    return np.ascontiguousarray(values[0]).data if isinstance(values, Album) else values.cpu().contiguous().numpy().data


def _jsoned(value: Any) -> Any:
    """What a value looks like after a trip through JSON: tuples are lists."""
    if isinstance(value, dict):
        return {key: _jsoned(item) for key, item in value.items()}
    return [_jsoned(item) for item in value] if isinstance(value, (tuple, list)) else value
