"""The autoencoder with a space to sample from."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hourglass.errors import ParameterError
from hourglass.estimators.assembly import SYMBOLIC, default_likelihood, default_waist, objective_from
from hourglass.estimators.fitted import CHUNK
from hourglass.estimators.generating import GeneratingAutoencoder, require_samples
from hourglass.estimators.parameters import seed_from
from hourglass.parts import Bernoulli, Bottleneck, Causal, Gaussian, Hide, Variational

WAIST = 16  # numbers, unless it is said
OF_SYMBOLS = Variational(64, beta=0.2, warmup=0.3)  # with a higher cost, codes of rows of symbols are given up
LOOKING = Causal(dilations=(1, 2, 4, 8))  # as far back as half a bar and a whole one
WRITING = Causal(embedding=192, dilations=(1, 2, 4, 8))  # wide enough to write what is likely, whatever the codes say
OF_KIND: dict[str, dict[str, Any]] = {  # where codes are not given up, a higher cost makes what is drawn better
    "melody": {"bottleneck": Variational(64, beta=0.5, warmup=0.3), "encoder": LOOKING, "decoder": LOOKING},
    "molecule": {"bottleneck": Variational(64, beta=0.64, warmup=0.3), "encoder": WRITING, "decoder": WRITING},
}
HIDING = Hide(0.2, rest=True)  # of tables with gaps: where half of the cells are hidden, codes tell less, and the bound is lower
HABITS = {"optimizer": "adam", "learning_rate": 2e-3, "schedule": "cosine"}
Numbers = NDArray[np.floating[Any]]


class Encoded(NamedTuple):
    """What a variational waist makes of rows."""

    mean: Numbers  # (n, codes)
    std: Numbers  # (n, codes)
    sample: Numbers  # (n, codes), drawn from them
    kl: Numbers  # (n,), nats: divergence of the posterior from the prior


class Bound(NamedTuple):
    """The evidence lower bound of rows and its two parts: elbo = reconstruction - kl."""

    elbo: Numbers  # (n,), nats
    reconstruction: Numbers  # (n,), nats: log-likelihood of a row, the mean over samples of its codes
    kl: Numbers  # (n,), nats
    bits: Numbers  # (n,): -elbo in bits a dimension, -elbo / (log 2 · dimensions of a row)


class LogLikelihood(NamedTuple):
    """The log-likelihood of rows, estimated; ``nats.mean()`` is that of the data."""

    nats: Numbers  # (n,)
    standard_error: Numbers  # (n,), of the estimate, nats

    @property
    def mean(self) -> float:
        """Nats a row."""
        return float(self.nats.mean())

    @property
    def error_of_mean(self) -> float:
        """Standard error of that, as far as it comes from the samples: how rows differ is not in it."""
        return float(np.sqrt(np.square(self.standard_error).sum()) / len(self.nats))


class VariationalAutoencoder(GeneratingAutoencoder):
    """Encode each row to a mean and a standard deviation, so that whatever is drawn from the space of codes decodes into something.

    Continuous data has a learned variance, one for all pixels or one for each column, so that the loss is a bound on the likelihood
    in nats, and nothing has to be weighed by hand. `Bernoulli` is for what is black or white.

    Parameters
    ----------
    bottleneck : int or bottleneck part, optional
        How many codes: an int, or a part such as ``Variational(16, beta=4)``. Unless given 16, but of tables and series at most
        half as many as a row has numbers.
        For rows of symbols it is ``Variational(64, beta=0.2, warmup=0.3)``, with a ``beta`` of 0.5 for melodies and 0.64 for
        molecules; an int changes the 64 alone.
    likelihood : likelihood part, optional
        ``Gaussian("shared")`` for pictures, ``Bernoulli()`` where nearly all pixels are black or white, ``Gaussian("element")``
        or ``Mixed("element")`` for tables, ``Categorical()`` for rows of symbols, unless given.
    objective : {"elbo", "importance-weighted", "total-correlation", "capacity"} or objective part, optional
        What training minimises: the bound on the evidence, "elbo", unless given.
    optimizer, learning_rate, schedule : optional
        Adam, 0.002 and "cosine" unless given; for rows of symbols what the decoder likes, see `OneShot`.
    corruption : optional
        As in `Autoencoder`; of a table with gaps ``Hide(0.2, rest=True)`` unless given.
    encoder, decoder : optional
        As in `Autoencoder`; unless given ``Causal(dilations=(1, 2, 4, 8))`` for melodies, and for molecules the same with an
        ``embedding`` of 192.
    kind, columns, hidden, max_epochs, max_seconds, batch_size, validation_fraction, patience, \
    gradient_clip, checkpoint, device, random_state, callbacks, verbose
        As in `Autoencoder`.

    Attributes
    ----------
    encoder_, bottleneck_, decoder_, model_, kind_, history_, best_epoch_, start_loss_, n_features_in_, feature_names_in_, sampler_
        As in `Autoencoder`.

    References
    ----------
    Kingma and Welling, "Auto-Encoding Variational Bayes", 2014. Rybkin, Daniilidis and Levine, "Simple and Effective VAE Training
    with Calibrated Decoders", 2021, section 3 (learned variance).

    Examples
    --------
    >>> import hourglass as hg
    >>> digits = hg.datasets.load("digits")
    >>> vae = hg.VariationalAutoencoder(16, max_epochs=2, random_state=0).fit(digits.x_train)
    >>> vae.sample(64, random_state=0).shape
    (64, 28, 28)
    >>> vae.interpolate(digits.x_test[0], digits.x_test[1], steps=8).shape
    (8, 28, 28)
    """

    def _waist_of(self, n: int) -> Bottleneck:
        return replace(self._choices()["bottleneck"], n=n) if self.kind_.symbolic else Variational(n)

    def _choices(self) -> dict[str, Any]:
        if self.kind_.symbolic:
            choices: dict[str, Any] = {"bottleneck": OF_SYMBOLS, **SYMBOLIC, **OF_KIND.get(self.kind_.name, {})}
            if objective_from(type(self).__name__, {"objective": self.objective}).draws:
                choices["bottleneck"] = Variational(OF_SYMBOLS.n)  # as the objective says what codes cost
            if self.hidden is not None:  # which networks that go by a name take by themselves
                choices |= {
                    name: replace(part, hidden=tuple(self.hidden)) for name, part in choices.items() if isinstance(part, Causal)
                }
            return choices
        if self.kind_.unit:
            bilevel = getattr(self.kind_, "bilevel", False)
            return {"bottleneck": WAIST, "likelihood": Bernoulli() if bilevel else Gaussian("shared"), **HABITS}
        hiding = {"corruption": HIDING} if self.kind_.name == "table" and self.kind_.gaps else {}
        return {
            "bottleneck": default_waist(self.kind_, WAIST),
            "likelihood": default_likelihood(self.kind_, "element"),
            **hiding,
            **HABITS,
        }

    def encode(self, X: Any, *, condition: Any = None, random_state: Any = None) -> Encoded:
        """The distribution of the codes of each row.

        Parameters
        ----------
        X : as in ``fit``
            Data of the fitted shape.
        condition : as in ``fit``, optional
            For models that were fitted with one.
        random_state : int, RandomState or Generator, optional
            Of the sample.

        Returns
        -------
        Encoded
            ``mean``, ``std`` and ``sample`` (n, codes), and ``kl`` (n,), its divergence from the prior in nats, of the
            sample where it has no closed form.
        """
        generator = self._drawing(random_state)

        def codes(model: Any, x: Tensor, *given: Tensor) -> Tensor:
            code = model.encode(x, generator, *given)
            return torch.cat([code.posterior.mean, code.posterior.std, code.z, code.kl[:, None]], 1)

        found = self._passed(X, condition, codes).numpy()
        mean, std, sample = np.split(found[:, :-1], 3, axis=1)
        return Encoded(mean, std, sample, found[:, -1])

    def elbo(self, X: Any, *, n_samples: int = 1, condition: Any = None, random_state: Any = None) -> Bound:
        """The evidence lower bound of each row, split in two.

        Parameters
        ----------
        X : as in ``fit``
            Data of the fitted shape.
        n_samples : int, default=1
            Samples of the codes of each row.
        condition : as in ``fit``, optional
            For models that were fitted with one.
        random_state : int, RandomState or Generator, optional
            The same seed gives the same numbers.

        Returns
        -------
        Bound
            ``elbo``, ``reconstruction`` and ``kl`` (n,), in nats of densities over the scaled data, and ``bits`` a dimension of the
            data: a pixel's channel, a sample, a symbol, a column of a table however many levels it has.

        References
        ----------
        Kingma and Welling, "Auto-Encoding Variational Bayes", 2014, equation 3.
        """
        generator = self._drawing(random_state, n_samples)

        def parts(model: Any, x: Tensor, *given: Tensor) -> Tensor:
            total = x.new_zeros(len(x), 2)
            for _ in range(n_samples):
                code = model.encode(x, generator, *given)
                total += torch.stack([-model.likelihood.of_rows(x, model.decode(code.z, *given, x=x)), code.kl], 1)
            return total / n_samples

        reconstruction, kl = self._passed(X, condition, parts).numpy().T
        bound = reconstruction - kl
        return Bound(bound, reconstruction, kl, -bound / (math.log(2) * self.kind_.dimensions))

    def log_likelihood(self, X: Any, n_samples: int = 1000, *, condition: Any = None, random_state: Any = None) -> LogLikelihood:
        """The log-likelihood of each row, by importance sampling: the more samples, the tighter from below.

        Parameters
        ----------
        X : as in ``fit``
            Data of the fitted shape.
        n_samples : int, default=1000
            Samples of the codes of each row; 5,000 are usual in the literature.
        condition : as in ``fit``, optional
            For models that were fitted with one.
        random_state : int, RandomState or Generator, optional
            The same seed gives the same numbers.

        Returns
        -------
        LogLikelihood
            ``nats`` and ``standard_error`` (n,): log 1/k Σ w over samples, w = p(x, z) / q(z | x), and by the delta method the
            standard deviation of w over its mean and the root of k.

        References
        ----------
        Burda, Grosse and Salakhutdinov, "Importance Weighted Autoencoders", 2016, equation 8.
        """
        generator = self._drawing(random_state, n_samples)

        def estimate(model: Any, x: Tensor, *given: Tensor) -> Tensor:
            posterior, prior = model.posterior(x, *given), model.density()
            at_once = min(max(CHUNK // x.numel(), 1), n_samples)
            weights = _Weights(x)
            for done in range(0, n_samples, at_once):
                z = posterior.draw(generator, min(at_once, n_samples - done))
                weights.add(prior.log_density(z) - posterior.log_density(z) - model.nll_of_samples(x, z, *given))
            return weights.estimate(n_samples)

        nats, error = self._passed(X, condition, estimate).numpy().T
        return LogLikelihood(nats, error)

    def _drawing(self, random_state: Any, n_samples: Any = 1) -> torch.Generator:
        """A generator, if the codes have a distribution to draw from."""
        if not self._waist.drawn:
            raise ParameterError(f"Codes of {self._waist} have no distribution. Use Variational(n).")
        require_samples(n_samples)
        return self._generator(seed_from(random_state))


class _Weights:
    """Importance weights as they come: their sum and that of their squares, over the largest so far."""

    def __init__(self, x: Tensor) -> None:
        self.highest = x.new_full((len(x),), -torch.inf)
        self.total = self.squares = x.new_zeros(len(x))

    def add(self, log_weight: Tensor) -> None:
        """Take some more (samples, rows)."""
        before, self.highest = self.highest, torch.maximum(self.highest, log_weight.amax(0))
        weight, fading = (log_weight - self.highest).exp(), (before - self.highest).exp()
        self.total = self.total * fading + weight.sum(0)
        self.squares = self.squares * fading.square() + weight.square().sum(0)

    def estimate(self, samples: int) -> Tensor:
        """Logarithm of the mean of that many and its standard error (rows, 2)."""
        mean = self.total / samples
        variance = (self.squares / samples - mean.square()).clamp(min=0)
        return torch.stack([self.highest + mean.log(), (variance / samples).sqrt() / mean], 1)
