"""The page of a detector: what it flags, whether data has moved, and how it compares."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from hourglass.analysis import plots
from hourglass.analysis.alarms import MOST_ROWS
from hourglass.analysis.page import Card, averaged, rendered, size, versions
from hourglass.estimators import AnomalyDetector, Drift
from hourglass.estimators.detection.blame import worth_naming

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.figure import Figure

    from hourglass.analysis.comparison import Comparison


def alarm_page(detector: AnomalyDetector, raw: Any, comparison: Comparison | None, title: str | None) -> str:
    """The page of a detector in HTML."""
    found, drift, blame = detector.alarms(raw, reasons=0), detector.drift(raw), detector.explain(raw)
    alarms, judged, noun = int(found["alarm"].sum()), size(detector, found.height), plots.noun(detector)
    of_record, rate = detector.kind_.of_record, f"{detector.alarm_rate_:.3g}"
    scored = "samples" if of_record else noun
    learned, reference = int(detector.model_.alarm.learned), len(detector.model_.alarm.reference)
    cards = [
        Card("Alarms", f"{alarms / found.height:.2%}", f"of {judged}"),
        Card("Promised", rate, f"the share of usual {scored} that may raise one"),
        Card("Smallest p-value", f"{min(found['p_value']):.2g}", f"of {reference:,} usual {scored} to compare with"),
        Card("Learned from", f"{learned:,}", f"usual {noun}"),
    ]
    return rendered(
        "alarms.html.j2",
        _pictures(detector, raw, found, drift, blame),
        title=title or f"Hourglass alarms: {detector.kind_.describe()}",
        headline=_events_headline(blame.height) if of_record else f"{alarms:,} of {judged} raised an alarm",
        learned=f"{learned:,} usual {noun}",
        each="sample" if of_record else plots.noun(detector, 1),
        rate=rate,
        cards=cards,
        drift_words=drift.words,
        worst=_worst(blame, of_record=of_record),
        is_image=detector.kind_.name == "image",
        averaged=averaged(detector.kind_),
        is_series=detector.kind_.name == "series",
        of_record=of_record,
        noun=noun,
        placed_by=detector.model_.placed_by,
        comparison=comparison,
        facts={
            "Measured on": f"{judged} ({detector.kind_.describe()})",
            "Promised rate": f"{detector.alarm_rate_:g}",
            "Settings": " ".join(repr(detector).split()),
            "Versions": versions(),
        },
    )


def _pictures(detector: AnomalyDetector, raw: Any, found: pl.DataFrame, drift: Drift, blame: pl.DataFrame) -> dict[str, Figure]:
    drawn = {"calibration": plots.calibration(found["p_value"].to_numpy()), "map": plots.code_map(detector, raw)}
    if detector.kind_.name != "image":
        drawn["drift"] = plots.moved_columns(drift)
    if detector.kind_.of_record:
        drawn["blame"] = plots.timeline(detector, raw, blame)
    elif detector.kind_.name == "series":
        drawn["blame"] = plots.waves(detector, raw)
    elif not blame.is_empty():
        drawn["blame"] = plots.strangest(detector, raw, blame) if detector.kind_.name == "image" else plots.blame(blame)
    return drawn


def _worst(blame: pl.DataFrame, *, of_record: bool) -> list[dict[str, Any]]:
    """The strangest events or rows, each with its p-value and reasons."""
    if of_record:
        strangest = blame.sort("score", descending=True)[:MOST_ROWS]
        return [
            {"row": time, "p_value": p, "reasons": [why]}
            for time, p, why in strangest.select("time", "p_value", "reason").iter_rows()
        ]
    return [
        {"row": f"{row:,}", "p_value": lines["p_value"][0], "reasons": lines["reason"][:3].to_list()}
        for (row,), lines in islice(worth_naming(blame).group_by(["row"], maintain_order=True), MOST_ROWS)
    ]


def _events_headline(count: int) -> str:
    return f"{count:,} event{'s' * (count != 1)} raised an alarm" if count else "Nothing raised an alarm"
