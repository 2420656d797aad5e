"""What is exported gives the library's numbers, for each kind of data and each estimator."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import polars as pl
import pytest

import hourglass as hg
from hourglass.estimators.detection import pictures
from hourglass.export import writing

RNG = np.random.default_rng(0)
FRAME = pl.DataFrame(
    {
        "width": 1000 + RNG.gamma(1.0, size=240),
        "colour": RNG.choice(["red", "green", "blue"], 240),
        "made": np.datetime64("2024-01-01", "ms") + (RNG.integers(0, 400 * 86_400, 240) * 1000).astype("timedelta64[ms]"),
        "number": np.arange(240),
    }
).with_columns(
    pl.col("made").dt.strftime("%Y-%m-%d %H:%M:%S"), width=pl.when(pl.int_range(240) % 11 == 3).then(None).otherwise("width")
)
ARRAY = RNG.normal(size=(240, 5))
DIGITS = hg.datasets.load("digits").x_train[:240]
LEARNED, NEW = slice(0, 200), slice(200, 240)
QUICK = {"max_epochs": 1, "random_state": 0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("exported")


@pytest.fixture(scope="module")
def detector(folder):
    """A detector of a frame with everything in it, and its file."""
    fitted = hg.AnomalyDetector(alarm_rate=0.1, columns={"number": "identifier"}, **QUICK).fit(FRAME[LEARNED])
    fitted.export_onnx(folder / "detector.onnx", FRAME[NEW])
    return fitted


@pytest.fixture(scope="module")
def autoencoder(folder):
    """An autoencoder of digits, and its file."""
    fitted = hg.Autoencoder(4, hidden=(16,), **QUICK).fit(DIGITS[LEARNED])
    fitted.export_onnx(folder / "model.onnx")
    return fitted


BEATS = np.sin(np.arange(24) / 2) + 0.1 * RNG.normal(size=(240, 24))
BEATS[220:, 10:15] += 2
BEATS[210, 5:9] = np.nan
PICTURES = np.round(DIGITS[:, 4:24:2, 4:24:2] / 255, 2).astype(np.float32)
PICTURES[230:, 2:4, 2:4] = 1
WORDS = ["".join(RNG.choice(list("abcd"), size)) for size in RNG.integers(2, 7, 240)]
SMALL = hg.OneShot(embedding=4, widths=(8,), hidden=(8,))
KINDS = {
    "an array, by an estimator": (hg.AnomalyDetector(hg.Autoencoder(3, hidden=(8,), **QUICK), random_state=0), ARRAY),
    "pictures": (hg.AnomalyDetector(random_state=0), PICTURES),
    "series": (hg.AnomalyDetector(kind="series", random_state=0), BEATS),
    "symbols": (hg.VariationalAutoencoder(2, encoder=SMALL, decoder=SMALL, **QUICK), WORDS),
    "an array, mended": (hg.DenoisingAutoencoder(2, hidden=(8,), **QUICK), ARRAY),
}


def alike(found, wanted):
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4 * np.abs(wanted).mean())


def test_codes_reconstructions_and_scores_are_those_of_the_library(autoencoder, folder):
    model = hg.load(folder / "model.onnx")
    assert model.outputs == ("codes", "reconstruction", "score", "decoded")
    alike(model.transform(DIGITS), autoencoder.transform(DIGITS))
    alike(model.score_samples(DIGITS[:1]), autoencoder.score_samples(DIGITS[:1]))
    assert model.reconstruct(DIGITS).dtype == np.uint8
    for found, wanted in (
        (model.reconstruct(DIGITS), autoencoder.reconstruct(DIGITS)),
        (model.inverse_transform(autoencoder.transform(DIGITS)), autoencoder.reconstruct(DIGITS)),
    ):
        assert np.abs(found.astype(int) - wanted).max() <= 1


def test_the_file_alone_is_enough(autoencoder, folder):
    session = onnxruntime.InferenceSession(folder / "model.onnx")
    assert [given.name for given in session.get_inputs()] == ["x"]
    codes, rebuilt, score, _ = session.run(None, {"x": DIGITS})
    alike(codes, autoencoder.transform(DIGITS))
    alike(score, autoencoder.score_samples(DIGITS))
    assert rebuilt.shape == DIGITS.shape
    assert hg.info(folder / "model.onnx")["gives"] == "codes, reconstruction, score, decoded"
    facts = json.loads(session.get_modelmeta().custom_metadata_map["hourglass"])
    assert facts["estimator"] == "Autoencoder"
    assert facts["kind"]["shape"] == [1, 28, 28]
    onnx.checker.check_model(onnx.load(folder / "model.onnx"))


def test_alarms_of_a_table_are_those_of_the_library(detector, folder):
    model = hg.OnnxModel(folder / "detector.onnx")
    fourth = pl.int_range(240) % 4 == 3
    odd = FRAME.with_columns(width=pl.col("width") + 9 * fourth, colour=pl.when(fourth).then(pl.lit("violet")).otherwise("colour"))
    for rows in (FRAME, odd, FRAME[:1], FRAME.to_pandas(), FRAME.select(FRAME.columns[::-1])):
        alike(model.score_samples(rows), detector.score_samples(rows))
        np.testing.assert_array_equal(model.predict(rows), detector.predict(rows))
    alike(model.p_values(odd), detector.p_values(odd))
    assert -1 in model.predict(odd)
    assert 1 in model.predict(odd)


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_gives_the_numbers_of_the_library(name, folder):
    estimator, X = KINDS[name]
    fitted = estimator.fit(X[LEARNED])
    fitted.export_onnx(folder / "kind.onnx", X)
    model = hg.OnnxModel(folder / "kind.onnx")
    alike(model.score_samples(X), fitted.score_samples(X))
    if hasattr(fitted, "predict"):
        sure = np.abs(fitted.decision_function(X)) > 1e-4  # a row that was held out may have the very score of the threshold
        assert sure.sum() >= len(X) - 1
        np.testing.assert_array_equal(model.predict(X)[sure], fitted.predict(X)[sure])
        assert np.abs(model.p_values(X) - fitted.p_values(X)).max() <= 2 * model.session.facts["least_rate"]
        assert -1 in model.predict(X)
    if "codes" in model.outputs:
        encoder = getattr(fitted, "estimator_", fitted)
        alike(model.transform(X), encoder.transform(X))
        assert len(model.inverse_transform(encoder.transform(X))) == len(X)
    if name == "symbols":
        assert model.reconstruct(X) == fitted.reconstruct(X)
    if name == "an array, mended":
        np.testing.assert_array_equal(model.denoise(X), X)
        holed = X.copy()
        holed[3, 1] = np.nan
        found = model.denoise(holed)
        alike(found[3, 1], fitted.denoise(holed)[3, 1])
        np.testing.assert_array_equal(np.delete(found, 3, 0), np.delete(X, 3, 0))
        np.testing.assert_array_equal(np.delete(found[3], 1), np.delete(X[3], 1))


@pytest.mark.parametrize(("pictures", "top"), [(DIGITS, 255), (DIGITS > 127, 1), ((DIGITS * 16.0).astype(np.uint16), 4095)])
def test_pictures_of_any_depth_are_those_of_the_library(folder, pictures, top):
    fitted = hg.Autoencoder(16, max_epochs=20, random_state=0).fit(
        pictures[LEARNED]
    )  # so that pixels at the edge are all but black
    fitted.export_onnx(folder / "depth.onnx", pictures[NEW])
    found = hg.OnnxModel(folder / "depth.onnx")
    assert found.kind_.top == fitted.kind_.top == top
    ours, theirs = fitted.reconstruct(pictures[NEW]), found.reconstruct(pictures[NEW])
    assert ours.dtype == theirs.dtype == pictures.dtype
    np.testing.assert_allclose(theirs.astype(float), ours.astype(float), atol=1)
    assert (ours != theirs).mean() < 1e-3


def test_blocks_that_do_not_divide_the_picture_are_exported(folder, monkeypatch):
    monkeypatch.setattr(pictures, "ELEMENTS", 30)
    X = PICTURES[:, :9]
    fitted = hg.AnomalyDetector(random_state=0).fit(X[LEARNED])
    fitted.export_onnx(folder / "blocks.onnx", X)
    alike(hg.OnnxModel(folder / "blocks.onnx").score_samples(X), fitted.score_samples(X))


def test_another_alarm_rate_is_promised_without_another_export(detector, folder):
    model = hg.OnnxModel(folder / "detector.onnx").set_alarm_rate(0.3)
    wanted = detector.p_values(FRAME[NEW]) <= 0.3
    np.testing.assert_array_equal(model.alarms(FRAME[NEW])["alarm"].to_numpy(), wanted)


def test_detect_takes_the_file_without_torch(detector, folder):
    FRAME[NEW].write_csv(folder / "new.csv")
    paths = [str(folder / name) for name in ("detector.onnx", "new.csv", "alarms.parquet")]
    lines = [
        "import sys",
        "from hourglass.cli import app",
        "app(sys.argv[1:], standalone_mode=False)",
        "print('torch' in sys.modules)",
    ]
    program = [sys.executable, "-c", "\n".join(lines)]
    said = subprocess.run([*program, "detect", *paths[:2], "-o", paths[2]], capture_output=True, text=True, check=True).stdout
    assert said.endswith("False\n")
    found, wanted = pl.read_parquet(folder / "alarms.parquet"), detector.alarms(FRAME[NEW], reasons=0)
    assert found.columns == ["row", "number", "score", "p_value", "alarm"]
    alike(found["score"].to_numpy(), wanted["score"].to_numpy())
    assert found["alarm"].to_list() == wanted["alarm"].to_list()


def test_a_record_is_rebuilt_by_its_graph(folder):
    record = hg.Record(np.sin(np.arange(2000) / 9), rate=10)
    fitted = hg.Autoencoder(4, **QUICK).fit(record)
    fitted.export_onnx(folder / "record.onnx", record)
    model = hg.OnnxModel(folder / "record.onnx")
    alike(model.reconstruct(record).values, fitted.reconstruct(record).values)
    alike(model.score_samples(record), fitted.score_samples(record))


@pytest.mark.parametrize(
    ("name", "ours", "theirs", "off"),
    [
        ("score", [-1.96e-7, -1e3], [-1e-27, -1e3], 0),
        ("score", [-1.96e-7], [-1e-27], 0),
        ("score", [-1e-3], [-2e-3], 1),
        ("score", [-1.5e-5], [-1e-12], 0),
        ("codes", [[1e-7, 2.0], [1e-7, 2.0]], [[2e-7, 2.0], [1e-7, 2.0]], 0),
        ("codes", [[1e-7, 2.0], [1e-7, 2.0]], [[1e-3, 2.0], [1e-7, 2.0]], 1),
        ("reconstruction", [[1e-6, 2.0]], [[2e-6, 2.0]], 0),
        ("reconstruction", [[1e-6, 2.0]], [[1e-2, 2.0]], 1),
        ("reconstruction", [[1e-6, 2.0], [1e-6, 2.0]], [[2e-6, 2.0], [1e-6, 2.0]], 1),
    ],
)
def test_what_single_precision_explains(detector, folder, name, ours, theirs, off):
    model = hg.OnnxModel(folder / "detector.onnx")  # of a table, each column of which has a size of its own
    assert writing._off(name, np.array(ours), np.array(theirs), model).sum() == off


@pytest.mark.parametrize(("theirs", "off"), [(2e-6, 0), (1e-2, 1)])
def test_pixels_that_are_always_black_are_as_exact_as_all_others(autoencoder, folder, theirs, off):
    model = hg.OnnxModel(folder / "model.onnx")
    ours = np.array([[[1e-6, 2.0]], [[1e-6, 2.0]]])
    theirs = np.array([[[theirs, 2.0]], [[1e-6, 2.0]]])
    assert writing._off("reconstruction", ours, theirs, model).sum() == off


# What can't be


def test_the_export_says_what_it_refuses(sentence, folder, autoencoder, monkeypatch):
    told = hg.Autoencoder(2, **QUICK).fit(ARRAY, condition=np.arange(240) % 3)
    assert sentence(hg.ModelFileError, told.export_onnx, folder / "told.onnx") == (
        "A model that was fitted with a condition can't be exported: a graph has no place to be told it."
    )
    record = hg.AnomalyDetector(alarm_rate=0.1, random_state=0).fit(hg.Record(np.sin(np.arange(2500) / 5)))
    assert sentence(hg.ModelFileError, record.export_onnx, folder / "told.onnx") == (
        "A detector of records can't be exported: what it says of a step comes from several windows."
    )
    blind = hg.DenoisingAutoencoder(2, corruption="blindspot", **QUICK).fit(PICTURES)
    assert sentence(hg.ModelFileError, blind.export_onnx, folder / "told.onnx") == (
        "A model that learned from noisy pictures alone can't be exported: it judges the noise of each picture as it mends."
    )
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    assert sentence(hg.MissingExtraError, autoencoder.export_onnx, folder / "told.onnx") == (
        "Exporting takes onnx, onnxscript and onnxruntime. Run: pip install 'hourglass-ae[onnx]'"
    )
    assert not (folder / "told.onnx").exists()


def test_other_numbers_are_not_written(sentence, folder, autoencoder, monkeypatch):
    monkeypatch.setattr(writing, "_translated", lambda graph, raw: onnx.load(folder / "model.onnx"))
    monkeypatch.setattr(hg.Autoencoder, "score_samples", lambda self, X: np.ones(len(X)))
    assert sentence(hg.ModelFileError, autoencoder.export_onnx, folder / "other.onnx") == (
        "onnxruntime gives another score than the library in 50 of 50 numbers, so nothing was written. "
        "Please report it, with what the model was fitted on."
    )
    assert not (folder / "other.onnx").exists()


def test_files_that_are_no_exported_model_are_refused(sentence, folder, autoencoder, monkeypatch):
    assert sentence(hg.ModelFileError, hg.OnnxModel, "none.onnx") == "There is no model file 'none.onnx'."
    monkeypatch.chdir(folder)
    assert sentence(hg.ModelFileError, hg.OnnxModel, "modle.onnx") == (
        "There is no model file 'modle.onnx'. Did you mean 'model.onnx'?"
    )
    Path("text.onnx").write_text("no graph")
    assert sentence(hg.ModelFileError, hg.load, "text.onnx") == (
        "'text.onnx' is no ONNX file, or is damaged: export the model again."
    )
    other = onnx.load("model.onnx")
    del other.metadata_props[:]
    onnx.save(other, "other.onnx")
    assert sentence(hg.ModelFileError, hg.OnnxModel, "other.onnx") == (
        "'other.onnx' is an ONNX file of something else. Make one with: hourglass export model.safetensors"
    )
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert sentence(hg.MissingExtraError, hg.OnnxModel, "model.onnx") == (
        "'model.onnx' is run by onnxruntime. Run: pip install 'hourglass-ae[onnx]'"
    )


def test_what_doesn_t_fit_an_exported_model_is_refused(sentence, folder, autoencoder, detector):
    model, alarm = hg.OnnxModel(folder / "model.onnx"), hg.OnnxModel(folder / "detector.onnx")
    path = str(folder / "model.onnx")
    assert sentence(hg.ModelFileError, model.predict, DIGITS) == (
        f"'{path}' gives no p_value: it was exported from an Autoencoder. It has codes, reconstruction, score, decoded."
    )
    assert sentence(hg.DataError, model.transform, DIGITS / 255) == (
        f"'{path}' takes images of uint8. Got float64: convert them, (255 * X).round().astype('uint8')."
    )
    assert sentence(hg.DataError, model.transform, DIGITS.astype(np.uint16) * 257) == (
        f"'{path}' takes images of uint8. Got uint16: convert them, (X / 257).round().astype('uint8')."
    )
    X = DIGITS / 255
    alike(model.transform((255 * X).round().astype("uint8")), autoencoder.transform(X))
    assert sentence(hg.DataError, model.inverse_transform, np.ones((2, 3))) == (
        "The model has 4 codes, so Z must be of shape (n, 4). Got (2, 3)."
    )
    assert sentence(hg.DataError, model.inverse_transform, np.full((1, 4), "a")) == (
        "Codes are numbers, as transform gives them. Got an array of <U1."
    )
    assert sentence(hg.DataError, model.inverse_transform, np.full((1, 4), np.nan)).startswith(
        "The array of codes holds NaN in row 0"
    )
    for names in ((), ("codes", "decoded")):
        assert sentence(hg.ParameterError, model.run, DIGITS, *names) == "Say which outputs: codes, reconstruction, score."
    assert sentence(hg.ParameterError, alarm.set_alarm_rate, "high").endswith("at most 0.5. Got 'high' instead.")
    assert sentence(hg.DataError, alarm.predict, FRAME.drop("width")).startswith("The table has no column 'width', which the model")
    assert sentence(hg.ParameterError, alarm.set_alarm_rate, 0.7) == (
        "The alarm rate must be a float above 0 and at most 0.5. Got 0.7 instead."
    )


def test_the_command_says_what_it_can_t_do(folder, autoencoder):
    path = str(folder / "model.onnx")
    taken = f"Error: '{path}' is an exported model, which only hourglass detect takes. Give the .safetensors file."
    for arguments, said in (
        (["detect", path, "digits"], f"Error: '{path}' is no detector. Make one with: hourglass fit DATA --for flag"),
        (["export", path, "-o", "model.txt"], "Error: Can't write 'model.txt' by its ending. Known: .onnx."),
        (["encode", path, "digits"], taken),
    ):
        result = subprocess.run([sys.executable, "-m", "hourglass", *arguments], capture_output=True, text=True, check=False)
        assert (result.returncode, result.stderr.strip()) == (1, said)


@pytest.mark.parametrize("kind", ["table", "series"])
def test_a_value_too_large_to_reckon_with_is_an_alarm_too(folder, kind):
    rows = ARRAY.astype("f4") if kind == "table" else BEATS[:160].astype("f4")
    watch = hg.AnomalyDetector(hg.Autoencoder(2, kind=kind, **QUICK), random_state=0).fit(rows)
    watch.export_onnx(folder / "watch.onnx")
    watch.estimator_.export_onnx(folder / "own.onnx")
    strange = rows[:3].copy()
    strange[:, 2] = 1e20, 1e30, -9.96921e36
    watch, own = hg.OnnxModel(folder / "watch.onnx"), hg.OnnxModel(folder / "own.onnx")
    assert watch.predict(strange).tolist() == [-1, -1, -1]
    assert not np.isnan(watch.score_samples(strange)).any()
    assert (own.score_samples(strange) == -np.inf).all()
