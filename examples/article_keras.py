"""The classic autoencoder on MNIST, 784 -> 32 -> 784, in Keras: the same work as `article.py`."""

import time

import keras
import numpy as np

import hourglass as hg  # for the data alone

began = time.perf_counter()
mnist = hg.datasets.load("mnist")
x_train, x_test = (images.reshape(len(images), 784) / np.float32(255) for images in (mnist.x_train, mnist.x_test))

keras.utils.set_random_seed(0)
model = keras.Sequential(
    [
        keras.Input((784,)),
        keras.layers.Dense(32, activation="relu"),
        keras.layers.Dense(784, activation="sigmoid"),
    ]
)
model.compile(optimizer=keras.optimizers.Adam(1e-3), loss="mse")
model.fit(x_train, x_train, epochs=20, batch_size=256, shuffle=True, verbose=2)

error = np.mean((x_test - model.predict(x_test, batch_size=1000, verbose=0)) ** 2)
print(f"test error {error:.5f} after {time.perf_counter() - began:.1f} s")
