"""``python -m benchmarks [WORK ...]``: run the works, keep every round's figures, rewrite RESULTS.md and the table in README.md."""

from __future__ import annotations

import argparse
import datetime
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.common import megabytes
from benchmarks.works import CHIEF, WORKS, Row, Work

HERE = Path(__file__).parent
ROOT = HERE.parent
RESULTS = HERE / "results.json"
WHOLE = HERE / "RESULTS.md"
README = ROOT / "README.md"
HEAD = """# Measured

All figures of the works that were measured, written by `python -m benchmarks`; [README.md](README.md) says what the works are.
"""
START, END = "<!-- benchmark -->", "<!-- /benchmark -->"
PACKAGES = (
    "hourglass-ae",
    "torch",
    "numpy",
    "scikit-learn",
    "keras",
    "tensorflow-cpu",
    "pythae",
    "pyod",
    "bm3d",
    "scikit-image",
    "ctgan",
    "fastapi",
    "onnxruntime",
    "rdkit",
    "playwright",
)


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        cpu = next((line.split(": ", 1)[1] for line in info.read_text().splitlines() if line.startswith("model name")), cpu)
    return {
        "cpu": cpu,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def versions() -> dict[str, str | None]:
    def of(package: str) -> str | None:
        try:
            return version(package)
        except PackageNotFoundError:
            return None

    return {package: of(package) for package in PACKAGES}


def run(script: str, seed: int, quick: bool, threads: int | None = None) -> dict[str, float]:
    """Run one contestant as a fresh process: what it printed, and its wall time, processor time and peak memory."""
    environment = os.environ | {"BENCHMARK_SEED": str(seed), "BENCHMARK_QUICK": str(int(quick))}
    if threads is not None:
        environment["OMP_NUM_THREADS"] = str(threads)
    module, *arguments = script.split()
    command = [sys.executable, "-m", f"benchmarks.contestants.{module}", *arguments]
    with tempfile.TemporaryFile("w+") as stderr:
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=stderr, text=True)
        printed = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        stderr.seek(0)
        if process.returncode:
            raise SystemExit(f"{script} failed with exit code {process.returncode}:\n{stderr.read()[-4_000:]}")
    return {
        **json.loads(printed.splitlines()[-1]),
        "wall_s": wall_s,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_mb": megabytes(usage.ru_maxrss),
    }


def measure(work: Work, rounds: int, quick: bool) -> dict[str, Any]:
    """All rounds of one work; within a round the contestants take turns, so that a slow minute hits all of them.

    Those of a work that takes hours run side by side, each with as many threads; of others, each library chooses unless
    ``OMP_NUM_THREADS`` says how many.
    """
    asked = os.environ.get("OMP_NUM_THREADS")
    threads = int(asked) if asked else None
    if work.side_by_side:
        threads = max(machine()["cores"] // len(work.contestants), 1)

    def measured(seed: int, label: str, script: str) -> tuple[str, dict[str, float]]:
        figures = run(script, seed, quick, threads)
        shown = "  ".join(f"{name} {number(value)}" for name, value in figures.items())
        print(f"{work.name} {seed + 1}/{rounds}  {label}: {shown}", file=sys.stderr, flush=True)
        return label, figures

    taken: list[dict[str, dict[str, float]]] = []
    for seed in range(rounds):
        with ThreadPoolExecutor(len(work.contestants) if work.side_by_side else 1) as pool:
            started = [pool.submit(measured, seed, label, script) for label, script in work.contestants.items()]
            taken.append(dict(one.result() for one in started))
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    return {"date": today, "machine": machine(), "versions": versions(), "threads": threads, "rounds": taken}


def medians(result: dict[str, Any]) -> dict[str, dict[str, float]]:
    """The median over the rounds of every figure of every contestant."""
    rounds = result["rounds"]
    return {
        label: {name: statistics.median(taken[label][name] for taken in rounds) for name in figures}
        for label, figures in rounds[0].items()
    }


def number(value: float) -> str:
    """Four digits, for people."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    return f"{value:,.{min(max(3 - math.floor(math.log10(abs(value))), 0), 6)}f}"


def judged(row: Row, median: dict[str, dict[str, float]]) -> tuple[float, bool | None]:
    """How many times better than the peer, NaN without one; and whether the target is met, if there is one."""
    ours = median["Hourglass"][row.figure]
    ratio = row.ratio(ours, median[row.peer][row.figure]) if row.peer else math.nan
    return ratio, row.target.holds(ours, ratio) if row.target else None


def cells(work: Work, row: Row, median: dict[str, dict[str, float]]) -> list[str]:
    """One line of the whole table."""
    ratio, met = judged(row, median)
    target = row.target.text if row.target else ""
    return [work.name, *beside_peer(row, median, ratio), target, {None: "", True: "yes", False: "**no**"}[met]]


def beside_peer(row: Row, median: dict[str, dict[str, float]], ratio: float) -> list[str]:
    """A figure: what it is called, ours, the peer's, and the ratio."""
    theirs = f"{row.peer} {number(median[row.peer][row.figure])}" if row.peer else ""
    return [row.title, number(median["Hourglass"][row.figure]), theirs, times(ratio) if row.peer else ""]


def times(ratio: float) -> str:
    """A ratio, to as many digits as tell it from 1."""
    return f"{ratio:.2f}x" if ratio == 1 or f"{ratio:.2f}" != "1.00" else f"{ratio:.3f}x"


def headline(work: Work, median: dict[str, dict[str, float]]) -> list[str]:
    """One line for a work: its first figure, beside the peer that comes nearest, and how many of its targets are met."""
    same = [row for row in work.rows if row.figure == work.rows[0].figure]
    row = min((row for row in same if row.peer), key=lambda row: judged(row, median)[0], default=same[0])
    *shown, _ = beside_peer(row, median, math.nan)
    held = targets(work, median)
    return [work.title, *shown, f"{sum(held)} of {len(held)}"]


def targets(work: Work, median: dict[str, dict[str, float]]) -> list[bool]:
    """Whether each target of a work is met."""
    return [met for met in (judged(row, median)[1] for row in work.rows) if met is not None]


def summary(results: dict[str, Any]) -> str:
    """How many targets are met, and the first figure of each chief work in Markdown."""
    measured = [(work, medians(results[work.name])) for work in WORKS if work.name in results]
    held = [met for work, median in measured for met in targets(work, median)]
    head = ["work", "figure", "Hourglass", "best of the others", "targets met"]
    return (
        f"{len(measured)} works have {len(held)} targets, and {sum(held)} of them are met. Of some works the first figure:\n\n"
        + markdown(head, [headline(work, median) for work, median in measured if work.name in CHIEF])
    )


def table(results: dict[str, Any]) -> str:
    """All figures of the measured works in Markdown, with the machines and the versions below."""
    measured = [work for work in WORKS if work.name in results]
    head = ["work", "figure", "Hourglass", "peer", "times better", "target", "met"]
    lines = [cells(work, row, medians(results[work.name])) for work in measured for row in work.rows]
    notes = []
    for work in measured:
        result = results[work.name]
        on, used, rounds = result["machine"], result["versions"], len(result["rounds"])
        packages = ", ".join(f"{package} {used[package]}" for package in PACKAGES if used.get(package))
        times = "once" if rounds == 1 else f"medians of {rounds} rounds"
        cores = f"{on['cores']} core{'s' * (on['cores'] != 1)}"
        threads = result.get("threads")
        beside = f"{', side by side' * work.side_by_side} with {threads} thread{'s' * (threads != 1)} each" if threads else ""
        note = (
            f"{result['date']}, {times}{beside}, on {on['cpu']} ({cores}, {on['memory_gb']} GB), Python {on['python']}, {packages}."
        )
        notes.append((note, work.name))
    # works that were measured alike share a note
    shared = {note: ", ".join(name for other, name in notes if other == note) for note, _ in notes}
    below = "\n".join(f"{names}: {note}  " for note, names in shared.items())
    return f"{markdown(head, lines)}\n\n{below}"


def markdown(head: list[str], lines: list[list[str]]) -> str:
    """A table."""
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, ["---"] * len(head), *lines))


def rewrite(text: str, part: str) -> str:
    """``text`` with the part between the two markers replaced."""
    before, found, rest = text.partition(START)
    _, closed, after = rest.partition(END)
    if not (found and closed):
        raise SystemExit(f"README.md has no line {START} with a line {END} after it, so the table has no place.")
    return f"{before}{START}\n{part}\n{END}{after}"


def prepare_data(folder: str) -> None:
    """Make sure that HOURGLASS_DATA names a folder with mnist.npz: ``folder``, unless the user has one."""
    if (Path(os.environ.get("HOURGLASS_DATA", folder)) / "mnist.npz").exists():
        return
    subprocess.run([sys.executable, "-m", "benchmarks.fetch", folder], cwd=ROOT, check=True)
    os.environ["HOURGLASS_DATA"] = folder


def measure_all(works: list[Work], rounds: int, quick: bool) -> None:
    """Measure and keep; a work is written as soon as it's done, so that a later one that fails takes nothing away."""
    for work in works:
        result = measure(work, rounds, quick)
        if quick:
            print(table({work.name: result}))
        else:
            RESULTS.write_text(json.dumps(kept() | {work.name: result}, indent=1) + "\n")


def kept() -> dict[str, Any]:
    """The results so far, by the name of the work."""
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {}


def main() -> None:
    names = [work.name for work in WORKS]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("works", nargs="*", metavar="WORK", help=f"some of: {', '.join(names)} (all unless named)")
    parser.add_argument("--quick", action="store_true", help="a rehearsal on a few rows: one round, shown and not kept")
    parser.add_argument("--rounds", type=int, default=3, help="how often everything is measured (3)")
    parser.add_argument("--table", action="store_true", help="measure nothing: rewrite the tables from results.json")
    options = parser.parse_args()
    if unknown := set(options.works) - set(names):
        parser.error(f"no work is called {', '.join(sorted(unknown))}. Known: {', '.join(names)}.")

    if not options.quick:
        rewrite(README.read_text(), "")  # complain of a missing place before hours are spent, not after
    if not options.table:
        works = [work for work in WORKS if not options.works or work.name in options.works]
        with tempfile.TemporaryDirectory() as folder:
            prepare_data(folder)
            measure_all(works, 1 if options.quick else options.rounds, options.quick)
    if not options.quick:
        WHOLE.write_text(f"{HEAD}\n{table(kept())}\n")
        README.write_text(rewrite(README.read_text(), summary(kept())))
        print(table(kept()))


if __name__ == "__main__":
    main()
