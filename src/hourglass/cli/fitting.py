"""What ``hourglass fit`` does for each need: a model, a file, and in words what came of it."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from shlex import quote
from typing import Any, NamedTuple

import hourglass as hg
from hourglass.cli.files import dataset_named, fills, in_files, load, time_column
from hourglass.cli.rows import one_a_row
from hourglass.cli.words import counted, passes, percent, say


class Need(StrEnum):
    """What a model is fitted for."""

    compress = "compress"
    flag = "flag"
    clean = "clean"
    generate = "generate"


class Asked(NamedTuple):
    """The options of the command."""

    data: str
    output: Path
    bottleneck: int | None
    network: dict[str, Any]  # parameters of autoencoders alone: kind, hidden, checkpoint
    training: dict[str, Any]  # and those of detectors too
    damage: str | None
    contaminated: bool
    condition: str | None
    skip_bad: bool


def require_needed(need: Need, damage: str | None, condition: str | None, contaminated: bool) -> None:
    """Refuse options that are for another need."""
    if damage is not None and need is not Need.clean:
        raise hg.ParameterError("--damage says what has to be mended: it goes with --for clean.")
    if condition is not None and need is not Need.generate:
        raise hg.ParameterError("--condition is what samples are asked for by: it goes with --for generate.")
    if contaminated and need is not Need.flag:
        raise hg.ParameterError("--contaminated says that rows to learn from may be strange: it goes with --for flag.")


def clean(asked: Asked) -> None:
    """A model that mends."""
    model = hg.DenoisingAutoencoder(asked.bottleneck, corruption=asked.damage, **asked.network, **asked.training)
    X = (in_files if asked.bottleneck is None else load)(asked.data, asked.skip_bad)
    _hint_at_series(X, asked)
    model.fit(X)
    model.save(asked.output)
    what = "fill in missing cells" if fills(model) else f"mend {model.model_.corruption}"
    say(f"Learned to {what} from {model.kind_.describe()}, in {passes(model)}.")
    _say_next(asked, "denoise", f"DAMAGED -o clean{model.kind_.ending or '/'}")


def generate(asked: Asked) -> None:
    """A model to draw from, and a sampler that suits it."""
    from hourglass.data.tables import apart

    X, known = apart(
        asked.data, load(asked.data, asked.skip_bad), getattr(dataset_named(asked.data), "y_train", None), asked.condition
    )
    _hint_at_series(X, asked)
    model = hg.VariationalAutoencoder(asked.bottleneck, **asked.network, **asked.training).fit(X, condition=known)
    if asked.training["verbose"]:
        say("Fitting a distribution to the codes, for samples to come from ...")
    model.fit_sampler(X, condition=known, random_state=0)
    model.save(asked.output)
    some = 1000 * (model.kind_.shape[-1] if model.kind_.of_record else 1)
    bound = model.elbo(X[:some], condition=None if known is None else known[:some], random_state=0)
    level = "" if known is None else " --condition LEVEL"
    say(f"Trained on {_learned_from(model, X)} ({model.kind_.describe()}) for {passes(model)}.")
    say(f"A row costs {-bound.elbo.mean():.1f} nats at most, of which {bound.kl.mean():.1f} for its codes.")
    say(f"Samples come from: {model.sampler_}.")
    _say_next(asked, "generate", f"-n 64{level} -o samples{model.kind_.ending or '/'}")


def flag(asked: Asked) -> None:
    """A detector."""
    _require_no_network(asked)
    X, asked = _taken(asked)
    detector = hg.AnomalyDetector(kind=asked.network["kind"], contaminated=asked.contaminated, **asked.training)
    detector.fit(X).save(asked.output)
    rows = _learned_from(detector, one_a_row(detector, X))
    say(f"Learned from {rows} what is usual ({detector.kind_.describe()}), in {passes(detector)}.")
    maps = " --heatmaps marked/" if detector.kind_.name == "image" else ""
    _say_next(asked, "detect", f"NEW -o alarms.parquet{maps}")


def _require_no_network(asked: Asked) -> None:
    """Refuse options that a detector has no use for."""
    for name, value in {"bottleneck": asked.bottleneck, **asked.network}.items():
        if name != "kind" and value is not None:
            raise hg.ParameterError(f"--{name} is for autoencoders: what --for flag makes has none. Leave it out.")


def compress(asked: Asked) -> None:
    """An autoencoder, and what survives of rows that it never saw, if there are some."""
    X, asked = _taken(asked)
    model = hg.Autoencoder(asked.bottleneck, **asked.network, **asked.training).fit(X)
    model.save(asked.output)
    width, symbols = len(model.get_feature_names_out()), " symbols" if model.kind_.symbolic else ""
    keep = "keeps" if width == 1 else "keep"
    say(f"Trained on {_learned_from(model, X)} ({model.kind_.describe()}) for {passes(model)}.")
    survival = _survival_of_unseen(model, asked.data, X)
    say(f"{counted(width, 'number')} in place of {model.kind_.dimensions:,}{symbols} {keep} {survival}")
    _say_next(asked, "report", quote(asked.data))


FITTERS: dict[Need, Callable[[Asked], None]] = {
    Need.compress: compress,
    Need.flag: flag,
    Need.clean: clean,
    Need.generate: generate,
}


def _taken(asked: Asked) -> tuple[Any, Asked]:
    """The data, and the options with its kind; where that wasn't asked for, what it is taken for is said."""
    X = load(asked.data, asked.skip_bad)
    if asked.network["kind"] is not None:
        return X, asked
    inferred = hg.infer(X)
    say(f"Taken for kind '{inferred.kind}': {inferred.reason}. Choose another with --kind.")
    _hint_at_series(X, asked)
    return X, asked._replace(network=asked.network | {"kind": inferred.kind})


def _say_next(asked: Asked, command: str, rest: str) -> None:
    """Say where the model is, and what to type next: a command, the model, and the rest of the line."""
    say(f"Wrote {asked.output}. Next: hourglass {command} {quote(str(asked.output))} {rest}")


def _hint_at_series(X: Any, asked: Asked) -> None:
    """Say so where a table looks like a series, and nothing else was asked for."""
    time = time_column(X) if asked.network["kind"] is None else None
    if time is not None:
        say(f"Its rows stand at even steps of '{time}', as those of a record do. To take it for one, say --kind series.")


def _learned_from(model: Any, X: Any) -> str:
    """How many rows there were, or of a record samples."""
    return counted(len(X), "sample" if model.kind_.of_record else "row")


def _survival(model: Any, X: Any) -> str:
    """What survives of rows, in words that 'of the rows' follows; of symbols, how many rows come back without a fault."""
    share = percent(hg.metrics.survival(model, X))
    return f"every symbol in {share}" if model.kind_.symbolic else f"{share} of the variance"


def _survival_of_unseen(model: Any, data: str, X: Any) -> str:
    """What survives of the test images of a named dataset; of other data there are none, so that is said."""
    named = dataset_named(data)
    if named is not None:
        return f"{_survival(model, named.x_test)} of {len(named.x_test):,} test images that it never saw."
    from hourglass.data.record import parts_of

    some = parts_of(X)[0] if isinstance(X, hg.Record) else X
    survives = _survival(model, some)
    rest = "." if survives.startswith("nothing") else "; expect a little less of new ones."
    return f"{survives} of the rows it learned from{rest}"
