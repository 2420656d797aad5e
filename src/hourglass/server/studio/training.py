"""What happens in the process of a run: data is read, a model fitted, and what came of it kept.

``python -m hourglass.server.studio.training RUN`` does what ``run.json`` in that folder asks for. Ctrl-C, or SIGINT, ends training
early and keeps the best model so far.
"""

from __future__ import annotations

import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

import hourglass as hg
from hourglass.data import Pictures, reads_pictures
from hourglass.data.some import spread
from hourglass.data.tables import apart
from hourglass.server.studio import making, rows
from hourglass.server.studio.plain import Made, write_json
from hourglass.server.studio.runs import NOTHING_KEPT, Asked, Run
from hourglass.server.studio.watching import mended, preview, rebuilt, watch

SHOWN = 8  # rows that are redrawn while a model learns
SWEPT = 16  # and at each width of a sweep
EXAMPLES = 64  # new rows that are drawn at once
MOST_FOR_PCA = 5000  # rows; more change its first components little
MOST_LEVELS = 200  # to choose from, of what samples are asked for by


class Job(NamedTuple):
    """What a need is served by."""

    run: Run
    asked: Asked
    X: Any
    unseen: Any  # rows that nothing is learned from, where there are some
    labels: Any  # of X, where there are some
    training: dict[str, Any]  # parameters of all estimators

    @property
    def seen(self) -> Any:
        """Rows to show and to measure: those that nothing is learned from, where there are some."""
        return self.X if self.unseen is None else self.unseen


def main(path: str) -> None:
    """Do what the run in a folder was asked for; failures become a sentence in ``failed.txt``."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have started us deaf to it
    run, told = Run(Path(path)), list[Warning | str]()
    warnings.showwarning = lambda message, *_: told.append(message)
    try:
        _say(run, "Reading the data")
        job = _job(run, run.asked)
        if run.stopping:
            raise KeyboardInterrupt
        result = NEEDS[run.asked.need](job)
        stopped = any(isinstance(warning, hg.StoppedWarning) for warning in told)
        others = [str(each) for each in told if isinstance(each, hg.HourglassWarning) and not isinstance(each, hg.StoppedWarning)]
        write_json(run.path / "result.json", {"stopped": stopped, "warnings": list(dict.fromkeys(others)), **result})
    except KeyboardInterrupt:
        _fail(run, NOTHING_KEPT)
    except hg.HourglassError as error:
        _fail(run, str(error))
    except Exception as error:
        traceback.print_exc()
        what = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
        _fail(run, f"Something went wrong that shouldn't have ({what}). What happened is in {run.path}/log.txt.")


def _fail(run: Run, sentence: str) -> None:
    (run.path / "failed.txt").write_text(sentence, encoding="utf-8")


def _say(run: Run, stage: str) -> None:
    """Note what is being done, for who looks."""
    (run.path / "stage.txt").write_text(stage, encoding="utf-8")


def _job(run: Run, asked: Asked) -> Job:
    source, options = asked.source, asked.options
    training = {
        "kind": asked.kind,
        "columns": asked.columns or None,
        "max_seconds": options.get("max_seconds"),
        "max_epochs": options.get("max_epochs"),
        "random_state": options.get("seed", 0),
    }
    return Job(run, asked, _read(asked), source.unseen() if source.named else None, source.labels(), training)


def _read(asked: Asked) -> Any:
    """The data; pictures that are learned to be mended may be of any size, and stay in their files."""
    if asked.need == "clean" and asked.width is None and reads_pictures(asked.data):
        return Pictures(asked.data, skip_bad=asked.skip_bad)
    return asked.source.read()


# The needs


def compress(job: Job) -> Made:
    """An autoencoder, and the codes of all rows."""
    kind = job.asked.kind or hg.infer(job.X).kind
    show = rebuilt(rows.some(kind, job.seen, SHOWN))
    model = hg.Autoencoder(job.asked.width, callbacks=(watch(job.run, show),), **job.training)
    _say(job.run, "Learning")
    model.fit(job.X)
    _keep(job, model, show)
    _say(job.run, "Writing the codes")
    making.encode(model, job.X, job.run.path / "codes.parquet", job.asked.source.files())
    learned: Any = model.kind_
    symbolic = learned.symbolic
    share = hg.metrics.survival(model, job.seen[: making.MOST_SHOWN] if symbolic else job.seen)
    what = "come back without a fault" if symbolic else "of the variance survives"
    width = len(model.get_feature_names_out())
    of = "new rows" if job.unseen is not None else "the rows it learned from"
    size = f"up to {learned.dimensions:,} {learned.piece}s" if symbolic else f"{learned.dimensions:,}"
    words = f"Each row is kept in {width:,} numbers in place of {size}. Of {of}, {share:.1%} {what}."
    return {"words": [words], "figures": {"numbers kept": f"{width:,}", "survives": f"{share:.1%}", **_learned(model)}}


def flag(job: Job) -> Made:
    """A detector, and the alarms among the rows that it learned from."""
    contaminated = bool(job.asked.options.get("contaminated"))
    detector = hg.AnomalyDetector(contaminated=contaminated, callbacks=(watch(job.run, None),), **job.training)
    _say(job.run, "Learning what is usual")
    detector.fit(job.X)
    _keep(job, detector, None)
    _say(job.run, "Looking for what stands out")
    path = making.detect(detector, job.X, job.run.path / "alarms.parquet", job.asked.source.files())
    found = pl.read_parquet(path)
    count, noun = int(found["alarm"].sum()), "samples" if detector.kind_.of_record else "rows"
    promised = f"{max(detector.alarm_rate_, detector.model_.alarm.least_rate):.1%}"  # fewer can't be promised, whatever was asked
    words = (
        f"{count:,} of the {len(found):,} {noun} that it learned from stand out. Of new {noun} that are usual, {promised} would."
    )
    figures = {"alarms": f"{count:,}", "false alarms promised": promised}
    return {"words": [words], "figures": figures}


def clean(job: Job) -> Made:
    """A model that mends."""
    pictures = isinstance(job.X, Pictures)
    kind = job.asked.kind or ("image" if pictures else hg.infer(job.X).kind)
    some = [job.X[number].pixels for number in spread(len(job.X), SHOWN)] if pictures else None
    show = mended(some or rows.some(kind, job.seen, SHOWN))
    damage = job.asked.options.get("damage") or None
    model = hg.DenoisingAutoencoder(job.asked.width, corruption=damage, callbacks=(watch(job.run, show),), **job.training)
    _say(job.run, "Learning to mend")
    model.fit(job.X)
    _keep(job, model, show)
    words = "It has learned what belongs and what doesn't. What it mends is a good guess, no evidence: what was lost is gone."
    return {"words": [words], "figures": _learned(model)}


def generate(job: Job) -> Made:
    """A model to draw from, a sampler that suits it, and the first new rows."""
    X, known = apart(job.asked.source.title, job.X, job.labels, job.asked.condition)
    kind = job.asked.kind or hg.infer(X).kind
    show = rebuilt(rows.some(kind, X, SHOWN), None if known is None else known[spread(len(known), SHOWN)])
    model = hg.VariationalAutoencoder(job.asked.width, callbacks=(watch(job.run, show),), **job.training)
    _say(job.run, "Learning")
    model.fit(X, condition=known)
    _keep(job, model, show)
    _say(job.run, "Learning to draw")
    model.fit_sampler(X, condition=known, random_state=0)
    model.save(job.run.model_path)
    _say(job.run, "Drawing")
    asked = None if known is None else known[:EXAMPLES]
    n = EXAMPLES if asked is None else len(asked)
    _, made = making.sample(model, n, job.run.path / "samples", condition=asked, seed=0)
    write_json(job.run.path / "samples.json", {"kind": kind, "rows": rows.values(model.kind_, rows.part(kind, made, SWEPT))})
    levels = [] if known is None else [str(level) for level in pl.Series(known).unique().sort()]
    words = f"It draws new {'pictures' if kind == 'image' else 'rows'} like yours: {n} are ready, and you can have more."
    figures = {"drawn": f"{n}", **_learned(model)}
    return {"words": [words], "figures": figures, "levels": levels[:MOST_LEVELS]}


def sweep(job: Job) -> Made:
    """A model at each width, the same rows redrawn by each, and by PCA."""
    from hourglass.analysis import Sweep
    from hourglass.analysis.widths import WIDTHS, by_width, kind_of

    learner = hg.Autoencoder(**job.training)
    kind = kind_of(job.X, learner)
    tried = WIDTHS if kind.dimensions > WIDTHS[2] else range(1, kind.dimensions)
    widths = [width for width in tried if width < kind.dimensions] or WIDTHS[:1]  # the last for the sweep to refuse, and say why

    def look(estimator: Any, epoch: Any) -> None:
        width = estimator.bottleneck
        watch(job.run, None, width=width, number=widths.index(width), of=len(widths))(estimator, epoch)

    learner.set_params(callbacks=(look,))
    drawn: Made = {"kind": kind.name, "features": kind.dimensions, "rebuilt": {}, "pca": {}}
    frames: list[Any] = []
    each = by_width(job.X, widths, X_test=job.unseen, estimator=learner, verbose=False, random_state=job.training["random_state"])
    try:
        _say(job.run, f"Squeezing into {widths[0]} numbers")
        for found in each:
            test = found.model.kind_.opened(found.test) if kind.name == "series" else found.test  # rows, also of a table of samples
            some = rows.part(kind.name, test, SWEPT)
            frames.append(found.figures)
            learned: Any = found.model.kind_
            drawn["original"] = rows.values(learned, some)
            drawn["rebuilt"][str(found.width)] = rows.values(learned, found.model.reconstruct(some))
            if kind.name == "image":
                drawn["pca"][str(found.width)] = rows.values(learned, _by_pca(found.train, some, found.width, learned.top))
            found.model.save(job.run.path / "sweep" / f"{found.width}.safetensors")
            together = Sweep(pl.DataFrame(frames), {})
            drawn |= {"figures": _figures(together), "measure": together.measure, "recommended": together.recommended}
            drawn |= {"words": [together.reason, together.comparison]}
            write_json(job.run.path / "sweep.json", drawn)
            _say(job.run, f"Squeezing into {widths[min(len(frames), len(widths) - 1)]} numbers")
    except KeyboardInterrupt:
        if not frames:
            raise
        return {"words": [], "figures": {}, "stopped": True}
    return {"words": [], "figures": {}, "stopped": False}


def _figures(sweep: Any) -> list[Made]:
    """The frame of a sweep, with names for all kinds of rows."""
    error, measure = sweep.errors[0], sweep.measure
    names = {error: "lost", f"pca_{error}": "pca_lost", measure: "survives", f"pca_{measure}": "pca_survives"}
    figures: list[Made] = sweep.frame.rename(names).to_dicts()
    return figures


NEEDS: dict[str, Callable[[Job], Made]] = {
    "compress": compress,
    "flag": flag,
    "clean": clean,
    "generate": generate,
    "sweep": sweep,
}


def _by_pca(train: Any, some: Any, width: int, white: float) -> Any:
    """Pictures rebuilt from as many numbers by PCA, from 0 to 1."""
    import numpy as np
    from sklearn.decomposition import PCA

    flat = train[:MOST_FOR_PCA].reshape(len(train[:MOST_FOR_PCA]), -1).astype(np.float32)
    pca = PCA(min(width, *flat.shape), random_state=0).set_output(transform="default").fit(flat)
    after = pca.inverse_transform(pca.transform(some.reshape(len(some), -1).astype(np.float32))).reshape(some.shape)
    return np.clip(after / white, 0, 1)


def _keep(job: Job, model: Any, show: Callable[[Any], Made] | None) -> None:
    """Write the model and the last preview; from here on nothing is stopped, as the rest is short."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if not (job.run.path / "run.json").exists():
        raise hg.FileError(f"The run '{job.run.name}' was deleted while it learned, so nothing of it is kept.")
    model.save(job.run.model_path)
    if show is not None:
        preview(job.run, show, model)


def _learned(model: Any) -> Made:
    """How long it learned."""
    last = model.history_[-1] if model.history_ else {"epoch": 0, "seconds": 0.0}
    return {"epochs": f"{last['epoch']:,}", "trained for": f"{last['seconds']:.1f} s"}


if __name__ == "__main__":
    main(sys.argv[1])
