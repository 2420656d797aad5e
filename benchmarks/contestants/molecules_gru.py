"""A variational autoencoder of two of torch's GRUs in a plain loop, trained as long on the same SELFIES.

As wide as `Recurrent`: embedding 128, 256 units, 64 codes, which are shown to the decoder at each step; Adam at 1e-3, batches of
128, cut to the longest row of each, a symbol at a time; the divergence counts a fifth, rising over the first 30% of the time.
"""

import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from benchmarks.common import SEED, report
from benchmarks.molecules import SAMPLED, SECONDS, canonical, samples_judged, zinc
from hourglass.analysis.chemistry import Pile
from hourglass.kinds.molecule import MoleculeKind
from hourglass.kinds.token import as_objects

WIDTH, UNITS, CODES, BATCH, BETA = 128, 256, 64, 128, 0.2


class Net(nn.Module):
    def __init__(self, symbols):
        super().__init__()
        self.embedding = nn.Embedding(symbols + 1, WIDTH)  # the last one stands before the first symbol
        self.reader = nn.GRU(WIDTH, UNITS, batch_first=True)
        self.code = nn.Linear(UNITS, 2 * CODES)
        self.start = nn.Linear(CODES, UNITS)
        self.writer = nn.GRU(WIDTH + CODES, UNITS, batch_first=True)
        self.logits = nn.Linear(UNITS, symbols)

    def encode(self, x):
        return self.code(self.reader(self.embedding(x))[1][-1]).chunk(2, 1)

    def write(self, z, before, state):
        seen = torch.cat([self.embedding(before), z[:, None].expand(-1, before.shape[1], -1)], -1)
        h, state = self.writer(seen, state)
        return self.logits(h), state

    def nll(self, z, x):
        before = functional.pad(x, (1, 0), value=self.embedding.num_embeddings - 1)[:, :-1]
        logits, _ = self.write(z, before, self.start(z)[None])
        counted = (x == 0).int().cumsum(1) <= 1  # up to the first end
        return (functional.cross_entropy(logits.transpose(1, 2), x, reduction="none") * counted).sum(1)

    def written(self, z, length):
        state, before, found = self.start(z)[None], torch.full((len(z), 1), self.embedding.num_embeddings - 1), []
        for _ in range(length):
            logits, state = self.write(z, before, state)
            before = logits.argmax(-1)
            found.append(before)
        return torch.cat(found, 1)


def divergence(mean, log_variance):
    return 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).sum(1)


torch.manual_seed(SEED)
train, test = zinc()
kind = MoleculeKind.learn(as_objects(train + test))
x_train, x_test = (kind.to_tensor(as_objects(rows)).long() for rows in (train, test))
x_train, x_test = (functional.pad(x, (0, 1)) for x in (x_train, x_test))  # an end for the longest as well
net = Net(1 + len(kind.alphabet))
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
began, seen, share = time.perf_counter(), 0, 0.0
while share < 1:
    for index in torch.randperm(len(x_train)).split(BATCH):
        x = x_train[index]
        x = x[:, : int((x > 0).sum(1).max()) + 1]
        mean, log_variance = net.encode(x)
        z = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
        loss = (net.nll(z, x) + BETA * min(share / 0.3, 1) * divergence(mean, log_variance)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seen += len(x)
        share = (time.perf_counter() - began) / SECONDS
        if share >= 1:
            break
seconds = time.perf_counter() - began
with torch.inference_mode():
    parts = [net.encode(x) for x in x_test.split(1000)]
    mean, log_variance = (torch.cat(each) for each in zip(*parts, strict=True))
    before, shuffled = net.nll(mean[:1000], x_test[:1000]), net.nll(mean[:1000].roll(1, 0), x_test[:1000])
    rebuilt, drawn = (
        kind.from_tensor(torch.cat([net.written(some, x_test.shape[1]) for some in z.split(1000)]))
        for z in (mean, torch.randn(SAMPLED, CODES))
    )
report(
    exact=float(np.mean([a == b for a, b in zip(rebuilt, canonical(test), strict=True)])),
    kl=float(divergence(mean, log_variance).mean()),
    shuffled=float((shuffled - before).mean()),
    **samples_judged(drawn, canonical(train), Pile(test)),
    molecules_per_s=seen / seconds,
    fit_s=seconds,
)
