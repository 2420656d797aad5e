"""`VariationalAutoencoder` with nothing set but the time: molecules held out are rebuilt, and 10,000 drawn from a fitted sampler."""

import numpy as np

from benchmarks.common import SEED, Stopwatch, report
from benchmarks.molecules import CODES_OF, SAMPLED, SECONDS, canonical, samples_judged, zinc
from hourglass import VariationalAutoencoder

train, test = zinc()
model = VariationalAutoencoder(kind="molecule", max_seconds=SECONDS, random_state=SEED)
with Stopwatch() as watch:
    model.fit(train)
known = canonical(test)
with Stopwatch() as rebuilding:
    rebuilt = model.reconstruct(test)
bound = model.elbo(test, random_state=SEED)
strange = model.shuffled_loss(test)
report(exact=float(np.mean([a == b for a, b in zip(rebuilt, known, strict=True)])))
