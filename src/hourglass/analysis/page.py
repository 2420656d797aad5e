"""What all pages share: a template filled in, figures as SVG, and facts about a model."""

from __future__ import annotations

import io
import platform
import re
import warnings
from collections import Counter
from importlib.metadata import version
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import nn

from hourglass.analysis import drawing, plots
from hourglass.estimators import AnomalyDetector, BaseAutoencoder, DenoisingAutoencoder
from hourglass.kinds import infer, length
from hourglass.kinds.base import Kind
from hourglass.kinds.image import CHANNELS
from hourglass.parts import Open

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.figure import Figure

# The page's style sheet knows these colours by name, and has others for dark screens.
VARIABLES = {drawing.INK: "ink", drawing.MUTED: "muted", drawing.PAPER: "paper", drawing.BLUE: "blue", drawing.ORANGE: "orange"}


class Card(NamedTuple):
    """One key figure."""

    name: str
    value: str
    note: str


def rendered(template: str, pictures: dict[str, Figure], **values: Any) -> str:
    """A page from its template, with its pictures by their names."""
    drawn = {name: _svg(figure, name) for name, figure in pictures.items()}
    page: str = _template(template).render(pictures=drawn, **values)
    return page


def rendered_of(
    model: BaseAutoencoder, raw: Any, template: str, pictures: dict[str, Figure], title: str | None, **values: Any
) -> str:
    """The page of a model, with what each of them says: its kind unless there is a title, its parts, how it learned, the facts."""
    if model.history_:
        pictures = {**pictures, "training": plots.training_curves(model)}
    known = {"title": title or f"Hourglass report: {model.kind_.describe()}", "parts": parts(model), "facts": facts(model, raw)}
    return rendered(template, pictures, **known, **values)


def averaged(kind: Kind) -> int:
    """How many channels the pictures of a page are the mean of; 0 where they are shown as they came."""
    return kind.shape[0] if kind.name == "image" and kind.shape[0] not in CHANNELS else 0


def training_card(model: BaseAutoencoder) -> list[Card]:
    """How long a model learned, if it did."""
    n = len(model.history_)
    return [Card("Training", duration(model.history_[-1]["seconds"]), f"{n} epoch{'s' * (n != 1)}")] if n else []


def mends(model: Any) -> bool:
    """Whether a model has no waist: its page is about what it mends."""
    return isinstance(model, DenoisingAutoencoder) and isinstance(model._made_of["bottleneck"], Open)


def parts(model: BaseAutoencoder) -> list[tuple[str, str, str]]:
    """The six parts in a row: what each is called, what it does, and which one this model has."""
    inside = model.model_
    corruption = re.sub(r", together=\([\d, ]+\)", "", str(inside.corruption or "none"))  # which elements make up a column
    waist = "none: all passes" if mends(model) else plots.waist(model) + _asked(model.bottleneck)
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


def size(model: BaseAutoencoder | AnomalyDetector, n: int) -> str:
    """How much data a page is about: '300 rows', of a record '6,000 samples'."""
    noun = f"sample{'s' * (n != 1)}" if model.kind_.of_record else plots.noun(model, n)
    return f"{n:,} {noun}"


def facts(model: BaseAutoencoder, raw: Any) -> dict[str, str]:
    """What whoever wants to do the same again has to know."""
    why = infer(raw).reason if model.kind is None else "as asked for"
    weights = sum(parameter.numel() for parameter in model.model_.parameters())
    seed = getattr(model, "random_state", None)
    return {
        "Kind of data": f"{model.kind_.name}: {why}",
        "Measured on": f"{size(model, length(raw))} ({model.kind_.describe()})",
        "Size": f"{weights:,} weights",
        "Settings": " ".join(repr(model).split()),
        "Seed": "none, so another fit gives other numbers" if seed is None else str(seed),
        "Versions": versions(),
    }


def versions() -> str:
    """What it was made with."""
    return f"Hourglass {version('hourglass-ae')}, PyTorch {torch.__version__}, Python {platform.python_version()}"


def percent(share: float) -> str:
    """A share in percent; only all of it is 100%."""
    return "over 99.9%" if 0.9995 <= share < 1 else f"{share:.1%}"


def mended_share(before: float, after: float) -> str:
    """How much of an error is gone, in words."""
    return percent(1 - after / before) if after < before else "nothing"


def duration(seconds: float) -> str:
    """Minutes and seconds, for people."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.{int(seconds < 10)}f} s"


def _svg(figure: Figure, name: str) -> Markup:
    """A figure as an SVG element, in the page's colours."""
    from markupsafe import Markup

    buffer = io.StringIO()
    no_metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # an emoji is drawn as a box, which is seen
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
    environment.filters |= {"percent": percent, "duration": duration, "thousands": "{:,}".format, "figure": _figure}
    return environment.get_template(name)


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
