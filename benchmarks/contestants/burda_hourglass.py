"""The 784-200-200-50 net on digits binarised afresh at each step: ``burda_hourglass SAMPLES SECONDS``.

``SAMPLES`` is k of the bound that is trained: 1 is a variational autoencoder, more an importance-weighted one. The test digits are
binarised once, from a fixed seed. The log-likelihood is estimated with 5,000 samples on all of them.
"""

import sys

from benchmarks.common import QUICK, SEED, Stopwatch, mnist, report
from benchmarks.generation import CODES, HIDDEN, SAMPLES, binarised
from hourglass import Bernoulli, Dense, ImportanceWeighted, VariationalAutoencoder

samples, seconds = int(sys.argv[1]), float(sys.argv[2])
x_train, x_test = mnist("x_train", "x_test")
net = Dense(HIDDEN, activation="silu", residual=False)
model = VariationalAutoencoder(
    CODES,
    encoder=net,
    decoder=net,
    likelihood=Bernoulli(drawn=True),
    objective=None if samples == 1 else ImportanceWeighted(samples),
    optimizer="muon",
    learning_rate=4e-3,
    batch_size=256,
    validation_fraction=0.02,
    max_seconds=5 if QUICK else seconds,
    random_state=SEED,
)
with Stopwatch() as fitting:
    model.fit(x_train)
judged = binarised(x_test)[: 100 if QUICK else None]
with Stopwatch() as judging:
    found = model.log_likelihood(judged, SAMPLES, random_state=SEED)
report(
    nats=-found.mean,
    standard_error=found.error_of_mean,
    epochs=len(model.history_),
    fit_s=fitting.seconds,
    judging_s=judging.seconds,
)
