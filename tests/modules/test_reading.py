"""What is read of a project, and what never is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.modules.projects import write
from tests.modules.test_trees import NET, PREDICT
from transpiler import Options, transpile
from transpiler.source import project as projects
from transpiler.source.project import Missing, Project, find_root
from transpiler.source.read import ReadError


def test_without_a_root_no_other_file_is_read(tmp_path: Path) -> None:
    write(tmp_path, {"net.py": NET, "predict.py": PREDICT})
    path = tmp_path / "predict.py"
    result = transpile(PREDICT, str(path))
    assert result.read_files == ()
    assert "class " not in result.code


def test_with_a_root_the_modules_are_read(tmp_path: Path) -> None:
    write(tmp_path, {"net.py": NET, "predict.py": PREDICT, "unrelated.py": "1/0"})
    path = tmp_path / "predict.py"
    result = transpile(path.read_text(), str(path), Options(root=tmp_path))
    assert result.complete
    assert {each.name for each in result.read_files} == {"net.py", "predict.py"}
    assert result.model("network").constructor == "MLP(classes=CLASSES)"
    assert result.model("build") is result.model("network")


def test_a_text_that_is_not_that_of_the_file_stands_alone(tmp_path: Path) -> None:
    write(tmp_path, {"net.py": NET, "predict.py": PREDICT})
    result = transpile(PREDICT, str(tmp_path / "predict.py"), Options(root=tmp_path))
    assert result.read_files == ()
    assert transpile(PREDICT, "nowhere.py", Options(root=tmp_path)).read_files == ()


def test_nothing_outside_is_read(tmp_path: Path) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "project"
    write(outside, {"secret.py": NET, "folder/__init__.py": "", "folder/more.py": NET})
    write(inside, {"use.py": "import keras\nfrom secret import build\nfrom folder.more import build as other\n"})
    (inside / "secret.py").symlink_to(outside / "secret.py")
    (inside / "folder").symlink_to(outside / "folder")
    path = inside / "use.py"
    result = transpile(path.read_text(), str(path), Options(root=inside))
    assert {each.name for each in result.read_files} <= {"use.py"}
    with pytest.raises(Missing, match="where the project ends"):
        Project(inside).relative(path, 3, "outside.secret")


def test_sizes_and_numbers_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"a.py": "x = 1\n", "b.py": "x = 1\n" * 10})
    monkeypatch.setattr(projects, "MAX_MODULE_BYTES", 50)
    project = Project(tmp_path, limit=1)
    with pytest.raises(ReadError, match="larger"):
        project.load(tmp_path / "b.py")
    project.load(tmp_path / "a.py")
    with pytest.raises(ReadError, match="more than 1 modules"):
        project.load(tmp_path / "b.py")


def test_a_long_chain_of_modules_ends(tmp_path: Path) -> None:
    files = {f"m{i}.py": f"from m{i + 1} import x\n" for i in range(300)} | {"m300.py": "import keras\nx = 1\n"}
    files["m0.py"] += "import keras\nmodel = keras.Sequential([keras.Input((4,)), keras.layers.Dense(x)])\n"
    write(tmp_path, files)
    path = tmp_path / "m0.py"
    result = transpile(path.read_text(), str(path), Options(root=tmp_path))
    assert not result.complete
    assert {found.code for found in result.diagnostics} == {"KT202"}


def test_a_module_is_never_run(tmp_path: Path) -> None:
    write(tmp_path, {"net.py": f"open('ran', 'w').write('x')\n{NET}", "predict.py": PREDICT})
    path = tmp_path / "predict.py"
    result = transpile(path.read_text(), str(path), Options(root=tmp_path))
    assert result.complete
    assert sorted(each.name for each in tmp_path.iterdir()) == ["net.py", "predict.py"]


def test_where_a_project_begins(tmp_path: Path) -> None:
    write(tmp_path, {"a/b/__init__.py": "", "a/b/c.py": "", "d/pyproject.toml": "", "d/src/e/f.py": ""})
    assert find_root(tmp_path / "a/b/c.py") == tmp_path / "a"
    assert find_root(tmp_path / "a/b") == tmp_path / "a"
    assert find_root(tmp_path / "d/src/e/f.py") == tmp_path / "d"


def test_where_python_looks(tmp_path: Path) -> None:
    files = ["x.py", "pkg/__init__.py", "pkg/x.py", "pkg/run.py", "scripts/run.py", "src/y.py", "random.py", "keras.py"]
    write(tmp_path, dict.fromkeys(files, "") | {"pyproject.toml": ""})
    project = Project(tmp_path)

    def found(start: str, name: str) -> str | None:
        parts = project.absolute(tmp_path / start, name)
        path = parts[-1].path if parts else None
        return path.relative_to(tmp_path).as_posix() if path is not None else None

    assert found("pkg/run.py", "x") == "x.py"
    assert found("pkg/run.py", "run") == "pkg/run.py"
    assert found("scripts/run.py", "pkg.x") == "pkg/x.py"
    assert found("scripts/run.py", "y") == "src/y.py"
    assert found("scripts/run.py", "random") is None
    assert found("x.py", "random") == "random.py"
    assert found("x.py", "keras") is None
    assert found("x.py", "numpy.random") is None
