import dataclasses

import pytest
from sklearn.base import clone

import hourglass as hg
from hourglass.parts import Part

PARTS = [
    hg.Plain(3),
    hg.TopK(8, k=2),
    hg.Variational(4, beta=2.0, free_bits=0.1, warmup=0.5, prior=hg.VampPrior(7)),
    hg.StandardNormal(),
    hg.MixturePrior(3),
    hg.VampPrior(5),
    hg.VectorQuantized(16, dim=2, places=3),
    hg.FiniteScalar((3, 4), places=2),
    hg.Matched(hg.Plain(3), weight=2.0),
    hg.Elbo(),
    hg.ImportanceWeighted(7, doubly=True),
    hg.TotalCorrelation(3.0),
    hg.Capacity(nats=5.0),
    hg.Categorical(),
    hg.Gaussian(),
    hg.Gaussian("shared"),
    hg.Bernoulli(),
    hg.Mixed("element"),
    hg.Structural(hg.Bernoulli(), weight=0.2, scales=2),
    hg.Dense(),
    hg.Dense(hidden=(5, 4), activation="tanh"),
    hg.Noise(0.1),
    hg.Mask(0.5),
    hg.Hide(0.4),
    hg.Convolutional(),
    hg.OneShot(embedding=8, widths=(16,), stride=4, hidden=(12,)),
    hg.Recurrent(units=16, word_dropout=0.5),
    hg.Causal(embedding=8, dilations=(1, 3)),
    hg.Convolutional((8, 16), activation="relu", residual=False),
    hg.Poisson(20.0),
    hg.Speckle((0.1, 0.3)),
    hg.SaltAndPepper(0.2),
    hg.Blur(2.0),
    hg.MotionBlur(7.0),
    hg.LowResolution(3.0),
    hg.Jpeg(30.0),
    hg.Fade(0.4),
    hg.Erase((0.1, 0.5)),
    hg.ErasePixels(0.5),
    hg.Scratches(3.0),
    hg.HalfErased("left"),
    hg.BlindSpot(0.05),
    hg.Open(),
    hg.Restorer((16, 32), blocks=1),
    hg.Rewriter(16, dilations=(1,), heads=2),
    hg.Typos((0.0, 0.2)),
    hg.SwapSymbols(0.3),
    hg.Noise((0.1, 0.2)) + hg.Jpeg(50.0),
    hg.BaselineWander(0.4),
    hg.MainsHum((0.1, 0.3), period=6.0),
    hg.DropSpans(0.2),
    hg.Temporal(8, blocks=2, causal=True),
    hg.Series(window=50),
    hg.Melodies(bars=16),
]


def test_every_public_part_is_tried_here():
    public = {
        getattr(hg, name) for name in hg.__all__ if isinstance(getattr(hg, name), type) and issubclass(getattr(hg, name), Part)
    }
    assert public == {type(part) for part in PARTS}


@pytest.mark.parametrize("part", PARTS, ids=repr)
def test_a_part_survives_json_and_clone_and_cannot_be_changed(part):
    assert Part.from_config(part.to_config()) == part
    assert clone(part) is part
    assert eval(repr(part), {name: getattr(hg, name) for name in hg.__all__}) == part
    with pytest.raises(dataclasses.FrozenInstanceError):
        part.n = 5


def test_as_text_a_part_has_short_numbers():
    assert str(hg.Noise((5 / 255, 0.1))) == "Noise(std=(0.0196, 0.1))"
    assert str(hg.Noise(5 / 255) + hg.Blur(1.5)) == "Noise(std=0.0196) + Blur(std=1.5)"


def own(name, module, monkeypatch):
    """A part of a user's."""
    monkeypatch.setattr(Part, "_by_name", dict(Part._by_name))
    return dataclasses.dataclass(frozen=True)(type(name, (hg.Noise,), {"__module__": module, "__qualname__": name}))


def test_a_part_of_your_own_is_not_taken_for_the_one_of_its_name(monkeypatch):
    mine, yours = own("Noise", "mine", monkeypatch), own("Noise", "yours", monkeypatch)
    for part in (mine, yours, hg.Noise):
        assert type(Part.from_config(part(0.3).to_config())) is part
    assert [part(0.3).to_config()["part"] for part in (mine, yours, hg.Noise)] == ["mine.Noise", "yours.Noise", "Noise"]


def test_a_part_of_your_own_is_found_where_it_was_moved_or_is_of_an_older_file(monkeypatch):
    hiss = own("Hiss", "sounds", monkeypatch)
    for name in ("sounds.Hiss", "__main__.Hiss", "Hiss"):
        assert type(Part.from_config({"part": name, "std": 0.3})) is hiss
    own("Hiss", "snakes", monkeypatch)
    assert type(Part.from_config({"part": "sounds.Hiss", "std": 0.3})) is hiss
    with pytest.raises(hg.ModelFileError) as caught:
        Part.from_config({"part": "__main__.Hiss", "std": 0.3})
    assert str(caught.value) == (
        "The file asks for an unknown part, '__main__.Hiss'. Import your module that has it, and load again."
    )


def test_an_unknown_part_in_a_file_is_refused():
    with pytest.raises(hg.ModelFileError) as caught:
        Part.from_config({"part": "Wormhole"})
    assert str(caught.value) == "The file asks for an unknown part, 'Wormhole'. Update Hourglass to read it."
    with pytest.raises(hg.ModelFileError) as caught:
        Part.from_config({"part": "Noise", "std": 0.1, "colour": "pink"})
    assert str(caught.value) == "The file asks for Noise with an unknown 'colour'. Update Hourglass to read it."


@pytest.mark.parametrize(
    "make",
    [
        lambda: hg.Mask("0.3"),
        lambda: hg.Hide("0.3"),
        lambda: hg.Noise("0.3"),
        lambda: hg.Series(rate="250"),
        lambda: hg.Gaussian(None),
        lambda: hg.VectorQuantized(8, dim=2, commitment=None),
        lambda: hg.Structural(hg.Gaussian(), weight="1"),
        lambda: hg.TotalCorrelation(beta="6"),
        lambda: hg.Causal(word_dropout="0.1"),
        lambda: hg.Dense(activation=None),
    ],
)
def test_what_is_no_number_or_name_is_refused_in_a_sentence(make):
    with pytest.raises(hg.ParameterError, match=r"must be|has no choice None"):
        make()
