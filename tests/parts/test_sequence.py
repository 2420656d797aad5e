"""Networks of rows of symbols."""

import pytest
import torch

import hourglass as hg
from hourglass.optimizers import muon
from hourglass.parts import sequence
from hourglass.parts.sequence import sharpened

SHAPE = (7, 4)  # positions, symbols


def generator():
    return torch.Generator().manual_seed(0)


def rows(count=5, ends=True):
    """Ones among zeros; behind the end, symbol 0, there are zeros."""
    numbers = torch.randint(0 if ends else 1, SHAPE[1], (count, SHAPE[0]), generator=generator())
    end = numbers == 0
    return torch.nn.functional.one_hot(numbers, SHAPE[1]).float() * (end.cumsum(1) - end.int() == 0)[..., None]


NETS = (
    hg.OneShot(embedding=8, widths=(16, 12), hidden=(10,)),
    hg.Recurrent(embedding=8, units=6),
    hg.Causal(embedding=8, dilations=(1, 2)),
)
WRITERS = (
    hg.Recurrent(embedding=8, hidden=(10,), units=6, word_dropout=0.5),
    hg.Causal(embedding=8, hidden=(10,), dilations=(1, 2), word_dropout=0.5),
)


@pytest.mark.parametrize("net", NETS)
def test_shapes_go_in_and_come_out(net):
    code = net.encoder(SHAPE, 3, generator())(rows())
    assert code.shape == (5, 3)
    decoder = net.decoder(SHAPE, 3, generator())
    assert torch.equal(decoder(code), torch.zeros(5, *SHAPE))  # before training all symbols are as likely
    assert torch.equal(net.encoder(SHAPE, 3, generator())(rows()), code)  # drawn from our generator alone


def test_rows_so_long_that_memory_runs_short_are_warned_of(monkeypatch):
    monkeypatch.setattr(sequence, "LARGE", 7 * 8 * 10 - 1)
    with pytest.warns(hg.HourglassWarning) as told:
        NETS[0].decoder(SHAPE, 3, generator())
    assert str(told[0].message) == (
        "For rows of 7 symbols the decoder takes 560 weights, which are 0.0 GB of memory and in training several times that. "
        "Cut rows that are longer than most, or leave them out."
    )


@pytest.mark.parametrize("net", WRITERS)
def test_a_brief_writer_stops_behind_the_last_end(net):
    decoder = net.decoder(SHAPE, 3, generator()).eval()
    torch.nn.init.normal_(decoder.write.logits, generator=generator())
    code = torch.randn(3, 3, generator=generator())
    with torch.no_grad():
        decoder.write.bias[0] += 1
        whole, brief = decoder(code), decoder(code, brief=True)
    ends = whole.argmax(-1) == 0
    last = int(ends.int().argmax(1).max()) + 1
    assert ends.any(1).all()
    assert last < SHAPE[0]
    assert torch.equal(brief[:, :last], whole[:, :last])
    assert not brief[:, last:].any()


def test_what_is_behind_the_end_is_not_seen():
    encoder = hg.OneShot(embedding=8).encoder(SHAPE, 3, generator())
    x = rows(1, ends=False)
    x[:, 4:] = 0
    assert torch.equal(encoder[0](x)[:, 4:], torch.zeros(1, 3, 8))


@pytest.mark.parametrize("net", NETS)
def test_rows_cut_behind_the_end_of_the_longest_have_the_same_codes_and_logits(net):
    x = rows(ends=False)
    x[:, 5:] = 0
    z = net.encoder(SHAPE, 3, generator())(x)
    torch.testing.assert_close(net.encoder(SHAPE, 3, generator())(x[:, :5]), z)
    if net in NETS[1:]:
        decoder = writer(net)
        torch.testing.assert_close(decoder(z, x[:, :5]), decoder(z, x)[:, :5])


@pytest.fixture(params=WRITERS, ids=lambda net: type(net).__name__)
def decoder(request):
    return writer(request.param)


def writer(net=WRITERS[0]):
    decoder = net.decoder(SHAPE, 3, generator()).eval()
    with torch.no_grad():
        decoder.write.logits.normal_(generator=generator())
    return decoder


def test_a_writer_that_reads_what_it_wrote_says_the_same_as_one_that_is_shown_it(decoder):
    z = torch.randn(5, 3, generator=generator())
    free = decoder(z)
    shown = decoder(z, torch.nn.functional.one_hot(free.argmax(-1), SHAPE[1]).float())
    torch.testing.assert_close(free, shown)


def test_a_position_sees_no_symbol_but_those_before(decoder):
    z, x = torch.randn(5, 3, generator=generator()), rows(ends=False)
    changed = x.clone()
    changed[:, 4:] = x[:, 4:].roll(1, -1)
    before, after = decoder(z, x), decoder(z, changed)
    assert torch.equal(before[:, :5], after[:, :5])
    assert not torch.equal(before[:, 5], after[:, 5])


def test_words_are_dropped_in_training_alone(decoder):
    z, x = torch.randn(5, 3, generator=generator()), rows(ends=False)
    assert torch.equal(decoder(z, x), decoder(z, x))
    decoder.train()
    assert not torch.equal(decoder(z, x), decoder(z, x))


def test_drawn_symbols_have_the_probabilities_that_the_logits_say(decoder):
    z = torch.zeros(20_000, 3)
    drawn = decoder(z, generator=generator()).softmax(-1)
    assert ((drawn > 0.999).sum(-1) == 1).all()  # no doubt is left
    torch.testing.assert_close(drawn[:, 0].mean(0), decoder(z[:1])[0, 0].softmax(-1), atol=0.02, rtol=0)


def test_a_temperature_and_the_likeliest_symbols_alone():
    probabilities = torch.tensor([0.1, 0.6, 0.3])
    torch.testing.assert_close(sharpened(probabilities.log(), 0.5).softmax(-1), torch.tensor([0.01, 0.36, 0.09]) / 0.46)
    for top_p, kept in ((0.5, [0, 1, 0]), (0.61, [0, 0.6, 0.3]), (0.95, [0.1, 0.6, 0.3])):
        wanted = torch.tensor(kept) / sum(kept)
        torch.testing.assert_close(sharpened(probabilities.log(), top_p=top_p).softmax(-1), wanted)
    decoder, z = writer(), torch.randn(50, 3, generator=generator())
    assert torch.equal(decoder(z, generator=generator(), top_p=1e-6).argmax(-1), decoder(z).argmax(-1))


def test_muon_moves_the_maps_between_features_and_adam_the_rest():
    model = torch.nn.ModuleDict({"encoder": hg.OneShot().encoder(SHAPE, 3, generator()), "decoder": writer()})
    by_muon = {id(parameter) for parameter in muon(model)[0].parameters}
    names = {name for name, parameter in model.named_parameters() if id(parameter) in by_muon}
    assert "decoder.reader.recurrent.weight_hh_l0" in names
    assert not {name for name in names if "embedding" in name or "logits" in name}
    assert {name for name, parameter in model.named_parameters() if parameter.ndim == 2} - names == {
        "encoder.0.embedding",
        "decoder.embed.embedding",
        "decoder.write.logits",
    }


def test_other_shapes_are_refused(sentence):
    said = "{} networks take rows of symbols (length, symbols). Got elements of shape (1, 28, 28)."
    assert sentence(hg.ParameterError, hg.OneShot().encoder, (1, 28, 28), 3, generator()) == said.format("OneShot")
    assert sentence(hg.ParameterError, hg.Causal().decoder, (1, 28, 28), 3, generator()) == said.format("Causal")
    assert sentence(hg.ParameterError, hg.OneShot, widths=()) == (
        "The 'widths' parameter of OneShot must be a tuple of at least one positive int. Got () instead."
    )
    assert sentence(hg.ParameterError, hg.Causal, dilations=(0,)) == (
        "The 'dilations' parameter of Causal must be a tuple of at least one positive int. Got (0,) instead."
    )
    assert sentence(hg.ParameterError, hg.Recurrent, word_dropout=1) == (
        "The 'word_dropout' parameter of Recurrent must be a float from 0 to below 1. Got 1 instead."
    )
