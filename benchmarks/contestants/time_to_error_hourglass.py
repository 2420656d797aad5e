"""As quickly as Hourglass gets to the error that Keras ends with: a small net of its own that starts as PCA, for half a second.

The settings are fixed beforehand: the test images are looked at once, when training is over.
"""

from benchmarks.common import CODES, SEED, Stopwatch, mnist, report
from benchmarks.models import test_mse
from hourglass import Autoencoder

x_train, x_test = mnist("x_train", "x_test")

with Stopwatch() as watch:
    settings = {"hidden": (128,), "learning_rate": 1e-2, "validation_fraction": 0}
    model = Autoencoder(CODES, max_seconds=0.5, random_state=SEED, **settings).fit(x_train)

report(fit_s=watch.seconds, test_mse=test_mse(model, x_test))
