"""The classic 784-32-784 in PyOD's ``AutoEncoder``: no batch norm, dropout, weight decay or standardising.

Its decoder ends in a linear layer; the sigmoid is added through ``build_model``, the method meant for a net of one's own.
Not equal, and not to be made so: the last 96 rows of each epoch are dropped, and ``fit`` ends with a scoring of the
training set, since a detector needs its threshold. PyOD has no call that reconstructs, so its net is asked.
"""

import torch
from pyod.models.auto_encoder import AutoEncoder
from torch import nn

from benchmarks.common import BATCH, CODES, EPOCHS, LEARNING_RATE, SEED, Stopwatch, mnist, mse, pixels, report


class SigmoidAutoEncoder(AutoEncoder):
    def build_model(self):
        super().build_model()
        self.model.decoder.append(nn.Sigmoid())


x_train, x_test = mnist("x_train", "x_test")
x = pixels(x_train)

with Stopwatch() as watch:
    detector = SigmoidAutoEncoder(
        hidden_neuron_list=[CODES],
        hidden_activation_name="relu",
        batch_norm=False,
        dropout_rate=0,
        preprocessing=False,
        optimizer_name="adam",
        optimizer_params={"weight_decay": 0},
        lr=LEARNING_RATE,
        epoch_num=EPOCHS,
        batch_size=BATCH,
        random_state=SEED,
        verbose=0,
    )
    detector.fit(x)

with torch.no_grad():
    reconstruction = detector.model(torch.from_numpy(pixels(x_test))).numpy()
report(fit_s=watch.seconds, test_mse=mse(x_test, reconstruction))
