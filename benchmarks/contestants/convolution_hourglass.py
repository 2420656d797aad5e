"""A convolutional autoencoder in Hourglass, its layers those of the peers: ``convolution_hourglass digits|faces``."""

import sys

from benchmarks.common import later_rate, pictures, report
from benchmarks.models import convolutional, test_mse

x_train, x_test = pictures(sys.argv[1])
model = convolutional(sys.argv[1]).fit(x_train)
ends = [epoch["seconds"] for epoch in model.history_]
report(images_per_s=later_rate(ends, len(x_train)), test_mse=test_mse(model, x_test))
