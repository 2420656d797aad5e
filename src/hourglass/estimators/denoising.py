"""The autoencoder that mends what is damaged."""

from __future__ import annotations

import math
from collections.abc import Iterator
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from hourglass.errors import DataError, ModelFileError, ParameterError, warn
from hourglass.estimators.assembly import corruption_from, default_waist
from hourglass.estimators.base import BaseAutoencoder
from hourglass.estimators.parameters import seed_from
from hourglass.estimators.tiles import TILE, Pixels, mended
from hourglass.kinds import Kind, as_raw, length
from hourglass.kinds.image import ImageKind, as_unit, require_picture, require_pictures, top_of, white_of
from hourglass.kinds.table import TableKind
from hourglass.kinds.token import TokenKind
from hourglass.parts import Corruption, Gaussian, Hide, Noise, Open, Plain, Restorer, SwapSymbols, Together, Typos
from hourglass.parts.corruptions import strongest
from hourglass.parts.noise import noise_std

if TYPE_CHECKING:
    from hourglass.export import Graph

PLURALS = {"table": "tables", "melody": "melodies", "molecule": "molecules"}
DEFAULTS: dict[str, Corruption] = {
    "image": Noise((5 / 255, 50 / 255)),
    "table": Hide(0.5),
    "series": Noise((0.0, 0.5)),
    "melody": SwapSymbols((0.0, 0.2)),  # which leaves each note in its bar
    "token": Typos((0.0, 0.2)),
    "words": Typos((0.0, 0.2)),
    "molecule": Typos((0.0, 0.2)),
}  # what is mended unless it is said


class DenoisingAutoencoder(BaseAutoencoder):
    """Learn to rebuild the clean from the damaged, then mend what comes damaged.

    Pictures, of any size, go through a `Restorer`, unless a waist is asked for: it is trained on patches of clean pictures that are
    damaged on purpose. Large ones are passed through in overlapping tiles. Colours are mended, transparency is kept aside. Rows of
    symbols go through a `Rewriter`, and may be an eighth longer than those that were learned from.

    Parameters
    ----------
    bottleneck : int or bottleneck part, optional
        How many numbers are kept of each row, or of each picture, which then all have one size. Unless given, pictures and rows of
        symbols have no waist, ``Open()``, and tables one of 32, or of half as many as they have columns.
    corruption : corruption part or text, optional
        The damage to mend, such as ``Speckle(0.2)``, "noise:25" or "blur:1-2+noise:5". A range of strengths makes one model for all
        of them. Unless given, noise of 5 to 50 grey levels for pictures, of up to 0.5 standard deviations for series; up to half
        of the cells of a row hidden for tables, whose gaps are filled then and whose other cells stay as they are; for rows of
        symbols typos in up to a fifth, of melodies swaps alone. `BlindSpot` learns from noisy pictures, without clean ones.
    kind, columns, encoder, decoder, likelihood, objective, hidden, max_epochs, max_seconds, batch_size, optimizer, learning_rate, \
    schedule, validation_fraction, patience, gradient_clip, checkpoint, device, random_state, callbacks, verbose
        As in `Autoencoder`. Of a restorer an epoch is 100 steps, each of 32,768 pixels.

    Attributes
    ----------
    encoder_, bottleneck_, decoder_, model_, kind_, history_, best_epoch_, start_loss_, n_features_in_, feature_names_in_
        As in `Autoencoder`.

    References
    ----------
    Vincent et al., "Extracting and Composing Robust Features with Denoising Autoencoders", 2008.

    Examples
    --------
    >>> import hourglass as hg
    >>> digits = hg.datasets.load("digits")
    >>> dae = hg.DenoisingAutoencoder(corruption="noise:50", max_seconds=1, random_state=0).fit(digits.x_train)
    >>> dae.denoise(digits.x_test[:100]).shape
    (100, 28, 28)
    """

    def _choices(self) -> dict[str, Any]:
        numbers = Plain(default_waist(self.kind_))
        choices: dict[str, Any] = {"bottleneck": Open() if self.kind_.unit else numbers, "corruption": DEFAULTS[self.kind_.name]}
        if self.kind_.symbolic:
            return choices | self._symbolic(choices["bottleneck"])
        waist, damage = self.bottleneck or choices["bottleneck"], corruption_from(self.corruption or choices["corruption"])
        if isinstance(waist, Open) and isinstance(damage, Noise) and isinstance(damage.std, tuple):
            choices["likelihood"] = Gaussian(variance="row")  # faint noise weighs as much as strong
            if self.encoder is None and self.decoder is None:
                choices["encoder"] = Restorer(relative=True)
        return choices

    def _suited(self, kind: Kind, raw: Any, timeless: bool) -> Kind:
        damage = corruption_from(self.corruption)
        if isinstance(kind, ImageKind):
            kind.require_colours()
            _require_moderate(_noise_in(damage))
        return kind.roomy()

    @property
    def _apart(self) -> bool:
        return self.bottleneck is None or super()._apart

    # Mending

    def denoise(self, X: Any, *, strength: float | str | None = None, mask: Any = None) -> Any:
        """X as it was before it was damaged.

        Parameters
        ----------
        X : as in ``fit``
            Damaged data. Pictures may have any size if the model has no waist, and floats among them may lie beyond 0 and 1.
        strength : float or "auto", optional
            Standard deviation of the noise in the pictures, as `Noise` has it; "auto" is the estimate of `noise_level`. Where it
            lies outside of what the model was trained on, the contrast is changed on the way so that it lies inside.
        mask : array of bool of shape (n, height, width), or a list of such arrays, optional
            Where pictures are damaged. Everything else comes back untouched, to the bit. A model that does nothing but fill in what
            is erased needs it, or NaN in the place of what is erased.

        Returns
        -------
        array, list of arrays or table
            Of the shape and the type of X. Rows with a symbol that the model has never seen, or longer than it takes, stay as they
            came, and one warning says how many and which symbols.

        Raises
        ------
        DataError
            Other data that the model can't take, or a mask of another size.
        ParameterError
            A strength for a model that was not trained on noise.
        """
        check_is_fitted(self)
        raw = as_raw(X, kind=self.kind_.name)
        if isinstance(self.kind_, ImageKind):
            require_pictures(raw)
            if not self._restores:
                raw = self.kind_.opened(raw)
                self.kind_.require_size(raw)
            found, most = [], 0
            for stack, first in stacks(raw):
                found += list(self._mended(stack, strength, mask, first, length(raw)))
                most = max(most, self.kind_.beyond_white(stack))
            self.kind_.warn_of_brighter(most)
            return _together(found, X, raw)
        if strength is not None or mask is not None:
            plural = PLURALS.get(self.kind_.name, "rows of symbols" if self.kind_.symbolic else self.kind_.name)
            raise ParameterError(f"strength and mask are for pictures, and this model is one of {plural}. Leave them out.")
        raw = self._checked(raw)
        if isinstance(self.kind_, TokenKind):
            return self.kind_.mended(raw, lambda rows: self.kind_.from_tensor(self._rebuilt(rows)))
        whole = self._rebuilt(raw)
        if isinstance(self.kind_, TableKind) and not self.model_.corruption.everywhere:
            return self.kind_.filled(raw, self.kind_.arrange(whole))
        return self.kind_.from_tensor(whole, raw)

    def _rebuilt(self, raw: Any) -> Tensor:
        """Damaged rows mended, as numbers (n, *shape)."""
        return self._collect(raw, lambda model, x: model.scaling.inverse(model.mend(x, brief=True)))

    def damage(self, X: Any, *, random_state: Any = None) -> Any:
        """X damaged on purpose, as in training: what the model learns to mend.

        Parameters
        ----------
        X : as in ``fit``
            Clean data. Pictures may have any size if the model has no waist.
        random_state : int, RandomState or Generator, optional
            The same seed damages in the same way.

        Returns
        -------
        array, list of arrays or table
            Of the shape of X. Pictures are floats, from 0 to 1 but for the noise, NaN where something is erased; their transparency
            is kept. All else is of the type of X.

        Raises
        ------
        DataError
            Data that the model can't take.
        ParameterError
            A model of a record, or one that learned from noisy pictures alone, which knows no damage but theirs.

        Examples
        --------
        >>> import numpy as np
        >>> import hourglass as hg
        >>> digits = hg.datasets.load("digits")
        >>> dae = hg.DenoisingAutoencoder(corruption="pixels:0.5", max_seconds=1, random_state=0).fit(digits.x_train)
        >>> noisy = dae.damage(digits.x_test[:100], random_state=0)
        >>> round(float(np.isnan(noisy).mean()), 2)
        0.5
        """
        check_is_fitted(self)
        corruption, generator = self.model_.corruption, self._generator(seed_from(random_state))
        if corruption.blind:
            raise ParameterError("The model learned from noisy pictures alone: it knows no damage but theirs, and can do none.")
        if self.kind_.of_record:
            raise ParameterError("A record is damaged a window at a time, and windows overlap. Damage rows of one length instead.")
        raw = as_raw(X, kind=self.kind_.name)
        if self.kind_.name != "image":
            raw = self._checked(raw)
            return self.kind_.from_tensor(self._collect(raw, lambda model, x: model.scaling.inverse(corruption(x, generator))), raw)
        require_pictures(raw)
        found = []
        for number, picture in enumerate(raw):
            require_picture(picture, number)
            pixels = picture.reshape(*picture.shape[:2], -1).transpose(2, 0, 1) / white_of(picture, self.kind_)
            x = torch.from_numpy(pixels.astype(np.float32))[None].to(self._device)
            x[:, :3] = corruption(x[:, :3].contiguous(), generator)
            found.append(x[0].permute(1, 2, 0).cpu().numpy().reshape(picture.shape))
        return _together(found, X, raw)

    def score(self, X: Any, y: Any = None, *, damaged: Any = None, condition: Any = None) -> float:
        """How well damage is mended, minus what is wrong of a row: what a grid search maximises.

        Parameters
        ----------
        X : as in ``fit``
            Clean data of the fitted shape.
        y : None
            Ignored; scikit-learn passes it.
        damaged : as in ``fit``, optional
            The same rows, damaged. Unless given, they are damaged as in training, from a fixed seed. Models of different damage
            compare only if all mend the same, so a search over the strength needs it; a grid search hands it on where
            scikit-learn's metadata routing is on.
        condition : as in ``fit``, optional
            For models that were fitted with one.

        Returns
        -------
        float
            Minus the errors between what is mended and X, as in ``feature_errors``, summed over a row, in the mean over rows. A
            decoder of symbols is shown what stands before each in X. Of a model that learned from noisy pictures alone, unless
            given ``damaged``, X itself is noisy, and each pixel is rebuilt from others.
        """
        raw = self._checked(X)
        told = self._told(condition, length(raw))
        seen = () if damaged is None else (self._damaged(damaged),)
        if seen and len(seen[0]) != length(raw):
            raise DataError(f"There are {length(raw)} clean rows and {len(seen[0])} damaged ones. Give the same rows.")
        corruption, generator = self.model_.corruption, self._generator(0)

        def errors(model: Any, x: Tensor, *beside: Tensor) -> Tensor:
            found, given = (beside[0].to(x), beside[1:]) if seen else (x if corruption.blind else corruption(x, generator), beside)
            mended = model.mend(found, *(given or (None,)), x)
            mended = mended.clamp(0, 1) if self.kind_.unit else mended
            return model.likelihood.errors(x, mended).masked_fill(x.isnan(), 0).flatten(1).sum(1)  # type: ignore[no-any-return]

        return -float(self._collect(raw, errors, *seen, *told).numpy().mean())

    def _damaged(self, X: Any) -> Tensor:
        """Damaged rows as the networks see them (n, *shape); pictures may be beyond black and white, and NaN."""
        raw = as_raw(X, kind=self.kind_.name)
        if self.kind_.name != "image":
            return self._seen(raw)
        raw = self.kind_.opened(raw)
        self.kind_.check(raw)
        for number, picture in enumerate(raw):
            require_picture(picture, number, damaged=True, erased=self.model_.corruption.hides)
        return self.kind_.inward(torch.from_numpy(np.stack([picture / white_of(picture, self.kind_) for picture in raw])))

    def _graph(self) -> Graph:
        from hourglass.export import MendingGraph

        if self.model_.corruption.blind:
            raise ModelFileError(
                "A model that learned from noisy pictures alone can't be exported: it judges the noise of each picture as it mends."
            )
        return MendingGraph(self.kind_, self.model_, self._exported_codes())

    def _compared(self, raw: Any) -> dict[str, NDArray[Any]]:
        mended = self._collect(raw, lambda model, x: self.kind_.outward(model.scaling.inverse(model.mend(x))))
        return super()._compared(raw) | {"denoised": mended.numpy()}

    def _mended(self, stack: Pixels, strength: float | str | None, mask: Any, first: int, n: int) -> Pixels:
        """Pictures of one size (m, height, width) or (m, height, width, channels), of n the first of which has that number."""
        corruption = self.model_.corruption
        for number, picture in enumerate(stack):
            require_picture(picture, first + number, damaged=True, erased=corruption.hides)
        gaps = _gaps(mask, stack, first, n)
        told = gaps is not None or (stack.dtype.kind == "f" and np.isnan(stack).any())
        if corruption.hides and not (corruption.everywhere or corruption.blind or told):
            raise DataError("Nothing says what is erased: pass mask=, or floats with NaN in its place.")
        model = self._model_for(torch.float64 if stack.dtype == np.float64 else torch.float32)
        pictures = stack.reshape(*stack.shape[:3], -1)
        hidden = gaps if corruption.hides else None
        whites = np.array([white_of(picture, self.kind_) for picture in pictures], np.float32).reshape(-1, 1, 1, 1)
        deep = (whites == top_of(stack)).all()
        seen = pictures if deep else pictures / whites
        contrast = np.ones(len(stack)) if strength is None else self._contrasts(seen, strength, hidden)
        whole = mended(model, seen, hidden, contrast, self._device, tiled=self._restores)
        whole = whole if deep else np.rint(whole * whites).astype(stack.dtype)
        return (whole if gaps is None else np.where(gaps[..., None], whole, pictures)).reshape(stack.shape)

    def _contrasts(self, pictures: Pixels, strength: float | str, gaps: NDArray[np.bool_] | None) -> NDArray[np.floating[Any]]:
        """What multiplies the contrast of pictures (n, height, width, channels), so that the model knows noise like theirs."""
        noise = _noise_in(self.model_.corruption)
        if noise is None:
            raise ParameterError(
                f"strength is for models that were trained on noise, and this one was on {self.model_.corruption!r}."
            )
        if strength != "auto" and not (isinstance(strength, Real) and 0 <= strength < np.inf):
            raise ParameterError(f"The strength must be 'auto' or a standard deviation of at least 0. Got {strength!r} instead.")
        if not isinstance(strength, str) and strength > 1:
            raise ParameterError(
                f"The strength is in units of white: 25 grey levels of 255 are 25 / 255. Got {strength!r} instead."
            )
        holes = [None] * len(pictures) if gaps is None else gaps
        auto = strength == "auto"
        stds = [noise_level(*pair) if auto else float(strength) for pair in zip(pictures, holes, strict=True)]
        low, high = noise.std if isinstance(noise.std, tuple) else (noise.std, noise.std)
        return np.array([np.clip(std, low, high) / std if min(std, high) > 0 else 1.0 for std in stds])

    def noise_level(self, X: Any) -> NDArray[np.floating[Any]]:
        """The standard deviation of the noise in pictures, estimated from them alone, in units of white.

        Parameters
        ----------
        X : array of shape (n, height, width) or (n, height, width, channels), list of arrays, path
            Noisy pictures. What is NaN is left out.

        Returns
        -------
        ndarray of shape (n,)
            Times 255, it is in grey levels.

        References
        ----------
        Chen, Zhu and Heng, "An Efficient Statistical Method for Image Noise Level Estimation", 2015, algorithm 1.
        """
        raw, found = as_raw(X), []
        require_pictures(raw)
        for number, picture in enumerate(raw):
            require_picture(picture, number, damaged=True, erased=True)
            found.append(noise_level(picture / white_of(picture, getattr(self, "kind_", None))))
        return np.array(found)


def noise_level(picture: Pixels, gaps: NDArray[np.bool_] | None = None) -> float:
    """Of one picture, in units of white, as far as it isn't erased; the mean over its colours."""
    colours = torch.from_numpy(as_unit(picture.reshape(*picture.shape[:2], -1)[..., :3]))
    if gaps is not None:
        colours[torch.from_numpy(gaps)] = torch.nan
    return float(np.mean([noise_std(plane[None]) for plane in colours.unbind(2)]))


def stacks(raw: Any) -> Iterator[tuple[Pixels, int]]:
    """Pictures of one size together, as many as one large picture has pixels, each stack with the number of its first."""
    if isinstance(raw, np.ndarray):
        count = max(TILE**2 // max(math.prod(raw.shape[1:3]), 1), 1)
        yield from ((raw[start : start + count], start) for start in range(0, len(raw), count))
    else:
        yield from ((picture[None], number) for number, picture in enumerate(raw))


def _require_moderate(noise: Noise | None) -> None:
    """Refuse noise in which pictures would be lost, and warn of noise that nobody would see."""
    if noise is None:
        return
    most = strongest(noise.std)
    how = "White is 1, so 25 grey levels of 255 are Noise(25 / 255), or 'noise:25' as text."
    if most > 1:
        raise ParameterError(f"{noise} would drown all pictures. {how}")
    if 0 < most < 1 / 255:
        warn(f"{noise} is less than one grey level, which hardly changes a picture. {how}")


def _noise_in(corruption: Corruption | None) -> Noise | None:
    """The noise among what is damaged, if there is any."""
    parts = corruption.parts if isinstance(corruption, Together) else (corruption,)
    return next((part for part in parts if isinstance(part, Noise)), None)


def _together(found: list[Pixels], X: Any, raw: Any) -> Any:
    """Pictures in the container that they came in: a list, or an array."""
    return np.stack(found) if isinstance(raw, np.ndarray) and not isinstance(X, (list, tuple)) else found


def _gaps(mask: Any, stack: Pixels, first: int, n: int) -> NDArray[np.bool_] | None:
    """The masks (m, height, width) of some pictures among n."""
    if mask is None:
        return None
    if len(mask) > 0 and np.ndim(mask[0]) == 1:
        raise DataError(f"The mask is a single one. Give a mask for each picture, as in [mask] * {n}.")
    if len(mask) != n:
        raise DataError(f"There are {n} pictures and {len(mask)} masks. Give a mask for each.")
    found = [np.asarray(each, dtype=bool) for each in mask[first : first + len(stack)]]
    for number, each in enumerate(found):
        if each.shape != stack.shape[1:3]:
            raise DataError(
                f"The mask of picture {first + number} must have its height and width, {stack.shape[1:3]}. Got shape {each.shape}."
            )
    return np.stack(found)
