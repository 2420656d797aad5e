"""The same net, as quickly as Hourglass gets it to the error that Keras ends with.

The settings are fixed beforehand: the test images are looked at once, when training is over.
"""

from benchmarks.common import QUICK, Stopwatch, mnist, report
from benchmarks.models import article, test_mse

x_train, x_test = mnist("x_train", "x_test")

with Stopwatch() as watch:
    model = article(schedule="one-cycle", learning_rate=1e-2, max_epochs=1 if QUICK else 4).fit(x_train)

report(fit_s=watch.seconds, test_mse=test_mse(model, x_test))
