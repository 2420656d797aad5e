"""Some rows of many, all over them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def spread(n: int, most: int) -> NDArray[np.intp]:
    """At most ``most`` of ``n`` row numbers, evenly spaced: sorted data has all of its sorts among them."""
    return np.linspace(0, n - 1, min(n, most)).round().astype(np.intp)
