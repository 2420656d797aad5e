"""Networks with a linear path start as PCA, and training bends them from there."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from hourglass.model import Hourglass
from hourglass.parts import Plain, Variational
from hourglass.parts.networks import linear_path


class LinearFit(NamedTuple):
    """Rows as a linear function of what is known beside them, and of principal components of the rest. All in float64."""

    told: Tensor  # (conditions, columns)
    axes: Tensor  # (codes, columns), the components
    mean: Tensor  # (columns,), where conditions and components are 0
    variance: Tensor  # (codes,), of the components
    lost: Tensor  # (columns,), the variance that is left out, an unbiased estimate


def start_as_pca(model: Hourglass, x: Tensor, bottleneck: Plain | Variational, squashed: bool, known: Tensor | None = None) -> None:
    """Let the linear paths of both networks be PCA of rows x, so that training bends a model that is already as good as that.

    The codes are the principal components over the roots of their standard deviations: half way to whitened ones, which would bury
    the main directions under the noise of the last. Those of a variational waist are what they are in probabilistic PCA, of which
    σ² is the mean variance that is left out: components over their standard deviations, drawn in by (1 - σ² / λ), with a posterior
    variance of σ² / λ (Tipping and Bishop 1999, equations 6 and 7). What is ``known`` beside the rows (n, conditions) tells what it
    can by a linear regression, and PCA is of the rest, so that the codes need not say it. Where the output is ``squashed`` by a
    sigmoid, the linear path takes the sigmoid's tangent in its middle: logit(p) is about 4 (p - 1/2). Networks without a linear
    path, and waists that PCA can't fill, stay as they are.
    """
    encoder, decoder, n = linear_path(model.encoder), linear_path(model.decoder), bottleneck.n
    if encoder is None or decoder is None:
        return
    rows = x.flatten(1).nan_to_num(0).cpu().double()
    if n >= min(rows.shape) or bool((rows == rows[0]).all()):
        return
    told, axes, mean, variance, lost = linear_fit(rows, n, rows[:, :0] if known is None else known.cpu().double())
    inward = outward = variance**0.25
    slope, middle = (4.0, 0.5) if squashed else (1.0, 0.0)
    inputs, outputs = encoder.linear, decoder.linear
    with torch.no_grad():
        for linear in (inputs, outputs):
            linear.weight.zero_()  # marks of gaps say nothing at first
            linear.bias.zero_()
        if isinstance(bottleneck, Variational):
            left = lost.mean().clamp(min=1e-6 * float(variance[0]))
            kept = (1 - left / variance).clamp(min=1e-3).sqrt()
            inward, outward = variance.sqrt() / kept, variance.sqrt() * kept
            inputs.bias[n:] = (left / variance).clamp(max=1).log()
            model.likelihood.start(lost.float())
        into = axes / inward[:, None]
        inputs.weight[:n, : rows.shape[1]] = into
        inputs.bias[:n] = -(into @ mean)
        outputs.weight[:, :n] = slope * (axes * outward[:, None]).T
        outputs.bias.copy_(slope * (mean - middle))
        if len(told):
            pixels = math.prod(x.shape[2:])  # of the channel that tells a condition
            inputs.weight[:n, -pixels * len(told) :] = -(into @ told.T).repeat_interleave(pixels, 1) / pixels
            outputs.weight[:, n:] = slope * told.T
    for path in (encoder, decoder):
        path.linear.requires_grad_(not path.kept)


def linear_fit(rows: Tensor, n: int, known: Tensor) -> LinearFit:
    """The fit of rows (m, columns) by n components, and by what is known (m, conditions)."""
    from sklearn.decomposition import PCA

    middle = known.mean(0)
    told = torch.linalg.lstsq(known - middle, rows - rows.mean(0), driver="gelsd").solution
    rest = (rows - (known - middle) @ told).numpy()
    pca = PCA(n, random_state=0).set_output(transform="default").fit(rest)
    variance = torch.from_numpy(pca.explained_variance_)
    lost = torch.from_numpy((rest - pca.inverse_transform(pca.transform(rest))).var(0)) * rows.shape[1] / (rows.shape[1] - n)
    return LinearFit(
        told,
        torch.from_numpy(pca.components_),
        torch.from_numpy(pca.mean_) - middle @ told,
        variance.clamp(min=1e-6 * float(variance[0])),
        lost,
    )
