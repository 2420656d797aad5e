"""What codes are good for beyond their rows: samples, ways from one row to another, what a code stands for."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from hourglass.data.molecules import is_of_rdkit
from hourglass.data.some import spread
from hourglass.errors import DataError, ParameterError, shown
from hourglass.estimators import samplers, tunes
from hourglass.estimators.base import BaseAutoencoder
from hourglass.estimators.nearest import Nearest
from hourglass.estimators.parameters import seed_from
from hourglass.estimators.samplers import Sampler
from hourglass.kinds import Kind, as_objects, as_raw, length, taken
from hourglass.kinds.token import END, TokenKind, is_listed
from hourglass.parts import Quantized
from hourglass.parts.base import is_count, is_number, is_positive
from hourglass.training import Trainer, under

if TYPE_CHECKING:
    import polars as pl

PATHS = ("straight", "spherical")
MOST_COMPARED = 5000  # rows of which the usual distance is told
SAMPLER = "sampler."  # before the names of its tensors in a file
FEWEST = 3  # rows that a sampler is fitted to, one of which is held out
CLOSE = 0.01  # of those rows are nearer to another one than a copy is


class GeneratingAutoencoder(BaseAutoencoder):
    """Base of the autoencoders with codes, which can be drawn, moved and decoded."""

    sampler_: Sampler | None

    def _suited(self, kind: Kind, raw: Any, timeless: bool) -> Kind:
        return kind if timeless else kind.in_fragments(raw)  # alarms speak of symbols

    def fit_sampler(self, X: Any, sampler: str = "auto", *, condition: Any = None, random_state: Any = None) -> Self:
        """Fit a distribution to the codes of X, for `sample` to draw from.

        The codes of a variational model are drawn as each row has them; of melodies, which would repeat themselves too little,
        they are the means. It takes time beside training, which ``max_seconds`` doesn't limit: the longer the more rows there are,
        up to 50,000, and the more codes a row has.

        Parameters
        ----------
        X : as in ``fit``
            The training data; every fifth row is held out to judge by.
        sampler : {"auto", "prior", "mixture", "flow", "autoregressive"}, default="auto"
            The model's own prior; a mixture of up to 50 normal distributions, fitted to 50,000 codes at most; a network along
            which noise flows to where codes are, which takes minutes to train; or, for quantised codes, a small recurrent network
            that draws one after the other. "auto" takes the one that the codes held out are likeliest under, see ``sampler_``; it
            doesn't try a flow.
        condition : as in ``fit``, optional
            For models that were fitted with one.
        random_state : int, RandomState or Generator, optional
            The same seed gives the same distribution.

        Returns
        -------
        self
            With ``sampler_``, which says what was chosen and why.

        Raises
        ------
        ParameterError
            A sampler that doesn't fit the waist.
        DataError
            X doesn't fit the model, or has fewer than 3 rows.

        References
        ----------
        Ghosh et al., "From Variational to Deterministic Autoencoders", 2020, section 4 (a density that is fitted after training).
        """
        check_is_fitted(self)
        seed = seed_from(random_state)
        waist = self._waist
        generator = None if self.kind_.samples_from_means else self._generator(seed)

        def codes(model: Any, x: Tensor, given: Tensor | None = None) -> Tensor:
            z = model.encode(x, generator, given).z
            found: Tensor = model.bottleneck.indices(z) if isinstance(waist, Quantized) else z
            return found

        rows = self._fitting(self.kind_.learned(self._raw(X)))
        found = self._passed(rows, condition, codes).to(self._device)
        if len(found) < FEWEST:
            raise DataError(
                f"A sampler is fitted to codes and judged by others, so it needs {FEWEST} rows or more. Got {len(found)}."
            )
        found = found.float() if found.is_floating_point() else found
        self.sampler_ = samplers.fitted(self.model_, waist, sampler, found, seed)
        return self

    def sample(
        self,
        n: int = 1,
        *,
        condition: Any = None,
        noisy: bool | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        random_state: Any = None,
    ) -> Any:
        """New data: codes drawn from the prior, or from what `fit_sampler` fitted, and decoded.

        Parameters
        ----------
        n : int, default=1
            How many rows.
        condition : as in ``fit``, optional
            For models that were fitted with one: one for each row, or one for all.
        noisy : bool, optional
            Whether each element is drawn from its distribution in place of its mean, of a category its likeliest level. Unless
            given, of tables whose variances are learned, as those of `VariationalAutoencoder` are, since columns would vary too
            little; and of rows of symbols where a temperature or ``top_p`` is given.
        temperature : float, optional
            Of rows of symbols: below 1 likely symbols are drawn more often than the model says, above 1 less often.
        top_p : float, optional
            Of rows of symbols: each is drawn from as few of the likeliest ones as have this probability together.
        random_state : int, RandomState or Generator, optional
            The same seed gives the same samples.

        Returns
        -------
        array or table of shape (n, ...)
            In the kind and the container that ``fit`` saw. Where that was a record, windows of its length stand side by side in
            one: n times as many samples.

        Raises
        ------
        ParameterError
            The model has no distribution to draw from, a condition is missing, or a temperature doesn't go with the data.
        """
        check_is_fitted(self)
        sharpening = self._sharpening(noisy, temperature, top_p)
        if sharpening and noisy is None:
            noisy = True
        require_samples(n)
        generator = self._generator(seed_from(random_state))
        with torch.inference_mode():
            z = self._drawn(n, generator)
        return self._decoded(z, condition, generator, noisy, **sharpening)

    def _sharpening(self, noisy: bool | None, temperature: float | None, top_p: float | None) -> dict[str, float]:
        """What was said of how symbols are drawn."""
        said = {name: value for name, value in (("temperature", temperature), ("top_p", top_p)) if value is not None}
        for name, value in said.items():
            if not is_positive(value) or (name == "top_p" and value > 1):
                words = "a positive float" if name == "temperature" else "a float above 0 and at most 1"
                raise ParameterError(f"The '{name}' of samples must be {words}. Got {value!r} instead.")
            if not self.kind_.symbolic:
                raise ParameterError(f"The '{name}' of samples is for rows of symbols, and these are {self.kind_.describe()}.")
            if noisy is False:
                raise ParameterError(f"The '{name}' of samples is for symbols that are drawn. Leave it, or noisy=False, out.")
        return said

    def _drawn(self, n: int, generator: torch.Generator) -> Tensor:
        """Codes (n, width) from the sampler, or from the prior."""
        waist = self._waist
        sampler = self.sampler_
        density = self.model_.density() if sampler is None or sampler.module is None else sampler.module
        if density is None:
            name = samplers.names_for(waist, None)[0]
            raise ParameterError(
                f"A model with {waist} has no distribution of codes to draw from. Fit one to the codes of your data: "
                f"model.fit_sampler(X, {name!r}). Or use VariationalAutoencoder, which has a prior; in the shell, "
                "hourglass fit DATA --for generate."
            )
        drawn = density.draw(generator, n)
        z: Tensor = self.model_.bottleneck.vectors(drawn) if isinstance(waist, Quantized) else drawn
        return z

    def _decoded(
        self,
        z: Tensor,
        condition: Any,
        generator: torch.Generator | None = None,
        noisy: bool | None = None,
        **sharpening: float,
    ) -> Any:
        """Data of codes (n, width): the mean, or with a generator and ``noisy`` a draw."""
        likelihood = self._made_of["likelihood"]
        if noisy is None:
            noisy = self.kind_.name == "table" and likelihood.learns
        noise = generator if noisy else None

        def decoded(model: Any, z: Tensor, *given: Tensor) -> Tensor:
            output = model.decode(z, *given, generator=noise, brief=True, **sharpening)
            x = model.likelihood.mean(output) if noise is None else model.likelihood.sample(output, noise)
            raw: Tensor = model.scaling.raw(model.scaling.within(x))
            return raw

        return self.kind_.drawn(self._from_codes(z, condition, decoded))

    def interpolate(self, a: Any, b: Any = None, *, steps: int = 8, path: str = "straight", condition: Any = None) -> Any:
        """The way from one row to another through the codes, decoded.

        Parameters
        ----------
        a, b : as in ``fit``
            A row each; or only ``a``, with two rows or more, which are visited one after the other. Of melodies a tune each, which
            go from one to the other window by window, in one metre, as long as the shorter.
        steps : int, default=8
            Rows from one end to the other, both of them included.
        path : {"straight", "spherical"}, default="straight"
            A straight line; or an arc on which the length changes evenly too: straight ways between normal codes lead through the
            middle, where hardly any are.
        condition : as in ``fit``, optional
            For models that were fitted with one: one for all rows.

        Returns
        -------
        array or table of shape (steps, ...)
            Of m rows, ((m - 1) (steps - 1) + 1, ...).

        References
        ----------
        White, "Sampling Generative Networks", 2016, section 2.1 (arcs).
        """
        if not is_count(steps, 2):
            raise ParameterError(f"The 'steps' of a way must be an int of at least 2. Got {steps!r} instead.")
        if path not in PATHS:
            raise ParameterError(f"The 'path' of a way must be one of {', '.join(map(repr, PATHS))}. Got {path!r} instead.")
        ends = [self._rows_from(part) for part in (a, b) if part is not None]
        bars = getattr(self.kind_, "bars", 0)
        ends, count = tunes.abreast(ends, bars) if bars else (ends, 1)
        z = np.concatenate([self._codes(rows, condition) for rows in ends])
        z = z.reshape(len(z) // count, -1)
        if len(z) < 2:
            raise DataError(f"A way needs two ends or more. Got {len(z)} row.")
        between = _arc if path == "spherical" else _line
        pieces = [between(start, end, np.linspace(0, 1, steps, dtype=z.dtype)[:, None]) for start, end in pairwise(z)]
        way = np.concatenate([pieces[0], *(piece[1:] for piece in pieces[1:])])
        rows = self._decoded(torch.from_numpy(way.reshape(len(way) * count, -1)), condition)
        return tunes.joined(rows, count, bars, ends[0][0].metre) if count > 1 else rows

    def traverse(self, dimension: int, row: Any = None, *, steps: int = 8, reach: float = 3.0, condition: Any = None) -> Any:
        """What one code stands for: decoded while it moves and the others stay.

        Parameters
        ----------
        dimension : int
            Which code, counted from 0.
        row : as in ``fit``, optional
            The row whose codes the others are; all of them 0 unless given.
        steps : int, default=8
            How many places it stands at.
        reach : float, default=3.0
            It moves from -reach to reach: standard deviations of a standard normal prior.
        condition : as in ``fit``, optional
            For models that were fitted with one.

        Returns
        -------
        array or table of shape (steps, ...)
        """
        width = self._waist.width
        if not is_count(dimension, 0) or dimension >= width:
            raise ParameterError(f"The 'dimension' must be one of {width} codes, 0 to {width - 1}. Got {shown(dimension)} instead.")
        if not is_count(steps, 2):
            raise ParameterError(f"The 'steps' must be an int of at least 2. Got {steps!r} instead.")
        if not is_number(reach):
            raise ParameterError(f"The 'reach' must be a float. Got {reach!r} instead.")
        start = np.zeros((1, width), np.float32) if row is None else self._codes(self._rows_from(row), condition)[:1]
        z = np.repeat(start, steps, axis=0)
        z[:, dimension] = np.linspace(-reach, reach, steps)
        return self._decoded(torch.from_numpy(z), condition)

    def nearest(self, samples: Any, X: Any) -> pl.DataFrame:
        """The row of X that is nearest to each sample: is it new, or a copy?

        Parameters
        ----------
        samples : as in ``fit``
            Data to be judged, such as `sample` gives.
        X : as in ``fit``
            The training data.

        Returns
        -------
        polars.DataFrame
            A row each: ``row``, the number of the nearest one in X; ``distance``, Euclidean over the scaled data; ``usual``, the
            median distance of rows of X (5,000 at most) from their nearest other one; ``copy``, whether it is nearer than all but
            1% of those are.
        """
        import polars as pl

        raw, judged = self._checked(X), self._flat_drawn(samples)
        some = self._flat(taken(raw, spread(length(raw), MOST_COMPARED)))
        near = Nearest(np.concatenate([judged, some]), 2)
        with torch.inference_mode():
            for _, _, x in self._chunks(raw):
                near.look(x)
        near.settle()
        row, distance = near.found[: len(judged), 0], near.away[: len(judged), 0]
        among = near.away[len(judged) :].max(1)  # one of the two is itself; of a single row there is no other
        return pl.DataFrame(
            {
                "row": row,
                "distance": distance,
                "usual": np.full(len(row), np.median(among)),
                "copy": distance <= np.quantile(among, CLOSE),
            }
        )

    def _flat(self, X: Any) -> NDArray[np.floating[Any]]:
        """Rows as the networks see them (n, numbers), gaps 0."""
        return self._collect(X, lambda model, x: x.flatten(1)).nan_to_num(0).numpy()

    def _flat_drawn(self, samples: Any) -> NDArray[np.floating[Any]]:
        """The same of samples, which may be rows without a symbol: nothing but the end."""
        raw = as_raw(samples, kind=self.kind_.name)
        if not isinstance(self.kind_, TokenKind):
            return self._flat(raw)
        rows = self.kind_.rows_of(raw)
        full = np.array([not hasattr(row, "__len__") or len(row) > 0 for row in rows], bool)
        if full.all():
            return self._flat(raw)
        found = np.zeros((len(rows), math.prod(self.kind_.shape)), np.float32)
        found[:, END] = 1
        if full.any():
            found[full] = self._flat(as_objects(rows)[full])
        return found

    def _adopt(self, model: nn.Module, trainer: Trainer | None = None) -> None:
        super()._adopt(model, trainer)
        self.sampler_ = None

    def _move(self) -> None:
        super()._move()
        if self.sampler_ is not None and self.sampler_.module is not None:
            self.sampler_.module.to(self._device)

    def _tensors(self) -> dict[str, Tensor]:
        module = None if self.sampler_ is None else self.sampler_.module
        own = {} if module is None else {f"{SAMPLER}{name}": tensor for name, tensor in module.state_dict().items()}
        return super()._tensors() | own

    def _header(self) -> dict[str, Any]:
        sampler = self.sampler_ and {"name": self.sampler_.name, "held_out": self.sampler_.held_out}
        return super()._header() | {"sampler": sampler}

    def _fill(self, tensors: dict[str, Tensor], header: dict[str, Any], given: dict[str, Any], path: Path) -> None:
        super()._fill({name: tensor for name, tensor in tensors.items() if not name.startswith(SAMPLER)}, header, given, path)
        if header["sampler"] is not None:
            self.sampler_ = samplers.blank(header["sampler"], under(tensors, SAMPLER), self._waist)
            self._move()

    def _rows_from(self, part: Any) -> Any:
        """Raw data of rows, of a single row as well, which has an axis less."""
        check_is_fitted(self)
        kind = self.kind_
        whole = isinstance(part, str) or is_of_rdkit(part)
        single = isinstance(kind, TokenKind) and (whole or (kind.listed and is_listed(part)))
        raw = as_raw([part] if single else part, kind=kind.name)
        if isinstance(raw, np.ndarray) and not kind.of_record and raw.ndim == len(kind.raw_shape) > 0:
            raw = raw[None]
        return raw if length(raw) else self._checked(raw)


def require_samples(n: Any) -> None:
    """Refuse a number of samples that is none."""
    if not is_count(n):
        raise ParameterError(f"The number of samples must be a positive int. Got {n!r} instead.")


def _line(start: Any, end: Any, share: Any) -> Any:
    return start + share * (end - start)


def _arc(start: Any, end: Any, share: Any) -> Any:
    """Along the arc between the directions, while the length goes evenly from one to the other; a line where there is no arc."""
    lengths = np.linalg.norm(start), np.linalg.norm(end)
    if min(lengths) == 0:
        return _line(start, end, share)
    cosine = float(np.clip(start @ end / (lengths[0] * lengths[1]), -1, 1))
    angle = np.arccos(cosine)
    if np.sin(angle) < 1e-6:
        return _line(start, end, share)
    way = (np.sin((1 - share) * angle) * start / lengths[0] + np.sin(share * angle) * end / lengths[1]) / np.sin(angle)
    return (way * (lengths[0] + share * (lengths[1] - lengths[0]))).astype(start.dtype)
