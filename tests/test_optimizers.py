"""Our optimizers against torch's own, and against what their papers promise."""

import copy

import pytest
import torch
from torch import nn

from hourglass.optimizers import OPTIMIZERS, Adam, Muon, orthogonal


def descend(step, model, x, y, steps=5):
    for _ in range(steps):
        model.zero_grad()
        (model(x) - y).square().sum().backward()
        step()


def twins():
    torch.manual_seed(0)
    convolution = nn.Sequential(nn.Unflatten(1, (1, 2, 2)), nn.Conv2d(1, 2, 2), nn.Flatten())
    nets = [
        nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 4), copy.deepcopy(convolution), nn.Linear(2, 3)) for _ in range(2)
    ]
    nets[1].load_state_dict(nets[0].state_dict())
    return *nets, torch.randn(16, 4), torch.randn(16, 3)


def test_adam_takes_the_steps_of_torch():
    mine, theirs, x, y = twins()
    adam, reference = Adam(mine.parameters()), torch.optim.Adam(theirs.parameters(), lr=1e-2)
    descend(lambda: adam.step(1e-2), mine, x, y)
    descend(reference.step, theirs, x, y)
    for a, b in zip(mine.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_muon_takes_networks_of_nothing_but_matrices():
    net = nn.Linear(4, 3, bias=False)
    before, optimizers = net.weight.detach().clone(), OPTIMIZERS["muon"](net)
    descend(lambda: [optimizer.step(1e-2) for optimizer in optimizers], net, torch.ones(2, 4), torch.ones(2, 3))
    assert not torch.equal(net.weight, before)


@pytest.mark.parametrize("shape", [(5, 5), (4, 9), (9, 4)])
def test_orthogonal_moves_singular_values_to_about_one_and_keeps_their_vectors(shape):
    matrix = torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    values = (u.T @ orthogonal(matrix) @ v.T).diagonal()
    assert values.min() > 0.5
    assert values.max() < 1.3
    torch.testing.assert_close(u @ values.diag() @ v, orthogonal(matrix))


@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_muon_moves_filters_as_the_matrix_of_their_rows(order):
    filters, gradient = torch.randn(2, 6, 2, 3, 3, generator=torch.Generator().manual_seed(0))
    rows = nn.Parameter(filters.reshape(6, 18).clone())
    whole = nn.Parameter(filters.clone(memory_format=order))
    rows.grad, whole.grad = gradient.reshape(6, 18), gradient.to(memory_format=order)
    for parameter in (rows, whole):
        Muon([parameter]).step(0.1)
    torch.testing.assert_close(whole.detach().reshape(6, 18), rows.detach())
    step = (rows.detach() - filters.reshape(6, 18)).norm().item()
    assert step == pytest.approx(0.1 * 0.2 * 108**0.5, rel=0.3)  # 0.2 a weight, as of Adam, times the rate


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_each_lowers_a_loss_and_goes_on_from_its_memory(name):
    first, second, x, y = twins()
    mine, copy = OPTIMIZERS[name](first), OPTIMIZERS[name](second)
    before = (first(x) - y).square().sum().item()
    descend(lambda: [part.step(1e-2) for part in mine], first, x, y, steps=20)
    assert (first(x) - y).square().sum().item() < 0.9 * before
    second.load_state_dict(first.state_dict())
    for a, b in zip(mine, copy, strict=True):
        b.load_state_dict({name: tensor.clone() for name, tensor in a.state_dict().items()})
    descend(lambda: [part.step(1e-2) for part in mine], first, x, y)
    descend(lambda: [part.step(1e-2) for part in copy], second, x, y)
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)
