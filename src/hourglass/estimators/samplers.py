"""Fitting a distribution to the codes of a trained model, and choosing among several."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hourglass.batches import Batches
from hourglass.errors import ParameterError, suggest
from hourglass.parts import Bottleneck, Quantized
from hourglass.parts.networks import on_processor
from hourglass.parts.samplers import Autoregressive, Flow, FullMixture
from hourglass.training import Plan, Trainer

COMPONENTS = (1, 2, 5, 10, 20, 50)  # that are tried, as long as codes held out like more of them better
FITTED = 50_000  # codes, at most, that a mixture is fitted to
SMEARED = 0.01  # of a code's variance that is added to it in each component
TOLERANCE = 0.01  # nats a row: it is fitted when a step brings no more
HELD_OUT = 5  # every fifth row
PLAN = Plan(batch_size=128, optimizer="adam", learning_rate=3e-3, schedule="one-cycle", patience=5, gradient_clip=1.0)
STEPS = 2000  # of training the recurrent network
FLOWING = replace(PLAN, batch_size=512, learning_rate=2e-3, patience=math.inf)
FLOWING_STEPS = 6000  # of training a flow


@dataclass(frozen=True)
class Sampler:
    """Where samples come from.

    Attributes
    ----------
    name : str
        "prior", "mixture", "flow" or "autoregressive".
    held_out : dict of str to float
        The log-likelihood of the codes of rows held out under each sampler that was tried, in nats a row.
    module : torch.nn.Module or None
        What was fitted; the prior is the model's own.
    """

    name: str
    held_out: dict[str, float]
    module: Any = None

    def __str__(self) -> str:
        tried = ", ".join(f"{name} {nats:.2f}" for name, nats in sorted(self.held_out.items(), key=lambda item: -item[1]))
        return f"{self.name} (log-likelihood of codes held out, in nats a row: {tried})"


def names_for(waist: Bottleneck, prior: Any, *, told: bool = False) -> tuple[str, ...]:
    """The samplers that fit a waist.

    With a condition only the prior does, where there is one: what is fitted to all codes knows nothing of conditions.
    """
    if isinstance(waist, Quantized):
        return ("autoregressive",)
    if prior is None:
        return ("mixture",)
    return ("prior",) if told else ("prior", "mixture")


def fitted(model: Any, waist: Bottleneck, asked: str, codes: Tensor, seed: int) -> Sampler:
    """The sampler that is asked for, or the one that codes (n, width), or indices (n, places), held out are likeliest under."""
    told = model.conditions is not None
    quick = names_for(waist, model.density(), told=told)
    possible = (*quick, "flow") if "mixture" in quick else quick
    if asked not in ("auto", *possible):
        beside = " and a condition" if told else ""
        raise ParameterError(
            f"The sampler of a model with {waist}{beside} can't be {asked!r}. {suggest(asked, ('auto', *possible))}"
        )
    test = torch.arange(len(codes)) % HELD_OUT == 0
    tried = {
        name: FITTERS[name](model, waist, codes[~test], codes[test], seed) for name in (quick if asked == "auto" else (asked,))
    }
    with torch.inference_mode():
        held_out = {name: float(module.log_density(codes[test]).mean()) for name, module in tried.items()}
    best = max(held_out, key=lambda name: held_out[name])
    return Sampler(best, held_out, tried[best] if isinstance(tried[best], nn.Module) else None)


def blank(header: dict[str, Any], tensors: dict[str, Tensor], waist: Bottleneck) -> Sampler:
    """A sampler as a file describes it, filled with its tensors."""
    sampler = Sampler(header["name"], header["held_out"])
    if sampler.name == "prior":
        return sampler
    module: nn.Module
    if isinstance(waist, Quantized):
        module = Autoregressive(waist.choices, waist.places, torch.Generator())
    elif sampler.name == "flow":
        module = Flow(waist.width, torch.Generator())
    else:
        module = FullMixture(*tensors["mean"].shape)
    module.load_state_dict(tensors)
    return replace(sampler, module=module)


def _prior(model: Any, waist: Bottleneck, train: Tensor, test: Tensor, seed: int) -> Any:
    return model.density()


def _mixture(model: Any, waist: Bottleneck, train: Tensor, test: Tensor, seed: int) -> FullMixture:
    """A mixture with as many components as the codes held out like best."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture
    from sklearn.preprocessing import StandardScaler
    from sklearn.utils import shuffle

    seed %= 2**32  # scikit-learn knows no more
    scaler = StandardScaler().set_output(transform="default").fit(train.cpu())
    known, unseen = scaler.transform(train.cpu()), scaler.transform(test.cpu())
    known = shuffle(known, n_samples=min(len(known), FITTED), random_state=seed)
    best = -np.inf
    for components in COMPONENTS:
        if components > len(known) // 10 and components > 1:
            break
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            tried = GaussianMixture(components, tol=TOLERANCE, reg_covar=SMEARED, random_state=seed).fit(known)
        score = tried.score(unseen)
        if score <= best:
            break
        best, chosen = score, tried
    found = FullMixture(*chosen.means_.shape)
    found.log_weight.copy_(torch.from_numpy(np.log(chosen.weights_)))
    found.mean.copy_(torch.from_numpy(scaler.inverse_transform(chosen.means_)))
    spread = torch.from_numpy(scaler.scale_)[:, None]
    found.root.copy_(spread * torch.linalg.cholesky(torch.from_numpy(chosen.covariances_).double()))
    return found.to(train.device)


def _flow(model: Any, waist: Bottleneck, train: Tensor, test: Tensor, seed: int) -> Any:
    def make(generator: torch.Generator) -> Flow:
        module = Flow(waist.width, generator).to(train.device)
        module.mean.copy_(train.mean(0))
        module.scale.copy_(train.std(0).clamp(min=1e-6))
        return module

    return _trained(make, FLOWING, FLOWING_STEPS, (train, test), seed)


def _autoregressive(model: Any, waist: Any, train: Tensor, test: Tensor, seed: int) -> Any:
    def make(generator: torch.Generator) -> Autoregressive:
        return Autoregressive(waist.choices, waist.places, generator).to(train.device)

    return _trained(make, PLAN, STEPS, (train, test), seed)


def _trained(make: Callable[..., Any], plan: Plan, steps: int, codes: tuple[Tensor, Tensor], seed: int) -> Any:
    """A module after about so many steps on the first codes, with the weights that the second, held out, like best."""
    generator = torch.Generator(codes[0].device).manual_seed(seed)
    module = make(on_processor(generator))
    plan = replace(plan, max_epochs=max(steps // -(-len(codes[0]) // plan.batch_size), 10))
    rows = torch.arange(sum(map(len, codes)), device=codes[0].device)
    learned, judged = (Batches(torch.cat(codes), some, lambda batch: batch) for some in torch.split(rows, [*map(len, codes)]))
    trainer = Trainer(module, learned, judged, plan, generator)
    for _ in trainer.epochs():
        pass
    trainer.restore_best()
    return module.eval()


FITTERS: dict[str, Callable[..., Any]] = {"prior": _prior, "mixture": _mixture, "flow": _flow, "autoregressive": _autoregressive}
