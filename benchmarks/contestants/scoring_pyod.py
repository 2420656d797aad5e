"""The same million digits in PyOD, which takes float32 (n, 784): its input is four times as large. The net is its own
784-32-784 (a linear output, which is less work than a sigmoid). ``decision_function`` gets all rows at once."""

from pyod.models.auto_encoder import AutoEncoder

from benchmarks.common import BATCH, CODES, Stopwatch, held_mb, million, mnist, peak_mb, pixels, report

(x_train,) = mnist("x_train")
model = AutoEncoder(
    hidden_neuron_list=[CODES], batch_norm=False, dropout_rate=0, preprocessing=False, batch_size=BATCH, epoch_num=1, verbose=0
)
model.fit(pixels(x_train[:10_000]))  # ends with a scoring, so Numba has compiled before the clock starts
rows = million(pixels(x_train))
before = held_mb()

with Stopwatch() as watch:
    scores = model.decision_function(rows)

assert scores.shape == (len(rows),)
report(
    rows_per_s=len(rows) / watch.seconds,
    above_input_mb=peak_mb() - rows.nbytes / 1e6,
    scoring_mb=peak_mb() - before,
)
