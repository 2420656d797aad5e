"""`VariationalAutoencoder` with nothing set but the time: molecules held out are rebuilt, and others drawn."""

import numpy as np

from benchmarks.common import SEED, Stopwatch, report
from benchmarks.molecules import CODES_OF, SAMPLED, SECONDS, canonical, samples_judged, zinc
from hourglass import VariationalAutoencoder, diagnose
from hourglass.analysis.chemistry import Pile
from hourglass.kinds import as_objects

train, test = zinc()
model = VariationalAutoencoder(kind="molecule", max_seconds=SECONDS, random_state=SEED, verbose=True)
with Stopwatch() as watch:
    model.fit(train)
possible, known = model.kind_.readable(as_objects(test)).tolist(), canonical(train)  # a symbol never seen can't be rebuilt
with Stopwatch() as rebuilding:
    rebuilt = model.reconstruct(possible)
exact = float(np.sum([a == b for a, b in zip(rebuilt, canonical(possible), strict=True)])) / len(test)
found = diagnose(model, possible)
real = Pile(test)
with Stopwatch() as fitting:
    model.fit_sampler(train[:CODES_OF], random_state=SEED)
with Stopwatch() as drawing:
    drawn = model.sample(SAMPLED, random_state=SEED)
report(
    exact=exact,
    kl=found.kl,
    shuffled=found.worth,
    **samples_judged(drawn, known, real),
    molecules_per_s=float(np.median([epoch["examples_per_second"] for epoch in model.history_])),
    epochs=len(model.history_),
    fit_s=watch.seconds,
    rebuilding_s=rebuilding.seconds,
    sampler_s=fitting.seconds,
    drawing_s=drawing.seconds,
)
