"""Random codes, decoded: a plain autoencoder has gaps between its codes, a variational one has fewer.

    python examples/gaps.py gaps.png          # with all of MNIST: gaps.png mnist

Both have the same networks, likelihood, 16 codes and epochs, of which the best is kept. Codes of the plain one are drawn with the
mean and the standard deviation that each has over the training rows, those of the variational one from its prior. Measured over
the features of a classifier of digits, against as many digits that nobody learned from.
"""

import sys

import numpy as np
from matplotlib.figure import Figure

import hourglass as hg

LINES, ACROSS = 3, 12

digits = hg.datasets.load(sys.argv[2] if len(sys.argv) > 2 else "digits")
settings = {"likelihood": hg.Bernoulli(), "hidden": (512, 256), "optimizer": "adam", "learning_rate": 1e-3, "max_epochs": 40}
plain = hg.Autoencoder(16, **settings, random_state=0).fit(digits.x_train)
variational = hg.VariationalAutoencoder(16, **settings, random_state=0).fit(digits.x_train)

Z = plain.transform(digits.x_train)
codes = np.random.default_rng(0).normal(Z.mean(0), Z.std(0), (len(digits.x_test), 16))
drawn = {"plain": plain.inverse_transform(codes), "variational": variational.sample(len(digits.x_test), random_state=0)}

figure, judge = Figure(figsize=(7, 4.2), layout="constrained"), None
for axes, (name, pile) in zip(figure.subplots(2, 1), drawn.items(), strict=True):
    labels = digits.y_train if judge is None else None
    found = hg.quality(pile, digits.x_train, digits.x_test, y_train=labels, features=judge)
    judge = found.features
    print(f"Random codes of a {name} autoencoder:\n{found}\n")
    grid = pile[: LINES * ACROSS].reshape(LINES, ACROSS, 28, 28).swapaxes(1, 2).reshape(LINES * 28, ACROSS * 28)
    axes.imshow(grid, cmap="gray")
    axes.set_axis_off()
    figures = f"Fréchet distance {found['frechet distance']:.1f}, precision {found['precision']:.2f}"
    axes.set_title(f"random codes of a {name} autoencoder: {figures}", fontsize=9, loc="left")
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "gaps.png", dpi=150)
