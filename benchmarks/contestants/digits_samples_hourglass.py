"""A variational autoencoder 784-512-16 with the sampler that codes held out are likeliest under; samples of digits are judged."""

from benchmarks.common import BATCH, SEED, Stopwatch, mnist, report
from benchmarks.generation import DRAWN, SAMPLED_CODES, SAMPLED_EPOCHS, SAMPLED_HIDDEN, samples_judged
from hourglass import Bernoulli, Dense, VariationalAutoencoder

(x_train,) = mnist("x_train")
net = Dense((SAMPLED_HIDDEN,), activation="silu", residual=False)
model = VariationalAutoencoder(
    SAMPLED_CODES,
    encoder=net,
    decoder=net,
    likelihood=Bernoulli(),
    batch_size=BATCH,
    max_epochs=SAMPLED_EPOCHS,
    random_state=SEED,
)
with Stopwatch() as watch:
    model.fit(x_train)
of_prior = samples_judged(model.sample(DRAWN, random_state=SEED))
with Stopwatch() as fitting:
    model.fit_sampler(x_train, random_state=SEED)
report(
    **samples_judged(model.sample(DRAWN, random_state=SEED)),
    prior_frechet=of_prior["frechet"],
    fit_s=watch.seconds,
    sampler_s=fitting.seconds,
)
