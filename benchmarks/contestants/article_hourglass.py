"""The classic 784-32-784 in Hourglass, which takes the images as they are and does the scaling itself."""

from benchmarks.common import Stopwatch, mnist, report
from benchmarks.models import article, test_mse

x_train, x_test = mnist("x_train", "x_test")

with Stopwatch() as watch:
    model = article().fit(x_train)

report(fit_s=watch.seconds, test_mse=test_mse(model, x_test))
