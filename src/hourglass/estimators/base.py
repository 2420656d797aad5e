"""What all autoencoders share: what the fitted model is used for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from hourglass import storage
from hourglass.errors import DataError, ModelFileError, hearing
from hourglass.estimators.fitted import rows_at_once
from hourglass.estimators.learning import MADE_OF, Learning
from hourglass.estimators.parameters import to_config, without_parameters
from hourglass.kinds import length
from hourglass.kinds.base import as_codes, as_tensor, indexed_like, require_alike
from hourglass.kinds.table import TableKind
from hourglass.parts import Bottleneck, Open

if TYPE_CHECKING:
    from hourglass.export import Graph


class BaseAutoencoder(TransformerMixin, Learning):  # type: ignore[misc]
    """Everything that autoencoders share. Subclasses document it, choose what is taken where nothing is said, or add methods."""

    def transform(self, X: Any, condition: Any = None) -> Any:
        """The codes of X.

        Parameters
        ----------
        X : as in ``fit``
            Data of the fitted shape.
        condition : as in ``fit``, optional
            For models that were fitted with one.

        Returns
        -------
        ndarray of shape (n, codes)
            float64 for float64 data, else float32; a frame after ``set_output``.
        """
        return self._codes(X, condition)

    @without_parameters
    def fit_transform(self, X: Any, y: Any = None, *, condition: Any = None, validation_data: Any = None) -> Any:
        """Fit, and give the codes of the same rows: ``fit(X, ...).transform(X, condition)``, with what ``fit`` takes."""
        return self.fit(X, y, condition=condition, validation_data=validation_data).transform(X, condition)

    def _codes(self, X: Any, condition: Any) -> NDArray[np.floating[Any]]:
        """The codes of X as an array, whatever ``set_output`` says."""
        _ = self._waist  # a model without one is refused
        return self._passed(X, condition, lambda model, x, given=None: model.encode(x, None, given).z).numpy()

    def inverse_transform(self, Z: Any, condition: Any = None, *, like: Any = None) -> Any:
        """Rebuild data from codes, in the kind and the container that ``fit`` saw.

        Parameters
        ----------
        Z : array or frame of shape (n, codes)
            Codes, as ``transform`` gives them.
        condition : as in ``fit``, optional
            For models that were fitted with one.
        like : as in ``fit``, optional
            The data that the codes are of: what is rebuilt has its container, of series also its length and times, which codes
            don't say. Without it, windows are joined to a record as long as the one that was learned from, if that had as many, and
            else a stride apart.

        Returns
        -------
        array or table of shape (n, ...)

        Raises
        ------
        DataError
            Codes are not finite numbers, or not as many as the model has, or ``like`` has another number of rows.
        """
        codes = as_codes(Z, self._waist.width)
        raw = None if like is None else self._checked(like)
        require_alike(self.kind_, codes, raw)

        def rebuilt(model: Any, z: Tensor, *given: Tensor) -> Tensor:
            rebuilt: Tensor = model.scaling.raw(model.likelihood.mean(model.decode(z, *given, brief=True)))
            return rebuilt

        found = self.kind_.from_tensor(self._from_codes(as_tensor(codes), condition, rebuilt), raw)
        return indexed_like(found, Z) if like is None else found

    def _from_codes(self, codes: Tensor, condition: Any, function: Callable[..., Tensor]) -> Tensor:
        """A function of model, codes (n, width) and what is given, if anything is, over all of them, a chunk at a time."""
        model, size = self._model_for(codes.dtype), rows_at_once(self.kind_.shape)
        beside = (codes, *self._told(condition, len(codes)))
        with torch.inference_mode():
            return torch.cat(
                [
                    function(model, *(part.to(self._device) for part in parts)).cpu()
                    for parts in zip(*(torch.split(each, size) for each in beside), strict=True)
                ]
            )

    def reconstruct(self, X: Any, condition: Any = None) -> Any:
        """X through the waist and back: what survives the squeeze.

        Parameters
        ----------
        X : as in ``fit``
            Data of the fitted shape.
        condition : as in ``fit``, optional
            For models that were fitted with one.

        Returns
        -------
        array or table of the kind, shape and container of X
        """
        raw = self._checked(X)

        def rebuilt(model: Any, x: Tensor, given: Tensor | None = None) -> Tensor:
            rebuilt: Tensor = model.scaling.inverse(model.reconstruct(x, given, brief=True))
            return rebuilt

        return self.kind_.from_tensor(self._collect(raw, rebuilt, *self._told(condition, length(raw))), raw)

    def score_samples(self, X: Any, condition: Any = None) -> Any:
        """The log-likelihood of each row's reconstruction.

        Parameters
        ----------
        X : as in ``fit``
            Data of the fitted shape.
        condition : as in ``fit``, optional
            For models that were fitted with one.

        Returns
        -------
        ndarray of shape (n,)
            Nats, of densities over the scaled data; higher is more usual. A missing cell costs nothing, so rows with different
            numbers of gaps don't compare: one without any value has the highest score there is.
        """
        return -self._passed(X, condition, lambda model, x, given=None: model.nll(x, given)).numpy()

    def score(self, X: Any, y: Any = None, *, condition: Any = None) -> float:
        """How likely a row is, in the mean: what a grid search maximises.

        Of a variational waist it is the bound on the evidence, with codes drawn from a fixed seed: the divergence counts as it is,
        whatever ``beta`` is, so that waists of different cost compare. Of others it is the mean of ``score_samples``.

        Parameters
        ----------
        X : as in ``fit``
            Data of the fitted shape.
        y : None
            Ignored; scikit-learn passes it.
        condition : as in ``fit``, optional
            For models that were fitted with one. A grid search hands it on where scikit-learn's metadata routing is on.

        Returns
        -------
        float
            Nats a row, of densities over the scaled data; higher is more usual.
        """
        check_is_fitted(self)
        generator = self._generator(0) if self._made_of["bottleneck"].drawn else None

        def nats(model: Any, x: Tensor, given: Tensor | None = None) -> Tensor:
            code = model.encode(x, generator, given)
            nll: Tensor = model.likelihood.of_rows(x, model.decode(code.z, given, x))
            return nll if code.kl is None else nll + code.kl

        return -float(self._passed(X, condition, nats).numpy().mean())

    def feature_errors(self, X: Any, condition: Any = None) -> Any:
        """The error of each element of each reconstruction, squared.

        Parameters
        ----------
        X : as in ``fit``
            Data of the fitted shape.
        condition : as in ``fit``, optional
            For models that were fitted with one.

        Returns
        -------
        ndarray of the shape of X
            In the units of the scaled data: standard deviations of a column, squared, or pixels from 0 to 1, squared. Of a
            category, in nats (minus the logarithm of its level's probability). Of a missing cell 0, of a column left out NaN.
        """

        def errors_of(model: Any, x: Tensor, given: Tensor | None = None) -> Tensor:
            errors = model.likelihood.errors(x, model.reconstruct(x, given)).masked_fill(x.isnan(), 0)
            found: Tensor = errors.sum(-1, keepdim=True) if self.kind_.symbolic else errors  # before all rows are side by side
            return found

        raw = self._checked(X)
        return self.kind_.placed(self.kind_.summed(self._collect(raw, errors_of, *self._told(condition, length(raw)))), raw)

    def _passed(self, X: Any, condition: Any, function: Callable[..., Tensor]) -> Tensor:
        """A function of model, x and what is given, if anything is, over all rows."""
        raw = self._checked(X)
        return self._collect(raw, function, *self._told(condition, length(raw)))

    def _chunks(self, raw: Any) -> Iterator[tuple[slice, Any, Tensor]]:
        """As of all fitted models; warns of gaps in columns of a table that had none in training, of which nothing was learned."""
        found: Tensor | None = None
        for some, model, x in super()._chunks(raw):
            yield some, model, x
            if isinstance(self.kind_, TableKind) and model.gaps.marks is None:
                gaps = x.isnan().any(0)
                found = gaps if found is None else found | gaps
        if isinstance(self.kind_, TableKind) and found is not None and found.any():
            self.kind_.warn_of_gaps(found.cpu().numpy())

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
        return np.array([f"code{i}" for i in range(self._waist.width)], dtype=object)

    @property
    def _waist(self) -> Bottleneck:
        """The bottleneck of the fitted model, which has codes."""
        check_is_fitted(self)
        waist: Bottleneck = self._made_of["bottleneck"]
        if isinstance(waist, Open):
            raise DataError("The model has no waist, so there are no codes. Fit one that has, as in bottleneck=32.")
        return waist

    def _header(self) -> dict[str, Any]:
        condition = None if self.condition_kind_ is None else self.condition_kind_.to_config()
        frozen = [name for name, parameter in self.model_.named_parameters() if not parameter.requires_grad]
        return super()._header() | {
            "parameters": to_config(self._parameters_taken | {name: self._parameters[name] for name in MADE_OF}),
            "bottleneck": self._made_of["bottleneck"].to_config(),
            "condition": condition,
            "frozen": frozen,
            "best_epoch": self.best_epoch_,
            "start_loss": self.start_loss_,
        }

    def _fill(self, tensors: dict[str, Tensor], header: dict[str, Any], given: dict[str, Any], path: Path) -> None:
        condition = header["condition"]
        self.condition_kind_ = None if condition is None else TableKind.from_config(condition)
        with hearing():  # it was said when it was fitted
            model = self._build(None, None, self._generator(0))
        storage.load_tensors(model, tensors, path)
        for name in header["frozen"]:
            model.get_parameter(name).requires_grad_(False)
        self._adopt(model.eval())
        self.best_epoch_, self.start_loss_ = header.get("best_epoch"), header.get("start_loss")

    # Exporting

    def _graph(self) -> Graph:
        from hourglass.export import AutoencoderGraph

        return AutoencoderGraph(self.kind_, self.model_, self._exported_codes())

    def _exported_codes(self) -> int:
        """How many codes an exported graph has; refused where it can't be."""
        if self.condition_kind_ is not None:
            raise ModelFileError("A model that was fitted with a condition can't be exported: a graph has no place to be told it.")
        if isinstance(self._made_of["bottleneck"], Open):
            why = "there are no codes" if self.kind_.symbolic else "it takes pictures of any size, in tiles"
            raise ModelFileError(f"A model without a waist can't be exported: {why}.")
        return self._waist.width

    def _compared(self, raw: Any) -> dict[str, NDArray[Any]]:
        rebuilt = self._collect(raw, lambda model, x: self.kind_.outward(model.scaling.inverse(model.reconstruct(x))))
        return {"codes": self._codes(raw, None), "reconstruction": rebuilt.numpy(), "score": self.score_samples(raw)}

    # scikit-learn's conventions

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
