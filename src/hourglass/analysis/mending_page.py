"""The page of a model that mends: pictures before and after, and how near they come to clean ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from hourglass.analysis import plots
from hourglass.analysis.mending import DOUBTFUL, SelfCheck, nearness, self_check
from hourglass.analysis.metrics import Array
from hourglass.analysis.page import Card, mended_share, rendered_of, training_card
from hourglass.data.some import spread
from hourglass.estimators import DenoisingAutoencoder
from hourglass.kinds import length
from hourglass.kinds.image import middle, require_picture, require_pictures, white_of, with_channels

MOST_TRIED = 64  # pictures that are mended
MOST_SIDE = 512  # pixels a side of each: those in its middle
MOST_DRAWN = 6  # of them


def mending_page(model: DenoisingAutoencoder, raw: Any, title: str | None) -> str:
    """The page of a model that mends in HTML."""
    require_pictures(raw)
    before, after, clean = _tried(model, raw)
    tried = f"{len(before):,} picture{'s' * (len(before) != 1)}"
    check = self_check(before, after)
    drawn = {"mended": spread(len(before), MOST_DRAWN)}
    if clean is None:
        headline, cards = _taken_out(model, before, check, tried)
    else:
        headline, cards, near = _measured(before, after, clean)
        drawn["worst"] = np.argsort(near)[:MOST_DRAWN]
    pictures = {
        name: plots.mended(*([pile[number] for number in some] for pile in (before, after, clean) if pile is not None))
        for name, some in drawn.items()
    }
    return rendered_of(
        model,
        raw,
        "mending.html.j2",
        pictures,
        title,
        headline=headline,
        corruption=model.model_.corruption,
        tried=tried,
        middle=MOST_SIDE,
        known=clean is not None,
        check=check,
        cards=[*cards, *training_card(model)],
    )


def _measured(before: list[Any], after: list[Any], clean: list[Any]) -> tuple[str, list[Card], Array]:
    """How near pictures come to clean ones: a headline, cards, and the PSNR of each, mended."""
    found = [nearness(*three) for three in zip(before, after, clean, strict=True)]
    near = np.array([each.psnr for each in found])
    alike = np.array([each.ssim for each in found if each.ssim is not None])
    gone = mended_share(*(sum(float(np.square(a - b).sum()) for a, b in zip(clean, pile, strict=True)) for pile in (before, after)))
    was, now = near.mean(0)
    cards = [Card("PSNR", f"{now:.1f} dB", f"{was:.1f} dB before; more is better")]
    if len(alike):
        cards.append(Card("SSIM", "{1:.3f}".format(*alike.mean(0)), "{:.3f} before; 1 is perfect".format(*alike.mean(0))))
    cards.append(Card("Mended", gone, "of the squared error"))
    return f"From {was:.1f} to {now:.1f} dB: {gone} of the damage is mended", cards, near[:, 1]


def _taken_out(model: DenoisingAutoencoder, before: list[Any], check: SelfCheck, tried: str) -> tuple[str, list[Card]]:
    """What was taken out of pictures of which no clean ones are known: a headline, and cards."""
    levels = 255 * model.noise_level(before)
    cards = [
        Card("Taken out", f"{255 * check.std:.1f}", "grey levels of 255, the standard deviation"),
        Card("Noise", f"{np.median(levels):.1f}", f"grey levels, estimated; {levels.min():.1f} to {levels.max():.1f}"),
        Card("Left in it", f"{abs(check.correlation):.2f}", "how far neighbours in what was taken out agree; of noise, 0"),
    ]
    noise = " of noise" if abs(check.correlation) <= DOUBTFUL else ", not of noise alone,"
    return f"{255 * check.std:.1f} grey levels{noise} were taken out of {tried}", cards


def _tried(model: DenoisingAutoencoder, raw: Any) -> tuple[list[Any], list[Any], list[Any] | None]:
    """Pictures damaged, mended, and as they were; of what learned from noise alone, the pictures as they came, and mended."""
    corruption, channels = model.model_.corruption, model.model_.shape[0]
    clean = []
    for number in spread(length(raw), MOST_TRIED):
        picture = raw[int(number)]
        require_picture(picture, int(number))
        some = middle(picture, MOST_SIDE, MOST_SIDE)
        some = with_channels(some.reshape(*some.shape[:2], -1), channels) / white_of(picture, model.kind_)
        clean.append(some.astype(np.float32))
    if corruption.blind:
        return clean, model.denoise(clean), None
    before = list(model.damage(clean, random_state=0))
    whole = [corruption.hides and not corruption.everywhere and not np.isnan(picture).any() for picture in before]
    after = [picture if intact else model.denoise([picture])[0] for picture, intact in zip(before, whole, strict=True)]
    return [np.nan_to_num(picture, nan=0.5) for picture in before], after, clean
