"""Model files and checkpoints."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.torch import load_file, save_file
from sklearn.datasets import load_wine
from torch import nn

import hourglass as hg
from hourglass import storage
from hourglass.estimators.fitted import Fitted

X = load_wine().data


@pytest.fixture(scope="module")
def fitted():
    return hg.Autoencoder(3, max_epochs=3, random_state=0).fit(X)


@pytest.fixture
def path(tmp_path, fitted):
    fitted.save(tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def refused(path):
    with pytest.raises(hg.ModelFileError) as caught:
        hg.load(path)
    return str(caught.value)


@pytest.mark.parametrize("images", [False, True])
def test_a_saved_model_gives_the_same_numbers(tmp_path, images):
    data = np.random.default_rng(0).integers(0, 256, (30, 5, 6), np.uint8) if images else X
    model = hg.Autoencoder(hg.TopK(6, 2), likelihood=hg.Gaussian("element"), max_epochs=2, random_state=0).fit(data)
    model.save(tmp_path / "m.safetensors")
    again = hg.load(tmp_path / "m.safetensors")
    for method in ("transform", "reconstruct", "score_samples", "feature_errors"):
        np.testing.assert_array_equal(getattr(again, method)(data), getattr(model, method)(data))
    assert again.history_ == model.history_
    assert repr(again) == repr(model)


def test_a_damaged_byte_a_cut_and_another_file(path, tmp_path):
    whole = path.read_bytes()
    path.write_bytes(whole[:-40] + b"\x01" + whole[-39:])
    damaged = f"'{path}' is damaged or was cut short: copy or make it again."
    assert refused(path) == damaged
    path.write_bytes(whole[:-100])
    assert refused(path) == damaged
    save_file({"a": torch.zeros(2)}, tmp_path / "other.safetensors")
    other = tmp_path / "other.safetensors"
    assert refused(other) == f"'{other}' is no Hourglass model: it is a safetensors file of something else."
    assert refused(tmp_path / "none.safetensors") == f"There is no model file '{tmp_path / 'none.safetensors'}'."
    for nothing in (None, b""):
        assert refused(nothing) == f"A model is read from a path, as text or a pathlib.Path. Got {nothing!r} instead."


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"random_state", b"random_stote"),
        (b'\\"learning_rate\\": null', b'\\"learning_rate\\":  0.1'),
        (b'\\"format\\": 1', b'\\"format\\": x'),
        (b'\\"format\\": 1', b'\\"format\\": 9'),
        (b'\\"format\\": 1', b'\\"formal\\": 1'),
    ],
)
def test_a_damaged_header(path, before, after):
    whole = path.read_bytes()
    assert whole.count(before) == 1 and len(before) == len(after)
    path.write_bytes(whole.replace(before, after))
    assert refused(path) == f"'{path}' is damaged or was cut short: copy or make it again."
    with pytest.raises(hg.ModelFileError, match="is damaged or was cut short"):
        hg.info(path)


GONE = object()


def rewritten(path, tensors=None, **changes):
    old, header = storage.read(path)
    tensors = tensors or old
    facts = {**header, "checksum": storage._checksum(tensors), **changes}
    facts = {name: value for name, value in facts.items() if value is not GONE}
    save_file(tensors, path, metadata={storage.KEY: json.dumps(facts | {"digest": storage._digest(facts)})})


def test_a_newer_version(path):
    rewritten(path, format=99, version="9.9")
    assert refused(path).startswith(f"'{path}' was written by Hourglass 9.9, which is newer than this ")


def test_a_kind_of_data_of_a_later_version(path, fitted, sentence):
    rewritten(path, kind=fitted.kind_.to_config() | {"kind": "video"})
    words = "The file holds an unknown kind of data, 'video'. Update Hourglass to read it."
    assert refused(path) == words
    assert sentence(hg.ModelFileError, hg.info, path) == words


def test_the_loss_is_that_of_the_weights_that_were_kept(path):
    first = {"epoch": 1, "seconds": 0.5, "train": 3.0, "validation": 2.0}
    history = [first, first | {"epoch": 2, "train": 1.0, "validation": 2.5}]
    for best, words in (
        (1, "3, held out 2 nats an example, in epoch 1, whose weights were kept"),
        (0, "held out 2.75 nats an example, at the start, whose weights were kept"),
        (None, "1, held out 2.5 nats an example, in the last epoch"),
    ):
        rewritten(path, history=history, best_epoch=best, start_loss=2.75)
        assert hg.info(path)["loss"] == words


def test_a_header_without_a_digest_is_damaged(path):
    tensors, header = storage.read(path)
    save_file(tensors, path, metadata={storage.KEY: json.dumps(header)})
    assert refused(path) == f"'{path}' is damaged or was cut short: copy or make it again."


def test_a_header_that_says_too_little(path, fitted):
    rewritten(path)
    np.testing.assert_array_equal(hg.load(path).transform(X), fitted.transform(X))
    rewritten(path, frozen=GONE)
    assert refused(path) == f"'{path}' doesn't say 'frozen', which a model file has to: save the model again."


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"parameters": 7}, "AttributeError: 'int' object has no attribute 'keys'"),
        ({"kind": {}}, "KeyError: 'kind'"),
        ({"history": None, "frozen": 3}, "TypeError: 'int' object is not iterable"),
    ],
)
def test_a_header_that_makes_no_sense(path, changes, what):
    rewritten(path, **changes)
    assert refused(path) == f"'{path}' can't be made a model again: {what}. Save it again if it was changed by hand."


def test_what_goes_wrong_in_a_network_of_your_own_is_not_taken_for_a_gap_in_the_file(tmp_path):
    path = tmp_path / "own.safetensors"
    hg.Autoencoder(2, encoder=lambda shape, codes: nn.Linear(*shape, codes), max_epochs=1).fit(X).save(path)
    with pytest.raises(hg.ModelFileError) as caught:
        hg.load(path, encoder=lambda shape, codes: {}["width"])
    assert str(caught.value) == f"'{path}' can't be made a model again: KeyError: 'width'. Save it again if it was changed by hand."


def test_an_estimator_of_your_own_is_known_by_its_module(tmp_path, monkeypatch):
    monkeypatch.setattr(Fitted, "by_name", dict(Fitted.by_name))

    class Autoencoder(hg.Autoencoder):
        pass

    path = tmp_path / "own.safetensors"
    Autoencoder(2, max_epochs=1).fit(X).save(path)
    name = f"{__name__}.{Autoencoder.__qualname__}"
    assert storage.read_header(path)["estimator"] == name
    assert type(hg.load(path)) is Autoencoder
    hg.Autoencoder(2, max_epochs=1).fit(X).save(path)
    assert type(hg.load(path)) is hg.Autoencoder
    rewritten(path, estimator="elsewhere.Mine")
    words = "The file holds an unknown estimator, 'elsewhere.Mine'. Import your module that has it, and load again."
    assert refused(path) == words


def test_a_parameter_of_a_later_version(path):
    _, header = storage.read(path)
    rewritten(path, parameters={**header["parameters"], "dreams": True})
    assert refused(path) == f"'{path}' holds an unknown parameter of Autoencoder, 'dreams'. Update Hourglass to read it."


def test_tensors_that_do_not_fit(path):
    tensors = load_file(path)
    tensors["scaling.first.mean"] = torch.zeros(4, dtype=torch.float64)
    rewritten(path, tensors)
    sentence = "doesn't fit its own configuration: tensor 'scaling.first.mean' is (4,) in the file, (13,) in the model."
    assert refused(path) == f"'{path}' {sentence}"


def test_an_own_module_is_asked_for_and_taken(tmp_path):
    path = tmp_path / "own.safetensors"
    model = hg.Autoencoder(2, encoder=nn.Linear(13, 2), max_epochs=2, random_state=0).fit(X)
    model.save(path)
    sentence = "is a network of your own, torch.nn.modules.linear.Linear: pass it, as in hourglass.load(path, encoder=...)."
    assert refused(path) == f"The encoder of '{path}' {sentence}"
    again = hg.load(path, encoder=nn.Linear(13, 2))
    np.testing.assert_array_equal(again.transform(X), model.transform(X))


RUN = """
import os, signal, sys
from sklearn.datasets import load_wine
import hourglass as hg
def kill(model, epoch):
    if epoch.epoch == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
model = hg.Autoencoder(3, max_epochs=7, corruption=hg.Noise(0.1), random_state=0, checkpoint=sys.argv[1], callbacks=(kill,))
model.fit(load_wine().data).save(sys.argv[1] + ".model.safetensors")
"""


@pytest.mark.parametrize("at", [1, 4])
def test_a_run_killed_and_resumed_equals_the_uninterrupted_one_bit_for_bit(tmp_path, at):
    checkpoint = tmp_path / "run.safetensors"
    killed = subprocess.run([sys.executable, "-c", RUN, checkpoint, str(at)], check=False, env=os.environ)
    assert killed.returncode == -signal.SIGKILL
    assert len(storage.read_header(checkpoint)["history"]) == at
    settings = {"max_epochs": 7, "corruption": hg.Noise(0.1), "random_state": 0}
    resumed = hg.Autoencoder(3, **settings, checkpoint=checkpoint).fit(X)
    whole = hg.Autoencoder(3, **settings).fit(X)
    for name, tensor in whole.model_.state_dict().items():
        assert torch.equal(tensor, resumed.model_.state_dict()[name]), name
    assert [epoch["validation"] for epoch in resumed.history_] == [epoch["validation"] for epoch in whole.history_]
    assert not checkpoint.exists()


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    checkpoint = tmp_path / "run.safetensors"

    def stop(model, epoch):
        raise KeyboardInterrupt

    with pytest.warns(hg.HourglassWarning, match="stopped by hand"):
        hg.Autoencoder(3, max_epochs=7, checkpoint=checkpoint, callbacks=(stop,)).fit(X)
    with pytest.raises(hg.CheckpointError) as caught:
        hg.Autoencoder(4, max_epochs=7, checkpoint=checkpoint).fit(X)
    sentence = "belongs to a run with other parameters (bottleneck): delete it to begin anew, or choose another path."
    assert str(caught.value) == f"The checkpoint '{checkpoint}' {sentence}"
    with pytest.raises(hg.ModelFileError, match="is the checkpoint of an unfinished run"):
        hg.info(checkpoint)


def test_a_finished_model_is_no_checkpoint(path):
    before = path.read_bytes()
    with pytest.raises(hg.CheckpointError) as caught:
        hg.Autoencoder(3, max_epochs=3, random_state=0, checkpoint=path).fit(X)
    assert str(caught.value) == f"'{path}' is a finished model, not a checkpoint: choose another path."
    assert path.read_bytes() == before


def test_columns_that_are_called_as_parts_are(tmp_path):
    table = pl.DataFrame({"part": [f"{i:03d}" for i in range(60)], "yours": np.arange(60.0), "width": np.arange(60.0) ** 2})
    ae = hg.Autoencoder(1, columns={"part": "identifier", "yours": "numeric"}, max_epochs=1, random_state=0).fit(table)
    ae.save(tmp_path / "m.safetensors")
    loaded = hg.load(tmp_path / "m.safetensors")
    assert loaded.columns == {"part": "identifier", "yours": "numeric"}
    np.testing.assert_array_equal(loaded.transform(table), ae.transform(table))


def test_what_is_not_trained_is_not_trained_after_loading_either(tmp_path):
    x = np.random.default_rng(0).random((64, 8, 8)).astype(np.float32)
    network = hg.Convolutional(widths=(4,))
    ae = hg.Autoencoder(2, encoder=network, decoder=network, max_epochs=1, random_state=0).fit(x)
    frozen = [name for name, parameter in ae.model_.named_parameters() if not parameter.requires_grad]
    assert frozen
    ae.save(tmp_path / "m.safetensors")
    loaded = hg.load(tmp_path / "m.safetensors")
    assert [name for name, parameter in loaded.model_.named_parameters() if not parameter.requires_grad] == frozen
    loaded.partial_fit(x)
    for name in frozen:
        torch.testing.assert_close(loaded.model_.get_parameter(name), ae.model_.get_parameter(name), rtol=0, atol=0)


def test_a_detector_of_symbols_has_the_estimator_that_was_asked_for(tmp_path):
    lines = ["abba", "abab", "baba", "bab"] * 40
    for estimator in (None, hg.Autoencoder(2, max_epochs=1)):
        det = hg.AnomalyDetector(estimator, max_epochs=1, random_state=0).fit(lines)
        det.save(tmp_path / "m.safetensors")
        loaded = hg.load(tmp_path / "m.safetensors")
        assert (loaded.estimator is None) is (estimator is None)
        np.testing.assert_array_equal(loaded.score_samples(lines[:4]), det.score_samples(lines[:4]))


@pytest.mark.parametrize(
    ("bottleneck", "settings"),
    [
        (np.int64(2), {"hidden": (np.int64(8), 4)}),
        (hg.Plain(np.int64(2)), {"corruption": hg.Noise((np.float32(0.1), np.float32(0.5)))}),
        (2, {"learning_rate": np.float32(0.001), "encoder": hg.Dense((np.int64(8),)), "random_state": np.int64(3)}),
    ],
)
def test_numbers_of_numpy_are_parameters(tmp_path, bottleneck, settings):
    path, run = tmp_path / "m.safetensors", tmp_path / "run.safetensors"
    model = hg.Autoencoder(bottleneck, max_epochs=2, checkpoint=run, callbacks=(interrupt,), **settings)
    with pytest.warns(hg.HourglassWarning, match="stopped by hand"):
        model.fit(X)
    model.set_params(callbacks=()).fit(X).save(path)
    assert len(model.history_) == 2 and not run.exists()
    again = hg.load(path)
    np.testing.assert_array_equal(again.transform(X), model.transform(X))
    assert again.get_params(deep=False)["bottleneck"] == bottleneck


def test_what_was_set_anew_about_training_is_in_the_file_and_what_the_model_is_made_of_stays(tmp_path):
    model = hg.Autoencoder(2, max_epochs=1, random_state=0).fit(X)
    model.set_params(learning_rate=1e-4, batch_size=7, bottleneck=3).save(tmp_path / "m.safetensors")
    again = hg.load(tmp_path / "m.safetensors")
    assert (again.learning_rate, again.batch_size, again.bottleneck) == (1e-4, 7, 2)
    model.set_params(bottleneck=2).partial_fit(X)
    assert again.partial_fit(X).history_[-1]["learning_rate"] == model.history_[-1]["learning_rate"] == 1e-4


def interrupt(model, epoch):
    raise KeyboardInterrupt


def test_a_run_with_another_condition_is_not_gone_on_with(tmp_path, sentence):
    run = tmp_path / "run.safetensors"
    known = np.arange(len(X)) % 2
    model = hg.Autoencoder(2, max_epochs=2, checkpoint=run, callbacks=(interrupt,), random_state=0)
    with pytest.warns(hg.HourglassWarning, match="stopped by hand"):
        model.fit(X, condition=known)
    for other in (1 - known, None):
        assert sentence(hg.CheckpointError, lambda other=other: model.fit(X, condition=other)) == (
            f"The checkpoint {str(run)!r} belongs to a run with other condition: delete it to begin anew, or choose another path."
        )
