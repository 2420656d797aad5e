"""The network that corrects rows of symbols."""

import pytest
import torch

import hourglass as hg

SHAPE = (9, 4)  # positions, symbols
NET = hg.Rewriter(8, dilations=(1, 2), heads=2, word_dropout=0.5)


def generator():
    return torch.Generator().manual_seed(0)


def rows(count=5, length=6):
    """Ones among zeros, and zeros from a place on."""
    numbers = torch.randint(1, SHAPE[1], (count, SHAPE[0]), generator=generator())
    return torch.nn.functional.one_hot(numbers, SHAPE[1]).float() * (torch.arange(SHAPE[0]) < length)[:, None]


def network():
    """Both sides, with logits that are not all zero."""
    encoder, decoder = NET.encoder(SHAPE, 0, generator()), NET.decoder(SHAPE, 0, generator())
    with torch.no_grad():
        decoder.write.logits.normal_(generator=generator())
        decoder.reader.across.outer.weight.mul_(10)
    return encoder, decoder.eval()


def test_shapes_go_in_and_come_out():
    x = rows()
    seen, read = NET.encoder(SHAPE, 0, generator())(x)
    assert seen is x
    assert read.shape == (5, 9, 8)
    decoder = NET.decoder(SHAPE, 0, generator())
    assert torch.equal(decoder([seen, read]), torch.zeros(5, *SHAPE))  # before training all symbols are as likely
    assert torch.equal(NET.encoder(SHAPE, 0, generator())(x)[1], read)  # drawn from our generator alone


def test_rows_cut_behind_the_end_of_the_longest_are_read_alike():
    encoder, decoder = network()
    x, clean = rows(), rows(length=4)
    cut = decoder(encoder(x[:, :7]), clean[:, :7])
    torch.testing.assert_close(cut, decoder(encoder(x), clean)[:, :7])
    assert not decoder(encoder(x))[:, 6:].isnan().any()


def test_a_row_of_nothing_has_logits():
    encoder, decoder = network()
    nothing = torch.zeros(1, *SHAPE)
    assert decoder(encoder(nothing), nothing).isfinite().all()


def test_what_is_written_is_what_would_be_read():
    encoder, decoder = network()
    found = decoder(encoder(rows()))
    written = torch.nn.functional.one_hot(found.argmax(-1), SHAPE[1]).float()
    torch.testing.assert_close(decoder(encoder(rows()), written), found)


def test_a_place_sees_what_was_written_before_it_alone_and_all_that_was_read():
    encoder, decoder = network()
    x, clean = rows(1, 9), rows(1, 9).requires_grad_()
    found = encoder(x)
    (of_written,) = torch.autograd.grad(decoder(found, clean)[0, 4].square().sum(), clean)
    assert (of_written[0, :4] != 0).any(-1).all()
    assert torch.equal(of_written[0, 4:], torch.zeros(5, 4))
    read = found[1].detach().requires_grad_()
    (of_read,) = torch.autograd.grad(decoder([x, read], clean)[0, 4].square().sum(), read)
    assert (of_read[0] != 0).any(-1).all()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: hg.Rewriter(0), "The 'width' parameter of Rewriter must be a positive int. Got 0 instead."),
        (lambda: hg.Rewriter(10, heads=4), "The 'heads' parameter of Rewriter must be a divisor of width=10. Got 4 instead."),
        (
            lambda: hg.Rewriter(dilations=()),
            "The 'dilations' parameter of Rewriter must be a tuple of at least one positive int. Got () instead.",
        ),
        (
            lambda: hg.Rewriter(word_dropout=1.0),
            "The 'word_dropout' parameter of Rewriter must be a float from 0 to below 1. Got 1.0 instead.",
        ),
        (
            lambda: hg.Rewriter().encoder((3, 4, 5), 0, generator()),
            "Rewriter networks take rows of symbols (length, symbols). Got elements of shape (3, 4, 5).",
        ),
    ],
)
def test_bad_parameters(call, said):
    with pytest.raises(hg.ParameterError) as caught:
        call()
    assert str(caught.value) == said
