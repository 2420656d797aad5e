"""Card transactions learned by VariationalAutoencoder, and as many synthetic ones drawn, five times."""

from benchmarks.common import QUICK, SEED, Stopwatch, report
from benchmarks.generation import cards, cards_judged
from hourglass import VariationalAutoencoder

train, test = cards()
model = VariationalAutoencoder(columns={"Class": "categorical"}, max_seconds=3 if QUICK else 12, random_state=SEED)
with Stopwatch() as watch:
    model.fit(train)
    model.fit_sampler(train, random_state=SEED)
report(**cards_judged(lambda seed: model.sample(len(train), random_state=seed), train, test), fit_s=watch.seconds)
