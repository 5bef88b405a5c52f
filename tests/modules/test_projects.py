"""Whole projects: the outputs run without Keras and compute what the original did under Keras."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from tests.modules.projects import PROJECTS, write
from tests.modules.running import transpile, under_keras, without_keras
from transpiler import Options
from transpiler import transpile as translated

needs_keras = pytest.mark.skipif(find_spec("keras") is None, reason="Keras is the judge")
TOLERANCE = 1e-4
_MODULES = {"inside_package": ("seg.segment", "seg.segment_torch")}
_SCRIPTS = {"source_layout": ("src/segment.py", "src/segment_torch.py")}


def _targets(name: str) -> tuple[str, str]:
    return _MODULES.get(name) or _SCRIPTS.get(name) or ("segment.py", "segment_torch.py")


def _script(name: str) -> str:
    return _targets(name)[0] if name not in _MODULES else "seg/segment.py"


@pytest.fixture(params=sorted(PROJECTS))
def name(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


@pytest.fixture(scope="module")
def judgement(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What Keras makes of the program, which is the same in all layouts: its weights and what it predicts."""
    folder = tmp_path_factory.mktemp("judge")
    write(folder, PROJECTS["flat"])
    under_keras(folder, "segment.py")
    return folder


@pytest.fixture
def project(name: str, tmp_path: Path, judgement: Path) -> Path:
    """A project with the weights that Keras used, converted."""
    folder = tmp_path / "project"
    write(folder, PROJECTS[name])
    shutil.copy(judgement / "segment.weights.h5", folder)
    status, said = transpile(
        folder, _script(name), "-o", str(tmp_path / "single.py"), "--weights", "segment.weights.h5"
    )
    assert status == 0, said
    assert (folder / "segment.pt").is_file()
    return folder


def _check(folder: Path, target: str, project: Path, judgement: Path) -> None:
    """Run an output in ``folder`` and compare what it predicts."""
    expected = np.load(judgement / "segment.npy")
    if folder != project:
        shutil.copy(project / "segment.pt", folder)
    result = folder / "segment.npy"
    result.unlink(missing_ok=True)
    without_keras(folder, target)
    assert np.std(expected) > 0.02
    np.testing.assert_allclose(np.load(result), expected, rtol=0, atol=TOLERANCE)


@needs_keras
def test_a_tree_elsewhere(name: str, project: Path, judgement: Path, tmp_path: Path) -> None:
    status, said = transpile(project, ".", "-o", str(tmp_path / "out"))
    assert status == 0, said
    assert "class UNet" not in (tmp_path / "out" / _script(name)).with_name("segment_torch.py").read_text()
    _check(tmp_path / "out", _targets(name)[1], project, judgement)


@needs_keras
def test_twins_beside_the_sources(name: str, project: Path, judgement: Path) -> None:
    status, said = transpile(project, ".")
    assert status == 0, said
    _check(project, _targets(name)[1], project, judgement)
    assert transpile(project, ".", "--check")[0] == 0


@needs_keras
def test_a_single_file_has_all_that_it_needs(name: str, project: Path, judgement: Path) -> None:
    status, said = transpile(project, _script(name))
    assert status == 0, said
    output = (project / _script(name)).with_name("segment_torch.py")
    assert "class UNet" in output.read_text()
    assert not list(project.rglob("unet_torch.py"))
    _check(project, _targets(name)[1], project, judgement)


def test_classes_of_another_file_are_written_with_all_that_they_use(tmp_path: Path) -> None:
    blocks = """
from tensorflow import keras
from tensorflow.keras import layers


class Block(layers.Layer):
    def __init__(self, units):
        super().__init__()
        self.dense = layers.Dense(units)

    def call(self, x):
        return self.dense(x)


class Net(keras.Model):
    def __init__(self, units):
        super().__init__()
        self.block = Block(units)

    def call(self, x):
        return self.block(x)
"""
    use = "from blocks import Net\nnet = Net(4)\nnet.build((None, 3))\n"
    (tmp_path / "blocks.py").write_text(blocks, encoding="utf-8")
    (tmp_path / "use.py").write_text(use, encoding="utf-8")
    result = translated(use, str(tmp_path / "use.py"), Options(root=tmp_path))
    assert result.complete, result.diagnostics
    assert result.code.index("class Block(") < result.code.index("class Net(") < result.code.index("net = Net(units=4)")
