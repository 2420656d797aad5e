"""Commands that make new data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import hourglass as hg
from hourglass.cli.app import REBUILT, Condition, Model, Rebuilt, Seed, SkipBad, app
from hourglass.cli.files import (
    SOUNDS,
    TABLES,
    ends_of,
    load,
    load_generating,
    numbered,
    require_place,
    require_suited,
    require_target,
    require_unread_pictures,
    require_writable,
)
from hourglass.cli.words import counted, rows_table, say, say_rows, show


@app.command()
def generate(
    model: Model,
    *,
    output: Rebuilt,
    n: Annotated[int, typer.Option("-n", help="How many.")] = 64,
    condition: Condition = None,
    temperature: Annotated[
        float | None,
        typer.Option(help="For rows of symbols: draw at random, below 1 nearer to the likeliest; without it, that is taken."),
    ] = None,
    top_p: Annotated[
        float | None, typer.Option(help="For rows of symbols: draw only from the likeliest that together have this share.")
    ] = None,
    seed: Seed = None,
) -> None:
    """Draw new data from a model.

    A folder gets a PNG for each picture, and for each melody MIDI and WAV; a file gets all rows. The model has to be fitted with
    --for generate, or to have a distribution fitted to its codes in Python, see the guide.

    Example: hourglass generate model.safetensors -n 64 -o samples/
    """
    require_target(output, model)
    fitted = load_generating(model)
    require_suited(output, fitted.kind_)
    made = fitted.sample(n, condition=condition, temperature=temperature, top_p=top_p, random_state=seed)
    hg.write(output, made)
    say(f"Wrote {counted(len(made), 'new row')} to {Path(output)}.")


@app.command()
def interpolate(
    model: Model,
    data: Annotated[list[str], typer.Argument(help="As for fit; or, for rows of symbols, two or more of them as they are typed.")],
    *,
    output: Annotated[
        str | None, typer.Option("-o", "--output", metavar="PATH", help=f"{REBUILT} Without it, rows of symbols are printed.")
    ] = None,
    rows: Annotated[str, typer.Option(help="The rows to visit, counted from 0, such as 0,7 or 0,7,12.")] = "0,1",
    steps: Annotated[int, typer.Option(help="Rows from one to the next, both of them included.")] = 8,
    path: Annotated[str, typer.Option(help="straight or spherical.")] = "straight",
    condition: Condition = None,
    skip_bad: SkipBad = False,
) -> None:
    """Go from one row to another by way of their codes.

    Example: hourglass interpolate model.safetensors digits --rows 0,7 -o way/
    """
    if output is not None:
        require_target(output, model, *data)
        require_unread_pictures(Path(output), data[0], named=False)  # what is new is named by numbers
    fitted = load_generating(model)
    require_place(fitted, output)
    ends, words = ends_of(fitted, data, rows, skip_bad)
    way = fitted.interpolate(ends, steps=steps, path=path, condition=condition)
    if output is None:
        say_rows(way)
        return
    hg.write(output, way)
    say(f"Wrote {counted(len(way), 'new row')} to {Path(output)}, from {words}.")


@app.command("continue")
def go_on(
    model: Model,
    data: Annotated[str, typer.Argument(help="A file of tunes, ABC or MIDI.")],
    *,
    output: Annotated[Path, typer.Option("-o", "--output", help="A .mid, .abc or .wav file.")],
    row: Annotated[int, typer.Option(help="Which of its tunes, counted from 0.")] = 0,
    bars: Annotated[int, typer.Option(help="How many bars are added.")] = 8,
    seed: Seed = None,
) -> None:
    """Go on with a tune.

    Example: hourglass continue tunes.safetensors reel.abc --bars 8 -o longer.mid
    """
    require_writable(output, SOUNDS, model, data)
    fitted = load_generating(model)
    tune = numbered(load(data, False), [row])[0]
    longer = hg.continued(fitted, tune, bars, random_state=seed)
    hg.write(output, [longer])
    new = longer.bars - tune.bars  # fewer than were asked for, if the last of them are silent
    say(f"Wrote {counted(longer.bars, 'bar')} to {output}, of which {new} {'is' if new == 1 else 'are'} new.")


@app.command()
def neighbours(
    model: Model,
    row: Annotated[
        str,
        typer.Argument(
            help="A row of symbols, such as a SMILES, as it is typed; or a file of tunes, of which the first bars count."
        ),
    ],
    *,
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="PATH",
            help="A .csv, .tsv or .parquet file, of tunes a folder or .mid, .abc, .wav; shown without.",
        ),
    ] = None,
    radius: Annotated[float, typer.Option(help="How far to go in the space of codes.")] = 1.0,
    n: Annotated[int, typer.Option("-n", help="How many at most.")] = 20,
    condition: Condition = None,
    seed: Seed = None,
) -> None:
    """List rows that are near to one in the space of codes.

    Example: hourglass neighbours molecules.safetensors "CC(C)=O" --radius 2
    """
    from hourglass.data.melody import as_melodies, keyed

    fitted = load_generating(model)
    of_tunes = fitted.kind_.name == "melody"
    if output is not None and not of_tunes:
        require_writable(Path(output), TABLES, model, row)
    if output is not None and of_tunes:
        require_target(output, model, row)
        require_suited(output, fitted.kind_)
    centre = keyed(as_melodies(load(row, False))[0]).cut(0, fitted.kind_.bars) if of_tunes else row
    found = hg.neighbours(fitted, centre, radius=radius, n=n, condition=condition, random_state=seed)
    if output is None:
        show(rows_table(found))
        return
    hg.write(output, found["neighbour"].to_list() if of_tunes else found)
    say(f"Wrote {counted(found.height, 'neighbour')} of {row} to {Path(output)}.")
