"""The page of an autoencoder: what it keeps and what it loses, in words for everybody."""

from __future__ import annotations

import math
from base64 import b64encode
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from hourglass.analysis import plots
from hourglass.analysis.diagnosis import HEALTHY, Diagnosis, diagnose
from hourglass.analysis.generated import of_rows, strongest
from hourglass.analysis.metrics import figures
from hourglass.analysis.page import Card, averaged, duration, percent, rendered_of, size
from hourglass.analysis.rebuilt import Rebuilt
from hourglass.data.some import spread
from hourglass.data.sound import wav_of
from hourglass.estimators import BaseAutoencoder
from hourglass.estimators.generating import GeneratingAutoencoder
from hourglass.kinds import length

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from hourglass.analysis.widths import Sweep

ACROSS = 8  # rows that are drawn


def model_page(model: BaseAutoencoder, raw: Any, y: Any, condition: Any, *, sweep: Sweep | None, title: str | None) -> str:
    """The page of a model in HTML."""
    symbolic = model.kind_.symbolic
    raw = model._checked(raw) if symbolic else raw  # of tunes, windows
    rebuilt = Rebuilt(model, raw, condition)
    measured = {} if symbolic else figures(model, *rebuilt.pair)
    doctor = diagnose(model, raw, condition=condition) if (_draws(model) or symbolic) and length(raw) > 1 else None
    return rendered_of(
        model,
        raw,
        "report.html.j2",
        _pictures(rebuilt, y, doctor, sweep),
        title,
        headline=headline(model, rebuilt.exact if symbolic else measured["explained_variance"]),
        noun=plots.noun(model),
        is_image=model.kind_.name == "image",
        averaged=averaged(model.kind_),
        is_series=model.kind_.name == "series",
        is_symbolic=symbolic,
        symbol=getattr(model.kind_, "symbol", "number"),
        waist=plots.waist(model),
        codes=len(model.get_feature_names_out()),
        features=model.kind_.dimensions,
        given=size(model, length(raw)) if length(raw) > 1 else f"a single {plots.noun(model, 1)}",
        labelled=y is not None,
        told=condition is not None,
        cards=_cards_of_symbols(rebuilt, doctor) if symbolic else _cards(model, measured),
        sweep=sweep,
        sounds=_sounds(model, min(ACROSS, length(raw))),
        doctor=doctor,
        healthy=HEALTHY,
    )


def headline(model: BaseAutoencoder, survives: float) -> str:
    """The result in one plain sentence; of a single row, or equal ones, nothing can be said but the size."""
    numbers = f"{plots.waist(model)} in place of {model.kind_.dimensions:,}"
    if model.kind_.symbolic:
        return f"{numbers} symbols: {percent(survives)} of the {plots.noun(model)} come back without a fault"
    if math.isnan(survives):
        return numbers
    what = f"{percent(survives)} of what" if survives > 0 else "nothing of what"
    return f"{numbers}: {what} makes the {plots.noun(model)} differ survives"


def _pictures(rebuilt: Rebuilt, y: Any, doctor: Diagnosis | None, sweep: Sweep | None) -> dict[str, Figure]:
    model, raw, condition = rebuilt.model, rebuilt.X, rebuilt.condition
    across = 24 if model.kind_.name in ("table", "series") else ACROSS
    pictures = {
        "before_and_after": plots.compared([rebuilt], across),
        "code_map": plots.map_of(rebuilt, y),
        "errors": plots.errors_over_worst(rebuilt, ACROSS),
    }
    if _draws(model):
        asked = spread(length(raw), 32 if model.kind_.name == "image" else across)
        draw = partial(plots.nearest, model, raw) if model.kind_.symbolic else partial(plots.samples, model)
        pictures["samples"] = draw(n=len(asked), condition=of_rows(condition, asked))
        most = 3 if model.kind_.symbolic else 6
        codes = None if doctor is None else strongest(doctor, most)
        pictures["traversal"] = plots.traversal(model, raw, codes=codes, n=most, condition=condition)
    if sweep is not None:
        pictures |= {"widths": sweep.plot(), "by_width": plots.reconstructions(sweep, raw, n=across)}
    return pictures


def _sounds(model: Any, n: int) -> list[str]:
    """New melodies, the same that are drawn, to be heard: WAV files in base64."""
    if model.kind_.name != "melody" or not _draws(model) or model.condition_kind_ is not None:
        return []
    return [b64encode(wav_of([melody])).decode() for melody in model.sample(n, random_state=0) if melody.notes]


def _draws(model: BaseAutoencoder) -> bool:
    """Whether a model has a distribution to draw samples from."""
    return isinstance(model, GeneratingAutoencoder) and (model.model_.density() is not None or model.sampler_ is not None)


def _cards(model: BaseAutoencoder, measured: dict[str, float]) -> list[Card]:
    features, noun = model.kind_.dimensions, plots.noun(model)
    scale = "of pixels from 0 to 1; less is better" if noun == "images" else "of columns in standard deviations; less is better"
    cards = [
        Card("Compression", f"{features / plots.capacity(model):.3g} : 1", f"{features:,} numbers become {plots.waist(model)}"),
        Card("Mean squared error", f"{measured['mse']:#.3g}", scale),
    ]
    if not math.isnan(measured["explained_variance"]):
        share = percent(measured["explained_variance"])
        cards.insert(1, Card("Explained variance", share, f"of the differences between {noun} survives"))
    if "psnr" in measured:
        cards.append(Card("PSNR", f"{measured['psnr']:.1f} dB", "peak signal over noise; more is better"))
    if "ssim" in measured:
        cards.append(Card("SSIM", f"{measured['ssim']:.3f}", "similarity as the eye sees it; 1 is perfect"))
    return [*cards, *_training_card(model)]


def _cards_of_symbols(rebuilt: Rebuilt, doctor: Diagnosis | None) -> list[Card]:
    model = rebuilt.model
    cards = [
        Card("Exact", percent(rebuilt.exact), f"of the {plots.noun(model)} are rebuilt without a fault"),
        Card("Lost", f"{rebuilt.errors.mean():.1f} nats", "of a row that its codes don't tell; less is better"),
    ]
    if doctor is not None and doctor.kl is not None:
        cards.append(Card("Told", f"{doctor.kl:.1f} nats", "that the codes tell of a row"))
    if doctor is not None:
        more = "more are lost with the codes of another row; near 0 they are not used"
        cards.append(Card("Shuffled", f"{max(doctor.worth, 0):.1f} nats", more))
    return [*cards, *_training_card(model)]


def _training_card(model: BaseAutoencoder) -> list[Card]:
    if not model.history_:
        return []
    passes = f"{len(model.history_)} time{'s' * (len(model.history_) != 1)} over the data"
    rate = float(f"{np.median([record['examples_per_second'] for record in model.history_]):.2g}")
    return [Card("Training", duration(model.history_[-1]["seconds"]), f"{passes}, {rate:,.0f} {plots.noun(model)} a second")]
