"""Strings and lists of symbols: to numbers and back, masks, and what is refused."""

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import hourglass as hg
from hourglass.kinds import KINDS, as_raw, infer, kind_from_config

TOKEN, WORDS = KINDS["token"], KINDS["words"]
LINES = st.lists(st.text(min_size=1, max_size=6), min_size=1, max_size=8)


def learned(raw, kind=TOKEN):
    raw = as_raw(raw)
    return kind.learn(raw), raw


@settings(max_examples=50)
@given(LINES)
def test_strings_come_back_as_what_they_were(lines):
    raw = np.array(lines, dtype=object)
    kind = TOKEN.learn(raw)
    values = kind.to_tensor(raw)
    assert kind.from_tensor(values) == lines
    assert kind_from_config(kind.to_config()) == kind
    scaling = kind.scaling()
    x = scaling(values)
    assert x.shape[1:] == kind.shape
    assert kind.from_tensor(scaling.inverse(x)) == lines


def test_a_row_is_numbers_and_the_networks_see_ones_up_to_the_end():
    kind, raw = learned(["ba", "abb", "b"])
    assert kind.alphabet == ("a", "b")
    values = kind.to_tensor(raw)
    assert values.dtype == torch.uint8
    assert values.tolist() == [[2, 1, 0], [1, 2, 2], [2, 0, 0]]
    x = kind.scaling()(values)
    assert x.dtype == torch.float32
    assert x.tolist() == [
        [[0, 0, 1], [0, 1, 0], [1, 0, 0]],
        [[0, 1, 0], [0, 0, 1], [0, 0, 1]],  # as long as the longest: no end
        [[0, 0, 1], [1, 0, 0], [0, 0, 0]],  # behind the end there is nothing
    ]


def test_large_alphabets_take_wider_numbers():
    kind, raw = learned(["".join(map(chr, range(100, 400)))])
    assert kind.to_tensor(raw).dtype == torch.int16
    assert kind.from_tensor(kind.to_tensor(raw)) == raw.tolist()


def test_words_and_lists_of_symbols():
    kind, raw = learned(["so it is", "it is  so so"], WORDS)
    assert kind.alphabet == ("is", "it", "so")
    assert kind.from_tensor(kind.to_tensor(raw)) == ["so it is", "it is so so"]
    kind, raw = learned([["up", "down"], ["up"]])
    assert kind.from_tensor(kind.to_tensor(raw)) == [["up", "down"], ["up"]]
    assert kind_from_config(kind.to_config()) == kind
    kind, raw = learned([["up", "down"], ["down", "up"]])  # of one length, as a table of two columns would be
    assert kind.from_tensor(kind.to_tensor(raw)) == [["up", "down"], ["down", "up"]]


def test_what_cannot_be_seen_is_called_by_a_word():
    kind = TOKEN.learn(as_raw(["a b\tc"]), timeless=True)
    told = [kind.symbol_name("a b\tc", symbol) for symbol in kind.alphabet]
    assert told == ["a character never seen", "a tab", "a blank", *"abc"]


def test_lists_of_symbols_go_through_files(tmp_path):
    rows = [["do", "re", "mi"], ["re"], ["mi", "do"]]
    kind, raw = learned(rows)
    hg.write(tmp_path / "rows.txt", rows)
    lines = hg.read(tmp_path / "rows.txt")
    assert lines.tolist() == ["do re mi", "re", "mi do"]
    assert kind.to_tensor(lines).tolist() == kind.to_tensor(raw).tolist()
    assert kind.symbols_of(lines) == rows and kind.exceeds("do re mi do") and not kind.exceeds("do re mi")


def test_a_row_may_be_a_list_of_symbols():
    vae = hg.VariationalAutoencoder(2, decoder="one-shot", max_epochs=1, random_state=0).fit([["do", "re", "mi"], ["re"]] * 8)
    found = hg.neighbours(vae, ["do", "re"], radius=2, random_state=0)
    assert found.equals(hg.neighbours(vae, [["do", "re"]], radius=2, random_state=0))
    assert found.equals(hg.neighbours(vae, "do re", radius=2, random_state=0))
    assert len(vae.interpolate(["do", "re"], [["re"]], steps=3)) == 3


@pytest.mark.parametrize("convert", [pl.DataFrame, pl.DataFrame.to_pandas, pl.DataFrame.to_arrow, lambda frame: frame["line"]])
def test_a_column_of_any_library(convert):
    kind, raw = learned(convert(pl.DataFrame({"line": ["ab", "c"]})))
    assert kind.from_tensor(kind.to_tensor(raw)) == ["ab", "c"]


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (["one", "two words"], ("token", "a list of 2 strings is 2 rows of characters")),
        (np.array(["one", "two"]), ("token", "a list of 2 strings is 2 rows of characters")),
        ([["a", "b"], ["a"]], ("token", "a list of 2 lists of strings is 2 rows of symbols")),
        ([["a", "b"], ["a", "c"]], ("table", "an array of shape (2, 2) has rows and columns")),
        (["CCO", "c1ccccc1", "C[C@@H](N)C(=O)O"] * 20, ("token", "a list of 60 strings is 60 rows of characters")),
        (["OCC(=O)N", "c1ccccc1"], ("molecule", "a list of 2 SMILES is 2 molecules")),
    ],
)
def test_infer_says_which_and_why(raw, kind):
    assert infer(raw) == kind


def test_strings_that_are_paths_stay_paths(tmp_path, sentence):
    hg.write(tmp_path / "pictures", np.zeros((2, 4, 4), np.uint8))
    assert infer([str(path) for path in sorted((tmp_path / "pictures").iterdir())]).kind == "image"
    assert "There is no file or folder 'none.png'" in sentence(hg.FileError, infer, ["none.png", "nothing.png"])


def test_of_a_kind_of_symbols_no_string_is_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "it").write_text("")
    assert as_raw(["it", "it"], kind="token").tolist() == ["it", "it"]


def test_a_single_row_is_no_path(sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = "Data is a list of rows or a path, and there is no file 'C/C=C/C'. For a single row, give ['C/C=C/C']."
    assert sentence(hg.DataError, as_raw, "C/C=C/C", kind="molecule") == said
    assert "there is no file 'ababab" in sentence(hg.DataError, as_raw, "ab" * 5000, kind="token")
    assert "for a single row" not in sentence(hg.FileError, as_raw, "lost.txt", kind="token").lower()
    (tmp_path / "ab.txt").write_text("ab\nba\n")
    assert as_raw("ab.txt", kind="token").tolist() == ["ab", "ba"]


BAD = {
    "an empty line": (["ab", "", "c"], "Row 1 is empty. Leave it out."),
    "no string": (["ab", None], "Row 1 is None, no string. Leave it out, or write what it stands for."),
    "too long": (
        ["ab", "abcabc"],
        "Row 1 has 6 characters, and the model takes 3 at most. Leave it out, or fit a model on rows as long.",
    ),
    "a strange symbol": (
        ["ab", "axb"],
        "Row 1 has the character 'x', which the model has never seen. Leave the row out, or fit a model on data that has it.",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_rows_are_named(name, sentence):
    rows, said = BAD[name]
    kind, _ = learned(["abc", "cb"])
    raw = np.array(rows, dtype=object)
    assert sentence(hg.DataError, kind.to_tensor, raw) == said
    assert sentence(hg.DataError, kind.to_tensor, raw, 1000) == said.replace("Row 1", "Row 1001")


def test_symbols_of_lists_are_no_characters(sentence):
    kind, _ = learned([["up", "down"], ["up"]])
    assert kind.describe() == "rows of up to 2 symbols, 2 different ones"
    assert kind.symbol_name(["left"], "") == "a symbol never seen"
    assert sentence(hg.DataError, kind.to_tensor, as_raw([["left"], ["up", "up"]], kind="token")) == (
        "Row 0 has the symbol 'left', which the model has never seen. Leave the row out, or fit a model on data that has it."
    )
    assert sentence(hg.DataError, kind.to_tensor, as_raw([["up"] * 3], kind="token")) == (
        "Row 0 has 3 symbols, and the model takes 2 at most. Leave it out, or fit a model on rows as long."
    )


def test_what_can_be_no_rows_of_symbols(sentence):
    assert sentence(hg.DataError, TOKEN.learn, np.zeros((3, 2))) == (
        "Rows of symbols are a list of strings, a list of lists of strings, or a column of strings. "
        "Got an array of float64 of shape (3, 2)."
    )
    said = "Row 1 is nan, no string. Leave it out, or write what it stands for."
    assert sentence(hg.DataError, hg.infer, ["ab", np.nan, "ba"]) == said  # not that a table would have two dimensions
    said = "Row 1 has an empty string among its symbols. Leave it out, or write what it stands for."
    assert sentence(hg.DataError, TOKEN.learn, as_raw([["a", "b"], ["", "b", "c"]])) == said  # it stands for others in an alphabet
    kind, _ = learned(["abc", "cb"])
    assert sentence(hg.DataError, kind.check, np.zeros(3)).endswith("Got an array of float64 of shape (3,).")
    kind.check(np.zeros(0))  # that there is nothing is said otherwise
    assert sentence(hg.DataError, TOKEN.learn, pl.DataFrame({"a": ["x"], "b": ["y"]})) == (
        "Which column has the rows of symbols? The table has a, b. Pass that column alone."
    )
