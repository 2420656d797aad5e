"""The ``hourglass`` command."""

from hourglass.cli.commands import app, main

__all__ = ["app", "main"]
