"""What a newcomer gets who sets nothing but the number of codes (and the seed)."""

from benchmarks.codes import worth
from benchmarks.common import CODES, QUICK, SEED, Stopwatch, mnist, report
from benchmarks.models import test_mse
from hourglass import Autoencoder

x_train, y_train, x_test, y_test = mnist("x_train", "y_train", "x_test", "y_test")

with Stopwatch() as watch:
    model = Autoencoder(CODES, random_state=SEED, **({"max_epochs": 1} if QUICK else {})).fit(x_train)

report(
    fit_s=watch.seconds,
    test_mse=test_mse(model, x_test),
    **worth(model.transform(x_train), y_train, model.transform(x_test), y_test),
)
