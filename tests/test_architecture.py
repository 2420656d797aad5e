"""The house: rooms import only rooms above them, and everything public is named, documented and reachable."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import hourglass as hg

SOURCE = Path(hg.__file__).parent
ROOMS = [
    "errors",
    "data",
    "parts",
    "model",
    "optimizers",
    "batches",
    "training",
    "kinds",
    "runtime",
    "export",
    "storage",
    "estimators",
    "analysis",
    "server",
    "cli",
    "__main__",
]
SHARED = {
    "kinds": {"base", "columns", "frames", "schema", "token", "windows"},
    "estimators": {
        *("assembly", "base", "checkpoints", "conditions", "detection", "fitted", "generating", "learning", "linear", "nearest"),
        *("parameters", "patches", "progress", "samplers", "tiles"),
    },
}  # what files of a room may import of their own


def imports_of(path: Path) -> set[str]:
    """The modules of hourglass that a file imports, at its top or inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("hourglass"):
            found |= {node.module} if node.module != "hourglass" else {f"hourglass.{name.name}" for name in node.names}
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names if name.name.startswith("hourglass.")}
    return found


FILES = sorted(path for path in SOURCE.rglob("*.py") if path != SOURCE / "__init__.py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_rooms_import_only_rooms_above(path):
    parts = path.relative_to(SOURCE).with_suffix("").parts
    room, file = parts[0], parts[-1]
    for module in imports_of(path):
        _, other, *inner = module.split(".")
        assert ROOMS.index(other) <= ROOMS.index(room), f"{room} imports {other}, which is below it"
        if other == room and inner and room in SHARED and "detection" not in parts and file not in {"__init__", *SHARED[room]}:
            assert inner[0] in SHARED[room], f"{module} is imported by its neighbour {file}"
        if other == room == "estimators" and inner and inner[0] == "detection":
            assert "detection" in parts or file == "__init__", f"{module} is imported by {file}, above it"


def test_parts_know_torch_alone():
    for path in (SOURCE / "parts").glob("*.py"):
        roots = {
            alias.name.split(".")[0]
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Import)
            for alias in node.names
        }
        assert not roots & {"sklearn", "numpy", "polars", "os", "pathlib"}, path


def test_every_room_is_a_file_or_folder_and_no_other():
    found = {path.stem for path in SOURCE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert found - {"__init__"} == set(ROOMS)


def test_public_names_are_sorted_reachable_and_documented():
    assert hg.__all__ == sorted(hg.__all__)
    assert dir(hg) == hg.__all__
    for name in hg.__all__:
        assert inspect.getdoc(getattr(hg, name)), f"{name} has no docstring"


def test_figures_and_pictures_are_reached_through_their_room_too():
    assert hg.analysis.compare_detectors is hg.compare_detectors


def test_the_version_is_that_of_the_package():
    assert hg.__version__ == version("hourglass-ae")


@pytest.mark.parametrize("room", [hg.metrics, hg.plots])
def test_what_is_offered_is_public(room):
    assert dir(room) == sorted(room.__all__)


def test_editors_see_the_names_that_are_loaded_lazily():
    guarded = next(node for node in ast.parse((SOURCE / "__init__.py").read_text()).body if isinstance(node, ast.If))
    seen = {alias.name: node.module for node in guarded.body for alias in node.names}
    assert sorted(seen) == hg.__all__
    assert seen == {name: hg._HOME[name] for name in hg.__all__}


def test_public_methods_are_documented():
    for name in ("Autoencoder",):
        for method, function in inspect.getmembers(getattr(hg, name), inspect.isfunction):
            if not method.startswith("_") and function.__module__.startswith("hourglass"):
                assert function.__doc__, f"{name}.{method} has no docstring"


def test_parameters_are_documented():
    documented = inspect.getdoc(hg.Autoencoder)
    for parameter in inspect.signature(hg.Autoencoder).parameters:
        assert parameter in documented, f"{parameter} is not documented"


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'hourglass' has no attribute 'Autoencodr'"):
        hg.Autoencodr  # noqa: B018


@pytest.mark.parametrize("room", ["hourglass", "hourglass.cli", "hourglass.data", "hourglass.kinds", "hourglass.runtime"])
def test_torch_is_not_imported_before_it_is_needed(room):
    heavy = "{'torch', 'sklearn', 'polars', 'matplotlib', 'pandas'}"
    code = f"import sys, {room}; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_learning_does_not_import_torchs_compiler():
    code = (
        "import sys, numpy as np, hourglass as hg\n"
        "from hourglass.estimators import patches\n"
        "patches.STEPS = 2\n"
        "x = np.random.default_rng(0).integers(0, 255, (40, 16, 16), dtype=np.uint8)\n"
        "hg.Autoencoder(2, max_epochs=1).fit(x).reconstruct(x)\n"
        "hg.Autoencoder(2, max_epochs=1).fit(['ab', 'abc', 'bca', 'cab'] * 10)\n"
        "hg.DenoisingAutoencoder(max_epochs=1).fit(x).denoise(x[:2])\n"
        "print(sorted({'sympy', 'torch._dynamo', 'torch._inductor'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
