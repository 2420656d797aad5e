"""A million digits scored by the article's net, fitted for one epoch on 10,000 rows; the rows are uint8, as they come."""

from benchmarks.common import Stopwatch, held_mb, million, mnist, peak_mb, report
from benchmarks.models import article

(x_train,) = mnist("x_train")
model = article(max_epochs=1).fit(x_train[:10_000])
rows = million(x_train)
before = held_mb()

with Stopwatch() as watch:
    scores = model.score_samples(rows)

assert scores.shape == (len(rows),)
report(
    rows_per_s=len(rows) / watch.seconds,
    above_input_mb=peak_mb() - rows.nbytes / 1e6,
    scoring_mb=peak_mb() - before,
)
