"""The convolutional autoencoder in Keras 3 on TensorFlow, ``jit_compile`` at its default: ``convolution_keras digits|faces``.

Its strided convolutions pad on one side alone where torch's pad on both; the multiply-adds are the same.
"""

import os
import sys
import time

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
from keras import layers

from benchmarks.common import (
    CODES,
    CONVOLVED,
    CONVOLVED_BATCH,
    CONVOLVED_EPOCHS,
    LEARNING_RATE,
    SEED,
    later_rate,
    mse,
    pictures,
    pixels,
    report,
)

keras.utils.set_random_seed(SEED)
x_train, x_test = pictures(sys.argv[1])
side, filters = x_train.shape[1], CONVOLVED[sys.argv[1]]
small = side // 2 ** len(filters)
x, x_later = (pixels(images).reshape(-1, side, side, 1) for images in (x_train, x_test))

model = keras.Sequential(
    [
        keras.Input((side, side, 1)),
        *(layers.Conv2D(width, 3, strides=2, padding="same", activation="relu") for width in filters),
        layers.Flatten(),
        layers.Dense(CODES),
        layers.Dense(small * small * filters[-1], activation="relu"),
        layers.Reshape((small, small, filters[-1])),
        *(layers.Conv2DTranspose(width, 4, strides=2, padding="same", activation="relu") for width in filters[-2::-1]),
        layers.Conv2DTranspose(1, 4, strides=2, padding="same", activation="sigmoid"),
    ]
)
model.compile(optimizer=keras.optimizers.Adam(LEARNING_RATE), loss="mse")
ends: list[float] = []
watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: ends.append(time.perf_counter()))
model.fit(x, x, epochs=CONVOLVED_EPOCHS, batch_size=CONVOLVED_BATCH, shuffle=True, verbose=0, callbacks=[watch])

rebuilt = model.predict(x_later, batch_size=1_000, verbose=0)
report(images_per_s=later_rate(ends, len(x_train)), test_mse=mse(x_test, rebuilt))
