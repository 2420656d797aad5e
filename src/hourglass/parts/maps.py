"""Where a picture is strange: maps of errors, what hidden pixels would have cost, and the alarm that listens to a map's peak."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from hourglass.parts.alarm import SMALLEST, Alarm
from hourglass.parts.bell import bell
from hourglass.parts.neighbours import Neighbours
from hourglass.parts.tracing import Settled

WIDTHS = (0.0, 0.7, 1.0, 1.5, 2.5)  # standard deviations of the smoothing that are tried, in pixels of the map
CELLS = 16  # a thumbnail's longer side, at most


class MapAlarm(Alarm, Settled):
    """From the map of a picture's errors to its score; higher is stranger.

    It is an `Alarm` over the cells of a thumbnail, from which come the distance to the nearest thumbnail that is kept and how far
    cells are out of range. In the place of the mean root error stands the logarithm of the map's peak, after each place's error
    was taken over what is usual there and the map was smoothed: a blemish is small, and a mean over the picture would drown it.

    Below, x (n, cells) are thumbnails, and errors (n, height, width) maps.

    Parameters
    ----------
    column_of, references, neighbours
        As for `Alarm`.
    size : (int, int), default=(1, 1)
        Of the maps.
    """

    width: Tensor  # () standard deviation of the smoothing
    level: Tensor  # () the peak of a usual map

    def __init__(
        self, column_of: tuple[int, ...], references: int, neighbours: Neighbours | None = None, *, size: tuple[int, int] = (1, 1)
    ) -> None:
        super().__init__(column_of, references, neighbours)
        self.spread = torch.zeros(size)
        self.register_buffer("width", torch.zeros(()))
        self.register_buffer("level", torch.ones(()))
        self.settled: float | None = None  # the width, where it is to be traced

    def calibrate(self, held_out: Tensor, errors: Tensor, blemished: Tensor | None = None, around: Tensor | None = None) -> None:
        """Learn from pictures held out what is usual, and, from maps of the same with a blemish, how much smoothing shows one best.

        ``around`` are thumbnails of the same pictures moved a little: their distances count as usual too, so that parts that lie
        aside don't alarm. What is usual at a place is half its own mean and half that of the whole map, since few pictures tell
        little of a place.
        """
        usual = smoothed(errors.mean(0, keepdim=True), 1.0)[0]
        self.spread = ((usual + usual.mean()) / 2).clamp(min=SMALLEST**2)
        if blemished is not None:
            best = max(WIDTHS, key=lambda width: self._shown(errors, blemished, width))
            self.width = torch.tensor(best, device=errors.device)
        self.level = self._peaks(errors, float(self.width)).median()
        self._calibrate_scores(held_out, errors)
        if around is not None and self.neighbours:
            terms = self.terms(held_out, errors)
            distances = torch.cat([terms[:, 1], self.terms(around, errors)[:, 1]])
            self.centre[1], self.scale[1] = distances.mean(), distances.std(correction=0).clamp(min=SMALLEST)
            self.reference = self.combined(terms, held_out).sort().values

    def _peaks(self, errors: Tensor, width: float) -> Tensor:
        """Peaks (n,) of maps (n, height, width)."""
        return smoothed(errors / self.spread, width).flatten(1).amax(1)

    def _shown(self, errors: Tensor, blemished: Tensor, width: float) -> float:
        """How far blemishes raise the peak, in standard deviations of usual peaks; beyond 4 no more is gained."""
        usual, raised = (torch.log(self._peaks(some, width) + SMALLEST) for some in (errors, blemished))
        return float(((raised - usual.mean()) / usual.std().clamp(min=SMALLEST)).clamp(max=4).mean())

    def heat(self, errors: Tensor) -> Tensor:
        """Roots of smoothed maps (n, height, width), in which 1 is the peak of a usual picture."""
        width = float(self.width) if self.settled is None else self.settled
        return (smoothed(errors / self.spread, width) / self.level).sqrt()

    def settle_for_tracing(self) -> None:
        self.settled = float(self.width)

    def fault(self, x: Tensor, errors: Tensor) -> Tensor:
        return self.heat(errors).flatten(1).amax(1)

    def joined(self, terms: Tensor) -> Tensor:
        """At least 0: what is rebuilt too well hides nothing that is out of range."""
        return functional.softplus(super().joined(terms))


def smoothed(maps: Tensor, width: float) -> Tensor:
    """Maps (n, height, width) under a Gaussian of that standard deviation, in pixels; the edge is mirrored."""
    radius = min(math.ceil(3 * width), *(side - 1 for side in maps.shape[1:]))
    if width == 0 or radius == 0:
        return maps
    line = bell(radius, width, maps)
    padded = functional.pad(maps[:, None], (radius,) * 4, mode="reflect")
    blurred: Tensor = functional.conv2d(functional.conv2d(padded, line[None, None, :, None]), line[None, None, None])
    return blurred[:, 0]


def thumbnail_size(shape: tuple[int, ...]) -> tuple[int, int]:
    """Height and width of a thumbnail of pictures (channels, height, width), of which no side is longer than `CELLS`."""
    height, width = shape[1:]
    shrink = max(1.0, max(height, width) / CELLS)
    return max(1, round(height / shrink)), max(1, round(width / shrink))


def thumbnails(x: Tensor) -> Tensor:
    """The cells (n, channels * rows * columns) of thumbnails of x (n, channels, height, width): means of blocks."""
    return functional.adaptive_avg_pool2d(x, thumbnail_size(tuple(x.shape[1:]))).flatten(1)


def moved(x: Tensor, shift: float, turn: float, generator: torch.Generator) -> Tensor:
    """Pictures (n, channels, height, width), each shifted by up to a share of its side and turned by up to so many degrees."""
    n, _, height, width = x.shape
    angle = math.radians(turn) * (2 * torch.rand(n, generator=generator, device=x.device) - 1)
    flat = torch.stack([angle.cos(), -angle.sin() * height / width, angle.sin() * width / height, angle.cos()], 1).reshape(n, 2, 2)
    away = 2 * shift * (2 * torch.rand(n, 2, 1, generator=generator, device=x.device) - 1)  # an affine grid runs from -1 to 1
    grid = functional.affine_grid(torch.cat([flat, away], 2), list(x.shape), align_corners=False)
    return functional.grid_sample(x, grid, padding_mode="border", align_corners=False)


def mirrored(x: Tensor, generator: torch.Generator) -> Tensor:
    """Pictures (n, channels, height, width), each flipped either way or not, and square ones transposed or not, by chance."""
    chance = torch.rand(3, len(x), 1, 1, 1, generator=generator, device=x.device) < 0.5
    x = torch.where(chance[0], x.flip(2), x)
    x = torch.where(chance[1], x.flip(3), x)
    return torch.where(chance[2], x.transpose(2, 3), x) if x.shape[2] == x.shape[3] else x


def blemished(x: Tensor, generator: torch.Generator) -> Tensor:
    """Pictures (n, channels, height, width), each with a patch of a 32nd of its side, at least 2 pixels, lighter or darker."""
    n, _, *sides = x.shape
    inside = torch.ones(n, 1, 1, 1, dtype=torch.bool, device=x.device)
    for axis, side in enumerate(sides):
        long = min(side, max(2, side // 32))
        start = torch.randint(side - long + 1, (n, 1), generator=generator, device=x.device)
        place = torch.arange(side, device=x.device)
        along = (place >= start) & (place < start + long)  # (n, side)
        inside = inside & (along[:, None, :, None] if axis == 0 else along[:, None, None, :])
    strength = 0.15 * torch.where(torch.rand(n, 1, 1, 1, generator=generator, device=x.device) < 0.5, -1.0, 1.0)
    return torch.where(inside, x + strength, x)


# Hidden places of a linear autoencoder


def principal(x: Tensor, k: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """The first k axes (elements, k) of centred rows x (n, elements), and the variances (k,) along them.

    By two rounds of subspace iteration from a random start: Halko, Martinsson and Tropp, "Finding Structure with Randomness", 2011,
    algorithm 4.4.
    """
    axes = torch.randn(x.shape[1], k, generator=generator, device=x.device)
    for _ in range(2):
        axes = torch.linalg.qr(x.T @ (x @ axes)).Q
    seen = x @ axes  # (n, k)
    variances, turn = torch.linalg.eigh(seen.T @ seen / len(x))
    return axes @ turn.flip(1), variances.flip(0).clamp(min=0)


def hidden_inverse(axes: Tensor, kept: Tensor, shape: tuple[int, ...], together: int) -> Tensor:
    """What turns residuals of a linear autoencoder into the errors that hidden places would have had.

    The autoencoder keeps a share ``kept`` (k,) of each code along ``axes`` (elements, k): it makes H x of a centred x, with
    H = A diag(kept) A'. Where kept is w / (w + s) for each variance w, it is the posterior mean of probabilistic PCA, whose
    inverse covariance is (I - H) / s. So a place B that is hidden and expected from all others is off by (I - H_BB)^-1 r_B,
    where r = x - H x: no place needs to be hidden in turn. ``together`` channels of ``shape`` are hidden at once.

    Tipping and Bishop, "Probabilistic Principal Component Analysis", 1999.

    Returns (channels / together, height * width, together, together).
    """
    channels, height, width = shape
    places = axes.reshape(channels // together, together, height * width, -1).transpose(1, 2)  # (groups, places, together, k)
    inverse: Tensor = torch.linalg.inv(torch.eye(together, dtype=axes.dtype, device=axes.device) - (places * kept) @ places.mT)
    return inverse


def hidden_errors(residuals: Tensor, inverse: Tensor) -> tuple[Tensor, Tensor]:
    """Maps (n, height, width) of the errors of residuals (n, channels, height, width), if each place had been hidden.

    First how strange each place is, given all others: r_B' (I - H_BB)^-1 r_B over the number of its channels. Then the squared
    error.
    """
    n, _, height, width = residuals.shape
    groups, places, together, _ = inverse.shape
    r = residuals.reshape(n, groups, together, places).transpose(2, 3)  # (n, groups, places, together)
    hidden = torch.einsum("gpij,ngpj->ngpi", inverse, r)
    strange, squared = (some.mean((1, 3)).reshape(n, height, width) for some in (r * hidden, hidden.square()))
    return strange, squared
