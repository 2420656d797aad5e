"""What tests of all rooms share."""

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def sentence() -> Callable[..., str]:
    """Call and return the sentence of the error that must come."""

    def call(error: type[Exception], function: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
        with pytest.raises(error) as caught:
            function(*args, **kwargs)
        assert type(caught.value) is error
        return str(caught.value)

    return call
