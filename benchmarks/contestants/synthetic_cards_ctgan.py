"""The same by the TVAE of ctgan, with its defaults."""

import numpy as np
import polars as pl
import torch
from ctgan import TVAE

from benchmarks.common import QUICK, SEED, Stopwatch, report
from benchmarks.generation import cards, cards_judged

torch.manual_seed(SEED)
np.random.seed(SEED)  # noqa: NPY002  # it draws from it
train, test = cards()
model = TVAE(**({"epochs": 2} if QUICK else {}))
with Stopwatch() as watch:
    model.fit(train.to_pandas(), discrete_columns=["Class"])


def draw(seed: int) -> pl.DataFrame:
    model.set_random_state(seed)
    return pl.from_pandas(model.sample(len(train)))


report(**cards_judged(draw, train, test), fit_s=watch.seconds)
