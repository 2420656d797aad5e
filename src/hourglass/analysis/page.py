"""The report: one HTML file that opens anywhere, with no network and no scripts."""

from __future__ import annotations

import io
import math
import os
import platform
import re
from base64 import b64encode
from collections import Counter
from functools import partial
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import nn

from hourglass.analysis import drawing, plots
from hourglass.analysis.alarms import MOST_ROWS
from hourglass.analysis.diagnosis import HEALTHY, Diagnosis, diagnose
from hourglass.analysis.generated import of_rows
from hourglass.analysis.mending import self_check
from hourglass.analysis.metrics import SSIM_PAD, before_and_after, exact, figures, psnr, spread, ssim
from hourglass.data import atomic
from hourglass.data.sound import wav_of
from hourglass.errors import ParameterError
from hourglass.estimators import AnomalyDetector, BaseAutoencoder, DenoisingAutoencoder, Drift
from hourglass.estimators.generating import GeneratingAutoencoder
from hourglass.kinds import as_raw, infer, length
from hourglass.kinds.image import require_picture, require_pictures, top_of, with_channels

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.figure import Figure

    from hourglass.analysis.comparison import Comparison
    from hourglass.analysis.widths import Sweep

MOST_TRIED = 64  # pictures that are mended for the page of a model that mends
MOST_SIDE = 512  # pixels a side of each: those in its middle
MOST_DRAWN = 6  # of them
ACROSS = 8  # rows that are drawn of other models

# The page's style sheet knows these colours by name, and has others for dark screens.
VARIABLES = {drawing.INK: "ink", drawing.MUTED: "muted", drawing.PAPER: "paper", drawing.BLUE: "blue", drawing.ORANGE: "orange"}


class Card(NamedTuple):
    """One key figure."""

    name: str
    value: str
    note: str


def report(
    model: BaseAutoencoder | AnomalyDetector,
    X: Any,
    path: str | os.PathLike[str],
    *,
    y: Any = None,
    condition: Any = None,
    sweep: Sweep | None = None,
    comparison: Comparison | None = None,
    title: str | None = None,
) -> Path:
    """Write one HTML page that shows what a fitted model keeps and what it loses, or what a detector flags, in words for everybody.

    The page holds its pictures itself and asks no other machine for anything.

    Parameters
    ----------
    model : estimator
        Fitted.
    X : as in ``fit``
        What to measure and to draw, best of rows that the model was not trained on.
    path : path
        The file to write, ending in ``.html``.
    y : array of shape (n,), optional
        Labels, which colour the map of the codes; that of a detector is coloured by the score.
    condition : as in ``fit``, optional
        Of models that were fitted with one: one for each row of X, or one for all.
    sweep : Sweep, optional
        What `hourglass.sweep` gave: adds the choice of the width.
    comparison : Comparison, optional
        What `hourglass.compare_detectors` gave: adds, for a detector, the classical ones beside it.
    title : str, optional
        Stands above the headline; what the data is, unless given.

    Returns
    -------
    Path
        Of the file.

    Raises
    ------
    DataError
        X doesn't fit the model, or y is not one label a row.
    FileError
        The file can't be written.
    ParameterError
        A condition is missing, or given to a model that was fitted without.
    """
    if condition is not None and getattr(model, "condition_kind_", None) is None:
        raise ParameterError("The model was fitted without a condition, so its page can't be given one. Leave condition= out.")
    raw = as_raw(X, apart=_mends(model), kind=model.kind_.name)
    if isinstance(model, AnomalyDetector):
        page = _alarm_page(model, raw, comparison, title)
    elif _mends(model):
        page = _mending_page(model, raw, title)
    else:
        page = _autoencoder_page(model, raw, y, condition, sweep=sweep, title=title)
    with atomic(path) as temporary:
        temporary.write_text(page, encoding="utf-8", newline="\n")
    return Path(path)


def _autoencoder_page(model: BaseAutoencoder, raw: Any, y: Any, condition: Any, *, sweep: Sweep | None, title: str | None) -> str:
    symbolic = model.kind_.symbolic
    raw = model._checked(raw) if symbolic else raw  # of tunes, windows
    measured = {"exact": exact(model, raw, condition)} if symbolic else figures(model, *before_and_after(model, raw, condition))
    doctor = diagnose(model, raw, condition=condition) if (_draws(model) or symbolic) and length(raw) > 1 else None
    page: str = _template("report.html.j2").render(
        title=title or f"Hourglass report: {model.kind_.describe()}",
        headline=headline(model, measured["exact" if symbolic else "explained_variance"]),
        noun=plots.noun(model),
        is_image=model.kind_.name == "image",
        is_series=model.kind_.name == "series",
        is_symbolic=symbolic,
        symbol=getattr(model.kind_, "symbol", "number"),
        waist=plots.waist(model),
        codes=len(model.get_feature_names_out()),
        features=model.kind_.n_features,
        given=f"{length(raw):,} {plots.noun(model)}" if length(raw) > 1 else f"a single {plots.noun(model)[:-1]}",
        labelled=y is not None,
        told=condition is not None,
        cards=_cards_of_symbols(model, measured["exact"], raw, condition, doctor) if symbolic else _cards(model, measured),
        pictures={name: _svg(figure, name) for name, figure in _pictures(model, raw, y, condition, sweep).items()},
        sweep=sweep,
        sounds=_sounds(model, min(ACROSS, length(raw))),
        doctor=doctor,
        healthy=HEALTHY,
        parts=_parts(model),
        facts=_facts(model, raw),
    )
    return page


def _sounds(model: Any, n: int) -> list[str]:
    """New melodies, the same that are drawn, to be heard: WAV files in base64."""
    if model.kind_.name != "melody" or not _draws(model) or model.condition_kind_ is not None:
        return []
    return [b64encode(wav_of([melody])).decode() for melody in model.sample(n, random_state=0) if melody.notes]


def _draws(model: BaseAutoencoder) -> bool:
    """Whether a model has a distribution to draw samples from."""
    return isinstance(model, GeneratingAutoencoder) and (model.model_.density() is not None or model.sampler_ is not None)


def _alarm_page(detector: AnomalyDetector, raw: Any, comparison: Comparison | None, title: str | None) -> str:
    found, drift = detector.alarms(raw, reasons=0), detector.drift(raw)
    alarms, n = int(found["alarm"].sum()), length(raw)
    blame, is_image = detector.explain(raw), detector.kind_.name == "image"
    of_record, is_series = getattr(detector.kind_, "of_record", False), detector.kind_.name == "series"
    noun = "samples" if of_record else "rows"
    drawn = {"calibration": plots.calibration(found["p_value"].to_numpy()), "map": plots.code_map(detector, raw)}
    worst = []
    if not is_image:
        drawn["drift"] = plots.moved_columns(drift)
    if of_record:
        drawn["blame"] = plots.timeline(detector, raw, blame)
        strangest = blame.sort("score", descending=True)[:MOST_ROWS]
        worst = [
            {"row": time, "p_value": p, "reasons": [why]}
            for time, p, why in strangest.select("time", "p_value", "reason").iter_rows()
        ]
    elif is_series:
        drawn["blame"] = plots.waves(detector, raw)
    elif not blame.is_empty():
        drawn["blame"] = plots.strangest(detector, raw, blame) if is_image else plots.blame(blame)
    if not blame.is_empty() and not of_record:
        for (row,), lines in list(blame.group_by(["row"], maintain_order=True))[:MOST_ROWS]:
            worst.append({"row": f"{row:,}", "p_value": lines["p_value"][0], "reasons": lines["reason"][:3].to_list()})
    rate, learned = f"{detector.alarm_rate_:g}", int(detector.model_.alarm.learned)
    page: str = _template("alarms.html.j2").render(
        title=title or f"Hourglass alarms: {detector.kind_.describe()}",
        headline=f"{alarms:,} of {n:,} rows raised an alarm" if not of_record else _events_headline(blame.height),
        learned=f"{learned:,}",
        rate=f"{detector.alarm_rate_:.3g}",
        cards=[
            Card("Alarms", f"{alarms / n:.2%}", f"of {n:,} {noun}"),
            Card("Promised", f"{detector.alarm_rate_:.3g}", f"the share of usual {noun} that may raise one"),
            Card(
                "Smallest p-value",
                f"{min(found['p_value']):.2g}",
                f"of {len(detector.model_.alarm.reference):,} usual {noun} to compare with",
            ),
            Card("Learned from", f"{learned:,}", "usual windows" if of_record else "usual rows"),
        ],
        drift_words=_drift_words(drift),
        worst=worst,
        is_image=is_image,
        is_series=is_series,
        of_record=of_record,
        noun="windows" if of_record else plots.noun(detector),
        placed_by=detector.model_.placed_by,
        pictures={name: _svg(figure, name) for name, figure in drawn.items()},
        comparison=comparison,
        facts={
            "Measured on": f"{n:,} {noun} ({detector.kind_.describe()})",
            "Promised rate": rate,
            "Settings": " ".join(repr(detector).split()),
            "Versions": _versions(),
        },
    )
    return page


def _events_headline(count: int) -> str:
    return f"{count:,} event{'s' * (count != 1)} raised an alarm" if count else "Nothing raised an alarm"


def _mends(model: Any) -> bool:
    """Whether a model has no waist: its page is about what it mends."""
    return isinstance(model, DenoisingAutoencoder) and model._restores


def _mending_page(model: DenoisingAutoencoder, raw: Any, title: str | None) -> str:
    require_pictures(raw)
    before, after, clean = _tried(model, raw)
    check = self_check(before, after)
    numbers = spread(len(before), MOST_DRAWN)
    drawn = {"mended": numbers}
    if clean is not None:
        near = [[psnr(picture[None], other[number][None]) for number, picture in enumerate(clean)] for other in (before, after)]
        large = [number for number, picture in enumerate(clean) if min(picture.shape[:2]) > SSIM_PAD]
        alike = [[ssim(clean[number][None], other[number][None]) for number in large] for other in (before, after)]
        errors = [sum(float(np.square(a - b).sum()) for a, b in zip(clean, other, strict=True)) for other in (before, after)]
        gone = _percent(1 - errors[1] / errors[0]) if errors[1] < errors[0] else "nothing"
        headline = f"From {np.mean(near[0]):.1f} to {np.mean(near[1]):.1f} dB: {gone} of the damage is mended"
        cards = [
            Card("PSNR", f"{np.mean(near[1]):.1f} dB", f"{np.mean(near[0]):.1f} dB before; more is better"),
            Card("Mended", gone, "of the squared error"),
        ]
        if large:
            cards.insert(1, Card("SSIM", f"{np.mean(alike[1]):.3f}", f"{np.mean(alike[0]):.3f} before; 1 is perfect"))
        drawn["worst"] = np.argsort(near[1])[:MOST_DRAWN]
    else:
        headline = f"{255 * check.std:.1f} grey levels of noise were taken out of {len(before):,} pictures"
        levels = 255 * model.noise_level(before)
        cards = [
            Card("Taken out", f"{255 * check.std:.1f}", "grey levels of 255, the standard deviation"),
            Card("Noise", f"{np.median(levels):.1f}", f"grey levels, estimated; {levels.min():.1f} to {levels.max():.1f}"),
            Card("Left in it", f"{abs(check.correlation):.2f}", "how far neighbours in what was taken out agree; of noise, 0"),
        ]
    if model.history_:
        epochs = f"{len(model.history_)} epoch{'s' * (len(model.history_) != 1)}"
        cards.append(Card("Training", _duration(model.history_[-1]["seconds"]), epochs))
    shown = {
        name: plots.mended(*([pile[number] for number in some] for pile in (before, after, clean) if pile is not None))
        for name, some in drawn.items()
    }
    if model.history_:
        shown["training"] = plots.training_curves(model)
    page: str = _template("mending.html.j2").render(
        title=title or f"Hourglass report: {model.kind_.describe()}",
        headline=headline,
        corruption=model.model_.corruption,
        tried=f"{len(before):,} picture{'s' * (len(before) != 1)}",
        middle=MOST_SIDE,
        known=clean is not None,
        check=check,
        cards=cards,
        pictures={name: _svg(figure, name) for name, figure in shown.items()},
        parts=_parts(model),
        facts=_facts(model, raw),
    )
    return page


def _tried(model: DenoisingAutoencoder, raw: Any) -> tuple[list[Any], list[Any], list[Any] | None]:
    """Pictures damaged, mended, and as they were; of what learned from noise alone, the pictures as they came, and mended."""
    corruption, channels = model.model_.corruption, model.model_.shape[0]
    generator = torch.Generator().manual_seed(0)
    clean, before = [], []
    for number in spread(length(raw), MOST_TRIED):
        picture = raw[int(number)]
        require_picture(picture, int(number))
        top, left = (max(size - MOST_SIDE, 0) // 2 for size in picture.shape[:2])
        middle = picture[top : top + MOST_SIDE, left : left + MOST_SIDE]
        middle = with_channels(middle.reshape(*middle.shape[:2], -1), channels) / top_of(picture)
        clean.append(middle.astype(np.float32))
        seen = corruption(torch.from_numpy(clean[-1]).permute(2, 0, 1)[None], generator)
        before.append(seen[0].permute(1, 2, 0).numpy())
    if corruption.blind:
        return clean, model.denoise(clean), None
    whole = [corruption.hides and not corruption.everywhere and not np.isnan(picture).any() for picture in before]
    after = [picture if intact else model.denoise([picture])[0] for picture, intact in zip(before, whole, strict=True)]
    return [np.nan_to_num(picture, nan=0.5) for picture in before], after, clean


def _drift_words(drift: Drift) -> str:
    if not drift.drifted:
        return "These rows are of the sort that the detector was trained on: neither the scores nor any column has moved."
    moved = drift.which
    between = "; " if any("," in name for name in moved) else ", "
    which = f" Moved have: {between.join(moved[:5])}{' and others' if len(moved) > 5 else ''}." if moved else ""
    return f"These rows are not of the sort that the detector was trained on, or many of them are strange.{which}"


def headline(model: BaseAutoencoder, survives: float) -> str:
    """The result in one plain sentence; of a single row, or equal ones, nothing can be said but the size."""
    numbers = f"{plots.waist(model)} in place of {model.kind_.n_features:,}"
    if model.kind_.symbolic:
        return f"{numbers} symbols: {_percent(survives)} of the {plots.noun(model)} come back without a fault"
    if math.isnan(survives):
        return numbers
    what = f"{_percent(survives)} of what" if survives > 0 else "nothing of what"
    return f"{numbers}: {what} makes the {plots.noun(model)} differ survives"


def _pictures(model: BaseAutoencoder, raw: Any, y: Any, condition: Any, sweep: Sweep | None) -> dict[str, Figure]:
    across = 24 if plots.noun(model) == "rows" and not model.kind_.symbolic else ACROSS
    pictures = {
        "before_and_after": plots.reconstructions(model, raw, n=across, condition=condition),
        "code_map": plots.code_map(model, raw, y, condition=condition),
        "errors": plots.errors(model, raw, n=8, condition=condition),
    }
    if _draws(model):
        asked = spread(length(raw), 32 if plots.noun(model) == "images" else across)
        draw = partial(plots.nearest, model, raw) if model.kind_.symbolic else partial(plots.samples, model)
        pictures["samples"] = draw(n=len(asked), condition=of_rows(condition, asked))
        pictures["traversal"] = plots.traversal(model, raw, n=3 if model.kind_.symbolic else 6, condition=condition)
    if model.history_:
        pictures["training"] = plots.training_curves(model)
    if sweep is not None:
        pictures |= {"widths": sweep.plot(), "by_width": plots.reconstructions(sweep, raw, n=across)}
    return pictures


def _cards(model: BaseAutoencoder, measured: dict[str, float]) -> list[Card]:
    features, noun = model.kind_.n_features, plots.noun(model)
    scale = "of pixels from 0 to 1; less is better" if noun == "images" else "of columns in standard deviations; less is better"
    cards = [
        Card("Compression", f"{features / plots.capacity(model):.3g} : 1", f"{features:,} numbers become {plots.waist(model)}"),
        Card("Mean squared error", f"{measured['mse']:#.3g}", scale),
    ]
    if not math.isnan(measured["explained_variance"]):
        share = _percent(measured["explained_variance"])
        cards.insert(1, Card("Explained variance", share, f"of the differences between {noun} survives"))
    if "psnr" in measured:
        cards.append(Card("PSNR", f"{measured['psnr']:.1f} dB", "peak signal over noise; more is better"))
    if "ssim" in measured:
        cards.append(Card("SSIM", f"{measured['ssim']:.3f}", "similarity as the eye sees it; 1 is perfect"))
    return [*cards, *_training_card(model)]


def _cards_of_symbols(model: BaseAutoencoder, whole: float, raw: Any, condition: Any, doctor: Diagnosis | None) -> list[Card]:
    cards = [
        Card("Exact", _percent(whole), f"of the {plots.noun(model)} are rebuilt without a fault"),
        Card(
            "Lost",
            f"{plots.errors_of(model, raw, condition).mean():.1f} nats",
            "of a row that its codes don't tell; less is better",
        ),
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
    return [Card("Training", _duration(model.history_[-1]["seconds"]), f"{passes}, {rate:,.0f} {plots.noun(model)} a second")]


def _parts(model: BaseAutoencoder) -> list[tuple[str, str, str]]:
    """The six parts in a row: what each is called, what it does, and which one this model has."""
    inside = model.model_
    corruption = str(inside.corruption) if _mends(model) else "none" if model.corruption is None else repr(model.corruption)
    waist = "none: all passes" if _mends(model) else plots.waist(model) + _asked(model.bottleneck)
    return [
        ("Kind", "turns the data into numbers", model.kind_.describe()),
        ("Corruption", "damages rows on purpose while training", corruption),
        ("Encoder", "squeezes", _layers(inside.encoder)),
        ("Bottleneck", "is the waist", waist),
        ("Decoder", "rebuilds", _layers(inside.decoder)),
        ("Likelihood", "says how far off the result is", _words(inside.likelihood) + _asked(model.likelihood)),
    ]


def _asked(part: Any) -> str:
    return f", {part!r}" if part is not None and not isinstance(part, int) else ""


def _layers(module: nn.Module) -> str:
    """'3 Linear, 543,520 weights'."""
    leaves = [
        leaf for leaf in module.modules() if next(leaf.children(), None) is None and next(leaf.parameters(), None) is not None
    ]
    counts = Counter(type(leaf).__name__ for leaf in leaves)
    weights = sum(parameter.numel() for parameter in module.parameters())
    return ", ".join([*(f"{count} {name}" for name, count in counts.items()), f"{weights:,} weights"])


def _words(module: nn.Module) -> str:
    """The name of a module's class as words: 'fixed gaussian' of _FixedGaussian."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(module).__name__.lstrip("_")).lower()


def _facts(model: BaseAutoencoder, raw: Any) -> dict[str, str]:
    why = infer(raw).reason if model.kind is None else "as asked for"
    weights = sum(parameter.numel() for parameter in model.model_.parameters())
    seed = getattr(model, "random_state", None)
    return {
        "Kind of data": f"{model.kind_.name}: {why}",
        "Measured on": f"{length(raw):,} {plots.noun(model)} ({model.kind_.describe()})",
        "Size": f"{weights:,} weights",
        "Settings": " ".join(repr(model).split()),
        "Seed": "none, so another fit gives other numbers" if seed is None else str(seed),
        "Versions": _versions(),
    }


def _versions() -> str:
    return f"Hourglass {version('hourglass-ae')}, PyTorch {torch.__version__}, Python {platform.python_version()}"


def _percent(share: float) -> str:
    """A share in percent; only all of it is 100%."""
    return "over 99.9%" if 0.9995 <= share < 1 else f"{share:.1%}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.{int(seconds < 10)}f} s"


def _svg(figure: Figure, name: str) -> Markup:
    """A figure as an SVG element, in the page's colours."""
    from markupsafe import Markup

    buffer = io.StringIO()
    no_metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(buffer, format="svg", transparent=True, dpi=200, metadata=no_metadata)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    for colour, variable in VARIABLES.items():
        text = text.replace(colour, f"var(--{variable})")
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", text)  # identifiers must not meet those of the other pictures
    return Markup(text.replace("<svg ", '<svg aria-hidden="true" ', 1))


def _template(name: str) -> Any:
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    loader = FunctionLoader(lambda name: files("hourglass.analysis").joinpath(name).read_text(encoding="utf-8"))
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"percent": _percent, "duration": _duration, "thousands": "{:,}".format, "figure": _figure}
    return environment.get_template(name)


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
