"""The command that opens the studio: what it refuses."""

from __future__ import annotations

import socket

from typer.testing import CliRunner

import hourglass as hg
from hourglass.cli import app


def refused(*arguments):
    return CliRunner().invoke(app, ["studio", *map(str, arguments), "--no-browser"]).exception


def test_a_port_that_is_taken_is_a_sentence(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        error = refused(tmp_path, "--port", port)
    assert isinstance(error, hg.ParameterError)
    assert str(error) == f"Can't listen on 127.0.0.1:{port}: Address already in use. Choose another port or address."


def test_a_folder_that_is_a_file_is_a_sentence(tmp_path):
    (tmp_path / "file").touch()
    error = refused(tmp_path / "file", "--port", 0)
    assert isinstance(error, hg.FileError)
    assert str(error).startswith(f"Can't write '{tmp_path}/file': ")
