import os
import re
import shutil
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import polars as pl
import pydicom
import pytest
from PIL import Image
from typer.testing import CliRunner

import hourglass as hg
from hourglass import cli
from hourglass.cli.files import of_same_names
from hourglass.cli.rows import in_single
from hourglass.cli.words import Pace, histogram, in_the_shell, rows_table, show
from hourglass.estimators import patches

DIGITS = hg.datasets.load("digits")
QUICK = ("--max-epochs", "1", "--hidden", "16", "-b", "4", "--seed", "0")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """A folder with a model of images and one of tables."""
    folder = tmp_path_factory.mktemp("models")
    hg.Autoencoder(4, hidden=(16,), max_epochs=1, random_state=0).fit(DIGITS.x_train[:200]).save(folder / "images.safetensors")
    hg.Autoencoder(2, hidden=(8,), max_epochs=1, random_state=0).fit(frame()).save(folder / "table.safetensors")
    return folder


def frame(rows=30):
    values = np.random.default_rng(0).normal(size=(rows, 3))
    return pl.DataFrame(values, schema=["height", "weight", "age"])


def percent(share):
    return f"{share:.1%}" if share > 0 else "nothing"


def image_folder(names=("a.png", "b.png", "sub/c.png"), target="pictures"):
    for name, pixels in zip(names, DIGITS.x_train, strict=False):
        Path(target, name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(Path(target, name))
    return target


def files(folder="."):
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file())


def run(*arguments):
    """The words of a command that ends well."""
    result = CliRunner().invoke(cli.app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def fails(monkeypatch, capsys):
    """The exit code and the words of a command that ends badly: all that a person sees of it."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["hourglass", *map(str, arguments)])
        monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)  # main sets its own
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code, capsys.readouterr().err

    return call


# demo


def test_demo_shows_the_whole_way():
    said = run("demo", "--seconds", "0.3", "-o", "out")
    assert said.startswith("5,000 handwritten digits of 28 x 28 = 784 pixels; 2 seconds of training in all.\n")
    assert "Width 6 of 6: 64 numbers keep " in said
    assert said.endswith(f"source {Path(sys.prefix, 'bin', 'activate')}\n") == (shutil.which("hourglass") is None)
    assert files("out")[:3] == ["codes.parquet", "model.safetensors", "reconstructions/00000.png"]
    assert files("out")[-3:] == ["reconstructions/00099.png", "report.html", "squeeze.png"]
    model = hg.load("out/model.safetensors")
    codes = hg.read("out/codes.parquet")
    assert codes.columns == [f"code{i}" for i in range(32)]
    np.testing.assert_array_equal(codes.to_numpy(), model.transform(DIGITS.x_test))
    np.testing.assert_array_equal(hg.read("out/reconstructions"), model.reconstruct(DIGITS.x_test[:100]))
    survived = hg.metrics.reconstruction(model, DIGITS.x_test)["explained_variance"]
    assert (
        "\nEach digit went through a waist of 32 numbers, 24.5 times fewer than its 784 pixels, and was redrawn from them.\n"
        f"Of what makes digits differ, {percent(survived)} survived, measured on 1,000 digits that the model never saw.\n"
        "Principal component analysis (PCA), the classical method, keeps 72.4% in as many numbers.\n"
    ) in said
    assert re.search(r"(The autoencoder keeps more than PCA|PCA keeps more than the autoencoder) ", said)
    for name in ("report.html", "squeeze.png", "codes.parquet", "reconstructions/", "model.safetensors"):
        assert re.search(rf"^  {name} +\w", said, re.MULTILINE)
    assert "\n  hourglass fit DATA -o model.safetensors\n" in said
    page = Path("out/report.html").read_text()
    assert "Handwritten digits" in page
    assert "How many numbers it takes" in page
    with Image.open("out/squeeze.png") as picture:
        assert picture.width > 700


# fit


def test_fit_a_dataset_and_measure_what_it_never_saw():
    said = run("fit", "digits", "-o", "m.safetensors", *QUICK)
    model = hg.load("m.safetensors")
    survived = hg.metrics.reconstruction(model, DIGITS.x_test)["explained_variance"]
    first, *_, trained, kept, wrote = said.splitlines()
    assert first == ("Taken for kind 'image': an array of shape (5000, 28, 28) is 5000 pictures. Choose another with --kind.")
    assert re.fullmatch(r"Trained on 5,000 rows \(28 x 28 grey images\) for 1 epoch in \d+\.\d s\.", trained)
    assert kept == f"4 numbers in place of 784 keep {percent(survived)} of the variance of 1,000 test images that it never saw."
    assert wrote == "Wrote m.safetensors. Next: hourglass report m.safetensors digits"
    assert model.get_params()["hidden"] == (16,)
    assert (model.bottleneck, model.random_state) == (4, 0)


@pytest.mark.parametrize("name", ["x.csv", "x.parquet", "x.npy"])
def test_fit_a_table(name):
    hg.write(name, frame())
    said = run("fit", name, "-b", "2", "--max-epochs", "2", "--quiet", "--seed", "1")
    survived = hg.metrics.reconstruction(hg.load("model.safetensors"), name)["explained_variance"]
    reason = "an array of shape (30, 3)" if name == "x.npy" else "a polars table"
    _, trained, kept, wrote = said.splitlines()
    assert said.startswith(f"Taken for kind 'table': {reason} has rows and columns. Choose another with --kind.\n")
    assert trained.startswith("Trained on 30 rows (a table of 3 numeric columns) for 2 epochs in ")
    assert kept == (
        f"2 numbers in place of 3 keep {percent(survived)} of the variance of the rows it learned from; "
        "expect a little less of new ones."
    )
    assert wrote == f"Wrote model.safetensors. Next: hourglass report model.safetensors {name}"


def test_columns_that_are_left_out_are_not_said_to_be_kept():
    hg.write("people.csv", pl.DataFrame({"id": [f"p{i}" for i in range(40)], "x": np.arange(40) % 7, "y": np.arange(40) % 5}))
    said = run("fit", "people.csv", "--bottleneck", 1, "--max-epochs", 1, "--column", "id=identifier")
    assert "1 number in place of 2 keeps " in said


def test_fit_a_folder_of_images():
    said = run("fit", image_folder(), "-b", "2", "--max-epochs", "1", "--kind", "image", "-o", "new/m.safetensors")
    assert "Taken for" not in said
    assert hg.load("new/m.safetensors").n_features_in_ == 784


def test_fit_shows_progress_unless_quiet():
    hg.write("x.csv", frame())
    assert "Training: epoch 2/2, loss " in run("fit", "x.csv", "-b", "2", "--max-epochs", "2")
    assert "Training:" not in run("fit", "x.csv", "-b", "2", "--max-epochs", "2", "-q")


def test_fit_goes_on_from_a_checkpoint():
    hg.write("x.csv", frame())
    run("fit", "x.csv", "-b", "2", "--max-seconds", "0.1", "--checkpoint", "run.safetensors", "--seed", "0")
    assert files() == ["model.safetensors", "x.csv"]  # it is removed at the end


def test_a_path_wins_over_a_dataset_of_that_name():
    run("fit", image_folder(target="digits"), "-b", "2", "--max-epochs", "1")
    assert len(hg.load("model.safetensors").history_) == 1
    assert "Trained on 3 rows" in run("fit", "digits", "-b", "2", "--max-epochs", "1")


def test_a_broken_image_is_named(fails):
    image_folder()
    Path("pictures/b.png").write_bytes(b"no picture")
    assert fails("fit", "pictures") == (
        1,
        "Error: Can't read the image 'pictures/b.png': it is broken, cut short, or not PNG, JPEG, TIFF, BMP, WebP or DICOM. "
        "Replace it, or say --skip-bad.\n",
    )


@pytest.mark.filterwarnings("default::hourglass.HourglassWarning")
def test_broken_images_are_left_out_when_asked(monkeypatch, capsys):
    image_folder(("a.png", "b.png", "c.png", "d.png"))
    Path("pictures/b.png").write_bytes(b"no picture")
    monkeypatch.setattr(sys, "argv", ["hourglass", "fit", "pictures", "--skip-bad", "-b", "2", "--max-epochs", "1"])
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capsys.readouterr()
    assert ended.value.code == 0
    assert "Trained on 3 rows" in said.out
    assert "Warning: Left out 1 of 4 images that could not be read, the first: 'pictures/b.png'.\n" in said.err


def test_broken_images_are_left_out_of_cleaning_too(monkeypatch):
    monkeypatch.setattr(patches, "STEPS", 1)
    image_folder([f"{number}.png" for number in range(12)])
    Path("pictures/3.png").write_bytes(b"no picture")
    command = ("fit", "pictures", "--for", "clean", "--skip-bad", "--max-epochs", "1", "--seed", "0", "-q", "-o")
    with pytest.warns(hg.HourglassWarning, match=r"Left out 1 of 12 images that could not be read, the first: 'pictures/3\.png'\."):
        assert "Learned to mend " in run(*command, "c.safetensors")
    Path("pictures/3.png").unlink()
    run(*command, "without.safetensors")
    model, without = hg.load("c.safetensors"), hg.load("without.safetensors")
    np.testing.assert_array_equal(model.denoise(DIGITS.x_test[:1]), without.denoise(DIGITS.x_test[:1]))


def test_pictures_that_are_left_out_of_mending_are_told_once(cleaners):
    image_folder(("a.png", "b.png"))
    Path("pictures/c.png").write_bytes(b"no picture")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert "Wrote 2 pictures to clean." in run(
            "denoise", cleaners / "noise.safetensors", "pictures", "--skip-bad", "-o", "clean/"
        )
    assert [str(each.message) for each in told] == ["Left out 1 of 3 images that could not be read, the first: 'pictures/c.png'."]


NO_LIST = "takes whole numbers with commas between them, such as 8,16,32. Got"
LONG = "C" * 300
BAD = {
    ("fit", "digits", "--hidden", "256,x"): f"--hidden {NO_LIST} '256,x'.",
    ("fit", "digits", "--hidden", "0"): "--hidden must be a tuple of positive ints or None. Got (0,) instead.",
    ("fit", "digits", "-b", "-3"): "--bottleneck must be a positive int or a bottleneck part. Got -3 instead.",
    ("fit", "digits", "--kind", "imag"): "--kind has no choice 'imag'. Did you mean 'image'?",
    ("sweep", "digits", "--bottlenecks", "2;4"): f"--bottlenecks {NO_LIST} '2;4'.",
    ("sweep", "digits", "--bottlenecks", ","): ("--bottlenecks must be one or more positive ints. Got [] instead."),
    ("fit", "mnits"): "'mnits' is no file, no folder and no dataset. Did you mean 'mnist'?",
    ("fit", "pictures"): "'pictures' is no file, no folder and no dataset. Known: digits, mnist.",
    ("fit", "x.csv"): "There is no file or folder 'x.csv'. Check the path.",
    ("fit", "no/pictures"): "There is no file or folder 'no/pictures'. Check the path.",
    ("encode", "no.safetensors", "digits"): "There is no model file 'no.safetensors'.",
    ("report", "no.safetensors", "digits"): "There is no model file 'no.safetensors'.",
    ("info", "no.safetensors"): "There is no model file 'no.safetensors'.",
    ("sweep", "digits", "-o", "x.jpg"): "Can't write 'x.jpg' by its ending. Known: .png, .svg, .pdf, .csv, .tsv, .parquet.",
    ("fit", "digits", "-o", "m.safetensors", "--checkpoint", "./m.safetensors"): (
        "'m.safetensors' can't be both model and checkpoint. Name another file with --checkpoint."
    ),
    ("fit", "digits", "--checkpoint", "."): "The checkpoint '.' is a folder: name a file, such as run.safetensors in it.",
    ("fit", LONG): f"'{LONG}' is no file, no folder and no dataset. Known: digits, mnist.",
    ("fit", f"{LONG}.csv"): f"Can't read '{LONG}.csv': File name too long.",
    ("fit", "digits", "-o", "."): "Can't write '.': it is a folder. Name a file, such as model.safetensors.",
}


@pytest.mark.parametrize(("arguments", "said"), BAD.items(), ids=lambda value: " ".join(value) if isinstance(value, tuple) else "")
def test_bad_input_ends_with_one_clear_line(fails, arguments, said):
    assert fails(*arguments) == (1, f"Error: {said}\n")


def test_an_unknown_option_or_need_is_a_matter_of_usage(fails):
    code, said = fails("fit", "digits", "--for", "fun")
    assert code == 2
    assert "'fun'" in said
    assert fails("fit")[0] == 2


@pytest.mark.parametrize("seed", [-1, 2**32, 99999999999999999999])
@pytest.mark.parametrize(
    "command", [("fit", "digits"), ("sweep", "digits"), ("generate", "m", "-o", "x"), ("neighbours", "m", "C")]
)
def test_a_seed_has_a_range(fails, command, seed):
    code, said = fails(*command, "--seed", seed)
    assert code == 2
    assert "Error: Invalid value for '--seed': " in said  # the rest is typer's


def test_a_place_that_can_not_be_written_is_refused_before_the_work(fails, monkeypatch):
    Path("file").write_text("")
    said = "Error: Can't write 'file/m.safetensors': {}. Choose another folder or free some space.\n"
    monkeypatch.setattr(hg.Autoencoder, "fit", lambda *_: pytest.fail("training came first"))
    code, words = fails("fit", "digits", "-o", "file/m.safetensors")
    assert (code, words) in [(1, said.format(reason)) for reason in ("Not a directory", "File exists")]
    for command in (("demo", "-o", "file"), ("report", "m.safetensors", "digits", "-o", "file/r.html")):
        assert fails(*command)[0] == 1

    def refuse(*_, **__):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("hourglass.cli.files.TemporaryFile", refuse)
    assert fails("fit", "digits", "-o", "m.safetensors") == (
        1,
        "Error: Can't write 'm.safetensors': Read-only file system. Choose another folder or free some space.\n",
    )


def test_a_model_file_that_is_called_nearly_so_is_named(models, fails):
    for command, name in ((("encode", "digits"), "imges.safetensors"), (("info",), "images"), (("info",), "images.safetensor")):
        there = models / "images.safetensors"
        assert fails(command[0], models / name, *command[1:]) == (
            1,
            f"Error: There is no model file '{models / name}'. Did you mean '{there}'?\n",
        )
    assert fails("info", models / "none.safetensors")[1] == f"Error: There is no model file '{models / 'none.safetensors'}'.\n"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError(13, "Permission denied", "m.safetensors"), "Can't open 'm.safetensors': Permission denied."),
        (PermissionError("Permission denied (os error 13)"), "Can't open a file: Permission denied (os error 13)."),
    ],
)
def test_a_file_that_can_not_be_opened_is_said(fails, monkeypatch, error, said):
    def refuse(path):
        raise error

    monkeypatch.setattr(hg, "info", refuse)
    assert fails("info", "m.safetensors") == (1, f"Error: {said} Check its path and permissions.\n")


@pytest.mark.parametrize("keep", [0, 100, 5000])
def test_a_damaged_model_file(models, fails, keep):
    Path("m.safetensors").write_bytes((models / "images.safetensors").read_bytes()[:keep])
    assert fails("encode", "m.safetensors", "digits") == (
        1,
        "Error: 'm.safetensors' is damaged or was cut short: copy or make it again.\n",
    )


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize(
    ("x", "sentence"),
    [
        (np.zeros((4, 2)), "X has 2 features, but Autoencoder is expecting 3 features as input."),
        (
            frame().select("height", "age"),
            "The table has no column 'weight', which the model was fitted on. It has: height, age.",
        ),
        (
            frame().rename({"age": "years"}),
            "The table has no column 'age', which the model was fitted on. It has: height, weight, years.",
        ),
        (
            frame().rename({"age": "Age", "height": "HEIGHT"}),
            "The table has no column 'height' (and 1 more), which the model was fitted on. Did you rename it to 'HEIGHT'?",
        ),
    ],
)
def test_a_table_of_other_columns(models, fails, x, sentence):
    name = "x.npy" if isinstance(x, np.ndarray) else "x.csv"
    hg.write(name, x)
    assert fails("encode", models / "table.safetensors", name) == (1, f"Error: {sentence}\n")


def test_a_column_that_the_model_has_not_is_left_aside(models):
    hg.write("x.csv", frame())
    run("encode", models / "table.safetensors", "x.csv", "-o", "z.csv")
    hg.write("more.csv", frame().with_columns(years=1))
    with pytest.warns(hg.HourglassWarning, match="The model was fitted without a column 'years': what is in it is left aside."):
        run("encode", models / "table.safetensors", "more.csv", "-o", "more-z.csv")
    assert Path("more-z.csv").read_text() == Path("z.csv").read_text()


# encode, decode, reconstruct


@pytest.mark.parametrize("name", ["z.parquet", "z.csv", "z.npy"])
def test_codes_go_to_a_file_and_back(models, name):
    image_folder()
    model = hg.load(models / "images.safetensors")
    assert run("encode", models / "images.safetensors", "pictures", "-o", name) == f"Wrote 3 rows of 4 codes to {name}.\n"
    codes = hg.read(name)
    Z = model.transform(hg.read("pictures"))
    numbers = codes if name == "z.npy" else codes.drop("file").to_numpy()
    np.testing.assert_allclose(numbers, Z, rtol=1e-6)
    if name != "z.npy":
        assert codes.columns == ["file", "code0", "code1", "code2", "code3"]
        assert codes["file"].to_list() == ["a.png", "b.png", "sub/c.png"]
    assert run("decode", models / "images.safetensors", name, "-o", "rebuilt/") == "Wrote 3 rows to rebuilt.\n"
    np.testing.assert_array_equal(hg.read("rebuilt"), model.inverse_transform(Z))


def test_decode_a_table(models):
    model = hg.load(models / "table.safetensors")
    hg.write("z.npy", np.zeros((2, 2)))
    run("decode", models / "table.safetensors", "z.npy", "-o", "x.csv")
    assert hg.read("x.csv").equals(model.inverse_transform(np.zeros((2, 2))))


def test_codes_of_another_width(models, fails):
    hg.write("z.npy", np.zeros((2, 7)))
    assert fails("decode", models / "table.safetensors", "z.npy", "-o", "x.csv") == (
        1,
        "Error: The model has 2 codes, so Z must be of shape (n, 2). Got (2, 7).\n",
    )


def test_reconstructions_keep_the_names_of_a_folder(models):
    image_folder()
    model = hg.load(models / "images.safetensors")
    share = hg.metrics.reconstruction(model, "pictures")["explained_variance"]
    said = run("reconstruct", models / "images.safetensors", "pictures", "-o", "rebuilt")
    assert said == f"Wrote 3 rows to rebuilt; {percent(share)} of their variance survived.\n"
    assert files("rebuilt") == ["a.png", "b.png", "sub/c.png"]
    np.testing.assert_array_equal(hg.read("rebuilt"), model.reconstruct("pictures"))
    Path("pictures/b.png").write_bytes(b"no picture")
    with pytest.warns(hg.HourglassWarning, match="Left out 1 of 3 images"):
        run("reconstruct", models / "images.safetensors", "pictures", "-o", "fewer", "--skip-bad")
    assert files("fewer") == ["a.png", "sub/c.png"]
    np.testing.assert_array_equal(hg.read("fewer"), hg.read("rebuilt")[[0, 2]])


def test_reconstruct_a_table(models):
    hg.write("x.parquet", frame(5))
    run("reconstruct", models / "table.safetensors", "x.parquet", "-o", "y.csv")
    assert hg.read("y.csv").columns == ["height", "weight", "age"]


def test_codes_of_tables_in_a_folder_and_of_tunes_say_whose_they_are(models):
    hg.write("rows/a.csv", frame(2))
    hg.write("rows/b.csv", frame(3))
    table = hg.read("rows")
    hg.Autoencoder(1, columns={"file": "identifier"}, hidden=(4,), max_epochs=1, random_state=0).fit(table).save("m.safetensors")
    run("encode", "m.safetensors", "rows", "-o", "z.csv")
    assert hg.read("z.csv")["file"].to_list() == ["a.csv"] * 2 + ["b.csv"] * 3
    for name, bars in (("a", 2), ("b", 3)):
        Path("tunes", f"{name}.abc").parent.mkdir(exist_ok=True)
        Path("tunes", f"{name}.abc").write_text(f"X:1\nT:{name}\nM:4/4\nL:1/8\nK:D\n" + "FAdA FAdA|" * bars + "\n")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", hg.HourglassWarning)  # of the few
        hg.Autoencoder(2, kind=hg.Melodies(1), max_epochs=1, random_state=0).fit("tunes").save("t.safetensors")
    run("encode", "t.safetensors", "tunes", "-o", "z.parquet")
    found = hg.read("z.parquet")
    assert found.columns == ["file", "tune", "name", "bar", "code0", "code1"]
    assert found.select("file", "tune", "bar").rows() == [
        ("a.abc", 0, 1),
        ("a.abc", 0, 2),
        ("b.abc", 1, 1),
        ("b.abc", 1, 2),
        ("b.abc", 1, 3),
    ]


def test_rows_that_are_left_out_do_not_shift_the_others(models):
    image_folder(("a.png", "b.png", "c.png"))
    Path("pictures/b.png").write_bytes(b"no picture")
    with pytest.warns(hg.HourglassWarning, match="Left out 1 of 3 images"):
        run("encode", models / "images.safetensors", "pictures", "-o", "z.csv", "--skip-bad")
    assert hg.read("z.csv")["file"].to_list() == ["a.png", "c.png"]
    hg.AnomalyDetector(random_state=0).fit(DIGITS.x_train[:150]).save("d.safetensors")
    with pytest.warns(hg.HourglassWarning, match="Left out 1 of 3 images"):
        run("detect", "d.safetensors", "pictures", "-o", "a.csv", "--skip-bad")
    assert hg.read("a.csv").select("row", "file").rows() == [(0, "a.png"), (1, "c.png")]
    Path("lines.txt").write_text("abab\n\ncdcd\nabcd\n" * 20)
    with pytest.warns(hg.HourglassWarning, match="20 of 80 rows of 'lines.txt' were left out"):
        run("fit", "lines.txt", "-b", 2, "--max-epochs", 1, "-q", "--skip-bad", "-o", "l.safetensors")
        run("encode", "l.safetensors", "lines.txt", "--skip-bad", "-o", "z.csv")
    assert hg.read("z.csv")["row"].to_list() == [row for row in range(80) if row % 4 != 1]


# sweep, report, info, datasets


def test_sweep_prints_its_table_and_the_choice():
    hg.write("x.csv", frame(60))
    said = run("sweep", "x.csv", "--bottlenecks", "1, 2", "--max-epochs", "2", "--seed", "0", "-o", "x.png", "-q")
    title, _, header, _, *rows, _, reason, comparison, wrote = said.splitlines()
    found = hg.sweep("x.csv", bottlenecks=(1, 2), estimator=hg.Autoencoder(max_epochs=2), random_state=0)
    assert title.strip() == "What survives at each width, measured on rows held out"
    assert re.split(r" *┃ *", header)[1:-1] == ["numbers", "error", "survives", "error of PCA", "survives PCA", "seconds"]
    for line, (codes, mse, share, pca_mse, pca_share, _) in zip(rows, found.frame.iter_rows(), strict=True):
        expected = [f"{codes}", f"{mse:#.3g}", f"{share:.1%}", f"{pca_mse:#.3g}", f"{pca_share:.1%}"]
        assert re.split(r" *│ *", line)[1:-2] == expected
    assert (reason, comparison, wrote) == (found.reason, found.comparison, "Wrote x.png.")
    with Image.open("x.png") as picture:
        assert picture.width > 700


@pytest.mark.parametrize("name", ["out.svg", "out.pdf", "new/out.csv", "out.parquet"])
def test_sweep_writes_a_chart_or_the_table(name):
    hg.write("x.csv", frame(20))
    said = run("sweep", "x.csv", "--bottlenecks", "1", "--max-epochs", "1", "-o", name)
    assert "Width 1 of 1: 1 number keeps " in said
    if name.endswith((".csv", ".parquet")):
        assert hg.read(name)["codes"].to_list() == [1]
    else:
        assert Path(name).stat().st_size > 1000


def test_sweep_takes_the_types_of_columns_and_says_once_what_each_fit_would():
    hg.write("x.csv", frame(50).with_columns(key=pl.Series([f"K{i}" for i in range(50)])))
    options = ("sweep", "x.csv", "--bottlenecks", "1,2", "--max-epochs", "1", "--seed", "0", "-q")
    with pytest.warns(hg.HourglassWarning) as warned:
        run(*options)
    assert [in_the_shell(str(one.message)) for one in warned] == [
        "Column 'key' is an identifier (40 different values in 40 rows). It is left out; choose otherwise with --column key=TYPE."
    ]
    run(*options, "--column", "key=left out")  # a warning would be an error


def test_sweep_needs_no_output():
    hg.write("x.csv", frame(20))
    said = run("sweep", "x.csv", "--bottlenecks", "2,1", "--max-seconds", "0.05", "-q")
    assert "Wrote" not in said
    assert files() == ["x.csv"]


def test_report_of_a_dataset_shows_its_test_images(models):
    assert run("report", models / "images.safetensors", "digits", "--title", "Mine") == "Wrote report.html. Open it in a browser.\n"
    page = Path("report.html").read_text()
    assert "Mine" in page
    assert "measured on 1,000 images" in page
    assert "The colours are labels" in page


def test_report_of_a_file(models):
    hg.write("x.csv", frame(12))
    run("report", models / "table.safetensors", "x.csv", "-o", "new/r.html")
    page = Path("new/r.html").read_text()
    assert "measured on 12 rows" in page
    assert "The colours are labels" not in page


def test_info_says_what_a_model_file_holds(models):
    lines = run("info", models / "images.safetensors").splitlines()
    assert lines == [f"{name:<12}{value}" for name, value in hg.info(models / "images.safetensors").items()]
    assert "data        28 x 28 grey images" in lines


def test_info_says_what_the_columns_of_a_table_were_taken_for():
    hg.write("t.csv", frame().with_columns(order=pl.Series([f"A{i}" for i in range(30)]), shop=pl.Series(["north", "south"] * 15)))
    with pytest.warns(hg.HourglassWarning, match="Column 'order' is an identifier"):
        run("fit", "t.csv", "-b", 1, "--max-epochs", 1, "-q")
    said = run("info", "model.safetensors")
    why = hg.load("model.safetensors").schema_["why"]
    assert said.endswith(
        f"\ncolumns     height: numeric ({why[0]})\n            weight: numeric ({why[1]})\n            age: numeric ({why[2]})\n"
        f"            order: identifier, left out ({why[3]})\n            shop: categorical ({why[4]})\n"
    )


def test_a_table_that_looks_like_a_series_is_said_to(capsys):
    steps = pl.datetime_range(pl.datetime(2024, 1, 1), pl.datetime(2024, 1, 4), "1h", eager=True)
    hg.write("record.csv", frame(len(steps)).insert_column(0, steps.alias("stamp")))
    hint = "Its rows stand at even steps of 'stamp', as those of a record do. To take it for one, say --kind series.\n"
    assert hint in run("fit", "record.csv", "-b", 1, "--max-epochs", 1, "-q")
    assert hint not in run("fit", "record.csv", "-b", 1, "--max-epochs", 1, "-q", "--kind", "table")
    hg.write("rows.csv", frame(80))
    assert "even steps" not in run("fit", "rows.csv", "-b", 1, "--max-epochs", 1, "-q")
    uneven = steps.sample(40, seed=0).sort()
    hg.write("uneven.csv", frame(40).insert_column(0, uneven.alias("stamp")))
    assert "even steps" not in run("fit", "uneven.csv", "-b", 1, "--max-epochs", 1, "-q")


@pytest.mark.parametrize(("width", "bars"), [(40, False), (80, True)])
def test_the_histogram_fits_into_the_terminal(width, bars, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(width))
    show(histogram([123456, 60000, 12000, 6000, 1200, 3], 123456))
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= width
    assert "…" not in said and ("█" in said) == bars
    assert re.search(r"0\.001 to 0\.01 .*1,197 .*0\.97% .*0\.9%", said)


SENTENCES = {
    "say columns={'my zip': 'categorical'} when fitting.": "say --column 'my zip=categorical' when fitting.",
    "choose otherwise with columns={'order': ...}.": "choose otherwise with --column order=TYPE.",
    "To learn from all of them, say kind='table'.": "To learn from all of them, say --kind table.",
    "Give longer ones, or kind=hg.Melodies(bars=1).": "Give longer ones, or --bars 1.",
    "Resample it, or fit with a rate that both are brought to: kind=hg.Series(rate=0.5).": (
        "Resample it, or fit with a rate that both are brought to: --rate 0.5."
    ),
    "Give a longer record, or shorter windows, as in kind=Series(window=32).": (
        "Give a longer record, or shorter windows, as in --window 32."
    ),
    "Say what it is in columns=.": "Say what it is with --column.",
    "as in corruption='noise:25', or give": "as in --damage noise:25, or give",
    "Fit it with condition=.": "Fit it with --condition.",
    "can't be given one. Leave condition= out.": "can't be given one. Leave --condition out.",
    "fit with checkpoint='run.safetensors' to go on.": "fit with --checkpoint run.safetensors to go on.",
    "The 'steps' of a way must be an int": "--steps must be an int",
    "The 'columns' parameter of the table has no choice 'zap'.": "--column has no choice 'zap'.",
    "Row 5 is None, no string. Leave it out, or write what it stands for.": (
        "Row 5 is None, no string. Leave it out, as --skip-bad does of a file, or write what it stands for."
    ),
    "Row 1 is empty. Leave it out.": "Row 1 is empty. Leave it out, as --skip-bad does of a file.",
    "'a  b.csv' holds\n  nothing.": "'a  b.csv' holds nothing.",
}


@pytest.mark.parametrize(("python", "shell"), SENTENCES.items())
def test_what_to_do_is_said_in_options(python, shell):
    assert in_the_shell(python) == shell


def test_names_keep_their_blanks_and_lists_have_an_end(models, fails):
    assert fails("fit", "two  blanks.csv") == (1, "Error: There is no file or folder 'two  blanks.csv'. Check the path.\n")
    hg.write("wide.csv", np.zeros((3, 300)))
    code, said = fails("encode", models / "table.safetensors", "wide.csv")
    assert code == 1 and len(said) < 400
    assert said.endswith(" and 280 more.\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_full_disk_behind_the_words_is_said(models):
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "hourglass", "info", str(models / "images.safetensors")]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "Error: Can't write what is to be said here: No space left on device.\n")


def test_datasets_are_listed_with_licence():
    said = run("datasets")
    for name in hg.datasets.names():
        assert f"{name:<12}{hg.datasets.describe(name)['about']}\n" in said
    assert said.count("CC BY-SA 3.0") == len(hg.datasets.names())
    assert max(map(len, said.splitlines())) <= 90


# serve


def test_serving_to_others_needs_a_token(models, fails):
    words = "Others can reach 0.0.0.0, so a token is needed: --token. Or listen on 127.0.0.1."
    assert fails("serve", models / "images.safetensors", "--host", "0.0.0.0") == (1, f"Error: {words}\n")
    words = "The limit 'rows' must be above 0. Got -1 instead."
    assert fails("serve", models / "images.safetensors", "--max-rows", -1) == (1, f"Error: {words}\n")
    words = "The limit 'seconds' must have an end. Got inf instead."
    assert fails("serve", models / "images.safetensors", "--max-seconds", "inf") == (1, f"Error: {words}\n")


# help


def test_help_shows_every_command_whole():
    said = run("--help")
    for name in ("demo", "fit", "encode", "decode", "reconstruct", "sweep", "report", "info", "datasets"):
        assert re.search(rf"^  {name} +[A-Z].*[.]$", said, re.MULTILINE)
        assert "Example: hourglass " + name in run(name, "--help")
    assert "..." not in said.split("Commands:")[1]


def test_alone_it_shows_help():
    result = CliRunner().invoke(cli.app, [])
    assert "Begin with: hourglass demo" in result.output
    assert CliRunner().invoke(cli.app, ["--version"]).output.startswith("hourglass ")


# As a process of its own


def process(*arguments, **options):
    command = [sys.executable, "-m", "hourglass", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def test_help_is_quick_as_torch_is_not_imported():
    code = (
        "import sys; sys.argv = ['hourglass', '--help']\n"
        "from hourglass import cli\n"
        "try: cli.main()\n"
        "except SystemExit as ended: assert ended.code == 0\n"
        "print(sorted({'torch', 'sklearn', 'polars', 'matplotlib', 'pandas', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("before", "after"),
    [({}, "3000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "active"}, "None")],
)
def test_threads_soon_sleep_unless_the_user_has_them_wait_otherwise(before, after):
    code = (
        "import os, sys; sys.argv = ['hourglass', '--version']\n"
        "from hourglass import cli\n"
        "try: cli.main()\n"
        "except SystemExit: print(os.environ.get('GOMP_SPINCOUNT'), 'torch' in sys.modules)"
    )
    asked = {name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")} | before
    done = subprocess.run([sys.executable, "-c", code], env=asked, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == f"{after} False"


def test_the_module_is_the_command():
    done = process("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == CliRunner().invoke(cli.app, ["--version"]).output


def test_an_error_is_one_line_on_stderr_and_exit_code_1():
    done = process("fit", "no.csv")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Error: There is no file or folder 'no.csv'. Check the path.\n"


def test_a_log_that_can_not_hold_a_sign_gets_another(models):
    hg.write("x.csv", frame())
    hg.AnomalyDetector(max_epochs=1, random_state=0).fit(frame(200)).save("d.safetensors")
    options = {"env": {**os.environ, "PYTHONIOENCODING": "cp1252"}, "encoding": "cp1252"}
    done = process("detect", "d.safetensors", "x.csv", "-o", "a.csv", "--alarm-rate", 0.5, "--fail-over", 0, **options)
    assert (done.returncode, done.stderr) == (3, "")
    assert "of 30 rows raised an alarm" in done.stdout and "???" in done.stdout


@pytest.fixture
def started():
    """Start a command, to be stopped by Ctrl-C."""
    children = []

    def start(*arguments):
        command = [sys.executable, "-m", "hourglass", *arguments]
        children.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return children[-1]

    yield start
    for child in children:
        child.kill()
        child.communicate()


def test_ctrl_c_ends_the_demo_with_exit_code_130(started):
    child = started("demo", "--seconds", "3")  # at each width, so that Ctrl-C comes in time
    assert child.stderr.readline().startswith("Training: epoch ")  # the first of six widths is done
    child.send_signal(signal.SIGINT)
    out, said = child.communicate(timeout=60)
    assert child.returncode == 130
    assert "Width 6" not in said
    assert "Traceback" not in said
    assert "Each digit" not in out
    assert not Path("hourglass-demo/model.safetensors").exists()


def test_ctrl_c_ends_a_fit_early_and_keeps_the_model(started):
    child = started("fit", "digits", "--max-seconds", "120", "-b", "4", "--hidden", "16", "--checkpoint", "run.safetensors")
    deadline = time.monotonic() + 60
    while not Path("run.safetensors").exists() and time.monotonic() < deadline:  # it is written after the first epoch
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    out, said = child.communicate(timeout=60)
    assert child.returncode == 0, said
    assert re.search(r"Warning: Training was stopped by hand after \d+ epochs: the best weights so far are kept.\n", said)
    assert "Wrote model.safetensors." in out
    assert hg.load("model.safetensors").n_features_in_ == 784
    assert files() == ["model.safetensors", "run.safetensors"]  # from which a later run can go on


def test_a_table_of_orders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    usual = pl.DataFrame({"order": [f"A{i}" for i in range(300)], "zip": rng.integers(1, 4, 300) * 1000, "x": rng.normal(size=300)})
    hg.write("usual.csv", usual)
    hg.write("new.parquet", usual[:50].with_columns(zip=pl.when(pl.int_range(50) == 7).then(9999).otherwise("zip")))
    with pytest.warns(hg.HourglassWarning, match="Column 'order' is an identifier"):
        said = run("fit", "usual.csv", "--for", "flag", "--column", "zip=categorical", "--contaminated", "--max-epochs", "2", "-q")
    assert "(a table of 1 numeric, 1 categorical, 1 identifier columns)" in said
    run("detect", "model.safetensors", "new.parquet", "--alarm-rate", "0.2", "-o", "all.csv", "--reasons", "1")
    found = hg.read("all.csv")
    assert found.columns == ["row", "order", "score", "p_value", "alarm", "reason1"]
    assert found["order"].to_list() == usual["order"][:50].to_list()
    run("detect", "model.safetensors", "new.parquet", "--key", "zip", "-o", "keyed.parquet")
    assert hg.read("keyed.parquet").columns[:3] == ["row", "zip", "score"]
    run("detect", "model.safetensors", "new.parquet", "--key", "zip", "--key", "x", "--key", "zip", "-o", "keyed.parquet")
    assert hg.read("keyed.parquet").columns[:4] == ["row", "zip", "x", "score"]
    with pytest.raises(hg.DataError, match=r"--key: the data has no column 'zap'\. Did you mean 'zip'\?"):
        run("detect", "model.safetensors", "new.parquet", "--key", "zap", "-o", "none.csv")
    np.save("bare.npy", usual[:50].select("x").to_numpy())
    run("fit", "bare.npy", "--for", "flag", "--kind", "table", "--max-epochs", "1", "-o", "bare.safetensors", "-q")
    with pytest.raises(hg.DataError, match=r"--key: the data has no column 'zip'\. Its columns have no names: leave --key out\."):
        run("detect", "bare.safetensors", "bare.npy", "--key", "zip", "-o", "none.csv")
    assert not Path("none.csv").exists()
    with pytest.raises(hg.ParameterError, match=r"--column takes NAME=TYPE, such as zip=categorical\. Got 'zip'\."):
        run("fit", "usual.csv", "--column", "zip")


def test_detect_says_how_far_it_is_now_and_then(monkeypatch, capsys):
    seconds = iter([0, 4, 8, 12, 100, 109, 112])
    monkeypatch.setattr(cli.words, "monotonic", lambda: next(seconds))
    pace = Pace(silent=False)
    for batch in range(1, 7):
        pace.show(1000 * batch)
    assert capsys.readouterr().err == "".join(
        f"Scoring: {rows} rows, {speed} rows/s\n" for rows, speed in (("2,000", 250), ("4,000", 40), ("6,000", 54))
    )
    monkeypatch.setattr(cli.words, "monotonic", lambda: 0)
    pace = Pace(silent=True)
    monkeypatch.setattr(cli.words, "monotonic", lambda: 1e6)
    pace.show(1)
    assert not capsys.readouterr().err


def test_columns_whose_names_are_patterns_to_polars():
    names = ["^h.*$", "^.*$", "^id$"]
    hg.write("people.csv", pl.DataFrame([*frame(40)[:, :2], pl.Series([f"k{i}" for i in range(40)])], schema=names))
    run("fit", "people.csv", "--for", "flag", "--max-epochs", 1, "--column", "^id$=identifier", "-o", "d.safetensors", "-q")
    assert "40 rows" in run("detect", "d.safetensors", "people.csv", "-o", "alarms.csv")
    assert hg.read("alarms.csv").columns == ["row", "^id$", "score", "p_value", "alarm", "reason1", "reason2"]


def test_detect_rounds_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    far = 1e8 + np.random.default_rng(0).normal(size=300)
    usual = pl.DataFrame({"ts": 1700000123.0 + 60 * np.arange(300), "far": far, "x": far - 1e8})
    det = hg.AnomalyDetector(max_epochs=1, random_state=0, columns={"ts": "left out"}).fit(usual)
    det.save("far.safetensors")
    hg.write("new.parquet", usual[:50])
    run("detect", "far.safetensors", "new.parquet", "--key", "ts", "-o", "found.parquet")
    found = hg.read("found.parquet")
    assert found["ts"].equals(usual["ts"][:50])
    np.testing.assert_array_equal(found["score"], det.alarms(usual[:50])["score"])


def test_enormous_numbers_and_large_codes_are_judged_as_they_are():
    usual = frame(60).with_columns(code=pl.Series([16777217.0, 16777216.0, None] * 20))
    det = hg.AnomalyDetector(max_epochs=1, columns={"code": "categorical"}, random_state=0).fit(usual)
    det.save("d.safetensors")
    new = usual[:4].with_columns(height=pl.Series([0.0, 1e300, -1e40, 1e30]))
    hg.write("new.csv", new)
    run("detect", "d.safetensors", "new.csv", "-o", "alarms.parquet")
    assert hg.read("alarms.parquet")["alarm"].to_list() == [False, True, True, True]
    assert in_single(det, usual).dtypes == [pl.Float32] * 3 + [pl.Float64]


def test_fit_for_flag_and_detect(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    usual = np.random.default_rng(0).normal(size=(300, 4))
    hg.write("usual.csv", usual)
    new = usual.copy()
    new[5, 2] = 50
    hg.write("new.csv", new)
    runner = CliRunner()
    done = runner.invoke(
        cli.app, ["fit", "usual.csv", "--for", "flag", "-o", "d.safetensors", "--max-epochs", "2", "--seed", "0", "-q"]
    )
    assert done.exit_code == 0, done.output
    done = runner.invoke(
        cli.app, ["detect", "d.safetensors", "new.csv", "-o", "alarms.csv", "--alarm-rate", "0.01", "--fail-over", "0"]
    )
    assert done.exit_code == 3
    assert "of 300 rows raised an alarm" in done.output
    said = runner.invoke(cli.app, ["report", "d.safetensors", "new.csv", "-o", "alarms.html"]).output
    assert said == "Wrote alarms.html. Open it in a browser.\n"
    assert "x2 is 50, expected" in Path("alarms.html").read_text()
    alarms = hg.read("alarms.csv")
    assert alarms["alarm"][5] in (True, "true")
    with pytest.raises(hg.ModelFileError, match=r"is a detector, which has no codes. Use it with: hourglass detect"):
        runner.invoke(cli.app, ["encode", "d.safetensors", "new.csv"], catch_exceptions=False)


def test_drift_names_what_has_moved_and_may_end_with_a_code(fails):
    rng = np.random.default_rng(0)
    detector = hg.AnomalyDetector(max_epochs=1, random_state=0).fit(pl.DataFrame(rng.normal(size=(400, 12))))
    detector.save("d.safetensors")
    hg.write("same.csv", pl.DataFrame(rng.normal(size=(300, 12))))
    assert run("drift", "d.safetensors", "same.csv", "--fail").endswith(
        "These rows are of the sort that the detector was trained on: neither the scores nor any column has moved.\n"
    )
    new = pl.DataFrame(rng.normal(size=(300, 12)) + 3 * (np.arange(12) == 4))
    hg.write("new.csv", new)
    wanted = detector.drift(new)
    said = run("drift", "d.safetensors", "new.csv", "-o", "moved.csv")
    assert said.endswith(
        f"The scores have moved by {wanted.moved:.3g} (p-value {wanted.p_value:.2g}).\n"
        "These rows are not of the sort that the detector was trained on, or many of them are strange. Moved have: column_4.\n"
        "Wrote moved.csv.\n"
    )
    assert said.count("column_") == 10 + 1
    found = hg.read("moved.csv")
    assert found.columns == ["column", "moved", "p_value", "missing", "was"]
    assert found["column"].to_list() == wanted.columns["column"].to_list()
    assert found["column"][0] == "column_4" and found.height == 12
    assert fails("drift", "d.safetensors", "new.csv", "--fail") == (3, "")
    hg.write("few.csv", new[:2])
    with pytest.warns(hg.HourglassWarning, match=r"^2 rows can hardly tell whether data has changed: give some hundreds\.$"):
        run("drift", "d.safetensors", "few.csv")
    with pytest.warns(hg.HourglassWarning, match="too few to promise"):
        said = run("detect", "d.safetensors", "same.csv", "--alarm-rate", 0.00002, "-o", "alarms.csv")
    assert "; of usual rows, 0.002% would)." in said
    hg.Autoencoder(2, max_epochs=1).fit(new).save("a.safetensors")
    none = "Error: 'a.safetensors' is no detector. Make one with: hourglass fit DATA --for flag\n"
    assert fails("drift", "a.safetensors", "new.csv") == (1, none)
    exported = "Error: 'd.onnx' is an exported model, which only hourglass detect takes. Give the .safetensors file.\n"
    assert fails("drift", "d.onnx", "new.csv") == (1, exported)


# fit --for clean, denoise


@pytest.fixture(scope="session")
def cleaners(tmp_path_factory):
    """A folder with models that mend noise and holes, hardly trained."""
    folder = tmp_path_factory.mktemp("cleaners")
    settings = {"encoder": hg.Restorer((8,), blocks=1, patch=16), "batch_size": 8, "max_epochs": 1, "random_state": 0}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(patches, "STEPS", 1)
        for name, damage in (("noise", "noise:20-60"), ("holes", "pixels:0.3")):
            model = hg.DenoisingAutoencoder(corruption=damage, **settings).fit(DIGITS.x_train[:20])
            model.save(folder / f"{name}.safetensors")
    hg.DenoisingAutoencoder(2, hidden=(8,), max_epochs=1, random_state=0).fit(frame()).save(folder / "table.safetensors")
    return folder


def scans(target="scans"):
    """Pictures of several formats, sizes and depths."""
    Path(target, "sub").mkdir(parents=True)
    rng = np.random.default_rng(0)
    grey, deep = rng.integers(0, 256, (20, 30), np.uint8), rng.integers(0, 65536, (25, 20), np.uint16)
    Image.fromarray(grey).save(Path(target, "a.png"))
    Image.fromarray(deep).save(Path(target, "sub", "deep.tif"))
    Image.fromarray(rng.integers(0, 256, (20, 20, 4), np.uint8)).save(Path(target, "clear.png"))
    Image.fromarray(np.stack([grey] * 3, 2)).save(Path(target, "d.jpg"))
    return target


def test_fit_for_cleaning_learns_from_a_folder_of_sizes(monkeypatch):
    monkeypatch.setattr(patches, "STEPS", 1)
    said = run("fit", scans(), "--for", "clean", "--damage", "noise:5-50", "--max-epochs", "1", "-q", "-o", "c.safetensors")
    learned, wrote = said.splitlines()
    assert learned.startswith("Learned to mend Noise(std=(0.0196, 0.196)) from grey images of differing sizes, in 1 epoch in ")
    assert wrote == "Wrote c.safetensors. Next: hourglass denoise c.safetensors DAMAGED -o clean/"
    assert hg.load("c.safetensors").corruption == "noise:5-50"


def test_lines_with_typos_are_mended():
    Path("lines.txt").write_text("\n".join(["sand glass", "hour glass", "narrow waist"] * 10))
    Path("typed.txt").write_text("sand glas\nhourr glass\n")
    said = run("fit", "lines.txt", "--for", "clean", "--damage", "typos:0.1", "--max-epochs", "1", "-q", "-o", "c.safetensors")
    learned, wrote = said.splitlines()
    assert learned.startswith(
        "Learned to mend Typos(share=0.1) from rows of up to 14 characters, 14 different ones, in 1 epoch in "
    )
    assert wrote == "Wrote c.safetensors. Next: hourglass denoise c.safetensors DAMAGED -o clean.txt"
    assert run("denoise", "c.safetensors", "typed.txt", "-o", "clean.txt") == "Wrote 2 rows to clean.txt.\n"
    assert len(Path("clean.txt").read_text().splitlines()) == 2


def test_fit_for_cleaning_with_a_waist():
    hg.write("t.parquet", frame())
    said = run("fit", "t.parquet", "--for", "clean", "-b", "2", "--hidden", "8", "--max-epochs", "1", "-o", "t.safetensors")
    assert "\nLearned to fill in missing cells from a table of 3 numeric columns, in 1 epoch in " in said
    model = hg.load("t.safetensors")
    assert (model.bottleneck, model.hidden) == (2, (8,))


@pytest.mark.parametrize("option", [("-b", "8"), ("--hidden", "16"), ("--checkpoint", "run.safetensors")])
def test_options_of_autoencoders_do_not_go_with_flagging(fails, option):
    name = {"-b": "--bottleneck"}.get(option[0], option[0])
    said = f"Error: {name} is for autoencoders: what --for flag makes has none. Leave it out.\n"
    assert fails("fit", "digits", "--for", "flag", "-q", *option) == (1, said)
    assert files() == []


def test_contaminated_goes_with_flagging(fails):
    said = "Error: --contaminated says that rows to learn from may be strange: it goes with --for flag.\n"
    assert fails("fit", "digits", "--contaminated") == (1, said)


def test_damage_goes_with_cleaning(fails):
    said = "Error: --damage says what has to be mended: it goes with --for clean.\n"
    assert fails("fit", "digits", "--damage", "noise:25") == (1, said)
    unknown = "Error: --damage has no choice 'nose'. Did you mean 'noise'?\n"
    assert fails("fit", image_folder(), "--for", "clean", "--damage", "nose:25", "-q") == (1, unknown)


def test_denoise_keeps_names_formats_sizes_depth_and_transparency(cleaners):
    said = run("denoise", cleaners / "noise.safetensors", scans(), "-o", "clean", "-q")
    assert files("clean") == files("scans") == ["a.png", "clear.png", "d.jpg", "sub/deep.tif"]
    for name in files("clean"):
        with Image.open(Path("scans", name)) as before, Image.open(Path("clean", name)) as after:
            assert (after.format, after.mode, after.size) == (before.format, before.mode, before.size)
    with Image.open("scans/clear.png") as before, Image.open("clean/clear.png") as after:
        np.testing.assert_array_equal(np.array(after)[..., 3], np.array(before)[..., 3])
    deep = hg.read("scans/sub/deep.tif")
    expected = hg.load(cleaners / "noise.safetensors").denoise(deep)
    np.testing.assert_array_equal(hg.read("clean/sub/deep.tif"), expected)
    assert re.search(r"^What was removed, \d+\.\d grey levels on average, is ", said)
    assert said.endswith("Wrote 4 pictures to clean.\n")


def test_denoise_measures_against_a_reference_estimates_and_draws(cleaners):
    scans()
    run("denoise", cleaners / "noise.safetensors", "scans/a.png", "-o", "first", "-q")
    said = run(
        "denoise", cleaners / "noise.safetensors", "scans/a.png", "-o", "clean.png", "-q",
        "--reference", "first", "--strength", "auto", "--sheet", "sheet.png",
    )  # fmt: skip
    model = hg.load(cleaners / "noise.safetensors")
    before, clean, after = (hg.read(path) for path in ("scans/a.png", "first/a.png", "clean.png"))
    level = 255 * model.noise_level(before)[0]
    figures = [measure(clean, other) for measure in (hg.metrics.psnr, hg.metrics.ssim) for other in (before, after)]
    assert said == (
        f"Noise, estimated: {level:.1f} grey levels ({level:.1f} to {level:.1f}).\n"
        f"{hg.self_check(before, after).words}\n"
        "PSNR {:.2f} dB before, {:.2f} dB after; SSIM {:.3f} before, {:.3f} after (means over 1 picture).\n"
        "Wrote sheet.png.\n"
        "Wrote 1 picture to clean.png.\n"
    ).format(*figures)
    assert Path("sheet.png").stat().st_size > 1000


def test_nothing_is_mended_before_all_can_be_read(cleaners, fails, monkeypatch):
    image_folder(("a.png", "b.png", "c.png"))
    good = Path("pictures/c.png").read_bytes()
    Path("pictures/c.png").write_bytes(b"no picture")
    code, said = fails("denoise", cleaners / "noise.safetensors", "pictures", "-o", "clean", "-q")
    assert code == 1 and said.startswith("Error: Can't read the image 'pictures/c.png'")
    assert files("clean") == []
    with pytest.warns(hg.HourglassWarning, match="Left out 1 of 3 images"):
        run("denoise", cleaners / "noise.safetensors", "pictures", "-o", "clean", "-q", "--skip-bad")
    assert files("clean") == ["a.png", "b.png"]
    Path("pictures/c.png").write_bytes(good)
    write = hg.data.Picture.write

    def full(picture, path, pixels):
        if picture.name == "c.png":
            raise hg.FileError("Can't write 'c.png': No space left on device.")
        write(picture, path, pixels)

    monkeypatch.setattr(hg.data.Picture, "write", full)
    done = "Before 'c.png', 2 pictures went to 'again', each whole."
    assert fails("denoise", cleaners / "noise.safetensors", "pictures", "-o", "again", "-q") == (
        1,
        f"Error: Can't write 'c.png': No space left on device. {done}\n",
    )
    assert files("again") == ["a.png", "b.png"]


def test_12_bits_in_files_are_cleaned_measured_and_drawn_in_full_contrast(monkeypatch):
    monkeypatch.setattr(patches, "STEPS", 20)
    rng = np.random.default_rng(0)
    clean = rng.integers(1000, 4096, (12, 1, 1)).astype(np.uint16) - np.arange(0, 1000, 50, dtype=np.uint16)[:, None].repeat(20, 1)
    noisy = (clean + rng.normal(0, 400, clean.shape)).round().clip(0, 4095).astype(np.uint16)
    hg.write("clean", clean)
    hg.write("noisy", noisy)
    small = hg.Restorer((8,), blocks=1, patch=16)
    model = hg.DenoisingAutoencoder(corruption="noise:25", encoder=small, batch_size=8, max_epochs=1, random_state=0).fit("clean")
    model.save("c.safetensors")
    assert model.kind_.white == 4095
    said = run("denoise", "c.safetensors", "noisy", "-o", "out", "-q", "--reference", "clean", "--strength", "auto")
    found = hg.read("out")
    assert (found.dtype, found.max() <= 4095) == ("uint16", True)
    removed = (noisy - found.astype(float)) / 4095
    removed -= removed.mean((1, 2), keepdims=True)
    assert f"What was removed, {255 * removed.std():.1f} grey levels on average, is " in said
    near = [np.mean([hg.metrics.psnr(*pair, data_range=4095) for pair in zip(clean, X, strict=True)]) for X in (noisy, found)]
    assert "PSNR {:.2f} dB before, {:.2f} dB after".format(*near) in said
    hg.write("bright", np.stack([clean[0], clean[1] * 2, clean[2] * 3]))
    with pytest.warns(
        hg.HourglassWarning, match=f"up to 4,095, and these go to {max(clean[1].max() * 2, clean[2].max() * 3):,},"
    ) as told:
        run("denoise", "c.safetensors", "bright", "-o", "out", "-q")
    assert len(told) == 1


def test_denoise_touches_only_what_a_mask_marks(cleaners):
    scans()
    gaps = np.random.default_rng(1).random((20, 30)) < 0.3
    Path("masks").mkdir()
    Image.fromarray(np.where(gaps[..., None], np.uint8([0, 0, 255]), 0).astype(np.uint8)).save("masks/a.bmp")
    run("denoise", cleaners / "holes.safetensors", "scans/a.png", "-o", "clean", "--mask", "masks", "-q")
    Path("masks/a.bmp").rename("hole.bmp")  # of one picture whatever its name
    run("denoise", cleaners / "holes.safetensors", "scans/a.png", "-o", "again.png", "--mask", "hole.bmp", "-q")
    np.testing.assert_array_equal(hg.read("again.png"), hg.read("clean/a.png"))
    before, after = hg.read("scans/a.png"), hg.read("clean/a.png")
    np.testing.assert_array_equal(after[0][~gaps], before[0][~gaps])
    assert (after[0][gaps] != before[0][gaps]).mean() > 0.9


def test_denoise_of_arrays_and_tables(cleaners):
    hg.write("t.csv", frame())
    untouched = "No cell is missing, so all are as they were: the model fills in missing cells, and changes no others.\n"
    said = run("denoise", cleaners / "table.safetensors", "t.csv", "-o", "c.csv")
    assert said == f"{untouched}Wrote 30 rows to c.csv.\n"
    assert hg.read("c.csv").equals(frame())
    gappy = frame().with_columns(weight=pl.when(pl.int_range(30) < 2).then(None).otherwise("weight"))
    hg.write("gappy.csv", gappy)
    said = run("denoise", cleaners / "table.safetensors", "gappy.csv", "-o", "filled.csv")
    assert said == "Filled in 2 missing cells; all others are as they were.\nWrote 30 rows to filled.csv.\n"
    filled = hg.read("filled.csv")
    assert filled["weight"].null_count() == 0
    assert filled[2:].equals(frame()[2:]) and filled.select("height", "age").equals(frame().select("height", "age"))
    run("fit", "t.csv", "--for", "clean", "--damage", "white:0.3", "--max-epochs", 1, "-q", "-o", "white.safetensors")
    said = run("denoise", "white.safetensors", "t.csv", "-o", "white.csv")
    assert said.startswith("All cells were rebuilt, as the model learned to mend Noise(std=0.3).\n")
    np.save("p.npy", DIGITS.x_test[:3])
    assert run("denoise", cleaners / "noise.safetensors", "p.npy", "-o", "c.npy") == "Wrote 3 rows to c.npy.\n"
    assert hg.read("c.npy").shape == (3, 28, 28)


def test_denoise_of_a_wfdb_record(tmp_path, monkeypatch):
    pytest.importorskip("wfdb")
    monkeypatch.chdir(tmp_path)
    steps = np.arange(2000)
    counts = np.column_stack([200 * np.sin(steps / 9), 100 * np.cos(steps / 9)]).astype("<i2")
    counts.tofile("r1.dat")
    Path("r1.hea").write_text("r1 2 360 2000\nr1.dat 16 200/mV 16 0 0 0 0 I\nr1.dat 16 100/mV 16 0 0 0 0 II\n")
    run("fit", "r1.hea", "--for", "clean", "--damage", "white:0.3", "--max-epochs", 60, "--seed", 0, "-q", "-o", "c.safetensors")
    assert run("denoise", "c.safetensors", "r1.hea", "-o", "clean.csv") == "Wrote 2,000 rows to clean.csv.\n"
    found = hg.read("clean.csv")
    assert found.columns == ["time", "I", "II"]
    assert found["time"][360] == 1
    assert np.corrcoef(found["I"], np.sin(steps / 9))[0, 1] > 0.9


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["-o", "clean", "--strength", "much"], "--strength takes a number of grey levels, or auto. Got 'much'."),
        (["-o", "clean", "--strength", "-5"], "--strength takes a number of grey levels, or auto. Got '-5'."),
        (["-o", "scans"], "Can't write 'scans/a.png' over what is read. Name another place with -o."),
        (["-o", "clean.png"], "Can't write pictures to 'clean.png'. Name a folder, such as clean/."),
        (["-o", "clean", "--mask", "masks"], "--mask: 'masks' has no picture 'a'. Known: b."),
        (["-o", "clean", "--sheet", "s.gif"], "Can't write 's.gif' by its ending. Known: .png, .svg, .pdf."),
        (
            ["-o", "clean", "--sheet", "scans/a.png"],
            "Can't write 'scans/a.png' over what is read. Name another place with --sheet.",
        ),
        (["-o", "small", "--reference", "small"], "Can't write 'small/a.png' over what is read. Name another place with -o."),
        (["-o", "small", "--mask", "small/a.png"], "Can't write 'small/a.png' over what is read. Name another place with -o."),
        (["-o", "clean", "--reference", "masks/b.png"], "--reference: 'masks/b.png' has no picture 'a'. Known: b."),
        (
            ["-o", "clean", "--mask", "small"],
            "--mask: that of 'a.png' has shape (28, 28) in place of (20, 30). Make them one size.",
        ),
        (
            ["-o", "clean", "--reference", "small"],
            "--reference: that of 'a.png' has shape (28, 28) in place of (20, 30). Make them one size.",
        ),
    ],
)
def test_denoise_in_vain(cleaners, fails, options, said):
    scans()
    image_folder(["b.png"], "masks")
    image_folder(["a.png"], "small")
    before = {name: Path("scans", name).read_bytes() for name in files("scans")}
    assert fails("denoise", cleaners / "noise.safetensors", "scans", "-q", *options) == (1, f"Error: {said}\n")
    assert before == {name: Path("scans", name).read_bytes() for name in files("scans")}


def test_denoise_with_a_model_or_data_of_another_sort(cleaners, models, fails):
    path = models / "images.safetensors"
    other = f"Error: '{path}' doesn't mend. Make a model that does with: hourglass fit DATA --for clean\n"
    assert fails("denoise", path, image_folder(), "-o", "clean") == (1, other)
    nothing = "Error: Nothing says what is erased: name a --mask.\n"
    assert fails("denoise", cleaners / "holes.safetensors", "pictures", "-o", "clean", "-q") == (1, nothing)
    np.save("p.npy", DIGITS.x_test[:3])
    files_only = "Error: --mask, --reference and --sheet are for picture files, and 'p.npy' is something else.\n"
    assert fails("denoise", cleaners / "noise.safetensors", "p.npy", "-o", "c.npy", "--mask", "pictures") == (1, files_only)
    codes = "Error: The model has no waist, so there are no codes. Fit one that has, as in --bottleneck 32.\n"
    assert fails("encode", cleaners / "noise.safetensors", "digits") == (1, codes)
    new = (
        f"Error: '{cleaners / 'noise.safetensors'}' mends, and makes nothing new. Use it with: hourglass denoise. "
        "One that makes new data comes from: hourglass fit DATA --for generate\n"
    )
    assert fails("generate", cleaners / "noise.safetensors", "-o", "new") == (1, new)
    assert fails("interpolate", cleaners / "noise.safetensors", "digits", "-o", "new") == (1, new)


def test_alarms_of_images_are_drawn_under_their_names():
    hg.write("usual.npy", DIGITS.x_train[:300])
    said = run("fit", "usual.npy", "--for", "flag", "--kind", "image", "--seed", "0", "-q", "-o", "d.safetensors")
    assert said.endswith("Next: hourglass detect d.safetensors NEW -o alarms.parquet --heatmaps marked/\n")
    image_folder()
    for file in Path("pictures").rglob("*.png"):
        with Image.open(file) as image:
            inverted = 255 - np.asarray(image)
        Image.fromarray(inverted).save(file)
    said = run("detect", "d.safetensors", "pictures", "--heatmaps", "out")
    assert said.endswith("Wrote alarms.parquet.\nWrote 3 pictures to out.\n")
    assert files("out") == ["a.png", "b.png", "sub/c.png"]
    with Image.open("out/a.png") as drawn:
        assert min(drawn.size) >= 256
    assert "times the peak of a usual picture" in hg.read("alarms.parquet")["reason1"][0]


# Series


@pytest.fixture
def records():
    """A record to learn from and one with a fault, as CSV with times."""
    rng, time = np.random.default_rng(0), np.arange(6000)
    values = np.sin(time / 10) + 0.1 * rng.normal(size=6000)
    values[5000:5060] += 3
    stamps = pl.Series(time * 60_000_000).cast(pl.Datetime("us"))
    table = pl.DataFrame({"at": stamps, "load": values})
    hg.write("usual.csv", table[:4000])
    hg.write("new.csv", table[4000:])


def test_detect_on_a_record(records):
    said = run("fit", "usual.csv", "--for", "flag", "--kind", "series", "--window", "126", "--seed", "0", "-o", "plant.safetensors")
    assert "Learned from 4,000 samples what is usual (a record at a sample every 60 s, in windows of 126 samples" in said
    said = run("detect", "plant.safetensors", "new.csv", "-o", "alarms.csv", "--picture", "alarms.png")
    assert "of 2,000 samples are part of an event" in said
    found = hg.read("alarms.csv")
    assert found.columns == ["row", "at", "score", "p_value", "alarm", "event", "reason1"]
    assert found.height == 2000
    assert abs(found.filter(pl.col("event") == 1)["row"][0] - 1000) <= 5
    assert Path("alarms.png").stat().st_size > 1000
    assert "Wrote page.html" in run("report", "plant.safetensors", "new.csv", "-o", "page.html")


def test_events_of_a_record_are_a_table(records, fails):
    run("fit", "usual.csv", "--for", "flag", "--kind", "series", "--window", "126", "--seed", "0", "-o", "plant.safetensors")
    said = run("detect", "plant.safetensors", "new.csv", "--events", "events.csv")
    assert said.endswith("Wrote alarms.parquet.\nWrote events.csv.\n")
    found, lines, new = hg.read("events.csv"), hg.read("alarms.parquet"), hg.read("new.csv")
    assert found.columns == [
        *("event", "start", "end", "peak", "start_time", "end_time", "peak_time"),
        *("score", "p_value", "channels", "share", "reason"),
    ]
    same = hg.load("plant.safetensors").events(new)
    assert found.select("start", "end", "peak", "channels", "reason").equals(
        same.select("start", "end", "peak", "channels", "reason")
    )
    for event, start, end, peak, *times in found[:, :7].iter_rows():
        assert times == [new["at"][row] for row in (start, end - 1, peak)]
        assert lines.filter(pl.col("event") == event)["row"].to_list() == list(range(start, end))
    assert (abs(found["start"][0] - 1000) <= 5, abs(found["end"][0] - 1060) <= 5) == (True, True)

    np.save("new.npy", new["load"].to_numpy()[:, None])  # its times are those since its first sample
    run("detect", "plant.safetensors", "new.npy", "--events", "events.parquet")
    assert hg.read("events.parquet")["start_time"].to_list() == [f"{60 * start:,} s" for start in found["start"]]
    run("detect", "plant.safetensors", "new.csv", "--events", "events.tsv", "--key", "load")
    assert hg.read("events.tsv")["load"].to_list() == [new["load"][row] for row in found["start"]]
    assert fails("detect", "plant.safetensors", "new.csv", "-o", "e.csv", "--events", "e.csv") == (
        1,
        "Error: -o and --events both name 'e.csv'. Name another file with one of them.\n",
    )
    np.save("rows.npy", np.random.default_rng(0).normal(size=(60, 20)))
    run("fit", "rows.npy", "--for", "flag", "--kind", "series", "-o", "rows.safetensors")
    said = "Error: --events is for records, and 'rows.safetensors' was fitted on series of 20 samples.\n"
    assert fails("detect", "rows.safetensors", "rows.npy", "--events", "e.csv") == (1, said)


def test_detect_on_rows_of_series():
    rows = np.sin(np.arange(50) / 5) + 0.1 * np.random.default_rng(0).normal(size=(60, 50))
    np.save("rows.npy", rows)
    run("fit", "rows.npy", "--for", "flag", "--kind", "series", "-o", "d.safetensors")
    rows[7, 20:30] += 3
    hg.write("new.csv", rows)
    run("detect", "d.safetensors", "new.csv", "-o", "alarms.csv", "--picture", "p.svg")
    assert hg.read("alarms.csv")["alarm"][7]
    run(
        "fit", "rows.npy", "--for", "clean", "--kind", "series", "--damage", "white:0.2", "--max-epochs", "1", "-o", "c.safetensors"
    )
    assert "Wrote 60 rows to clean.npy." in run("denoise", "c.safetensors", "rows.npy", "-o", "clean.npy")


def test_detect_on_rows_of_series_by_their_identifiers(fails):
    rows = np.sin(np.arange(50) / 5) + 0.1 * np.random.default_rng(0).normal(size=(60, 50))
    beats = pl.DataFrame({"beat": np.repeat([f"b{i}" for i in range(60)], 50), "volt": rows.ravel()})
    hg.write("beats.csv", beats)
    run("fit", "beats.csv", "--for", "flag", "--kind", "series", "--column", "beat=id", "-o", "d.safetensors")
    run("detect", "d.safetensors", "beats.csv", "-o", "alarms.csv")
    assert hg.read("alarms.csv")["beat"].to_list() == [f"b{i}" for i in range(60)]
    hg.write("volts.csv", beats.drop("beat"))
    said = "Error: The table has no column 'beat', which the model was fitted on. It has: volt.\n"
    assert fails("detect", "d.safetensors", "volts.csv") == (1, said)
    np.save("rows.npy", rows)
    run("detect", "d.safetensors", "rows.npy", "-o", "same.csv")
    same = hg.read("same.csv")
    assert same.columns[:2] == ["row", "score"]
    assert same["score"].to_list() == hg.read("alarms.csv")["score"].to_list()


def test_a_record_is_rebuilt_and_decoded(records):
    run("fit", "usual.csv", "--kind", "series", "-b", "4", "--max-epochs", "1", "-o", "m.safetensors")
    run("reconstruct", "m.safetensors", "new.csv", "-o", "rebuilt.csv")
    assert hg.read("rebuilt.csv").columns == ["at", "load"]
    run("encode", "m.safetensors", "new.csv", "-o", "codes.csv")
    codes, stride = hg.read("codes.csv"), hg.load("m.safetensors").kind_.stride
    assert codes.columns == ["start", "time", "code0", "code1", "code2", "code3"]
    assert codes["start"][:3].to_list() == [0, stride, 2 * stride]
    assert codes["start"][-1] + hg.load("m.safetensors").kind_.shape[1] == 2000
    assert str(codes["time"][1])[:19] == str(hg.read("new.csv")["at"][stride])[:19].replace("T", " ")
    run("decode", "m.safetensors", "codes.csv", "--like", "new.csv", "-o", "decoded.csv")
    decoded, rebuilt = hg.read("decoded.csv"), hg.read("rebuilt.csv")
    assert decoded["at"].equals(rebuilt["at"])
    np.testing.assert_allclose(decoded["load"], rebuilt["load"], atol=1e-4)
    with pytest.warns(
        hg.HourglassWarning, match="Codes don't say how long their record was: 40 windows are joined to 2,022 samples"
    ):
        run("decode", "m.safetensors", "codes.csv", "-o", "decoded.csv")
    assert hg.read("decoded.csv").columns == ["time", "load"]


def test_a_record_of_long_windows_is_fitted_to_generate(records):
    said = run("fit", "usual.csv", "--for", "generate", "--kind", "series", "--window", "1500", *QUICK, "-q", "-o", "m.safetensors")
    nats, codes = map(float, re.search(r"A row costs (.+) nats at most, of which (.+) for its codes\.", said).groups())
    bound = hg.load("m.safetensors").elbo(hg.read("usual.csv"), random_state=0)
    assert (nats, codes) == (round(-bound.elbo.mean(), 1), round(bound.kl.mean(), 1))


def test_what_series_refuse(fails, records):
    run("fit", "usual.csv", "--for", "flag", "--kind", "series", "-o", "plant.safetensors")
    hg.write("short.csv", hg.read("usual.csv")[:50])
    assert "has 50 samples, fewer than the" in fails("detect", "plant.safetensors", "short.csv")[1]
    hg.write("other.csv", hg.read("usual.csv").rename({"load": "lod"}))
    said = "The table has no column 'load', which the model was fitted on. Did you rename it to 'lod'?"
    assert said in fails("detect", "plant.safetensors", "other.csv")[1]
    assert "--window and --rate are for series" in fails("fit", "usual.csv", "--kind", "table", "--window", "9")[1]
    run("fit", "digits", "--for", "flag", "-o", "digits.safetensors")
    assert "--picture is for series" in fails("detect", "digits.safetensors", "digits", "--picture", "p.png")[1]


# Generating


def a_table(rows=60):
    sorts = ["a", "b"] * (rows // 2)
    return frame(rows).with_columns(pl.Series("sort", sorts))


def test_generate_draws_what_is_asked_for_by_a_column(fails):
    a_table().write_csv("table.csv")
    said = run("fit", "table.csv", "--for", "generate", "--condition", "sort", "-b", "2", "--max-epochs", "2", "--seed", "0", "-q")
    assert re.search(r"^A row costs -?[\d.]+ nats at most, of which [\d.]+ for its codes\.$", said, re.MULTILINE)
    assert re.search(r"^Samples come from: prior \(.*\)\.$", said, re.MULTILINE)
    assert "Next: hourglass generate model.safetensors -n 64 --condition LEVEL -o samples.csv" in said
    assert (
        run("generate", "model.safetensors", "-n", 7, "--condition", "b", "--seed", 3, "-o", "made.csv")
        == "Wrote 7 new rows to made.csv.\n"
    )
    made = pl.read_csv("made.csv")
    assert made.shape == (7, 3) and made.columns == ["height", "weight", "age"]
    expected = hg.load("model.safetensors").sample(7, condition="b", random_state=3)
    np.testing.assert_allclose(made.to_numpy(), expected.to_numpy(), rtol=1e-6)
    for command in ("encode", "decode", "reconstruct"):
        assert fails(command, "model.safetensors", "table.csv", "-o", "x.csv") == (
            1,
            "Error: 'model.safetensors' was fitted with --condition, which this command has no option for. "
            "Use it with: hourglass generate, interpolate, neighbours or report.\n",
        )


def test_generate_and_interpolate_write_pictures(models):
    model = models / "images.safetensors"
    said = run("interpolate", model, "digits", "--rows", "0,7,9", "--steps", "3", "-o", "way")
    assert said == "Wrote 5 new rows to way, from row 0 to row 7 to row 9.\n"
    expected = hg.load(model).interpolate(DIGITS.x_train[[0, 7, 9]], steps=3)
    np.testing.assert_array_equal(hg.read("way"), expected)
    run("fit", "digits", "--for", "generate", *QUICK, "-q", "-o", "generator.safetensors")
    run("generate", "generator.safetensors", "-n", 3, "--seed", 1, "-o", "samples")
    assert files("samples") == ["00000.png", "00001.png", "00002.png"]
    assert (
        run("generate", "generator.safetensors", "-n", 2, "-o", "samples") == "Wrote 2 new rows to samples.\n"
    )  # a folder that is there


def test_generate_in_vain(models, fails):
    image_folder()
    for arguments, said in (
        (
            ("generate", models / "images.safetensors", "-o", "x"),
            "A model with Plain(n=4) has no distribution of codes to draw from.",
        ),
        (
            ("interpolate", models / "images.safetensors", "digits", "--rows", "0,5000", "-o", "x"),
            "There is no row 5000: the data has",
        ),
        (
            ("interpolate", models / "images.safetensors", "digits", "--rows", "3", "-o", "x"),
            "A way needs two ends or more. Got 1 row.",
        ),
        (
            ("interpolate", models / "images.safetensors", "digits", "--rows", "", "-o", "x"),
            "--rows takes the numbers of two rows or more, such as 0,7. Got ''.",
        ),
        (
            ("interpolate", models / "images.safetensors", "digits", "--path", "round", "-o", "x"),
            "--path must be one of 'straight', 'spherical'. Got 'round' instead.",
        ),
        (
            ("fit", "digits", "--for", "generate", "--condition", "lable"),
            "'digits' has no column 'lable' to ask by. Did you mean 'label'?",
        ),
        (("fit", "digits", "--condition", "label"), "--condition is what samples are asked for by: it goes with --for generate."),
        (
            ("fit", "digits", "--for", "clean", "--condition", "label"),
            "--condition is what samples are asked for by: it goes with --for generate.",
        ),
        (
            ("generate", models / "images.safetensors", "-n", "0", "-o", "x"),
            "The number of samples must be a positive int. Got 0 instead.",
        ),
    ):
        code, words = fails(*arguments)
        assert code == 1 and said in words
    assert not Path("x").exists()


def test_a_way_between_rows_of_a_table_leaves_the_column_that_was_asked_by_aside():
    hg.write("t.csv", frame(60).with_columns(shop=pl.Series(["north", "south"] * 30)))
    run("fit", "t.csv", "--for", "generate", "--condition", "shop", "-b", 2, "--max-epochs", 1, "--seed", 0, "-q")
    said = run("interpolate", "model.safetensors", "t.csv", "--rows", "0, 5", "--steps", 3, "--condition", "north", "-o", "way.csv")
    assert said == "Wrote 3 new rows to way.csv, from row 0 to row 5.\n"
    expected = hg.load("model.safetensors").interpolate(frame(60)[[0, 5]], steps=3, condition="north")
    np.testing.assert_allclose(hg.read("way.csv").to_numpy(), expected.to_numpy())


def test_scores_in_a_csv_have_six_digits_in_the_order_of_the_alarms():
    usual = frame(400)
    det = hg.AnomalyDetector(alarm_rate=0.1, max_epochs=1, random_state=0).fit(usual)
    det.save("d.safetensors")
    hg.write("new.csv", usual)
    run("detect", "d.safetensors", "new.csv", "-o", "a.csv")
    found, exact = hg.read("a.csv"), det.alarms(usual.cast(pl.Float32))
    written = pl.read_csv("a.csv", infer_schema=False)
    assert max(len(score.lstrip("-0.").replace(".", "").partition("e")[0]) for score in written["score"]) <= 6
    np.testing.assert_allclose(found["score"], exact["score"], rtol=5.1e-6)
    assert written["alarm"].to_list() == [str(alarm).lower() for alarm in exact["alarm"]]
    assert found["score"].filter(exact["alarm"]).min() >= found["score"].filter(~exact["alarm"]).max()
    assert ((found["p_value"] <= 0.1) == exact["alarm"]).all()


# Rows of symbols


def test_strings_are_fitted_drawn_and_walked_between():
    Path("lines.txt").write_text("abba\nabab\nbaba\nbab\n" * 10)
    said = run("fit", "lines.txt", "--for", "generate", "-o", "m.safetensors", "--max-epochs", 1, "--seed", 0)
    assert "Fitting a distribution to the codes, for samples to come from ...\nTrained on 40 rows (rows of up to 4" in said
    assert "characters, 2 different ones)" in said
    assert run("generate", "m.safetensors", "-n", 5, "-o", "new.txt", "--seed", 0) == "Wrote 5 new rows to new.txt.\n"
    assert len(Path("new.txt").read_text().splitlines()) == 5
    run("interpolate", "m.safetensors", "lines.txt", "--rows", "0,3", "--steps", 4, "-o", "way.txt")
    assert len(Path("way.txt").read_text().splitlines()) == 4
    assert "of them came back without a fault" in run("reconstruct", "m.safetensors", "lines.txt", "-o", "again.txt")
    assert "4 symbols keep every symbol in" in run("fit", "lines.txt", "-b", 2, "-o", "m.safetensors", "--max-epochs", 1, "-q")


def test_tunes_are_fitted_heard_and_go_on(fails, monkeypatch):
    bars = "CDEF GABc|cBAG FEDC|C2E2 G2c2|c2G2 E2C2|CEGc cGEC|CDEF GABc|"
    tunes = "".join(f"X:{n}\nT:Tune {n}\nM:4/4\nL:1/8\nK:{key}\n{bars}\n" for n, key in enumerate(["C", "D", "Em", "G"] * 3))
    Path("tunes.abc").write_text(tunes)
    said = run("fit", "tunes.abc", "-b", 2, "--bars", 1, "--max-epochs", 1, "-q", "-o", "one.safetensors")
    assert "Trained on 12 rows (melodies of 1 bar)" in said
    run("fit", "tunes.abc", "--for", "generate", "-b", 8, "--max-epochs", 60, "--seed", 1, "-q", "-o", "m.safetensors")
    run("generate", "m.safetensors", "-n", 2, "--seed", 0, "-o", "new")
    assert sorted(path.name for path in Path("new").iterdir()) == ["00000.mid", "00000.wav", "00001.mid", "00001.wav"]
    said = run("interpolate", "m.safetensors", "tunes.abc", "--rows", "0,1", "--steps", 3, "-o", "way.mid")
    assert said.splitlines()[-1] == "Wrote 3 new rows to way.mid, from row 0 to row 1."
    with pytest.warns(hg.HourglassWarning, match="cut where metre or key change"):  # the way leads from one key to another
        assert hg.read("way.mid")[0].bars <= 18
    Path("a.abc").write_text(tunes[: tunes.index("X:1")])
    assert "from a.abc to tunes.abc." in run("interpolate", "m.safetensors", "a.abc", "tunes.abc", "--steps", 2, "-o", "way.wav")
    said = run("continue", "m.safetensors", "tunes.abc", "--row", 3, "--bars", 2, "--seed", 0, "-o", "longer.mid")
    assert said == "Wrote 8 bars to longer.mid, of which 2 are new.\n"
    centres: list[hg.Melody] = []
    untold = hg.Melody([(60, 0, 16), (64, 16, 16), (66, 32, 16), (67, 48, 16), (66, 64, 16)])  # in G, its first bars in C too
    untold.write("untold.mid")
    with monkeypatch.context() as patched:
        patched.setattr("hourglass.cli.generating.load", lambda *_: [untold])
        patched.setattr(hg, "neighbours", lambda _, centre, **__: centres.append(centre) or pl.DataFrame({"neighbour": []}))
        run("neighbours", "m.safetensors", "untold.mid")
    assert [centre.key for centre in centres] == ["G"]
    first, longer = hg.read("tunes.abc")[3], hg.read("longer.mid")[0]
    assert longer.cut(0, 6).notes == first.notes and longer.key == "G"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", hg.HourglassWarning)  # of the few
        run("fit", "tunes.abc", "--for", "flag", "--max-epochs", 1, "-q", "--seed", 0, "-o", "d.safetensors")
    assert " of 36 rows raised an alarm" in run("detect", "d.safetensors", "tunes.abc", "-o", "alarms.csv")
    assert hg.read("alarms.csv").select("tune", "name", "bar").row(4) == (1, "Tune 1", 3)
    said = run("sweep", "tunes.abc", "--bottlenecks", "1,2", "--max-epochs", 1, "--seed", 0, "-q", "-o", "widths.csv")
    assert "whose share of right symbols on held-out rows" in said
    assert hg.read("widths.csv")["codes"].to_list() == [1, 2]
    assert fails("interpolate", "m.safetensors", "a.abc", "tunes.abc") == (
        1,
        "Error: Name a place to write to, with -o: melodies of 2 bars can't be shown here.\n",
    )
    assert fails("fit", "tunes.abc", "--bars", 2, "--kind", "series") == (
        1,
        "Error: --bars is for melodies. Leave it out beside what is for others.\n",
    )


def test_molecules_are_fitted_and_drawn():
    Path("known.smi").write_text("CC(C)=O acetone\nc1ccccc1O phenol\nC1CCCCC1\n" * 5)
    run("fit", "known.smi", "--for", "generate", "-o", "m.safetensors", "--max-epochs", 1, "--seed", 0, "-q")
    run("generate", "m.safetensors", "-n", 3, "-o", "new.smi", "--seed", 0)
    assert len(Path("new.smi").read_text().splitlines()) == 3


def test_a_table_of_molecules_and_what_becomes_of_it(fails):
    Path("known.csv").write_text("smiles,logP\n" + "CC(C)=O,1\nc1ccccc1O,2\nC1CCCCC1,3\nC1CC,4\n" * 3)
    bad = "Error: Row 3, 'C1CC', is no molecule that RDKit can read. Leave it out, as --skip-bad does of a file, or mend it.\n"
    assert fails("fit", "known.csv", "-q") == (1, bad)
    with pytest.warns(hg.HourglassWarning, match="3 of 12 rows of 'known.csv' were left out"):
        said = run("fit", "known.csv", "-b", 2, "-o", "m.safetensors", "--max-epochs", 1, "--seed", 0, "-q", "--skip-bad")
    assert "Taken for kind 'molecule': a column of 9 SMILES is 9 molecules; the other 1 are left out." in said
    hg.load("m.safetensors").fit_sampler(hg.read("known.csv").filter(pl.col("logP") < 4), "mixture").save("m.safetensors")
    for name in ("new.csv", "new.sdf", "new.svg", "new.png"):
        assert run("generate", "m.safetensors", "-n", 3, "-o", name, "--seed", 0) == f"Wrote 3 new rows to {name}.\n"
    assert hg.read("new.csv").columns == ["smiles"]
    assert hg.read("new.sdf").equals(hg.read("new.csv"))
    run("generate", "m.safetensors", "-n", 3, "--temperature", 0.7, "--top-p", 0.9, "--seed", 0, "-o", "new.smi")
    model = hg.load("m.safetensors")
    assert hg.read("new.smi").tolist() == model.sample(3, temperature=0.7, top_p=0.9, random_state=0)
    shown = run("interpolate", "m.safetensors", "CC(C)=O", "Oc1ccccc1", "--steps", 4)
    assert shown.splitlines() == hg.load("m.safetensors").interpolate(["CC(C)=O", "Oc1ccccc1"], steps=4)
    assert run("interpolate", "m.safetensors", "CC(C)=O", "Oc1ccccc1", "--steps", 4, "-o", "way.smi") == (
        "Wrote 4 new rows to way.smi, from CC(C)=O to Oc1ccccc1.\n"
    )
    assert "neighbour" in run("neighbours", "m.safetensors", "CC(C)=O", "--radius", 3, "--seed", 0)
    said = run("neighbours", "m.safetensors", "CC(C)=O", "--radius", 3, "-n", 4, "--seed", 0, "-o", "near.csv")
    assert said == f"Wrote {hg.read('near.csv').height} neighbours of CC(C)=O to near.csv.\n"
    assert hg.read("near.csv").columns == ["neighbour", "distance", "times", "similarity"]
    assert fails("neighbours", "m.safetensors", LONG, "-o", "far.csv") == (
        1,
        "Error: Row 0 has 300 SELFIES symbols, and the model takes 8 at most. Leave it out, or fit a model on rows as long.\n",
    )
    assert fails("interpolate", "m.safetensors", "CC(C)=O", "C1CC") == (1, bad.replace("Row 3", "Row 1"))


def test_rows_of_symbols_stand_beside_their_codes_and_alarms():
    Path("log.txt").write_text("ok: sent\nok: read\nok: done\n" * 60)
    run("fit", "log.txt", "-b", 2, "-o", "m.safetensors", "--max-epochs", 1, "--seed", 0, "-q")
    run("encode", "m.safetensors", "log.txt", "-o", "codes.csv")
    assert hg.read("codes.csv").columns == ["text", "code0", "code1"]
    run("decode", "m.safetensors", "codes.csv", "-o", "again.txt")
    run("fit", "log.txt", "--for", "flag", "-o", "d.safetensors", "--max-epochs", 1, "--seed", 0, "-q")
    Path("new.txt").write_text("ok: sent\n\nno!: sent\n")
    with pytest.warns(hg.HourglassWarning, match="1 of 3 rows"):
        run("detect", "d.safetensors", "new.txt", "--skip-bad", "-o", "alarms.csv")
    assert hg.read("alarms.csv").select("row", "text", "alarm").rows() == [(0, "ok: sent", False), (2, "no!: sent", True)]
    Path("known.csv").write_text("ID,Canonical SMILES\n" + "A1,CC(C)=O\nA2,c1ccccc1O\nA3,C1CCCCC1\n" * 20)
    run("fit", "known.csv", "-b", 2, "-o", "m.safetensors", "--max-epochs", 1, "--seed", 0, "-q")
    run("encode", "m.safetensors", "known.csv", "-o", "codes.csv")
    assert hg.read("codes.csv").columns == ["Canonical SMILES", "code0", "code1"]
    Path("known.smi").write_text("CC(C)=O\nc1ccccc1O\n")
    run("encode", "m.safetensors", "known.smi", "-o", "codes.csv")
    assert hg.read("codes.csv")["smiles"].to_list() == ["CC(C)=O", "c1ccccc1O"]


def test_brackets_are_shown_as_they_are(capsys):
    smiles = ["c1cc[nH]c1", "C[n+]1ccccc1", "F/C=C\\F", "a[/b]c"]
    show(rows_table(pl.DataFrame({"neighbour": smiles, "[bold]": [0.5] * 4})))
    header, *rows = [re.split(r" *[│┃] *", line)[1:-1] for line in capsys.readouterr().out.splitlines() if line[0] in "│┃"]
    assert header == ["neighbour", "[bold]"]
    assert rows == [[each, "0.5"] for each in smiles]


def test_a_folder_of_beats_is_a_file_a_beat():
    beats = np.sin(np.arange(40) / 3) + 0.1 * np.random.default_rng(0).normal(size=(112, 40))
    beats[111, 20:] += 3
    for number, beat in enumerate(beats):
        hg.write(f"{'beats' if number < 110 else 'new'}/{number}.csv", pl.DataFrame({"mV": beat}))
    assert "Learned from 110 rows" in run("fit", "beats", "--for", "flag", "--kind", "series", "-q", "-o", "b.safetensors")
    run("detect", "b.safetensors", "new", "-o", "alarms.csv")
    assert pl.read_csv("alarms.csv")["row", "file", "alarm"].rows() == [(0, "110.csv", False), (1, "111.csv", True)]


def test_strange_lines_are_flagged():
    Path("usual.txt").write_text("abab\ncdcd\nabcd\ncdab\n" * 40)
    run("fit", "usual.txt", "--for", "flag", "-o", "d.safetensors", "--max-epochs", 1, "--seed", 0, "-q")
    assert "of 160 rows raised an alarm" in run("detect", "d.safetensors", "usual.txt", "-o", "alarms.csv")
    assert hg.read("alarms.csv").height == 160


def test_what_is_read_is_never_written_over(models, cleaners, fails):
    frame().write_csv("rows.csv")
    before = Path("rows.csv").read_bytes()
    said = (1, "Error: Can't write 'rows.csv' over what is read. Name another place with -o.\n")
    for command in ("encode", "reconstruct", "detect"):
        assert fails(command, models / "table.safetensors", "rows.csv", "-o", "rows.csv") == said
    for command, model in (("denoise", cleaners / "table.safetensors"), ("interpolate", models / "table.safetensors")):
        assert fails(command, model, "rows.csv", "-o", "rows.csv") == said
    assert fails("continue", models / "table.safetensors", "rows.csv", "-o", "rows.csv") == said
    assert fails("decode", models / "table.safetensors", "codes.npy", "--like", "rows.csv", "-o", "rows.csv") == said
    assert Path("rows.csv").read_bytes() == before
    for output in ("rows.csv", "model.onnx"):
        assert fails("fit", "rows.csv", "-o", output) == (
            1,
            f"Error: Can't write '{output}' by its ending. Known: .safetensors.\n" if output != "rows.csv" else said[1],
        )


def test_pictures_that_are_read_are_never_written_over(models, cleaners, fails):
    image_folder(("00000.png", "a.png", "sub/00000.png", "sub/a.png"))
    hg.AnomalyDetector(random_state=0).fit(DIGITS.x_train[:150]).save("d.safetensors")
    before = {name: Path("pictures", name).read_bytes() for name in files("pictures")}
    model, sub = models / "images.safetensors", "pictures/sub"
    for arguments, place, option in (
        (("denoise", cleaners / "noise.safetensors", "pictures", "-q", "-o", sub), f"{sub}/00000.png", "-o"),
        (("reconstruct", model, "pictures", "-o", sub), f"{sub}/00000.png", "-o"),
        (("reconstruct", model, "pictures/a.png", "-o", "pictures"), "pictures/a.png", "-o"),
        (("reconstruct", model, "pictures", "--skip-bad", "-o", sub), f"{sub}/00000.png", "-o"),
        (("interpolate", model, "pictures", "-o", sub), f"{sub}/00000.png", "-o"),
        (("detect", "d.safetensors", "pictures", "--heatmaps", "pictures"), "pictures/00000.png", "--heatmaps"),
    ):
        said = f"Error: Can't write '{place}' over what is read. Name another place with {option}.\n"
        assert fails(*arguments) == (1, said)
    assert before == {name: Path("pictures", name).read_bytes() for name in files("pictures")}
    run("reconstruct", model, "pictures", "-o", "pictures/new")
    assert len(files("pictures/new")) == 4


def test_a_sheet_is_not_written_over_what_is_mended(cleaners, fails):
    image_folder(("a.png",))
    for output, sheet in (("clean.png", "./clean.png"), ("clean/", "clean/a.png")):
        said = f"Error: '{Path(sheet)}' can't be both a mended picture and the sheet. Name another file with --sheet.\n"
        command = ("denoise", cleaners / "noise.safetensors", "pictures/a.png", "-q", "-o", output, "--sheet", sheet)
        assert fails(*command) == (1, said)
    assert files() == ["pictures/a.png"]


def test_a_table_of_a_folder_is_not_written_over(models, fails):
    hg.write("tables/a.csv", frame())
    Path("tables/notes.md").write_text("")
    said = "Error: Can't write 'tables/a.csv' over what is read. Name another place with -o.\n"
    assert fails("encode", models / "table.safetensors", "tables", "-o", "tables/a.csv") == (1, said)


def test_an_ending_is_refused_before_the_work(models, fails, monkeypatch):
    monkeypatch.setattr("hourglass.cli.files.load_model", lambda path: pytest.fail("the model was loaded first"))
    frame().write_csv("rows.csv")
    code, words = fails("encode", models / "table.safetensors", "rows.csv", "-o", "codes.xlsx")
    assert (code, words) == (1, "Error: Can't write 'codes.xlsx' by its ending. Known: .parquet, .csv, .tsv, .npy.\n")
    code, words = fails("reconstruct", models / "table.safetensors", "rows.csv", "-o", "rows.xlsx")
    assert code == 1
    assert words.startswith("Error: Can't write 'rows.xlsx' by its ending. Known: .csv, ")


def test_what_is_not_written_to_a_folder_or_to_a_file_is_refused_before_the_work(models, cleaners, fails, monkeypatch):
    frame().write_csv("rows.csv")
    hg.write("codes.npy", np.zeros((1, 4)))
    table, pictures = models / "table.safetensors", models / "images.safetensors"
    table_said = "Can't write a table of 3 numeric columns to '{}'. Name a file, such as {}.csv."
    pictures_said = "Can't write 28 x 28 grey images to '{}'. Name a folder, such as {}/."
    many_said = "Can't write 8 x 8 6-channel images to '{}'. Name a file, such as {}.npy."
    many = np.random.default_rng(0).random((20, 8, 8, 6), np.float32)
    hg.VariationalAutoencoder(2, kind="image", max_epochs=1, random_state=0).fit(many).save("many.safetensors")
    for owner in (hg.Autoencoder, hg.DenoisingAutoencoder):
        for work in ("inverse_transform", "reconstruct", "interpolate", "sample", "denoise"):
            monkeypatch.setattr(owner, work, lambda *_, **__: pytest.fail("the work came first"), raising=False)
    for arguments, output, said in (
        (("reconstruct", table, "rows.csv"), "out", table_said.format("out", "out")),
        (("decode", table, "codes.npy"), "out.1/", table_said.format("out.1/", "out.1")),
        (("generate", table), "samples/", table_said.format("samples/", "samples")),
        (("generate", table), "samples.mid", table_said.format("samples.mid", "samples")),
        (("interpolate", table, "rows.csv"), "way", table_said.format("way", "way")),
        (("denoise", cleaners / "table.safetensors", "rows.csv"), "clean/", table_said.format("clean/", "clean")),
        (("reconstruct", pictures, "digits"), "out.png", pictures_said.format("out.png", "out")),
        (("decode", pictures, "codes.npy"), "out.csv", pictures_said.format("out.csv", "out")),
        (("generate", pictures), "out.png", pictures_said.format("out.png", "out")),
        (("generate", "many.safetensors"), "out/", many_said.format("out/", "out")),
        (("generate", "many.safetensors"), "out.png", many_said.format("out.png", "out")),
    ):
        assert fails(*arguments, "-o", output) == (1, f"Error: {said}\n")
    assert files() == ["codes.npy", "many.safetensors", "rows.csv"]


def test_a_folder_may_have_a_dot_in_its_name(models, cleaners):
    image_folder()
    assert run("reconstruct", models / "images.safetensors", "pictures", "-o", "run.1/").startswith("Wrote 3 rows to run.1; ")
    assert run("denoise", cleaners / "noise.safetensors", "pictures", "-o", "clean.v2/", "-q").endswith("to clean.v2.\n")
    assert run("denoise", cleaners / "noise.safetensors", "pictures/a.png", "-o", "one.png/", "-q").endswith("to one.png.\n")
    assert files("run.1") == files("clean.v2") == files("pictures")
    assert files("one.png") == ["a.png"]


def test_pictures_that_are_named_by_numbers_have_masks_of_their_own():
    Path("masks").mkdir()
    for name, source in (("1.2.840.1", "MR_small.dcm"), ("1.2.840.2", "CT_small.dcm")):
        shutil.copy(Path(pydicom.__file__).parent / "data/test_files" / source, Path("masks", name))
    Image.new("L", (8, 8), 30).save("masks/a.png")
    named = of_same_names(Path("masks"), "--mask", alone=False)
    assert [named(name).pixels.shape for name in ("1.2.840.1", "1.2.840.2", "a.jpg")] == [(64, 64), (128, 128), (8, 8)]
    Image.new("L", (8, 8), 40).save("masks/a.bmp")
    named = of_same_names(Path("masks"), "--mask", alone=False)
    assert int(named("a.png").pixels[0, 0]) == 30
    with pytest.raises(hg.FileError, match=r"has 'a.bmp' and 'a.png', and neither is called 'a.jpg'"):
        named("a.jpg")


def test_a_folder_of_sound_is_watched(fails):
    rng = np.random.default_rng(0)
    hum = [np.sin(2 * np.pi * np.arange(n) / 40) + 0.1 * rng.normal(size=n) for n in (6000, 4000, 2000)]
    hum[2][1000:1100] = 0.5
    for name, values in zip(("usual/a", "usual/b", "new"), hum, strict=True):
        hg.write(f"{name}.wav", hg.Record(values.astype(np.float32), 8000))

    said = run("fit", "usual", "--for", "flag", "--seed", 0, "-q", "-o", "hum.safetensors")
    assert "2 records of 10,000 samples together" in said and "Learned from 10,000 samples what is usual" in said
    run("detect", "hum.safetensors", "new.wav", "-q", "-o", "alarms.csv")
    alarms = pl.read_csv("alarms.csv")["alarm"]
    assert alarms[1010:1090].mean() > 0.9 and alarms[:900].mean() < 0.2
    run("detect", "hum.safetensors", "usual", "-q", "-o", "both.csv")
    both = pl.read_csv("both.csv")
    assert both.group_by("file", maintain_order=True).agg(pl.col("row").max()).rows() == [("a.wav", 5999), ("b.wav", 3999)]
    of_b = -hg.load("hum.safetensors").score_samples("usual/b.wav")
    np.testing.assert_allclose(both.filter(pl.col("file") == "b.wav")["score"], of_b, rtol=1e-5)
    run("detect", "hum.safetensors", "usual", "-q", "--alarm-rate", 0.2, "--events", "events.csv")
    events = pl.read_csv("events.csv")
    starts = both.join(events, left_on=["file", "row"], right_on=["file", "start"])
    assert sorted(set(events["file"])) == ["a.wav", "b.wav"] and len(starts) == len(events)
    assert fails("detect", "hum.safetensors", "usual", "--picture", "x.png")[1] == (
        "Error: --picture is of one record, and 'usual' is a folder. Name a file of it.\n"
    )

    said = run("fit", "usual", "--max-epochs", 3, "--seed", 0, "-q", "-o", "codes.safetensors")
    assert "Trained on 10,000 samples" in said
    run("reconstruct", "codes.safetensors", "new.wav", "-o", "again.wav")
    assert hg.read("again.wav").shape == (2000, 1)
