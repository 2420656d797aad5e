"""Tests of data run in a folder of their own, so that errors name short paths."""

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def entries() -> Callable[..., list[str]]:
    """Name what a folder holds."""
    return lambda folder=".": sorted(path.name for path in Path(folder).iterdir())
