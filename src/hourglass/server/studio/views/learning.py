"""A run on the page: while it learns, when it failed, and when it is done."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

from nicegui import ui

from hourglass.data.some import spread
from hourglass.server.studio import charts, rows
from hourglass.server.studio import widgets as w
from hourglass.server.studio.files import REPORT, report
from hourglass.server.studio.plain import Made, changed_at, read_json
from hourglass.server.studio.runs import Run, State
from hourglass.server.studio.views import more
from hourglass.server.studio.views.progress import TICK, Progress, address, delete, fetch, try_again

REPORTED = ("compress", "flag", "generate")  # needs whose models have a report
MOST_POINTS = 500  # of a curve
LOSS = "epoch (loss in nats a row; lower is better)"
FILES = {
    REPORT: ("The report", "one page; takes a moment"),
    "model.safetensors": ("The model", "hourglass and Python read it"),
    "codes.parquet": ("The codes", "a few numbers for each row"),
    "alarms.parquet": ("The alarms", "each row with its score and reasons"),
    **{f"samples{ending}": ("New rows", "the first that were drawn") for ending in ("", ".csv", ".npy", ".smi", ".txt")},
}


def draw(run: Run, title: str) -> None:
    """Draw a run, and go on as its files change."""
    shown = {"state": run.state}

    @ui.refreshable
    def body() -> None:
        with w.box("stack"):
            if shown["state"] is State.training:
                _running(run)
            elif shown["state"] in (State.failed, State.waiting):
                _failed(run)
            else:
                _done(run)

    def look() -> None:
        state = run.state
        if state is not shown["state"]:
            shown["state"] = state
            body.refresh()

    with w.box("row crumbs"):
        w.link("All models", "/train")
        w.text("span", f"{title} · {run.asked.source.title or run.name}", "note")
    body()
    if shown["state"] is State.training:
        ui.timer(TICK, look)


# While it learns


def _running(run: Run) -> None:
    with w.card("", "running"):
        progress = Progress(run, "Stop and keep the best so far")
        stats = w.markup("dl", "", "figures")
        chart = w.markup("div", charts.curves([], "The loss has not been measured yet", LOSS))
        w.text("p", "It goes on when you close the page, and is here when you come back. Stopping keeps the best so far.", "note")
    with w.card("What it makes of them", "gone" if run.asked.need == "flag" else ""):
        words = "Some rows appear here as the model redraws them, sharper with time."
        preview = w.markup("div", f'<p class="note">{words}</p>', "preview")
    seen = {"epochs": -1, "preview": 0}
    log = run.log()

    def look() -> None:
        epochs = log.read()
        progress.show(epochs[-1]["share"] if epochs else 0.0)
        if len(epochs) != seen["epochs"]:
            seen["epochs"] = len(epochs)
            stats.set_content(_stats(epochs))
            if epochs:
                chart.set_content(losses(epochs))
        drawn_at = changed_at(run.path / "preview.json")
        if drawn_at != seen["preview"]:
            seen["preview"] = drawn_at
            preview.set_content(pairs(run.preview))

    look()
    ui.timer(TICK, look)


def _stats(epochs: list[Made]) -> str:
    """Numbers of the last epoch, with room for them before there is one."""
    if not epochs:
        named = {"epoch": "–", "rows a second": "–", "loss on rows held out": "–", "time left": "–"}
    else:
        last = epochs[-1]
        left = last["seconds"] / max(last["share"], 0.01) - last["seconds"]
        held_out = last["train"] if last["validation"] is None else last["validation"]
        named = {
            "epoch": f"{last['epoch']:,}",
            "rows a second": f"{last['examples_per_second']:,.0f}",
            "loss on rows held out": f"{held_out:,.4g}",
            "time left": f"{int(left // 60)}:{int(left % 60):02d}",
        }
    return "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in named.items())


def losses(epochs: list[Made]) -> str:
    """The curves of training; of more epochs than a screen has room for, some."""
    epochs = [epochs[number] for number in spread(len(epochs), MOST_POINTS)]
    lines = [charts.Line("rows it learns from", "theirs", [(e["epoch"], e["train"]) for e in epochs])]
    held_out = [(e["epoch"], e["validation"]) for e in epochs if e["validation"] is not None]
    if held_out:
        lines.append(charts.Line("rows held out", "mine", held_out))
    return charts.curves(lines, "The loss over the epochs; lower is better", LOSS)


def pairs(shown: Made) -> str:
    """Rows and what became of them, one below the other."""
    kind, damaged = shown.get("kind", ""), "clean" in shown
    before, after = ("Damaged", "Mended") if damaged else ("As they are", "As it redraws them")
    if kind == "series":
        return f'<p class="note">Dashed: {before.lower()}. Solid: {after.lower()}.</p>' + rows.html(
            kind, shown["after"], shown["before"]
        )
    strips = [("clean", "As they were", ""), ("before", before, "clean"), ("after", after, "before")]  # beside which it is marked
    return "".join(
        f"<h3>{words}</h3>{rows.html(kind, shown[name], shown.get(beside))}" for name, words, beside in strips if name in shown
    )


# When it failed


def _failed(run: Run) -> None:
    with w.card("This didn't work" if run.state is State.failed else "Not begun yet"):
        if run.sentence:
            w.notice(run.sentence)
        with w.box("row"):
            try_again(run, "train")
            w.link("Look at the data", "/data", "button")
            delete("Delete", run, "train", "quiet danger")


# When it is done


def _done(run: Run) -> None:
    result = run.result
    with w.card("", "done"):
        w.text("h2", "Done" if run.state is State.done else "Stopped early; the best is kept")
        for words in result.get("words", []):
            w.text("p", words, "said")
        if result.get("figures"):
            w.figures(result["figures"])
        for words in result.get("warnings", []):
            w.notice(words, "info")
        _files(w.box("downloads"), run)
        _next(run)
    more.draw(run)
    if (run.path / "samples.json").exists():
        with w.card("Drawn by the model", note="Made of random codes, not copied; some may still be much like yours."):
            drawn = read_json(run.path / "samples.json")
            w.markup("div", rows.html(drawn["kind"], drawn["rows"]))
    if run.preview:
        with w.card("What it makes of them"):
            w.markup("div", pairs(run.preview), "preview")
    epochs = run.epochs()
    if epochs:
        with w.card("How it learned"):
            w.markup("div", losses(epochs))


def _files(place: Any, run: Run) -> None:
    """Links to all that the run made; the report may still be on its way."""
    known, made, told = set[str](), run.path / "made", w.box("told", aria_live="polite")
    reported = run.asked.need in REPORTED and bool(run.asked.data)

    async def write() -> None:
        if await w.shown(told, "Writing the report …", report, run):
            await fetch(run, told, report, run)

    def look() -> None:  # also when the run has been deleted elsewhere
        names = [name for name in FILES if name != REPORT and (run.path / name).exists()]
        names += [REPORT] * reported
        names += [f"made/{path.name}" for path in sorted(made.glob("[!.]*"))]  # what begins with a dot is being written
        with place:
            for name in names:
                if name not in known:
                    known.add(name)
                    words, note = FILES.get(name, (Path(name).name, "made here"))
                    link = w.download(words, f"/files/{quote(run.name)}/{quote(name)}", note)
                    if name == REPORT:
                        link.on("click.prevent", write, args=[])

    look()
    ui.timer(2 * TICK, look)


def _next(run: Run) -> None:
    to = {
        "compress": ("map", "See them on a map"),
        "generate": ("map", "Walk through the codes"),
        "flag": ("alarms", "Look at the alarms"),
        "clean": ("alarms", "Compare before and after"),
    }
    view, words = to[run.asked.need]
    with w.box("row"):
        w.link(words, address(run, view), "button primary")
        w.link("Train another", "/train", "button")
        delete("Delete", run, "train", "quiet danger")
