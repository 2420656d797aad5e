"""Two codes instead of 32: a map of the digits, at Hourglass's defaults."""

from benchmarks.codes import trust
from benchmarks.common import QUICK, SEED, Stopwatch, mnist, report
from hourglass import Autoencoder

x_train, x_test = mnist("x_train", "x_test")

with Stopwatch() as watch:
    model = Autoencoder(2, random_state=SEED, **({"max_epochs": 1} if QUICK else {})).fit(x_train)

report(fit_s=watch.seconds, trustworthiness=trust(x_test, model.transform(x_test)))
