"""How far the article's training is from the time that its multiply-adds take at this machine's own matrix product.

A dense layer of n inputs and m outputs takes n*m multiply-adds forward, n*m for the gradient of its weights and n*m for that
of its input, which the first layer doesn't need: 5 * 784 * 32 a row in all. Biases, activations, the loss and Adam are not
counted; they are what the ratio pays for.
"""

import time

import torch

from benchmarks.common import BATCH, CODES, EPOCHS, Stopwatch, mnist, report
from benchmarks.models import article

# (rows, inner, columns) of the five products of one step: codes, output, and the gradients of the decoder's weights, of
# the codes and of the encoder's weights
PRODUCTS = [
    (BATCH, 784, CODES),
    (BATCH, CODES, 784),
    (784, BATCH, CODES),
    (BATCH, 784, CODES),
    (CODES, BATCH, 784),
]


def product_seconds(rows: int, inner: int, columns: int, repeats: int) -> float:
    """Seconds of one float32 product of these shapes, the best of ``repeats`` after a warm-up."""
    a, b = torch.randn(rows, inner), torch.randn(inner, columns)
    out = a @ b
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        torch.mm(a, b, out=out)
        best = min(best, time.perf_counter() - start)
    return best


def square_rate() -> float:
    """Multiply-adds a second in a product of two 2048x2048 matrices."""
    return 2048**3 / product_seconds(2048, 2048, 2048, repeats=10)


(x_train,) = mnist("x_train")
steps = len(x_train) / BATCH * EPOCHS
multiply_adds = sum(rows * inner * columns for rows, inner, columns in PRODUCTS) * steps

rate = square_rate()
with Stopwatch() as watch:
    article().fit(x_train)
rate = max(rate, square_rate())  # the better of before and after: a noisy moment may not flatter the ratio
skinny_s = sum(product_seconds(*shape, repeats=2_000) for shape in PRODUCTS) * steps

report(
    fit_s=watch.seconds,
    floor_s=multiply_adds / rate,
    times_floor=watch.seconds * rate / multiply_adds,
    gflops=2 * rate / 1e9,
    skinny_s=skinny_s,
    skinny_gflops=2 * multiply_adds / skinny_s / 1e9,
    times_skinny=watch.seconds / skinny_s,
)
