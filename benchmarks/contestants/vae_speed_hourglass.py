"""A variational autoencoder 784-200-200-50, Adam at one rate: epochs an hour in training, digits a second of log-likelihood."""

from benchmarks.common import LEARNING_RATE, SEED, Stopwatch, later_rate, mnist, report
from benchmarks.generation import CODES, HIDDEN, MANY, SAMPLES, SPEED_BATCH, SPEED_EPOCHS, binarised
from hourglass import Bernoulli, Dense, VariationalAutoencoder

x_train, x_test = mnist("x_train", "x_test")
net = Dense(HIDDEN, activation="silu", residual=False)
model = VariationalAutoencoder(
    CODES,
    encoder=net,
    decoder=net,
    likelihood=Bernoulli(),
    optimizer="adam",
    schedule="constant",
    learning_rate=LEARNING_RATE,
    batch_size=SPEED_BATCH,
    validation_fraction=0,
    max_epochs=SPEED_EPOCHS,
    random_state=SEED,
).fit(x_train)
judged = binarised(x_test)[:MANY]
model.log_likelihood(judged[:10], 100, random_state=0)  # so that nothing is set up any more while it is timed
with Stopwatch() as watch:
    found = model.log_likelihood(judged, SAMPLES, random_state=SEED)
ends = [epoch["seconds"] for epoch in model.history_]
report(
    epochs_per_hour=3600 * later_rate(ends, len(x_train)) / len(x_train), digits_per_s=len(judged) / watch.seconds, nats=-found.mean
)
