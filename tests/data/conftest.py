"""Tests of data run in a folder of their own, so that errors name short paths."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def sentence() -> Callable[..., str]:
    """Call and return the sentence of the error that must come."""

    def call(error: type[Exception], function: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
        with pytest.raises(error) as caught:
            function(*args, **kwargs)
        assert type(caught.value) is error
        return str(caught.value)

    return call


@pytest.fixture
def entries() -> Callable[..., list[str]]:
    """Name what a folder holds."""
    return lambda folder=".": sorted(path.name for path in Path(folder).iterdir())
