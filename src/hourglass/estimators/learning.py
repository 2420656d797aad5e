"""How an autoencoder learns: its parameters, what is chosen where nothing was said, fit and partial_fit."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor, nn
from torch.utils.data import ConcatDataset

from hourglass.batches import Batches, Patches, SparseRows
from hourglass.errors import DataError, ParameterError, warn
from hourglass.estimators import checkpoints, conditions, patches
from hourglass.estimators.assembly import (
    SYMBOLIC,
    assemble,
    default_likelihood,
    default_waist,
    network_from,
    require_sides,
    rows_to_start_from,
    start,
)
from hourglass.estimators.fitted import Fitted, trainable
from hourglass.estimators.parameters import SIDES, plan_from, seed_from, to_config, without_parameters
from hourglass.kinds import Album, Melodies, Series, as_raw, length, taken
from hourglass.kinds.table import TableKind
from hourglass.model import Hourglass
from hourglass.parts import Bottleneck, Corruption, Likelihood, Network, Objective, Open, Plain
from hourglass.parts.scaling import Conditions, scaled
from hourglass.training import Epoch, Trainer

MADE_OF = ("bottleneck", "kind", "columns", "encoder", "decoder", "corruption", "likelihood", "objective", "hidden")
Values = Tensor | SparseRows | Album  # numbers that are learned from, or pictures
COLLAPSED = 0.1  # nats of a row, below which codes tell nothing: weak but true structure was measured to leave 0.3, collapse 0.003


class Learning(Fitted):
    """The parameters of all autoencoders, and how one is fitted. Subclasses choose what is taken where nothing is said."""

    _keeps_sparse = True
    encoder_: nn.Module
    bottleneck_: nn.Module
    decoder_: nn.Module
    condition_kind_: TableKind | None
    best_epoch_: int | None  # None in a file that doesn't say
    start_loss_: float | None
    _trainer: Trainer | None
    _paused: checkpoints.State | None = None  # of the trainer, in a copy or a pickle

    def __init__(
        self,
        bottleneck: int | Bottleneck | None = None,
        *,
        kind: str | Series | Melodies | None = None,
        columns: dict[str, str] | None = None,
        encoder: str | Network | nn.Module | Callable[..., nn.Module] | None = None,
        decoder: str | Network | nn.Module | Callable[..., nn.Module] | None = None,
        corruption: Corruption | str | None = None,
        likelihood: Likelihood | None = None,
        objective: Objective | str | None = None,
        hidden: Sequence[int] | None = None,
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
        device: str | torch.device | None = None,
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
        self.objective = objective
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

    @without_parameters
    def fit(self, X: Any, y: Any = None, *, condition: Any = None, validation_data: Any = None) -> Self:
        """Learn to rebuild X through the waist.

        Ctrl-C ends training early and keeps the best weights so far.

        Parameters
        ----------
        X : array of shape (n, ...), pandas, polars or pyarrow table, sparse matrix, path, list of paths, Record, or list of those
            The data; no labels are needed.
        y : None
            Ignored.
        condition : array of shape (n,) or (n, columns), or table, optional
            What is known beside each row, a label for one. Encoder and decoder are told, so the codes need not say it, and samples
            can be asked for by it. Everything that is done with the fitted model then needs a condition too.
        validation_data : as X, optional
            Rows of your own to choose the best weights by and to stop early, in place of a share of X. They can't go with a
            condition.

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
        return self._fit(self._asked_for(X), condition, judged=validation_data)

    @trainable()
    def _fit(
        self,
        raw: Any,
        condition: Any = None,
        *,
        timeless: bool = False,
        only: NDArray[np.intp] | None = None,
        judged: Any = None,
    ) -> Self:
        """Learn from raw data; from rows of those numbers alone, if they are given, which of a long record are windows.

        What is ``judged`` by is other data, unless it is some of the rows.
        """
        self._require_valid()
        if judged is not None and condition is not None:
            raise ParameterError("validation_data can't go with a condition. Leave it out: some of the rows are held out then.")
        with self._or_as_before():
            trainer, facts = self._prepared(self._learn(raw, timeless=timeless, only=only), raw, condition, judged)
        self._adopt(trainer.model)
        self._run(trainer, facts)
        return self

    def _prepared(self, values: Values, raw: Any, condition: Any, judged: Any) -> tuple[Trainer, dict[str, Any]]:
        """What trains a model that is built for numbers of raw data, and the facts that its run is known by.

        It holds the numbers scaled, so those that came need no memory while it trains.
        """
        raw_condition = self._learn_condition(condition, raw, len(values))
        others = None if judged is None else self._more(self._asked_for(judged))
        run = {} if self.checkpoint is None else self._run_on(values, raw_condition, others)
        state = checkpoints.unfinished(self.checkpoint, run)
        facts: dict[str, Any] = {"run": run, "seed": seed_from(self.random_state)} if state is None else state[1]
        generator = self._generator(facts["seed"])
        model = self._build(values, raw_condition, generator)
        some, order = (torch.randperm(len(values), generator=generator, device=generator.device) for _ in range(2))
        held_out = min(round(len(order) * self.validation_fraction), len(order) - 1) if len(order) >= 10 else 0
        if others is not None:
            values, order, held_out = *self._joined(values, others, order), len(others)
        self._start(model, values, raw_condition, some[~torch.isin(some, order[:held_out])], generator)
        given = None if raw_condition is None or model.conditions is None else model.conditions(raw_condition).float()
        train, validation = self._batches(values, model, order, held_out, given)
        plan = plan_from(self._asked, len(train), self._network, train.per_step)
        trainer = Trainer(model, train, validation, plan, generator)
        if self.checkpoint is not None and state is not None:
            checkpoints.go_on(trainer, self.checkpoint, state)
        return trainer, facts

    @without_parameters
    @trainable()
    def partial_fit(self, X: Any, y: Any = None, *, condition: Any = None) -> Self:
        """Go once over X at a constant rate, from where training stands; the first call settles kind and scaling.

        Parameters that say how to train, such as ``learning_rate``, may be set anew between calls, those that say what the model
        is made of can't. A pickled copy goes on as the original would; a model file holds the weights alone.

        Parameters
        ----------
        X : as in ``fit``
            More data of the same shape.
        y : None
            Ignored.
        condition : as in ``fit``, optional
            What is known beside each row.

        Returns
        -------
        self

        Raises
        ------
        ParameterError
            A parameter breaks its rule, or one that the model is made of was set anew.
        DataError
            The data can't be used, or doesn't fit the model.
        """
        self._require_valid()
        raw = self._asked_for(X)
        if not hasattr(self, "model_"):
            with self._or_as_before():
                values = self._learn(raw)
                known = self._learn_condition(condition, raw, len(values))
                generator = self._generator(seed_from(self.random_state))
                model = self._build(values, known, generator)
                some = torch.randperm(len(values), generator=generator, device=generator.device)
                self._start(model, values, known, some, generator)
                self._adopt(model)
                self.history_: list[dict[str, Any]] = []
        else:
            self._require_as_built()
            values = self._more(raw)
            self._require_learnable(values)
        given = self._told(condition, length(raw))
        batches, _ = self._batches(values, self.model_, torch.arange(len(values), device=self._device), 0, *given)
        plan = plan_from(self._asked, len(batches), self._network, batches.per_step)
        plan = dataclasses.replace(plan, schedule="constant", max_epochs=None, max_seconds=None)
        if self._trainer is None:
            self._trainer = Trainer(self.model_, batches, None, plan, self._generator(seed_from(self.random_state)))
            self._trainer.history = [Epoch(**record) for record in self.history_]
            if self._paused is not None:
                self._trainer.load_state(*self._paused)
        self._trainer.follow(plan)
        try:
            self.history_ += [dataclasses.asdict(self._trainer.go_over(batches))]
        finally:
            self._adopt(self.model_, self._trainer)
            self.best_epoch_, self.start_loss_ = self._trainer.best_epoch, self._trainer.start_loss
        return self

    # From data to what is learned from

    def _asked_for(self, X: Any) -> Any:
        """Data to learn from as raw data of the kind that was asked for."""
        return as_raw(X, apart=self._apart, kind=self.kind, sparse=True)

    def _more(self, raw: Any) -> Values:
        """More data of the kind that was learned, as numbers."""
        return Album(raw) if self._restores else self._numbers(self._fitting(self.kind_.learned(raw)))

    def _joined(self, values: Any, others: Any, order: Tensor) -> tuple[Any, Tensor]:
        """Rows with others behind them, and an order of them all in which the others are the first."""
        self._require_learnable(others)
        behind = torch.arange(len(values), len(values) + len(others), device=order.device)
        order = torch.cat([behind, order])
        if isinstance(values, Album):
            return Album(ConcatDataset([values, others])), order  # type: ignore[arg-type, list-item]
        if isinstance(values, Tensor) and isinstance(others, Tensor):
            return torch.cat([values, others]), order
        if isinstance(values, SparseRows) and isinstance(others, SparseRows):
            return SparseRows(sparse.vstack([values.matrix, others.matrix], format="csr"), self._device), order
        raise DataError("Of the data and validation_data one is sparse and the other is not. Give both alike.")

    def _require_as_built(self) -> None:
        """Refuse to go on where what the model is made of was set anew since: only another fit makes another model."""
        asked, there = self._parameters_taken, self._parameters
        now, then = to_config(asked), to_config(there)
        for name in MADE_OF:
            if now[name] != then[name]:
                made_with = self._made_of[name] if there[name] is None else there[name]
                raise ParameterError(
                    f"The '{name}' parameter of {type(self).__name__} was set to {asked[name]!r}, and the model is made with "
                    f"{made_with!r}: partial_fit can't rebuild it. Set it back to go on, or call fit for another model."
                )

    def _require_learnable(self, values: Values) -> None:
        """Refuse to go on with rows (n, *shape) that have gaps, where the first rows had none and the likelihood masks none."""
        if not isinstance(values, Tensor):
            return
        gaps = values.isnan().flatten(1).any(1)
        if gaps.any() and not self._made_of["likelihood"].masks:
            raise DataError(
                f"Row {int(gaps.int().argmax())} has a gap, and what this {type(self).__name__} learned from first had none. "
                "Fill it, or begin with rows of which some have gaps."
            )

    def _learn(self, raw: Any, *, timeless: bool = False, only: NDArray[np.intp] | None = None) -> Values:
        """Learn the kind from the data, and give the data as numbers; pictures to be restored stay pictures, of whatever size."""
        self._learn_kind(raw, self.kind, timeless=timeless)
        require_sides(type(self).__name__, self._asked, self.kind_)
        if not self._restores:
            return self._learned_from(raw if only is None else taken(self.kind_.opened(raw), only))
        self.kind_ = self.kind_.opaque()
        return Album(raw)

    def _learn_condition(self, condition: Any, raw: Any, n: int) -> Tensor | None:
        """Learn what is known beside the n rows of raw data, if anything is, and give it as numbers (n, cells)."""
        if condition is not None and length(raw) != n:
            owner = type(self).__name__
            raise ParameterError(f"{owner} takes no condition for {self.kind_.describe()}, which are cut to windows. Leave it out.")
        self.condition_kind_ = None if condition is None else conditions.learned(condition, n)
        return None if self.condition_kind_ is None else conditions.numbers(self.condition_kind_, condition, n).to(self._device)

    def _told(self, condition: Any, n: int) -> tuple[Tensor, ...]:
        """What the model is told beside n rows: one tensor (n, conditions), or nothing where it was fitted on rows alone."""
        owner = type(self).__name__
        if condition is None and self.condition_kind_ is None:
            return ()
        if self.condition_kind_ is None:
            raise ParameterError(f"This {owner} was fitted without a condition, so it can't be given one. Fit it with condition=.")
        if condition is None:
            names = ", ".join(self.condition_kind_.names)
            raise ParameterError(
                f"This {owner} was fitted with a condition ({names}). Say condition=, one for each row or one for all."
            )
        raw = conditions.numbers(self.condition_kind_, condition, n).to(self._device)
        return (self.model_.conditions(raw),)

    def _batches(
        self, values: Values, model: Hourglass, order: Tensor, held_out: int = 0, given: Tensor | None = None
    ) -> tuple[Batches | Patches, Batches | Patches | None]:
        """What is learned from, and what is held out: the first so many in an order."""
        judged, learned = order[:held_out], order[held_out:]
        if isinstance(values, Album):
            train = patches.learned(values, learned.tolist(), self._network.patch, self.kind_, self._device)
            return train, patches.judged(train, judged.tolist()) if held_out else None
        x = scaled(model.scaling, values) if isinstance(values, Tensor) and values.is_floating_point() else values
        cut = model.reads and model.spells and given is None  # other networks want rows of one length
        lengths = self.kind_.lengths(values) if cut and isinstance(values, Tensor) else None
        if lengths is not None and model.corruption is not None:
            lengths = model.corruption.longest(lengths)

        def prepared(batch: Tensor) -> Tensor:
            seen: Tensor = model.scaling(batch).float()
            return seen

        of_rows, others = (Batches(x, some, prepared, given=given, lengths=lengths) for some in (learned, judged))
        return of_rows, others if held_out else None

    # What is asked for, and chosen where nothing was said

    @property
    def _parameters_taken(self) -> dict[str, Any]:
        """The parameters, those too that ``__init__`` of a subclass doesn't take."""
        own: dict[str, Any] = self.get_params(deep=False)
        return {name: getattr(self, name) for name in Learning._get_param_names()} | own

    @property
    def _asked(self) -> dict[str, Any]:
        """The parameters, with what is chosen where nothing was said."""
        asked = self._parameters_taken
        asked |= {name: choice for name, choice in self._choices().items() if asked[name] is None}
        waist = asked["bottleneck"]
        return asked | {
            "bottleneck": waist if isinstance(waist, Bottleneck) else self._waist_of(waist),
            "likelihood": asked["likelihood"] or default_likelihood(self.kind_),
        }

    def _waist_of(self, n: int) -> Bottleneck:
        """The waist of a number that is asked for."""
        return Plain(n)

    def _choices(self) -> dict[str, Any]:
        """What is taken for this kind of data where a parameter says nothing."""
        return {"bottleneck": default_waist(self.kind_), **(self._symbolic() if self.kind_.symbolic else {})}

    def _symbolic(self, waist: int | Bottleneck | None = None) -> dict[str, Any]:
        """Networks for rows of symbols, where nothing is said of them; without a waist both are one thing."""
        if not isinstance(self.bottleneck or waist, Open):
            return SYMBOLIC
        network = self.decoder if self.encoder is None else self.encoder
        return dict.fromkeys(SIDES, "rewriter" if network is None else network)

    @property
    def _network(self) -> Any:
        """The decoder that is asked for."""
        return network_from(type(self).__name__, "decoder", self._asked)

    @property
    def _apart(self) -> bool:
        """Whether pictures may stay in their files until they are needed: there is no waist, as far as can be said without data."""
        return isinstance(self.bottleneck, Open)

    @property
    def _restores(self) -> bool:
        """Whether pictures of any size are corrected, in place of rows of one shape rebuilt."""
        return getattr(self._network, "restores", False)

    # From parts to a trained model

    def _build(self, values: Values | None, given: Tensor | None, generator: torch.Generator) -> Hourglass:
        """The model that is asked for, scaled by the rows, freshly drawn."""
        numbers = None if isinstance(values, Album) else values
        self._parameters, self._made_of = self._parameters_taken, self._asked
        told = self.condition_kind_
        known = None if told is None else Conditions(told.scaling(given), told.shape[0])
        return assemble(type(self).__name__, self._made_of, self.kind_, numbers, generator, conditions=known)

    def _start(self, model: Hourglass, values: Values, given: Tensor | None, some: Tensor, generator: torch.Generator) -> None:
        """Start what starts from rows, from the first of ``some`` by their numbers."""
        if not isinstance(values, Album):
            some = some[: rows_to_start_from(model, self.kind_, sparse=isinstance(values, SparseRows))]
            known = None if model.conditions is None or given is None else model.conditions(given[some]).float()
            start(model, self._made_of, self.kind_, model.scaling(values[some]).float(), generator, known=known)

    def _adopt(self, model: nn.Module, trainer: Trainer | None = None) -> None:
        """Make a model the fitted one; what was derived from an earlier one is forgotten."""
        super()._adopt(model)
        self.encoder_, self.bottleneck_, self.decoder_ = self.model_.encoder, self.model_.bottleneck, self.model_.decoder
        self._trainer, self._paused = trainer, None

    def _run_on(self, values: Values, condition: Tensor | None, judged: Values | None) -> dict[str, Any]:
        """What a run on data, on what is known beside it and on what it is judged by, is told from others by."""
        told = None if self.condition_kind_ is None else self.condition_kind_.to_config()
        return {
            "parameters": to_config(self._parameters_taken),
            "kind": self.kind_.to_config(),
            "data": checkpoints.digest(values),
            "condition": None if condition is None else [told, checkpoints.digest(condition)],
            "validation_data": None if judged is None else checkpoints.digest(judged),
        }

    def _run(self, trainer: Trainer, facts: dict[str, Any]) -> None:
        """Train, with a checkpoint and the callbacks after each epoch."""

        def stop(epoch: Epoch) -> bool:
            self.best_epoch_, self.start_loss_ = trainer.best_epoch, trainer.start_loss  # a callback may save the model
            if self.checkpoint is not None:
                checkpoints.write(self.checkpoint, trainer, facts)
            if self.callbacks:
                self._by_dtype = {}  # of earlier weights: what a callback asks the model is answered by those of now
            return self._asked_to_stop(epoch)

        try:
            finished = self._train(trainer, stop)
        finally:
            self._adopt(trainer.model)  # a callback may have made a float64 copy of earlier weights
            self.best_epoch_, self.start_loss_ = trainer.best_epoch, trainer.start_loss
        _warn_of_collapse(trainer)
        if finished and self.checkpoint is not None:
            Path(self.checkpoint).unlink(missing_ok=True)

    # scikit-learn's conventions

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        if "model_" not in state:
            return state
        paused = self._paused if self._trainer is None else self._trainer.state()
        return state | {"_trainer": None, "_paused": paused}


def _warn_of_collapse(trainer: Trainer) -> None:
    """Say so if the codes of the weights that were kept tell next to nothing."""
    kl = trainer.history[trainer.best_epoch - 1].kl if trainer.best_epoch else None
    if kl is not None and kl < COLLAPSED:
        warn(
            f"The codes have collapsed: they tell {kl:.2g} nats of a row, so all rows are rebuilt much alike. "
            "hourglass.diagnose(model, X) says what may help."
        )
