"""The report: one HTML file that opens anywhere, with no network and no scripts."""

from __future__ import annotations

import io
import os
import platform
import re
import secrets
from collections import Counter
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import nn

from hourglass.analysis import plots
from hourglass.analysis.metrics import before_and_after, figures
from hourglass.data import atomic
from hourglass.estimators import BaseAutoencoder
from hourglass.kinds import as_raw, infer, length

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.figure import Figure

    from hourglass.analysis.widths import Sweep

# The page's style sheet knows these colours by name, and has others for dark screens.
VARIABLES = {plots.INK: "ink", plots.MUTED: "muted", plots.PAPER: "paper", plots.BLUE: "blue", plots.ORANGE: "orange"}


class Card(NamedTuple):
    """One key figure."""

    name: str
    value: str
    note: str


def report(
    model: BaseAutoencoder,
    X: Any,
    path: str | os.PathLike[str],
    *,
    y: Any = None,
    sweep: Sweep | None = None,
    title: str | None = None,
) -> Path:
    """Write one HTML page that shows what a fitted model keeps and what it loses, in words for everybody.

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
        Labels, which colour the map of the codes.
    sweep : Sweep, optional
        What `hourglass.sweep` gave: adds the choice of the width.
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
    """
    raw = as_raw(X)
    before, after = before_and_after(model, raw)
    measured = figures(model, before, after)
    pictures = {
        "before_and_after": plots.reconstructions(model, raw),
        "code_map": plots.code_map(model, raw, y),
        "errors": plots.errors(model, raw),
    }
    if model.history_:
        pictures["training"] = plots.training_curves(model)
    if sweep is not None:
        pictures |= {"widths": sweep.plot(), "by_width": plots.reconstructions(sweep, raw)}
    page = _template().render(
        title=title or f"Hourglass report: {model.kind_.describe()}",
        headline=headline(model, measured["explained_variance"]),
        noun=_noun(model),
        is_image=model.kind_.name == "image",
        waist=plots.waist(model),
        codes=len(model.get_feature_names_out()),
        features=model.kind_.n_features,
        rows=length(raw),
        labelled=y is not None,
        cards=_cards(model, measured),
        pictures={name: _svg(figure) for name, figure in pictures.items()},
        sweep=sweep,
        parts=_parts(model),
        facts=_facts(model, raw),
    )
    with atomic(path) as temporary:
        temporary.write_text(page, encoding="utf-8", newline="\n")
    return Path(path)


def headline(model: BaseAutoencoder, survives: float) -> str:
    """The result in one plain sentence."""
    what = f"{_percent(survives)} of what" if survives > 0 else "nothing of what"
    return f"{plots.waist(model)} in place of {model.kind_.n_features:,}: {what} makes the {_noun(model)} differ survives"


def _noun(model: BaseAutoencoder) -> str:
    return "images" if model.kind_.name == "image" else "rows"


def _cards(model: BaseAutoencoder, measured: dict[str, float]) -> list[Card]:
    kept, features = plots.capacity(model), model.kind_.n_features
    image, shown = model.kind_.name == "image", measured["explained_variance"]
    cards = [
        Card("Compression", f"{features / kept:.3g} : 1", f"{features:,} numbers become {plots.waist(model)}"),
        Card("Explained variance", _percent(shown), f"of the differences between {_noun(model)} survives"),
        Card("Mean squared error", f"{measured['mse']:.3g}", "pixels from 0 to 1" if image else "columns in standard deviations"),
    ]
    if "psnr" in measured:
        cards.append(Card("PSNR", f"{measured['psnr']:.1f} dB", "peak signal over noise; more is better"))
    if "ssim" in measured:
        cards.append(Card("SSIM", f"{measured['ssim']:.3f}", "similarity as the eye sees it; 1 is perfect"))
    if model.history_:
        rates = sorted(record["examples_per_second"] for record in model.history_)
        rate = float(f"{rates[len(rates) // 2]:.2g}")
        epochs = f"{len(model.history_)} time{'s' * (len(model.history_) != 1)} over the data"
        cards.append(Card("Training speed", f"{rate:,.0f}", f"{_noun(model)} a second"))
        cards.append(Card("Training time", _duration(model.history_[-1]["seconds"]), epochs))
    return cards


def _parts(model: BaseAutoencoder) -> list[tuple[str, str, str]]:
    """The six parts in a row: what each is called, what it does, and which one this model has."""
    inside = model.model_
    corruption = "none" if model.corruption is None else repr(model.corruption)
    return [
        ("Kind", "turns the data into numbers", model.kind_.describe()),
        ("Corruption", "damages rows on purpose while training", corruption),
        ("Encoder", "squeezes", _layers(inside.encoder)),
        ("Bottleneck", "is the waist", plots.waist(model) + _asked(model.bottleneck)),
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
        "Measured on": f"{length(raw):,} {_noun(model)} ({model.kind_.describe()})",
        "Parameters": f"{weights:,} weights",
        "Settings": " ".join(repr(model).split()),
        "Seed": "none, so another fit gives other numbers" if seed is None else str(seed),
        "Versions": f"Hourglass {version('hourglass-ae')}, PyTorch {torch.__version__}, Python {platform.python_version()}",
    }


def _percent(share: float) -> str:
    """A share in percent; only all of it is 100%."""
    return "over 99.9%" if 0.9995 <= share < 1 else f"{share:.1%}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.2g} s"


def _svg(figure: Figure) -> Markup:
    """A figure as an SVG element, in the page's colours."""
    from markupsafe import Markup

    buffer = io.StringIO()
    no_metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(buffer, format="svg", transparent=True, dpi=200, metadata=no_metadata)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    for colour, name in VARIABLES.items():
        text = text.replace(colour, f"var(--{name})")
    own = f"f{secrets.token_hex(3)}-"  # identifiers must not meet those of the page's other pictures
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{own}", text)
    return Markup(text.replace("<svg ", '<svg aria-hidden="true" ', 1))


def _template() -> Any:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"percent": _percent, "thousands": "{:,}".format}
    return environment.from_string(files("hourglass.analysis").joinpath("report.html.j2").read_text(encoding="utf-8"))
