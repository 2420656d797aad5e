"""The command that mends; what is kept of pictures while they are mended one by one, to be told of in the end."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer

import hourglass as hg
from hourglass.cli.app import Data, Model, Quiet, Rebuilt, SkipBad, app
from hourglass.cli.files import (
    CHARTS,
    fills,
    in_files,
    load_cleaner,
    marked,
    noise_from,
    of_same_names,
    place_of,
    require_suited,
    require_target,
    require_writable,
    save_figure,
)
from hourglass.cli.words import counted, say
from hourglass.errors import hearing

MOST_KEPT = 32  # pictures that the noise and what was removed are told from
EXAMPLES = 6  # that are drawn
MOST_SIDE = 512  # pixels a side that are kept of a picture: those in its middle


@app.command()
def denoise(
    model: Model,
    data: Data,
    *,
    output: Rebuilt,
    strength: Annotated[
        str | None, typer.Option(help="How strong the noise is, in grey levels of 255; or auto, which estimates it.")
    ] = None,
    mask: Annotated[
        Path | None, typer.Option(help="Pictures of the same names, or one for one, not black where something is damaged.")
    ] = None,
    reference: Annotated[
        Path | None, typer.Option(help="Clean pictures of the same names, or one for one, to measure against.")
    ] = None,
    sheet: Annotated[Path | None, typer.Option(help="A picture of some before and after (.png, .svg, .pdf).")] = None,
    skip_bad: SkipBad = False,
    quiet: Quiet = False,
) -> None:
    """Mend damaged data with a model that was fitted for cleaning.

    Pictures keep their names, size, depth, format and what else their files say.

    Example: hourglass denoise cleaner.safetensors scans/ -o clean/
    """
    from rich.progress import track

    from hourglass.data import Pictures

    if sheet is not None:
        require_writable(sheet, CHARTS, model, data, mask, reference, option="--sheet")
    cleaner, noise = load_cleaner(model), noise_from(strength)
    X = in_files(data, skip_bad)
    if not isinstance(X, Pictures):
        if mask is not None or reference is not None or sheet is not None:
            raise hg.ParameterError(f"--mask, --reference and --sheet are for picture files, and '{data}' is something else.")
        require_target(output, model, data)
        require_suited(output, cleaner.kind_)
        hg.write(output, cleaner.denoise(X, strength=noise))
        if cleaner.kind_.name == "table":
            say(_cells_mended(cleaner, X))
        say(f"Wrote {counted(len(X), 'row')} to {Path(output)}.")
        return
    place = place_of(output, X, data, mask, reference)
    if sheet is not None and sheet.resolve() in {place(name).resolve() for name in X.names}:
        raise hg.ParameterError(f"'{sheet}' can't be both a mended picture and the sheet. Name another file with --sheet.")
    alone = len(X) == 1
    masks, references = of_same_names(mask, "--mask", alone=alone), of_same_names(reference, "--reference", alone=alone)

    def besides(picture: Any) -> tuple[Any, Any]:
        damaged = None if masks is None else marked(masks(picture.name))
        clean = None if references is None else references(picture.name).pixels
        _require_size("--mask", picture, damaged, picture.pixels.shape[:2])
        _require_size("--reference", picture, clean, picture.pixels.shape)
        return damaged, clean

    with hearing():  # what is left out is told below, once
        for picture in track(X, "Checking", disable=quiet):  # all of them before the first is written
            besides(picture)
    seen = Mended(cleaner)
    for picture in track(X, "Mending", disable=quiet):
        damaged, clean = besides(picture)
        try:
            with hearing():  # which are brighter than white is told below, once
                (cleaned,) = cleaner.denoise([picture.pixels], strength=noise, mask=None if damaged is None else [damaged])
            picture.write(place(picture.name), cleaned)
        except hg.HourglassError as error:
            done = f" Before '{picture.name}', {counted(seen.count, 'picture')} went to '{Path(output)}', each whole."
            raise type(error)(f"{error}{done * (seen.count > 0)}") from error
        seen.take_in(picture.pixels, cleaned, clean)
    cleaner.kind_.warn_of_brighter(seen.brightest)
    for line in seen.words(estimated=strength == "auto"):
        say(line)
    if sheet is not None:
        save_figure(hg.plots.mended(*seen.examples()), sheet)
        say(f"Wrote {sheet}.")
    say(f"Wrote {counted(seen.count, 'picture')} to {Path(output)}.")


def _cells_mended(cleaner: Any, X: Any) -> str:
    """What became of the cells of a table, in words."""
    import numpy as np

    if not fills(cleaner):
        return f"All cells were rebuilt, as the model learned to mend {cleaner.model_.corruption}."
    missing = int(np.isnan(cleaner.kind_.to_array(X)).sum())
    if not missing:
        return "No cell is missing, so all are as they were: the model fills in missing cells, and changes no others."
    return f"Filled in {counted(missing, 'missing cell')}; all others are as they were."


def _require_size(option: str, picture: Any, beside: Any, shape: tuple[int, ...]) -> None:
    """Refuse what is not as large as its picture."""
    if beside is not None and beside.shape != shape:
        raise hg.DataError(f"{option}: that of '{picture.name}' has shape {beside.shape} in place of {shape}. Make them one size.")


class Mended:
    """Pictures before and after, and how near they come to clean ones.

    Parameters
    ----------
    cleaner : DenoisingAutoencoder
        What mends them.
    """

    def __init__(self, cleaner: Any) -> None:
        self.cleaner = cleaner
        self.count = 0
        self.brightest = 0  # value, if it is beyond white
        self.before: list[Any] = []
        self.after: list[Any] = []
        self.clean: list[Any] = []
        self.near: list[Any] = []  # how near each comes to the clean one, where that is known

    def take_in(self, before: Any, after: Any, clean: Any) -> None:
        """A picture, mended, and what it should be, if that is known."""
        import numpy as np

        from hourglass.analysis.mending import nearness
        from hourglass.kinds.image import middle, top_of, white_of

        white = white_of(before, self.cleaner.kind_)

        def unit(picture: Any) -> Any:
            return picture / np.float32(white if picture.dtype == before.dtype else top_of(picture))

        self.count += 1
        self.brightest = max(self.brightest, self.cleaner.kind_.beyond_white(before[None]))
        if clean is not None:
            self.near.append(nearness(unit(before), unit(after), unit(clean)))
        if len(self.before) < MOST_KEPT:
            for kept, picture in ((self.before, before), (self.after, after), (self.clean, clean)):
                if picture is not None:
                    kept.append(unit(middle(picture, MOST_SIDE, MOST_SIDE)))

    def words(self, *, estimated: bool) -> list[str]:
        """How much was removed, whether it looks like noise, and how near the pictures are to clean ones."""
        import numpy as np

        said = []
        if estimated:
            levels = sorted(255 * self.cleaner.noise_level(self.before))
            said.append(f"Noise, estimated: {median(levels):.1f} grey levels ({levels[0]:.1f} to {levels[-1]:.1f}).")
        said.append(hg.self_check(self.before, self.after).words)
        if self.near:
            alike = [each.ssim for each in self.near if each.ssim is not None]
            means = "PSNR {:.2f} dB before, {:.2f} dB after".format(*np.mean([each.psnr for each in self.near], axis=0))
            if alike:
                means += "; SSIM {:.3f} before, {:.3f} after".format(*np.mean(alike, axis=0))
            said.append(f"{means} (means over {counted(len(self.near), 'picture')}).")
        return said

    def examples(self) -> tuple[list[Any], list[Any], list[Any] | None]:
        """A few of them: before, after, and what they should be."""
        return self.before[:EXAMPLES], self.after[:EXAMPLES], self.clean[:EXAMPLES] or None
