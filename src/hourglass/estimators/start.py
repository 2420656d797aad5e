"""Where training begins: dense networks as PCA."""

from __future__ import annotations

import torch
from sklearn.decomposition import PCA
from torch import Tensor

from hourglass.model import Hourglass
from hourglass.parts.networks import linear_path

ROWS = 10_000  # at most that many are looked at


def start_as_pca(model: Hourglass, values: Tensor, n: int, squashed: bool, generator: torch.Generator) -> None:
    """Let the linear paths of both networks be PCA, so that training bends a model that is already as good as that.

    The codes are the principal components over the roots of their standard deviations: half way to whitened ones, which would bury
    the main directions under the noise of the last. Where the output is ``squashed`` by a sigmoid, the linear path takes the
    sigmoid's tangent in its middle: logit(p) is about 4 (p - 1/2). Networks without a linear path, and waists that PCA can't
    fill, stay as they are.
    """
    encoder, decoder = linear_path(model.encoder), linear_path(model.decoder)
    some = torch.randperm(len(values), generator=generator, device=values.device)[:ROWS]
    x = model.scaling(values[some]).float().flatten(1).cpu().numpy()
    if encoder is None or decoder is None or n >= min(x.shape) or (x == x[0]).all():
        return
    pca = PCA(n, random_state=0).fit(x)
    axes = torch.from_numpy(pca.components_).float()  # (codes, columns)
    mean, std = torch.from_numpy(pca.mean_).float(), torch.from_numpy(pca.explained_variance_).float().sqrt()
    scale = std.clamp(min=1e-3 * float(std[0])).sqrt()
    slope, middle = (4.0, 0.5) if squashed else (1.0, 0.0)
    with torch.no_grad():
        encoder.weight.copy_(axes / scale[:, None])
        encoder.bias.copy_(-(axes @ mean) / scale)
        decoder.weight.copy_(slope * (axes * scale[:, None]).T)
        decoder.bias.copy_(slope * (mean - middle))
