"""The doctor: what is wrong with a fitted model, in words and numbers, and what to do about it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from hourglass.analysis.metrics import Array, rounded
from hourglass.data.some import spread
from hourglass.errors import DataError
from hourglass.estimators import BaseAutoencoder
from hourglass.estimators.fitted import rows_at_once
from hourglass.estimators.learning import COLLAPSED
from hourglass.kinds import length, taken
from hourglass.model import Hourglass
from hourglass.parts import Bottleneck, Gaussian, Matched, Mixed, Quantized, Variational
from hourglass.parts.densities import Normal
from hourglass.training import watched_units

if TYPE_CHECKING:
    import polars as pl

ACTIVE = 0.01  # variance of a posterior's mean over the rows, from where on a code is active
ALIKE = 1e-12  # of the largest variance, where codes are no distribution
MOST_ROWS = 1000  # that are looked at
MOST_SHUFFLED = 200  # of them, where each code is shuffled in turn
UNHEARD = 0.1  # of the nats that codes tell, from where on the decoder makes use of them
OVERFITTED = 0.2  # of the nats that codes are worth, which a held-out row may be worse off than a learned one, or than it was
LEAST_GAP = 0.1  # nats of such a difference that nobody minds
CURE = "More rows help, a smaller network (hidden=), or a corruption such as Mask(0.1)."
HEALTHY = "Nothing is wrong that shows in these figures."
MANY_DEAD = 0.25  # share of dead units from where on something should be done: of few rows a healthy model was measured to have 14%
FEW_IN_USE = 0.25  # of the vectors that rows could have had, below which a codebook is much too large


@dataclass(frozen=True, eq=False, repr=False)
class Diagnosis:
    """What `diagnose` found. What a model doesn't have is None.

    Attributes
    ----------
    codes : polars.DataFrame
        A row a code, of a quantised waist a row a place: ``code``, its name; ``variance`` over the rows, of the posterior's mean
        where there is one; ``active``, whether it varies; ``kl``, nats of a row that it tells, where the prior has a divergence for
        each code; ``worth``, nats of likelihood that a row loses if this code is another row's. Of a quantised waist ``in_use``,
        vectors that stand there in some row, and ``perplexity`` in place of variance and divergence.
    rows : int
        How many rows were looked at.
    active : int
        How many codes are active.
    kl : float or None
        Divergence of the codes from their prior, nats a row: what the codes tell, whatever it costs.
    worth : float
        Nats of likelihood that a row loses if all its codes are another row's: how much the decoder uses them.
    collapsed : bool or None
        Whether codes that are drawn from a distribution tell nothing, or the decoder doesn't listen.
    in_use, perplexity : float or None
        Of a codebook: share of its vectors that stand anywhere, and how many equally frequent vectors would be as varied.
    gap : float or None
        How many nats a held-out row was worse off than one that was learned from, in the epoch whose weights were kept.
    dead : float or None
        Share of units behind activations that are above 0 for none of the rows.
    findings : tuple of str
        What is wrong, each with what to do; empty where nothing is.
    """

    codes: pl.DataFrame
    rows: int
    active: int
    kl: float | None
    worth: float
    collapsed: bool | None
    in_use: float | None
    perplexity: float | None
    gap: float | None
    dead: float | None
    findings: tuple[str, ...]

    @property
    def figures(self) -> tuple[str, ...]:
        """The numbers as sentences."""
        unit = "places" if self.perplexity is not None else "codes"
        lines = [
            f"{self.active} of {len(self.codes)} {unit} are active.",
            f"With the codes of another row, a row loses {rounded(max(self.worth, 0))} nats of likelihood.",
        ]
        if self.kl is not None:
            lines.append(f"The codes tell {rounded(self.kl)} nats of a row.")
        if self.in_use is not None:
            lines.append(
                f"Of the codebook {self.in_use:.1%} is in use, as varied as {self.perplexity:,.0f} equally frequent vectors."
            )
        if self.gap is not None:
            off = "worse" if self.gap > 0 else "better"
            lines.append(f"A row held out was {off} off than one learned from by {rounded(abs(self.gap))} nats.")
        if self.dead is not None:
            lines.append(f"{self.dead:.1%} of the units are dead.")
        return tuple(lines)

    def __repr__(self) -> str:
        found = [f"- {finding}" for finding in self.findings] or [HEALTHY]
        return "\n".join([*self.figures, "", *found])


def diagnose(model: BaseAutoencoder, X: Any, *, condition: Any = None) -> Diagnosis:
    """Say what is wrong with a fitted model, and what to do about it.

    Parameters
    ----------
    model : estimator
        Fitted, with a waist of any kind.
    X : as in ``fit``
        Data of two rows at least, best of ones that the model was not trained on; of more than 1,000, as many are looked at,
        evenly spaced.
    condition : as in ``fit``, optional
        For models that were fitted with one.

    Returns
    -------
    Diagnosis
        Prints as a page of text; ``findings`` are sentences, the rest are numbers.

    Raises
    ------
    DataError
        X doesn't fit the model, or the model has no waist.

    Notes
    -----
    A code is active if the mean of its posterior has a variance over the rows of more than 0.01. Where codes are no distribution
    their scale means nothing, and a code is active if it varies at all. Codes have collapsed if they tell less than 0.1 nats of a
    row, or if a row loses less than a tenth of what they tell when it gets the codes of another. Training has diverged if its loss
    went up, in some epoch, by more than half of what it fell, on rows that were learned from and on those held out.

    References
    ----------
    Burda, Grosse and Salakhutdinov, "Importance Weighted Autoencoders", 2016, section 5.2 (active units). Bowman et al.,
    "Generating Sentences from a Continuous Space", 2016, section 3.1 (collapse, and warm-up against it).

    Examples
    --------
    >>> import hourglass as hg
    >>> digits = hg.datasets.load("digits")
    >>> vae = hg.VariationalAutoencoder(8, max_epochs=2, random_state=0).fit(digits.x_train)
    >>> hg.diagnose(vae, digits.x_test).collapsed
    False
    """
    if not isinstance(model, BaseAutoencoder):
        raise DataError(f"A fitted autoencoder can be diagnosed. Got {type(model).__name__}.")
    waist = model._waist
    looked = _Look(model, *_some(model, X, condition))
    with watched_units(looked.model) as alive:
        z, posterior, kl = looked.encoded()
        before = looked.nll(z)
    told = posterior is not None
    if isinstance(waist, Quantized):
        codes, standing = _places(looked, z, waist)
        in_use, perplexity = float((standing > 0).mean()), _perplexity(standing)
    else:
        codes, in_use, perplexity = _codes(looked, z, posterior), None, None
    found: dict[str, Any] = {
        "codes": codes,
        "rows": len(z),
        "active": int(codes["active"].sum()),
        "kl": kl,
        "worth": float((looked.nll(_shuffled(z)) - before).mean()),
        "in_use": in_use,
        "perplexity": perplexity,
        "gap": _gap(model),
        "dead": 1 - float(torch.cat(list(alive.values())).float().mean()) if alive else None,
    }
    found["collapsed"] = (found["kl"] < COLLAPSED or found["worth"] < UNHEARD * found["kl"]) if told else None
    return Diagnosis(**found, findings=tuple(_findings(model, waist, found)))


# What is measured


def _some(model: BaseAutoencoder, X: Any, condition: Any) -> tuple[Tensor, Tensor | None]:
    """Some rows, evenly spaced, as the networks see them, and what is known beside them."""
    raw = model._checked(X)
    n = length(raw)
    if n < 2:
        raise DataError("Codes can't be compared between rows of which there is only one. Give two or more.")
    some = spread(n, MOST_ROWS)
    given = [part[torch.from_numpy(some).to(part.device)] for part in model._told(condition, n)]
    x = model._seen(taken(raw, some))
    return x.float().to(model._device), given[0].float() if given else None


class _Look:
    """A model, and rows that pass it a chunk at a time, in single precision."""

    def __init__(self, model: BaseAutoencoder, x: Tensor, given: Tensor | None) -> None:
        self.model: Hourglass = model.model_
        self.x, self.given = x, given
        self.at_once = rows_at_once(model.kind_.shape, model._widest)

    def of(self, some: Array) -> _Look:
        """The same for some of the rows."""
        other = copy.copy(self)
        index = torch.from_numpy(some).to(self.x.device)
        other.x, other.given = self.x[index], None if self.given is None else self.given[index]
        return other

    def encoded(self) -> tuple[Tensor, Normal | None, float | None]:
        """Codes (n, codes), of a distribution the means, what they are drawn from, and their divergence in nats a row."""
        generator = torch.Generator(self.x.device).manual_seed(0)
        with torch.inference_mode():
            found = [self.model.encode(x, generator, given) for x, given in self._chunks()]
        if found[0].posterior is None:
            return torch.cat([code.z for code in found]), None, None  # type: ignore[misc]
        mean, std = (torch.cat([getattr(code.posterior, name) for code in found]) for name in ("mean", "std"))
        return mean, Normal(mean, std), float(torch.cat([code.kl for code in found]).mean())  # type: ignore[misc]

    def nll(self, z: Tensor) -> Tensor:
        """Negative log-likelihood of the rows (n,) for codes (n, codes), in nats."""
        with torch.inference_mode():
            return torch.cat(
                [
                    self.model.likelihood.of_rows(x, self.model.decode(codes, given, x))
                    for (x, given), codes in zip(self._chunks(), torch.split(z, self.at_once), strict=True)
                ]
            )

    def _chunks(self) -> Iterator[tuple[Tensor, Tensor | None]]:
        whole = torch.split(self.x, self.at_once)
        yield from zip(whole, [None] * len(whole) if self.given is None else torch.split(self.given, self.at_once), strict=True)


def _shuffled(z: Tensor) -> Tensor:
    """Each row with the codes (n, ...) of another one."""
    order = torch.randperm(len(z), generator=torch.Generator().manual_seed(0)).to(z.device)
    result = torch.empty_like(z)
    result[order] = z[order.roll(1)]
    return result


def _worths(looked: _Look, z: Tensor, parts: int) -> list[float]:
    """Nats that a row loses if a part of its codes is another row's, for each of so many parts."""
    some = spread(len(z), MOST_SHUFFLED)
    fewer, kept = looked.of(some), z[torch.from_numpy(some).to(z.device)]
    before, width = fewer.nll(kept), z.shape[1] // parts
    found = []
    for start in range(0, z.shape[1], width):
        mixed = kept.clone()
        mixed[:, start : start + width] = _shuffled(kept[:, start : start + width])
        found.append(float((fewer.nll(mixed) - before).mean()))
    return found


def _codes(looked: _Look, z: Tensor, posterior: Normal | None) -> pl.DataFrame:
    """What is told of each code."""
    import polars as pl

    variance = z.double().var(0).cpu().numpy()
    active = variance > (ACTIVE if posterior is not None else ALIKE * variance.max())
    with torch.inference_mode():
        prior = None if posterior is None else looked.model.density()
    kl = posterior.kl(prior).mean(0).tolist() if posterior is not None and isinstance(prior, Normal) else None
    names = [f"code{i}" for i in range(z.shape[1])]
    worth = _worths(looked, z, z.shape[1])
    columns = {"code": names, "variance": variance, "active": active, "kl": kl or [None] * len(names), "worth": worth}
    return pl.DataFrame(columns, schema_overrides={"kl": pl.Float64})


def _places(looked: _Look, z: Tensor, waist: Quantized) -> tuple[pl.DataFrame, Array]:
    """What is told of each place, and how often each vector stands in any (choices,)."""
    import polars as pl

    with torch.inference_mode():
        indices = looked.model.bottleneck.indices(z).cpu().numpy()  # type: ignore[operator]  # (n, places)
    counts = [np.bincount(place, minlength=waist.choices) for place in indices.T]
    in_use = [int((count > 0).sum()) for count in counts]
    return pl.DataFrame(
        {
            "code": [f"place{i}" for i in range(waist.places)],
            "in_use": in_use,
            "perplexity": [_perplexity(count) for count in counts],
            "active": [number > 1 for number in in_use],
            "worth": _worths(looked, z, waist.places),
        }
    ), np.sum(counts, 0)


def _perplexity(counts: Array) -> float:
    """How many equally frequent things are as varied as some that were counted (things,): the exponential of the entropy."""
    shares = counts[counts > 0] / counts.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def kept(model: BaseAutoencoder) -> tuple[int, float] | None:
    """The epoch whose weights were kept, 0 for the start, and its loss on held-out rows; None where none were held out.

    Of a file that doesn't say, it is that of the lowest loss.
    """
    losses = {record["epoch"]: record["validation"] for record in model.history_ if record["validation"] is not None}
    if model.start_loss_ is not None:
        losses[0] = model.start_loss_
    epoch = min(losses, key=losses.__getitem__, default=0) if model.best_epoch_ is None else model.best_epoch_
    return (epoch, losses[epoch]) if epoch in losses else None


def _gap(model: BaseAutoencoder) -> float | None:
    """How far the loss on held-out rows was above that on the others, in the epoch whose weights were kept."""
    epoch, loss = kept(model) or (0, 0.0)
    return loss - float(model.history_[epoch - 1]["train"]) if epoch else None


def _risen(model: BaseAutoencoder) -> float:
    """How far the loss on held-out rows rose after that epoch."""
    judged = [record["validation"] for record in model.history_ if record["validation"] is not None]
    best = kept(model)
    return float(judged[-1] - best[1]) if judged and best else 0.0


def _went_up(losses: list[float]) -> float:
    """How far a loss was, at its worst, above the lowest before."""
    return float(np.max(np.asarray(losses) - np.minimum.accumulate(losses), initial=0.0))


def _astray(history: list[dict[str, Any]], start: float | None = None) -> float:
    """How far the loss went up, if by more than half of what it fell, on rows that were learned from and on those held out.

    Where it did not, but never came below the loss of the ``start``, how far above that it is in the end.
    """
    train = [record["train"] for record in history]
    held_out = [record["validation"] for record in history if record["validation"] is not None]
    rise = min(_went_up(losses) for losses in (train, held_out or train))  # while codes get dearer, the first may rise alone
    if train and rise > (train[0] - min(train)) / 2:
        return rise
    return float(min(train[-1], held_out[-1]) - start) if start is not None and held_out and min(train + held_out) > start else 0.0


# What is made of it


def _findings(model: BaseAutoencoder, waist: Bottleneck, found: dict[str, Any]) -> Iterator[str]:
    """What is wrong, and what to do."""
    n, unit = len(found["codes"]), "places" if isinstance(waist, Quantized) else "codes"
    if found["collapsed"]:
        told = f"they tell {found['kl']:.2g} nats of a row, and it loses {max(found['worth'], 0):.2g} with the codes of another"
        yield f"The codes have collapsed: {told}. {_against_collapse(model, waist)}"
    elif found["worth"] < COLLAPSED:
        yield (
            "The decoder doesn't use the codes: a row loses next to nothing with those of another. If the data has any structure, "
            "train for longer, and see to it that the decoder gets nothing but the codes."
        )
    elif 2 * found["active"] < n:
        yield (
            f"Only {found['active']} of {n} {unit} are active. A waist of {found['active']} does as well; if too little survives, "
            f"{_more_codes(waist)}."
        )
    if found["in_use"] is not None and isinstance(waist, Quantized):
        possible = min(found["rows"] * waist.places, waist.choices)
        in_use = round(found["in_use"] * waist.choices)
        if in_use < FEW_IN_USE * possible:
            yield f"Only {in_use:,} of {waist.choices:,} vectors of the codebook are in use: a smaller one does as well."
    limit, astray = max(OVERFITTED * found["worth"], LEAST_GAP), _astray(model.history_, model.start_loss_)
    if astray > limit:
        highest = max(record["learning_rate"] for record in model.history_)
        yield (
            f"Training diverged: on the way the loss went up by {rounded(astray)} nats, on rows that were learned from "
            f"as well. Lower learning_rate, which was up to {highest:.2g}."
        )
    elif (gap := found["gap"] or 0.0) > limit:
        yield f"Rows are learned by heart: one held out is worse off than one learned from by {rounded(gap)} nats. {CURE}"
    elif (risen := _risen(model)) > limit and (best := kept(model)):
        since = f"epoch {best[0]}" if best[0] else "the start"
        yield (
            f"In the end rows were learned by heart: the held-out loss rose by {rounded(risen)} nats after {since}, whose "
            f"weights were kept. {CURE}"
        )
    if found["dead"] is not None and found["dead"] >= MANY_DEAD and not found["collapsed"]:
        yield f"{found['dead']:.0%} of the units are above 0 for no row and can hardly learn any more. Lower learning_rate."


def _against_collapse(model: BaseAutoencoder, waist: Bottleneck) -> str:
    """What to do if codes tell nothing: what is the likeliest cause of it comes first."""
    inner = waist.base if isinstance(waist, Matched) else waist
    likelihood = model._made_of["likelihood"]
    if isinstance(inner, Variational) and inner.beta > 1:
        return f"A nat that they tell costs {inner.beta:g}: lower beta, to 1 for a bound on the likelihood."
    if isinstance(likelihood, (Gaussian, Mixed)) and not likelihood.learns:
        learned = "Gaussian('shared')" if model.kind_.unit else f"{type(likelihood).__name__}('element')"
        return f"The variance of the likelihood is fixed, so errors may cost too little: let it be learned, likelihood={learned}."
    return (
        f"Try Variational({waist.width}, free_bits=0.1) or warmup=0.3, and a decoder that can do less without the codes. If that "
        "changes nothing, what a row is made of may have nothing in common."
    )


def _more_codes(waist: Bottleneck) -> str:
    if isinstance(waist, Variational):
        return f"lower beta (now {waist.beta:g})" if waist.beta > 1 else "try free_bits=0.1 or warmup=0.3"
    return "train for longer"
