import pytest
import torch

import hourglass as hg


def built(network, side="encoder", shape=(2, 50), n=3):
    return getattr(network, side)(shape, n, torch.Generator().manual_seed(0))


@pytest.mark.parametrize("network", [hg.Temporal(8), hg.Temporal(8, causal=True, residual=False), hg.Temporal(4, blocks=1)])
@pytest.mark.parametrize("shape", [(1, 140), (3, 17), (2, 2)])
def test_shapes_both_ways(network, shape):
    assert built(network, shape=shape)(torch.zeros(5, *shape)).shape == (5, 3)
    assert built(network, "decoder", shape)(torch.zeros(5, 3)).shape == (5, *shape)


def test_the_same_seed_gives_the_same_weights():
    first, second = (built(hg.Temporal(8)).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_causal_network_does_not_look_ahead():
    for causal in (True, False):
        filters = built(hg.Temporal(8, causal=causal, residual=False))[:-3]  # up to where stretches of time are averaged
        x = torch.randn(1, 2, 50, generator=torch.Generator().manual_seed(1))
        other = x.clone()
        other[..., 30:] += 1
        same = torch.allclose(filters(x)[..., :30], filters(other)[..., :30])
        assert same is causal


def test_it_adds_nothing_to_the_linear_path_at_first():
    encoder = built(hg.Temporal(8))
    x = torch.randn(4, 2, 50, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(encoder(x), encoder.linear(x.flatten(1)))


def test_what_is_refused():
    with pytest.raises(
        hg.ParameterError, match=r"^A Temporal network takes series \(channels, time\). Got elements of shape \(5,\).$"
    ):
        built(hg.Temporal(), shape=(5,))
    with pytest.raises(hg.ParameterError, match=r"^The 'width' parameter of Temporal must be a positive int. Got 0 instead.$"):
        hg.Temporal(0)
    with pytest.raises(
        hg.ParameterError, match=r"^The 'blocks' parameter of Temporal must be a positive int or None. Got 0 instead.$"
    ):
        hg.Temporal(blocks=0)
