"""The hooks under real pre-commit, in a scratch git repository.

The hooks are read from ``.pre-commit-hooks.yaml``; only their language is made ``system``, so that
no package index is needed: pre-commit calls the ``transpile`` of this environment.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
NET = """\
import keras
from keras import layers

model = keras.Sequential([keras.Input((4,)), layers.Dense(3, activation="relu"), layers.Dense(1)])
"""

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def hooks(*identifiers: str) -> str:
    """Return a configuration with hooks of ours, as a ``local`` repository."""
    ours = {hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}
    program = f"{sys.executable} -m transpiler"
    chosen = [
        {**ours[name], "language": "system", "entry": ours[name]["entry"].replace("transpile", program, 1)}
        for name in identifiers
    ]
    return yaml.safe_dump({"repos": [{"repo": "local", "hooks": chosen}]})


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a command in a fresh git repository, which has nothing of the user's configuration."""
    home = tmp_path / "home"
    repository = tmp_path / "repository"
    home.mkdir()
    repository.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "PRE_COMMIT"))}
    environment |= {
        "HOME": str(home),
        "PRE_COMMIT_HOME": str(home / "pre-commit"),
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        **dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"), "A U Thor"),
        **dict.fromkeys(("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"), "author@example.com"),
        "GIT_CONFIG_NOSYSTEM": "1",
    }

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=repository, env=environment, capture_output=True, text=True, check=False, timeout=120
        )

    assert run("git", "init", "-q").returncode == 0
    return run


def start(run: Run, repository: Path, *identifiers: str) -> None:
    (repository / ".pre-commit-config.yaml").write_text(hooks(*identifiers))
    (repository / "net.py").write_text(NET)
    (repository / "plain.py").write_text("x   =  1  # no formatter touches this\n")
    (repository / "notes.txt").write_text("keras\n")
    assert run("git", "add", "-A").returncode == 0


def pre_commit(run: Run, *args: str) -> subprocess.CompletedProcess[str]:
    return run(sys.executable, "-m", "pre_commit", "run", "--verbose", *args)


def test_transpile_writes_the_twin_of_each_changed_keras_file(run: Run, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    start(run, repository, "transpile")
    done = pre_commit(run)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "wrote net_torch.py" in done.stdout
    assert "nn.Linear(4, 3)" in (repository / "net_torch.py").read_text()
    assert sorted(path.name for path in repository.glob("*.py")) == ["net.py", "net_torch.py", "plain.py"]
    assert (repository / "plain.py").read_text() == "x   =  1  # no formatter touches this\n"

    assert run("git", "add", "-A").returncode == 0
    assert run("git", "commit", "-q", "-m", "twin").returncode == 0
    (repository / "net.py").write_text(NET.replace("Dense(3", "Dense(5"))
    assert run("git", "add", "net.py").returncode == 0
    changed = pre_commit(run)
    assert changed.returncode == 1, changed.stdout
    assert "files were modified by this hook" in changed.stdout
    assert "nn.Linear(4, 5)" in (repository / "net_torch.py").read_text()


def test_notebooks_have_twins_too(run: Run, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    start(run, repository, "transpile")
    cell = {"cell_type": "code", "execution_count": 1, "metadata": {}, "outputs": [], "source": NET}
    notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    (repository / "book.ipynb").write_text(json.dumps(notebook))
    assert run("git", "add", "-A").returncode == 0
    done = pre_commit(run)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "wrote book_torch.ipynb" in done.stdout


def test_transpile_check_fails_where_a_twin_is_out_of_date(run: Run, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    start(run, repository, "transpile-check")
    missing = pre_commit(run, "--all-files")
    assert missing.returncode == 1
    assert "net_torch.py: out of date" in missing.stdout
    assert not (repository / "net_torch.py").exists()

    assert run(sys.executable, "-m", "transpiler", "net.py").returncode == 0
    assert run("git", "add", "-A").returncode == 0
    fresh = pre_commit(run, "--all-files")
    assert fresh.returncode == 0, fresh.stdout

    (repository / "net.py").write_text(NET.replace("relu", "tanh"))
    stale = pre_commit(run, "--all-files")
    assert stale.returncode == 1
    assert "net_torch.py: out of date" in stale.stdout


def test_our_hooks_are_a_valid_manifest(run: Run) -> None:
    done = run(sys.executable, "-m", "pre_commit", "validate-manifest", str(ROOT / ".pre-commit-hooks.yaml"))
    assert done.returncode == 0, done.stdout


def test_our_own_configuration_is_valid(run: Run) -> None:
    done = run(sys.executable, "-m", "pre_commit", "validate-config", str(ROOT / ".pre-commit-config.yaml"))
    assert done.returncode == 0, done.stdout


def test_a_file_without_keras_is_passed_over_without_loading_the_translator(run: Run, tmp_path: Path) -> None:
    (tmp_path / "repository" / "plain.py").write_text("import os\n")
    program = (
        "import sys; from transpiler.cli import command; status = command.main(['plain.py'], standalone_mode=False);"
        "print(status, sorted({'libcst', 'black', 'jinja2', 'torch', 'numpy'} & set(sys.modules)))"
    )
    assert run(sys.executable, "-c", program).stdout == "0 []\n"


def test_torch_is_not_loaded_on_the_way(run: Run, tmp_path: Path) -> None:
    (tmp_path / "repository" / "net.py").write_text(NET)
    program = (
        "import sys; from transpiler.cli import command; status = command.main(['net.py'], standalone_mode=False);"
        "print(status, sorted({'keras', 'tensorflow', 'torch', 'numpy', 'h5py'} & set(sys.modules)))"
    )
    assert run(sys.executable, "-c", program).stdout == "0 []\n"
