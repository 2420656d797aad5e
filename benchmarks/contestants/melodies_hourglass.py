"""`VariationalAutoencoder` with nothing set but the time: windows of tunes held out are rebuilt, and others drawn."""

from benchmarks.common import SEED, Stopwatch, report
from benchmarks.melodies import DRAWING, DRAWN, SECONDS, samples_judged, tunes, unseen
from hourglass import VariationalAutoencoder
from hourglass.analysis.melodies import rebuilt

train, test = tunes()
model = VariationalAutoencoder(max_seconds=SECONDS, random_state=SEED, verbose=True)
with Stopwatch() as watch:
    model.fit(train)
rows = unseen(test, train)
of_prior = samples_judged(model.sample(DRAWN, random_state=SEED, **DRAWING), train, test)
with Stopwatch() as fitting:
    model.fit_sampler(train, random_state=SEED)
report(
    windows=len(rows),
    **rebuilt(model, rows),
    kl=float(model.elbo(rows, random_state=SEED).kl.mean()),
    **samples_judged(model.sample(DRAWN, random_state=SEED, **DRAWING), train, test),
    **{f"prior_{name}": value for name, value in of_prior.items()},
    epochs=len(model.history_),
    fit_s=watch.seconds,
    sampler_s=fitting.seconds,
)
