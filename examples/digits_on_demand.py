"""Learn handwritten digits with their labels, then draw each class on demand: python examples/digits_on_demand.py DATASET

DATASET is digits, which comes with the package, or mnist.
"""

import sys

import numpy as np

import hourglass as hg

digits = hg.datasets.load(sys.argv[1])
model = hg.VariationalAutoencoder(16, max_seconds=120, random_state=0, verbose=True)
model.fit(digits.x_train, condition=digits.y_train)
model.save("digits.safetensors")

drawn = model.sample(100, condition=np.repeat(np.arange(10), 10), random_state=0)  # ten of each
print(f"{model.nearest(drawn, digits.x_train)['copy'].mean():.0%} of them are copies of training digits")
hg.write("drawn", drawn)

bound = model.elbo(digits.x_test, condition=digits.y_test, random_state=0)
print(f"test digits: {bound.elbo.mean():.1f} nats, of which {bound.kl.mean():.1f} for the handwriting")
