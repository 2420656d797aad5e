"""The classic 784-32-784 in Keras 3 on TensorFlow, as its own tutorial writes it; ``jit_compile`` at its default."""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras

from benchmarks.common import BATCH, CODES, EPOCHS, LEARNING_RATE, SEED, Stopwatch, mnist, mse, pixels, report

keras.utils.set_random_seed(SEED)
x_train, x_test = mnist("x_train", "x_test")
x = pixels(x_train)

with Stopwatch() as watch:
    model = keras.Sequential(
        [
            keras.Input((784,)),
            keras.layers.Dense(CODES, activation="relu"),
            keras.layers.Dense(784, activation="sigmoid"),
        ]
    )
    model.compile(optimizer=keras.optimizers.Adam(LEARNING_RATE), loss="mse")
    model.fit(x, x, epochs=EPOCHS, batch_size=BATCH, shuffle=True, verbose=0)

report(fit_s=watch.seconds, test_mse=mse(x_test, model.predict(pixels(x_test), batch_size=1_000, verbose=0)))
