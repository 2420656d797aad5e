"""What tests of all rooms share."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings

# the same examples each time, and as much time for them as a busy machine takes
settings.register_profile("hourglass", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("hourglass")


@pytest.fixture(autouse=True)
def chance(request):
    """A test draws the same from torch, and from its module's own ``rng`` where it has one, whichever tests ran before."""
    torch.manual_seed(1)
    if isinstance(rng := getattr(request.module, "rng", None), np.random.Generator):
        rng.bit_generator.state = np.random.default_rng(1).bit_generator.state


@pytest.fixture
def sentence() -> Callable[..., str]:
    """Call and return the sentence of the error that must come."""

    def call(error: type[Exception], function: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
        with pytest.raises(error) as caught:
            function(*args, **kwargs)
        assert type(caught.value) is error
        return str(caught.value)

    return call
