"""The documentation: its examples run, what it promises of the command exists, and no public name goes without a page."""

from __future__ import annotations

import ast
import doctest
import inspect
import itertools
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import typer
import uvicorn
from sybil import Document, Example
from sybil.parsers.markdown import CodeBlockParser
from typer.testing import CliRunner

import hourglass as hg
from hourglass.cli import app
from hourglass.estimators import patches
from hourglass.training import Trainer

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
API = "\n".join(page.read_text() for page in sorted((ROOT / "docs" / "api").glob("*.md")))
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
ARGUMENTS = {
    "clean_photos.py": ["photos", "photos", "noise:25"],
    "four_needs.py": ["digits", "beats.npz", "photos", "photos"],
    "clean_xrays.py": ["xrays.npz"],
    "strange_heartbeats.py": ["beats.npz"],
    "digits_on_demand.py": ["digits"],
    "faces.py": ["photos"],
    "gaps.py": ["gaps.png", "mnist"],
    "synthetic_table.py": ["table.csv"],
    "melodies.py": [],
    "molecules.py": ["some.smi"],
}
COMMANDS: dict[str, Any] = typer.main.get_command(app).commands
QUICK = {"fit": ["--max-epochs", "1"], "sweep": ["--max-epochs", "1"], "demo": ["--seconds", "0.1"]}  # the last of two counts


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder to work in, where "mnist" is a few hundred digits, training is timed ten times too fast, and epochs are short."""
    seconds = Trainer._seconds
    monkeypatch.setattr(Trainer, "_seconds", lambda self: 10 * seconds(self))
    monkeypatch.setattr(patches, "STEPS", 10)
    digits = hg.datasets.load("digits")
    (tmp_path / "data").mkdir()
    np.savez(tmp_path / "data" / "mnist.npz", **{name: images[:300] for name, images in digits._asdict().items()})
    monkeypatch.setenv("HOURGLASS_DATA", str(tmp_path / "data"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    yield tmp_path / "work"


@pytest.fixture(autouse=True)
def beside(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Servers run in threads beside the test, and end with it."""
    run, running = uvicorn.Server.run, []

    def start(server: uvicorn.Server, sockets: list[Any]) -> None:
        thread = threading.Thread(target=run, args=(server, [listener.dup() for listener in sockets]))
        thread.start()
        running.append((server, thread))

    monkeypatch.setattr(uvicorn.Server, "run", start)
    yield
    for server, thread in running:
        server.should_exit = True
        thread.join()


# Examples in the text


def run_python(example: Example) -> None:
    """Run a block; where an expression stands alone beside a comment that is a literal, this has to be its value."""
    source = "\n" * (example.line + example.parsed.line_offset) + example.parsed
    for node in ast.parse(source, example.path).body:
        said = promise(node, source) if isinstance(node, ast.Expr) else None
        if said is None:
            exec(compile(ast.Module([node], []), example.path, "exec"), example.namespace)
        else:
            value = eval(compile(ast.Expression(node.value), example.path, "eval"), example.namespace)
            assert repr(value) == said, f"{example.path}:{node.lineno}"


def promise(node: ast.Expr, source: str) -> str | None:
    """The literal in the comment behind an expression, if there is one."""
    behind = source.splitlines()[node.end_lineno - 1].encode()[node.end_col_offset :].decode()
    comment = behind.strip().removeprefix("# ")
    try:
        ast.literal_eval(comment)
    except (SyntaxError, ValueError):
        return None
    return comment


def run_session(example: Example) -> None:
    """Run a block of a Python prompt and compare what it answers."""
    test = doctest.DocTestParser().get_doctest(example.parsed, example.namespace, example.path, example.path, example.line)
    failures: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=failures.append, clear_globs=False)
    example.namespace.update(test.globs)
    assert not failures, "".join(failures)


def run_console(example: Example) -> None:
    """Run each line that begins with ``$ hourglass``, shortened; lines below one are what it has to print, with ``...`` for any."""
    for block in re.split(r"^\$ ", example.parsed, flags=re.MULTILINE)[1:]:
        line, _, said = block.partition("\n")
        program, name, *options = shlex.split(line, comments=True)
        if program == "curl" and shutil.which("curl") is None:
            continue
        if program == "curl":
            answer = subprocess.run(["curl", "-s", name, *options], capture_output=True, text=True, check=True).stdout
            assert doctest.OutputChecker().check_output(said, f"{answer}\n", doctest.ELLIPSIS), answer
            continue
        assert program == "hourglass", line
        result = CliRunner().invoke(app, [name, *options, *([] if "--help" in options else QUICK.get(name, []))])
        assert result.exit_code == 0, f"{example.path}:{example.line} {line}\n{result.output}\n{result.exception!r}"
        flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        assert not said.strip() or doctest.OutputChecker().check_output(said, result.stdout, flags), result.stdout


PARSERS = [
    CodeBlockParser(language="python", evaluator=run_python),
    CodeBlockParser(language="pycon", evaluator=run_session),
    CodeBlockParser(language="console", evaluator=run_console),
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_examples_in_the_text_run(page):
    for example in Document.parse(str(page), *PARSERS):
        example.evaluate()


# Scripts


def ticking(self: Trainer) -> float:
    """A clock that goes on by two seconds at each look, so that a slow machine learns no less."""
    self.looks = getattr(self, "looks", -1) + 1
    return 2.0 * self.looks


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda script: script.name)
def test_scripts_run(script, monkeypatch):
    if "keras" in script.name:
        pytest.importorskip("keras")
    digits = hg.datasets.load("digits")
    hg.write("photos", digits.x_train[:20])
    hg.write("table.csv", pl.DataFrame({"a": np.arange(60) % 7 + 0.5, "b": ["x", "y", "z"] * 20}))
    np.savez("xrays.npz", train_images=digits.x_train[:50], test_images=digits.x_test[:10])
    beats = np.sin(np.arange(60) / 4) + 0.1 * np.random.default_rng(0).normal(size=(90, 60))
    beats[80:, 20:40] += 2
    labels = np.where(np.arange(90) < 80, 1, 2)
    np.savez("beats.npz", x_train=beats[:50], y_train=labels[:50], x_test=beats[50:], y_test=labels[50:])
    starts, ends = ("C", "CC", "CC(C)", "FC(F)(F)", "COC", "N#CC", "OCC"), ("C", "CCO", "c1ccccc1", "C1CC1", "CN(C)C", "CCl", "C#N")
    pieces = starts, ("C(=O)N", "OC(=O)", "NC(=O)C", "SC", "C=CC"), ends
    hg.write("some.smi", ["".join(one) for one in itertools.product(*pieces)][::2])
    monkeypatch.setattr(sys, "argv", [str(script), *ARGUMENTS.get(script.name, ["mnist"])])
    monkeypatch.setattr(Trainer, "_seconds", ticking)
    runpy.run_path(str(script), run_name="__main__")


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda script: script.name)
def test_scripts_are_short_and_use_public_names_only(script):
    source = script.read_text()
    assert len(source.splitlines()) <= 60
    tree = ast.parse(source)
    compile(tree, script, "exec")
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    assert {name for name in imported if name.startswith("hourglass")} == {"hourglass"}
    assert set(re.findall(r"\bhg\.(\w+)", source)) <= set(hg.__all__)


def test_every_script_has_a_place_in_its_readme():
    readme = (ROOT / "examples" / "README.md").read_text()
    assert [script.name for script in EXAMPLES if script.name not in readme] == []


# Nothing public without documentation


@pytest.mark.parametrize("name", hg.__all__)
def test_public_names_have_a_docstring_and_a_place_in_the_reference(name):
    assert inspect.getdoc(getattr(hg, name))
    assert re.search(rf"^::: hourglass\.{name}$", API, re.MULTILINE), f"docs/api has no line '::: hourglass.{name}'"


def test_public_methods_have_a_place_in_the_reference():
    listed = set(re.findall(r"^ +- (\w+)$", (ROOT / "docs" / "api" / "autoencoder.md").read_text(), re.MULTILINE))
    methods = {
        name
        for name, method in inspect.getmembers(hg.Autoencoder, inspect.isfunction)
        if method.__module__.startswith("hourglass") and not name.startswith("_")
    }
    assert listed == methods


@pytest.mark.parametrize("module", ["metrics", "plots"])
def test_public_functions_have_docstrings(module):
    room = getattr(hg, module)
    for name in room.__all__:
        assert inspect.getdoc(getattr(room, name)), f"{module}.{name}"


# The command


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_and_options_are_explained(name):
    guide = (ROOT / "docs" / "guide" / "cli.md").read_text()
    section = re.search(rf"^## hourglass {name}$(.*?)(?=^## |\Z)", guide, re.MULTILINE | re.DOTALL)
    assert section, f"docs/guide/cli.md has no section 'hourglass {name}'"
    assert f"$ hourglass {name}" in section[1]
    options = {option for parameter in COMMANDS[name].params for option in parameter.opts if option.startswith("--")}
    assert {option for option in options - {"--help"} if f"`{option}`" not in section[1]} == set()


def test_pages_are_all_in_the_contents():
    contents = (ROOT / "mkdocs.yml").read_text()
    pages = [str(page.relative_to(ROOT / "docs")) for page in PAGES if page.is_relative_to(ROOT / "docs")]
    assert [page for page in pages if f" {page}\n" not in contents] == []


def test_every_file_of_the_house_is_on_its_map():
    architecture = (ROOT / "ARCHITECTURE.md").read_text()
    source = Path(hg.__file__).parent
    files = [str(path.relative_to(source)) for path in source.rglob("*.py") if path.parent == source or path.name != "__init__.py"]
    assert [file for file in files if f"`{file}`" not in architecture] == []
