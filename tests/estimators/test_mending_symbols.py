"""Rows of symbols that are mended."""

import numpy as np
import pytest
import torch

import hourglass as hg
from hourglass.analysis.sequences import edits
from hourglass.data.melody import Note
from hourglass.parts.rewriter import Rewriter

QUICK = {"encoder": hg.Rewriter(16, dilations=(1,), heads=2), "max_epochs": 1, "random_state": 0}
SMILES = ["CCO", "CC(C)=O", "c1ccccc1", "CCN", "CCCC", "CC(=O)O"] * 4


def language(seed=0):
    """60 words of two or three syllables."""
    rng, words = np.random.default_rng(seed), set()
    while len(words) < 60:
        syllables = rng.integers(2, 4)
        words.add(
            "".join(rng.choice([*"bdfgklmnprst"]) + rng.choice([*"aeiou"]) + rng.choice([*"lnrs", ""]) for _ in range(syllables))
        )
    return sorted(words)


def lines(n, seed):
    """Lines of one or two of them."""
    rng, words = np.random.default_rng(seed), language()
    return [" ".join(rng.choice(words, rng.integers(1, 3))) for _ in range(n)]


def damaged(model, rows, part, seed=0):
    """Rows with damage done to them."""
    kind, scaling = model.kind_, model.model_.scaling
    seen = part(scaling(kind.to_tensor(np.array(rows, dtype=object))).float(), torch.Generator().manual_seed(seed))
    return kind.from_tensor(scaling.inverse(seen))


def apart(rows, others):
    """The mean edits from one to the other."""
    return np.mean([edits(row, [other])[0] for row, other in zip(rows, others, strict=True)])


def right(rows, others):
    """The share of rows that are the same."""
    return np.mean([row == other for row, other in zip(rows, others, strict=True)])


CLEAN = lines(200, 2)


@pytest.fixture(scope="module")
def model():
    settings = {"kind": "token", "encoder": hg.Rewriter(64, dilations=(1, 3), heads=2), "max_epochs": 20, "random_state": 0}
    return hg.DenoisingAutoencoder(corruption="typos:0.1", **settings).fit(lines(2000, 1))


@pytest.fixture(scope="module")
def typed(model):
    return damaged(model, CLEAN, hg.Typos(0.1))


def test_typos_are_mended(model, typed):
    mended = model.denoise(typed)
    assert right(CLEAN, typed) == pytest.approx(0.345)
    assert apart(CLEAN, typed) == pytest.approx(1.225)
    assert right(CLEAN, mended) > 0.8
    assert apart(CLEAN, mended) < 0.5
    assert right(CLEAN, model.denoise(CLEAN)) > 0.98  # what is whole stays as it is


def test_rows_may_be_longer_than_those_that_were_learned_from(model):
    longest = max(lines(2000, 1), key=len)
    assert model.kind_.shape[0] == len(longest) + 2
    assert model.denoise([longest[:1] + longest]) == [longest]


def test_damaged_rows_are_less_likely(model, typed):
    assert model.score(CLEAN) > model.score(typed) + 1
    assert model.score_samples(CLEAN).shape == (200,)


def kept(model, rows):
    """Rows mended, and what is said of those that stay as they came."""
    with pytest.warns(hg.HourglassWarning) as told:
        found = model.denoise(rows)
    (said,) = map(str, [each.message for each in told])
    return found, said


def test_rows_that_it_can_not_take_stay_as_they_came(model, typed, sentence):
    mended, long = model.denoise(typed[:2]), "bal" * 20
    found, said = kept(model, ["b0l", typed[0], long, typed[1], f"{typed[1]}\t\U0001f600"])
    assert found == ["b0l", mended[0], long, mended[1], f"{typed[1]}\t\U0001f600"]
    assert said == (
        "3 of 5 rows stay as they came, as the model can't take them: 2 with what it has never seen (the character '\\t', the "
        f"character '0', the character '\U0001f600') and 1 with more than {model.kind_.shape[0]} characters."
    )
    found, said = kept(model, ["b0l"])
    assert found == ["b0l"]
    assert said.startswith("1 of 1 rows stay as they came")
    assert sentence(hg.DataError, model.denoise, [typed[0], "", "b0l"]) == "Row 1 is empty. Leave it out."
    said = "Row 1 has the character '0', which the model has never seen. Leave the row out, or fit a model on data that has it."
    for asked in (model.damage, model.score, model.score_samples):
        assert sentence(hg.DataError, asked, ["bal", "b0l"]) == said


def test_rows_of_every_kind_may_stay_as_they_came(tmp_path):
    listed = hg.DenoisingAutoencoder(**QUICK).fit([[*row] for row in CLEAN])
    assert kept(listed, [["b", "bar"], [*CLEAN[0]]])[0][0] == ["b", "bar"]
    molecules = hg.DenoisingAutoencoder(kind="molecule", **QUICK).fit(SMILES)
    found, said = kept(molecules, ["OCC", "CCS"])
    assert found[1] == "CCS"
    assert "1 with what it has never seen (the SELFIES symbol '[S]')." in said
    low, high = (hg.Melody(tuple(Note(pitch + step, 4 * step, 4) for step in range(8)), "4/4", "C") for pitch in (60, 90))
    found, said = kept(hg.DenoisingAutoencoder(**QUICK).fit([low] * 4), [high, low])
    assert found[0] == high
    assert "1 of 2 rows" in said
    assert "the note F#6 (as if in C major)" in said
    small = hg.OneShot(embedding=4, widths=(8,), hidden=(8,))
    model = hg.DenoisingAutoencoder(2, kind="token", encoder=small, decoder=small, max_epochs=1, random_state=0).fit(CLEAN)
    model.export_onnx(tmp_path / "m.onnx")
    rows = [CLEAN[0], "b0l"]
    assert kept(hg.OnnxModel(tmp_path / "m.onnx"), rows) == kept(model, rows)


def test_a_file_mends_alike(model, typed, tmp_path):
    model.save(tmp_path / "m.safetensors")
    loaded = hg.load(tmp_path / "m.safetensors")
    assert loaded.denoise(typed) == model.denoise(typed)
    assert loaded.kind_ == model.kind_
    np.testing.assert_array_equal(loaded.score_samples(typed), model.score_samples(typed))


def test_a_page_tells_what_is_mended(model, tmp_path):
    page = hg.report(model, CLEAN, tmp_path / "page.html").read_text()
    mended = damaged(model, CLEAN, hg.Typos(0.1))
    before, after = apart(CLEAN, mended), apart(CLEAN, model.denoise(mended))
    assert f"From {before:.2f} to {after:.2f} edits a row: {1 - after / before:.1%} of the damage is mended" in page
    assert f"{right(CLEAN, model.denoise(mended)):.1%}" in page
    assert "200 rows were damaged in the same way" in page
    assert "none: all passes" in page
    assert page.count("<svg") == 3


def test_rows_of_other_kinds():
    words = hg.DenoisingAutoencoder(kind="words", **QUICK).fit(CLEAN)
    assert all(set(row.split()) <= set(language()) for row in words.denoise(CLEAN[:3]))
    listed = hg.DenoisingAutoencoder(**QUICK).fit([[*row] for row in CLEAN])
    assert all(isinstance(row, list) for row in listed.denoise([[*row] for row in CLEAN[:3]]))
    molecules = hg.DenoisingAutoencoder(kind="molecule", **QUICK).fit(SMILES)
    found = molecules.denoise(SMILES[:3])
    assert len(found) == 3
    assert all(isinstance(row, str) for row in found)


def test_wrong_notes_are_put_right():
    def tune(first, wrong=None):
        pitches = [60 + (first + step) % 12 for step in range(16)]
        pitches[5] = pitches[5] if wrong is None else wrong
        return hg.Melody(tuple(Note(pitch, 2 * step, 2) for step, pitch in enumerate(pitches)), "4/4", "C")

    tunes = [tune(first) for first in range(12)]
    network = hg.Rewriter(48, dilations=(1, 3), heads=2)
    model = hg.DenoisingAutoencoder(encoder=network, max_epochs=12, batch_size=16, random_state=0).fit(tunes * 20)
    assert model.model_.corruption == hg.SwapSymbols((0.0, 0.2))
    assert model.kind_.shape[0] == 2 + 32  # bars have their length
    wrong = [tune(first, wrong=60 + (first + 11) % 12) for first in range(12)]
    assert right(tunes, wrong) == 0
    assert right(tunes, model.denoise(wrong)) > 0.8


def test_a_waist_can_be_asked_for():
    model = hg.DenoisingAutoencoder(4, kind="token", max_epochs=1, random_state=0).fit(CLEAN)
    assert model.transform(CLEAN).shape == (200, 4)
    assert len(model.denoise(CLEAN[:3])) == 3


def test_networks_where_there_is_no_waist():
    network = hg.Rewriter(16, dilations=(1,), heads=2)
    settings = {"kind": "token", "corruption": "typos", "max_epochs": 1}
    for model in (
        hg.DenoisingAutoencoder(decoder=network, **settings),
        hg.Autoencoder(hg.Open(), decoder=network, **settings),
    ):
        assert model.fit(CLEAN)._network is network
    assert isinstance(hg.Autoencoder(hg.Open(), **settings).fit(CLEAN[:20])._network, Rewriter)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            lambda: hg.DenoisingAutoencoder(corruption=hg.BlindSpot(), **QUICK).fit(["ab", "ba"]),
            "The 'corruption' parameter of DenoisingAutoencoder can't be BlindSpot(share=0.25) for rows of up to 4 characters, "
            "2 different ones: it is for numbers. Use Typos or SwapSymbols.",
        ),
        (
            lambda: hg.DenoisingAutoencoder(corruption="typos").fit(np.arange(80.0).reshape(20, 4)),
            "The 'corruption' parameter of DenoisingAutoencoder can't be Typos(share=0.1) for a table of 4 numeric columns: "
            "it is for rows of symbols. Use another, or kind='token'.",
        ),
        (
            lambda: hg.DenoisingAutoencoder(encoder="restorer").fit(["ab", "ba"]),
            "The 'encoder' parameter of DenoisingAutoencoder must be a Rewriter where there is no waist. Leave it out, or give a "
            "bottleneck.",
        ),
        (
            lambda: hg.DenoisingAutoencoder(8, decoder="rewriter").fit(["ab", "ba"]),
            "The 'decoder' parameter of DenoisingAutoencoder can't be a Rewriter beside a waist. Leave it out, or the bottleneck.",
        ),
        (
            lambda: hg.Autoencoder(hg.Open()).fit(["ab", "ba"]),
            "The 'corruption' parameter of Autoencoder can't be None without a waist: the model would copy its input. Say what "
            "damage it has to mend, as in corruption='typos:0.1', or give a bottleneck.",
        ),
    ],
)
def test_what_does_not_go_together(call, said):
    with pytest.raises(hg.ParameterError) as caught:
        call()
    assert str(caught.value) == said


def test_what_mending_does_not_take(model, sentence, tmp_path):
    said = "strength and mask are for pictures, and this model is one of rows of symbols. Leave them out."
    assert sentence(hg.ParameterError, model.denoise, CLEAN, strength="auto") == said
    assert sentence(hg.ParameterError, model.denoise, CLEAN, mask=[[True]]) == said
    said = "The model has no waist, so there are no codes. Fit one that has, as in bottleneck=32."
    assert sentence(hg.DataError, model.transform, CLEAN) == said
    said = "A model without a waist can't be exported: there are no codes."
    assert sentence(hg.ModelFileError, model.export_onnx, tmp_path / "m.onnx") == said
