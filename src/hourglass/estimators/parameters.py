"""The parameters of the estimators: their rules as a table, their way into JSON and back, the choices left to Hourglass."""

from __future__ import annotations

import functools
import inspect
import math
import os
from collections.abc import Callable, Collection, Iterable
from numbers import Integral
from typing import Any, ParamSpec, TypeVar

import numpy as np
import torch
from torch import nn

from hourglass.errors import ModelFileError, ParameterError, shown, suggest
from hourglass.kinds import Melodies, Series
from hourglass.optimizers import OPTIMIZERS
from hourglass.parts import (
    Bottleneck,
    Causal,
    Convolutional,
    Corruption,
    Dense,
    Likelihood,
    Network,
    Objective,
    OneShot,
    Part,
    Recurrent,
    Restorer,
    Rewriter,
    Temporal,
)
from hourglass.parts.base import are_counts, is_count, is_number, is_positive, is_rate, plain, revived
from hourglass.training import SCHEDULES, Plan

Rule = tuple[Callable[[Any], bool], str]
Takes = ParamSpec("Takes")
Gives = TypeVar("Gives")


def _optional(rule: Callable[[Any], bool], words: str) -> Rule:
    return (lambda value: value is None or rule(value)), f"{words} or None"


def _instance(kind: type | tuple[type, ...], words: str) -> Rule:
    return _optional(lambda value: isinstance(value, kind), words)


def _is_device(value: Any) -> bool:
    try:
        torch.device(value)
    except (RuntimeError, TypeError):
        return False
    return True


def _is_there(device: Any) -> bool:
    """Whether torch can reckon and draw on a device here."""
    try:
        torch.empty(0, device=torch.Generator(device).device)
    except (RuntimeError, AssertionError):
        return False
    return True


def _choice(table: dict[str, Any]) -> Rule:
    return (lambda value: value is None or (isinstance(value, str) and value in table)), f"one of {', '.join(map(repr, table))}"


NETWORKS: dict[str, Callable[[Any], Network]] = {
    "dense": Dense,
    "convolutional": Convolutional,
    "temporal": lambda hidden: Temporal(),
    "causal": lambda hidden: Causal() if hidden is None else Causal(hidden=hidden),
    "one-shot": lambda hidden: OneShot() if hidden is None else OneShot(hidden=hidden),
    "recurrent": lambda hidden: Recurrent() if hidden is None else Recurrent(hidden=hidden),
    "restorer": lambda hidden: Restorer(),
    "rewriter": lambda hidden: Rewriter(),
}  # the names of networks: each a function of ``hidden``


def _is_network(value: object) -> bool:
    return isinstance(value, (str, Network)) or callable(value)


_NETWORK = _optional(_is_network, f"{', '.join(map(repr, NETWORKS))}, a network part, a torch module, a function that makes one")

_RATE = (lambda value: value == "auto" or is_rate(value)), "'auto' or a float above 0 and at most 0.5"

RULES: dict[str, Rule] = {
    "bottleneck": (
        lambda value: value is None or is_count(value) or isinstance(value, Bottleneck),
        "a positive int or a bottleneck part",
    ),
    "alarm_rate": _RATE,
    "contamination": _RATE,
    "neighbours": _optional(lambda value: is_count(value, 0), "an int of at least 0"),
    "features": _instance(nn.Module, "a torch module"),
    "contaminated": _instance(bool, "True or False"),
    "columns": _instance(dict, "a dict of types by column"),
    "kind": _instance((str, Series, Melodies), "the name of a kind of data, a Series or a Melodies part"),
    "encoder": _NETWORK,
    "decoder": _NETWORK,
    "corruption": _instance((Corruption, str), "a corruption part, text such as 'noise:25'"),
    "likelihood": _instance(Likelihood, "a likelihood part, such as Gaussian() or Bernoulli(),"),
    "objective": _instance((Objective, str), "an objective part, the name of one"),
    "hidden": _optional(lambda value: are_counts(value, fewest=0), "a tuple of positive ints"),
    "max_epochs": _optional(is_count, "a positive int"),
    "max_seconds": _optional(is_positive, "a positive number of seconds"),
    "batch_size": _optional(is_count, "a positive int"),
    "optimizer": _choice(OPTIMIZERS),
    "learning_rate": _optional(is_positive, "a positive float"),
    "schedule": _choice(SCHEDULES),
    "validation_fraction": (lambda value: is_number(value) and 0 <= value < 1, "a float from 0 to below 1"),
    "patience": _optional(is_count, "a positive int"),
    "gradient_clip": _optional(is_positive, "a positive float"),
    "checkpoint": _instance((str, os.PathLike), "a path"),
    "device": (lambda value: value is None or _is_device(value), "the name of a torch device, such as 'cpu' or 'cuda', or None"),
    "random_state": (
        lambda value: value is None or isinstance(value, (Integral, np.random.RandomState, np.random.Generator)),
        "an int, a RandomState, a Generator or None",
    ),
    "callbacks": (
        lambda value: isinstance(value, (tuple, list)) and all(map(callable, value)),
        "a tuple of functions of (estimator, epoch)",
    ),
}


def require_valid(owner: str, parameters: dict[str, Any]) -> None:
    """Raise `ParameterError` for the first parameter that breaks its rule."""
    for name, value in parameters.items():
        holds, words = RULES.get(name, (lambda _: True, ""))
        if not holds(value):
            raise ParameterError(f"The '{name}' parameter of {owner} must be {words}. Got {shown(value)} instead.")
    device = parameters.get("device")
    if device is not None and not _is_there(device):
        name = str(device)
        raise ParameterError(
            f"The 'device' parameter of {owner} can't be {name!r}, as torch finds no {name.upper()}. Leave it out, or use 'cpu'."
        )
    if parameters.get("hidden") is not None and any(isinstance(parameters.get(side), (Network, nn.Module)) for side in SIDES):
        raise ParameterError(
            f"The 'hidden' parameter of {owner} gives the widths of its own networks: leave it out beside an encoder or "
            "decoder of your own."
        )


OF_OTHERS = {  # names that parameters have in other libraries, and what does the same here
    **dict.fromkeys(("beta", "embedding_dim", "encoding_dim", "latent_dim", "n_components"), "bottleneck"),
    **dict.fromkeys(("encoder_neuron_list", "hidden_layer_sizes", "hidden_neuron_list", "hidden_neurons"), "hidden"),
    "compress_dims": "hidden",
    **dict.fromkeys(("criterion", "loss", "reconstruction_loss"), "likelihood"),
    **dict.fromkeys(("epoch_num", "epochs", "max_iter", "n_epochs", "num_epochs"), "max_epochs"),
    **dict.fromkeys(("learning_rate_init", "lr"), "learning_rate"),
    "n_iter_no_change": "patience",
    "noise": "corruption",
    "output_dir": "checkpoint",
    "seed": "random_state",
    "validation_split": "validation_fraction",
    "warm_start": "partial_fit",
}


def require_known(owner: type, names: Iterable[str], known: Collection[str], error: type[Exception] = TypeError) -> None:
    """Raise an error for the first name that is no parameter of a class, with what was probably meant."""
    for name in names:
        if name not in known:
            meant = OF_OTHERS.get(name)
            inner = meant or name
            if meant is not None and (meant in known or hasattr(owner, meant)):
                near = f"Did you mean {meant!r}?"
            elif "estimator" in known and inner in RULES:
                near = f"An estimator has it: {owner.__name__}(hourglass.Autoencoder({inner}=...))."
            else:
                near = suggest(name if meant is None else "", known)
            raise error(f"{owner.__name__} has no parameter {name!r}. {near}")


def without_parameters(method: Callable[Takes, Gives]) -> Callable[Takes, Gives]:
    """A method that tells whoever hands it a parameter of the estimator, such as ``fit(X, epochs=5)``, where that goes."""
    own = list(inspect.signature(method).parameters)[1:]

    @functools.wraps(method)
    def told(*args: Takes.args, **kwargs: Takes.kwargs) -> Gives:
        for name in kwargs:
            if name not in own:
                estimator: Any = args[0]
                owner, parameters = type(estimator), estimator.get_params(deep=False)
                meant = name if name in parameters else OF_OTHERS.get(name)
                advice = f"Say it earlier: {owner.__name__}({meant}=...)." if meant in parameters else suggest(name, own)
                raise TypeError(f"{method.__name__} of {owner.__name__} has no parameter {name!r}. {advice}")
        return method(*args, **kwargs)

    return told


SIDES = ("encoder", "decoder")
STEPS = 4000  # of training, unless it is said; a choice that suits digits and small tables alike, not a measured best
EPOCHS = (20, 200)  # at least and at most, whatever the steps: large piles are gone over often enough, tiny ones not for ever
RUNTIME = ("callbacks", "checkpoint", "device", "verbose")  # of the run, not of the model: a file doesn't keep them


def to_config(parameters: dict[str, Any]) -> dict[str, Any]:
    """Parameters as plain JSON; a user's own module or function leaves only its name."""
    return {name: _written(value) for name, value in parameters.items() if name not in RUNTIME}


def from_config(config: dict[str, Any], given: dict[str, Any], path: str | os.PathLike[str]) -> dict[str, Any]:
    """The parameters that `to_config` wrote, with the user's own networks from ``given``."""
    parameters = {}
    for name, value in config.items():
        if name == "columns":  # the user's own names, which may be those of parts
            parameters[name] = value
        elif isinstance(value, dict) and "yours" in value:
            if given.get(name) is None:
                raise ModelFileError(
                    f"The {name} of {str(path)!r} is a network of your own, {value['yours']}: "
                    f"pass it, as in hourglass.load(path, {name}=...)."
                )
            parameters[name] = given[name]
        else:
            parameters[name] = revived(value)
    return parameters


def _written(value: Any) -> Any:
    if isinstance(value, (np.random.RandomState, np.random.Generator)):
        return None
    if callable(value) and not isinstance(value, Part):
        named = value if isinstance(value, type) or not isinstance(value, nn.Module) else type(value)
        return {"yours": f"{named.__module__}.{getattr(named, '__qualname__', type(value).__name__)}"}
    return plain(value)


def seed_from(random_state: Any) -> int:
    """A seed for our own generators; never drawn from a global random state."""
    fits, rule = RULES["random_state"]
    if not fits(random_state):
        raise ParameterError(f"The 'random_state' must be {rule}. Got {shown(random_state)} instead.")
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31 - 1))
    if isinstance(random_state, Integral):
        return int(random_state) % 2**64  # what torch's generators take
    return int(np.random.default_rng(random_state).integers(2**31 - 1))


def plan_from(parameters: dict[str, Any], n: int, network: Any, batch_size: int) -> Plan:
    """How to train on ``n`` rows: what was asked for, and for what was not, a choice by size and by what the network likes."""
    habits = network.habits if isinstance(network, Network) else Network.habits
    batch_size = parameters["batch_size"] or habits.get("batch_size", batch_size)
    max_epochs = parameters["max_epochs"]
    if max_epochs is None and parameters["max_seconds"] is None:
        max_epochs = min(max(math.ceil(STEPS / math.ceil(n / batch_size)), EPOCHS[0]), EPOCHS[1])
    return Plan(
        max_epochs=max_epochs,
        max_seconds=parameters["max_seconds"],
        batch_size=batch_size,
        optimizer=parameters["optimizer"] or habits["optimizer"],
        learning_rate=parameters["learning_rate"] or habits["learning_rate"],
        schedule=parameters["schedule"] or habits["schedule"],
        patience=parameters["patience"],
        gradient_clip=parameters["gradient_clip"],
    )
