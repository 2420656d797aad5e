"""From what was asked for to a model: the parts chosen, checked, wired together, and started as PCA."""

from __future__ import annotations

import copy
import math
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter

from hourglass.batches import SparseRows
from hourglass.errors import ParameterError, warn, with_article
from hourglass.estimators.linear import start_as_pca
from hourglass.estimators.parameters import NETWORKS, SIDES
from hourglass.kinds import Kind
from hourglass.model import Hourglass
from hourglass.parts import (
    Bottleneck,
    Categorical,
    Corruption,
    Gaussian,
    Hide,
    Likelihood,
    Mixed,
    Network,
    Objective,
    Open,
    Plain,
    Restorer,
    Rewriter,
    Together,
    VampPrior,
    Variational,
)
from hourglass.parts.base import one_of
from hourglass.parts.named import corruption as named
from hourglass.parts.networks import Gaps, dry_run, on_processor, seeded_by
from hourglass.parts.objectives import OBJECTIVES
from hourglass.parts.scaling import Conditions

WAIST = 32  # numbers, unless it is said
IMPUTED = 0.5  # of the cells of a row, at most, are hidden in training where a table has gaps
PCA_ROWS, PCA_NUMBERS = 10_000, 2**26  # at most that many rows, and numbers of theirs, are looked at
FEW_ROWS = 1000  # of symbols, which are spread out to ones and zeros
SYMBOLIC = {"encoder": "causal", "decoder": "causal"}  # what is taken for rows of symbols unless it is said
MEANS = " Of codes that are drawn it makes the means, then as many log variances: torch.cat([mean, log_variance], 1)."
MADE_FOR = {  # data that a corruption may need: in words, and what to do where there is none
    "image": ("images", "Use Noise, Mask or Hide."),
    "series": ("series", "Use another, or kind='series'."),
    "symbols": ("rows of symbols", "Use another, or kind='token'."),
}


def assemble(
    owner: str,
    parameters: dict[str, Any],
    kind: Kind,
    values: Tensor | SparseRows | None,
    generator: torch.Generator,
    *,
    conditions: Conditions | None = None,
) -> Hourglass:
    """The model that an estimator's parameters ask for, its scaling learned from ``values``, its networks freshly drawn.

    Without ``values`` it is blank, for a model file to fill.
    """
    bottleneck, objective = parameters["bottleneck"], objective_from(owner, parameters)
    likelihood = parameters["likelihood"]
    corruption = corruption_from(parameters["corruption"])
    encoding, decoding = (network_from(owner, side, parameters) for side in SIDES)
    _require_fit(owner, bottleneck, likelihood, corruption, kind)
    _require_drawn(owner, bottleneck, objective, conditions)
    if corruption is None and kind.gaps:
        corruption = Hide(IMPUTED, rest=True)  # to learn what belongs in a gap
    corruption = None if corruption is None else _by_cell(corruption, kind)
    gaps = _gaps(kind, corruption)
    seen = tuple(gaps(torch.zeros(1, *(size or 1 for size in kind.shape))).shape[1:])
    told = 0 if conditions is None else conditions.width
    chance = on_processor(generator)
    advice = MEANS if bottleneck.drawn else ""
    encoder = _built(encoding, "encoder", (seen[0] + told, *seen[1:]), bottleneck.in_features, chance, advice=advice)
    decoder = _built(decoding, "decoder", kind.shape, bottleneck.width + told, chance)
    squashed = kind.unit and isinstance(decoding, Network) and not decoding.restores
    if squashed and not likelihood.takes_logits:
        decoder = nn.Sequential(decoder, nn.Sigmoid())
    return Hourglass(
        kind.shape,
        scaling=kind.scaling(values),  # type: ignore[arg-type]  # only a table is sparse
        corruption=corruption,
        gaps=None if kind.unit and seen == kind.shape else gaps,
        encoder=encoder,
        bottleneck=bottleneck.build(kind.shape),
        decoder=decoder,
        likelihood=likelihood.build(kind.shape, kind.categories),
        objective=objective,
        conditions=conditions,
    ).to(generator.device)


def _by_cell(corruption: Corruption, kind: Kind) -> Corruption:
    """The corruption, which hides all or nothing of what a cell of a table becomes."""
    if isinstance(corruption, Together):
        return Together(tuple(_by_cell(part, kind) for part in corruption.parts))
    several = kind.name == "table" and len(set(kind.column_of)) < len(kind.column_of)
    if several and isinstance(corruption, Hide) and corruption.together is None:
        return replace(corruption, together=kind.column_of)
    return corruption


def _gaps(kind: Kind, corruption: Corruption | None) -> Gaps:
    """What tells the encoder of what is missing or damaged."""
    if kind.unit:
        return Gaps(None if corruption is None else corruption.marks)
    marks = torch.isnan if kind.gaps or (corruption is not None and corruption.hides) else None
    return Gaps(marks, beside=1 if kind.name == "series" else -1)


def start(
    model: Hourglass, parameters: dict[str, Any], kind: Kind, x: Tensor, generator: torch.Generator, *, known: Tensor | None = None
) -> None:
    """Start what starts from some rows x (n, *shape), and what is known beside them: variances, a prior, and the linear paths."""
    bottleneck, likelihood = parameters["bottleneck"], parameters["likelihood"]
    model.likelihood.start(x.var(0, correction=0).nan_to_num(0))
    if model.bottleneck.prior is not None:
        model.bottleneck.prior.start(x, generator)
    ours = all(parameters[side] is None or isinstance(parameters[side], (str, Network)) for side in SIDES)
    if ours and isinstance(bottleneck, (Plain, Variational)):  # a user's networks keep the weights that they came with
        start_as_pca(model, x, bottleneck, kind.unit or likelihood.takes_logits, known)


def rows_to_start_from(model: Hourglass, kind: Kind, *, sparse: bool = False) -> int:
    """How many rows are looked at for that, at most; fewer of those that were sparse, which are dense then."""
    numbers = PCA_NUMBERS // 4 if sparse else PCA_NUMBERS
    return FEW_ROWS if kind.symbolic else min(PCA_ROWS, numbers // math.prod(model.shape))


def default_waist(kind: Kind, most: int = WAIST) -> int:
    """How many numbers are kept of a row: of tables and series at most half as many as it has."""
    return most if kind.unit else min(most, max(kind.dimensions // 2, 1))


def default_likelihood(kind: Kind, variance: float | Literal["shared", "element"] = 1.0) -> Likelihood:
    """Levels for symbols, a distribution for each column where some are categories or have gaps, else normal ones."""
    if kind.symbolic:
        return Categorical()
    return Mixed(variance) if kind.gaps or kind.categories else Gaussian(variance)


def _require_made_for(owner: str, corruption: Corruption, kind: Kind) -> None:
    """Refuse damage that can't happen to the data."""
    if kind.symbolic and kind.family not in corruption.made_for:
        needed, advice = "numbers", "Use Typos or SwapSymbols."
    elif strange := sorted(corruption.made_for - {kind.family}):
        needed, advice = MADE_FOR[strange[0]]
    else:
        return
    raise ParameterError(
        f"The 'corruption' parameter of {owner} can't be {corruption!r} for {kind.describe()}: it is for {needed}. {advice}"
    )


def _require_fit(owner: str, bottleneck: Bottleneck, likelihood: Likelihood, corruption: Corruption | None, kind: Kind) -> None:
    """Refuse or warn of parts that don't go with the data."""
    if isinstance(bottleneck, Open) and corruption is None:
        example = "typos:0.1" if kind.symbolic else "noise:25"
        raise ParameterError(
            f"The 'corruption' parameter of {owner} can't be None without a waist: the model would copy its input. "
            f"Say what damage it has to mend, as in corruption='{example}', or give a bottleneck."
        )
    if not (isinstance(bottleneck, Open) or bottleneck.drawn) and bottleneck.capacity >= kind.dimensions:
        warn(
            f"A bottleneck of {bottleneck.capacity} for {kind.dimensions} features can copy its input and need not learn "
            "anything: choose a narrower one."
        )
    if corruption is not None:
        _require_made_for(owner, corruption, kind)
    if kind.symbolic and not isinstance(likelihood, Categorical):
        raise ParameterError(
            f"The 'likelihood' parameter of {owner} can't be {likelihood!r} for {kind.describe()}. Use Categorical()."
        )
    if kind.gaps and not likelihood.masks:
        raise ParameterError(
            f"The 'likelihood' parameter of {owner} can't be {likelihood!r} for {kind.describe()} with missing cells. Use Mixed()."
        )
    if isinstance(bottleneck, Open) and not (kind.symbolic or likelihood.any_size):
        raise ParameterError(
            f"The 'likelihood' parameter of {owner} can't be {likelihood!r} without a waist, where pictures have any size. "
            "Use Gaussian(), with one variance."
        )
    if likelihood.takes_logits and not kind.unit:
        raise ParameterError(
            f"The 'likelihood' parameter of {owner} can't be {likelihood!r} for {kind.describe()}: it takes "
            "values from 0 to 1, and columns are standardised. Use Gaussian(), or kind='image'."
        )


def require_sides(owner: str, parameters: dict[str, Any], kind: Kind) -> None:
    """Refuse networks that don't go with the waist, or with its lack, before any data is made ready for them."""
    bottleneck, corrector = parameters["bottleneck"], Rewriter if kind.symbolic else Restorer
    networks = [network_from(owner, side, parameters) for side in SIDES]
    for side, network in zip(SIDES, networks, strict=True):
        if isinstance(bottleneck, Open) and not isinstance(network, corrector):
            raise ParameterError(
                f"The '{side}' parameter of {owner} must be a {corrector.__name__} where there is no waist. "
                "Leave it out, or give a bottleneck."
            )
        if not isinstance(bottleneck, Open) and isinstance(network, (Restorer, Rewriter)):
            raise ParameterError(
                f"The '{side}' parameter of {owner} can't be a {type(network).__name__} beside a waist. "
                "Leave it out, or the bottleneck."
            )
    if getattr(kind, "scale", "channel") == "window":
        raise ParameterError(
            f"The 'kind' parameter of {owner} can't be scaled by window: codes would not say how high and how strong one was. "
            "Leave the scale out."
        )
    if not isinstance(bottleneck, Open):
        return
    if kind.name != "image" and not kind.symbolic:
        raise ParameterError(
            f"The 'bottleneck' parameter of {owner} can't be Open() for {kind.describe()}: it is for images and rows of symbols. "
            "Give a number, such as 32."
        )
    if networks[0] != networks[1]:
        raise ParameterError(f"The encoder and the decoder of {owner} must be the same {corrector.__name__}. Give one of them.")
    if parameters["hidden"] is not None:
        raise ParameterError(f"The 'hidden' parameter of {owner} is for dense networks. Leave it out, or give a bottleneck.")


def corruption_from(asked: Corruption | str | None) -> Corruption | None:
    """The corruption that is asked for, as a part."""
    return named(asked) if isinstance(asked, str) else asked


def objective_from(owner: str, parameters: dict[str, Any]) -> Objective:
    """The objective that is asked for, as a part."""
    asked = parameters["objective"] or "elbo"
    objective: Objective = one_of(asked, OBJECTIVES, "objective", owner)() if isinstance(asked, str) else asked
    return objective


def _require_drawn(owner: str, bottleneck: Bottleneck, objective: Objective, conditions: Conditions | None) -> None:
    """Refuse what needs a distribution of codes where there is none, and priors that would need to be told."""
    if objective.draws and not bottleneck.drawn:
        raise ParameterError(
            f"The 'objective' parameter of {owner} can't be {objective!r} with {bottleneck}: it needs codes with a distribution. "
            "Use Variational(n), or leave the objective out."
        )
    if objective.draws and bottleneck.weighed:
        raise ParameterError(
            f"The 'objective' parameter of {owner} can't be {objective!r} with {bottleneck}: it says itself what codes cost. "
            f"Use Variational({bottleneck.width}) as it is, or leave the objective out."
        )
    if conditions is not None and isinstance(bottleneck, Open):
        raise ParameterError(f"{owner} can't take a condition without a waist. Give a bottleneck, or leave the condition out.")
    if conditions is not None and isinstance(getattr(bottleneck, "prior", None), VampPrior):
        raise ParameterError("A VampPrior can't go with a condition, as its inputs have none. Use MixturePrior().")


def network_from(owner: str, side: str, parameters: dict[str, Any]) -> Any:
    """The network part that is asked for, or a user's own module or function."""
    asked = parameters[side]
    if asked is None and isinstance(parameters["bottleneck"], Open):  # then both sides are one thing
        asked = next((parameters[other] for other in SIDES if parameters[other] is not None), "restorer")
    asked = "dense" if asked is None else asked
    return one_of(asked, NETWORKS, side, owner)(parameters["hidden"]) if isinstance(asked, str) else asked


def _built(asked: Any, side: str, shape: tuple[int, ...], codes: int, generator: torch.Generator, *, advice: str = "") -> nn.Module:
    if isinstance(asked, Network):
        return asked.encoder(shape, codes, generator) if side == "encoder" else asked.decoder(shape, codes, generator)
    module = _own(asked, shape, codes, side, generator)
    given, wanted = (shape, (codes,)) if side == "encoder" else ((codes,), shape)
    lazy = any(isinstance(parameter, UninitializedParameter) for parameter in module.parameters())
    with seeded_by(generator) if lazy else nullcontext():  # as the first rows that pass draw its weights
        dry_run(module, side, given, wanted, advice)
    return module


def _own(asked: Any, shape: tuple[int, ...], codes: int, side: str, generator: torch.Generator) -> nn.Module:
    """A user's module, copied, or made by the user's function from the elements' shape and the number of codes."""
    if isinstance(asked, nn.Module):
        return copy.deepcopy(asked).cpu().float()
    with seeded_by(generator):
        made = asked(shape, codes)
    if not isinstance(made, nn.Module):
        raise ParameterError(
            f"The '{side}' function must return a torch.nn.Module. It returned {with_article(type(made).__name__)}."
        )
    return made.cpu().float()
