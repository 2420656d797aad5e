"""The ``hourglass`` command."""

from hourglass.cli import commands, flagging, generating, mending, serving, studio  # noqa: F401  each adds its commands to the app
from hourglass.cli.app import app, main

__all__ = ["app", "main"]
