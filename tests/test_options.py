"""``[tool.transpiler]`` in pyproject.toml."""

from __future__ import annotations

from pathlib import Path

import pytest

from transpiler.options import Options, SettingsError, find_settings


def project(folder: Path, table: str) -> Path:
    (folder / "pyproject.toml").write_text(table)
    return folder


def test_settings_are_found_upward_and_the_nearest_with_our_table_counts(tmp_path: Path) -> None:
    project(tmp_path, "[tool.transpiler]\ndrop-in = true\n")
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    project(tmp_path / "a", "[tool.black]\nline-length = 3\n")
    settings = find_settings(inner)
    assert settings.root == tmp_path.resolve()
    assert settings.options(inner / "x.py", drop_in=False, entry=()) == Options(drop_in=True)


def test_without_a_project_all_is_default(tmp_path: Path) -> None:
    settings = find_settings(tmp_path)
    assert settings.output_for(tmp_path / "net.py") == tmp_path / "net_torch.py"
    assert not settings.excludes(tmp_path / "net.py")


def test_an_entry_for_all_files(tmp_path: Path) -> None:
    settings = find_settings(project(tmp_path, '[tool.transpiler]\nentry = ["build()"]\n'))
    assert settings.options(tmp_path / "sub" / "x.py", drop_in=False, entry=()).entry == ("build()",)
    assert settings.options(tmp_path / "x.py", drop_in=False, entry=("mine()",)).entry == ("mine()",)


def test_entries_by_file(tmp_path: Path) -> None:
    settings = find_settings(project(tmp_path, '[tool.transpiler.entry]\n"models/unet.py" = ["unet(2)"]\n'))
    assert settings.options(tmp_path / "models" / "unet.py", drop_in=False, entry=()).entry == ("unet(2)",)
    assert settings.options(tmp_path / "other.py", drop_in=False, entry=()).entry == ()


def test_exclude_has_files_folders_and_patterns(tmp_path: Path) -> None:
    settings = find_settings(project(tmp_path, '[tool.transpiler]\nexclude = ["old/", "*_bak.py", "a/b.py"]\n'))
    for name in ("old/x.py", "old/deep/x.py", "x_bak.py", "sub/x_bak.py", "a/b.py"):
        assert settings.excludes(tmp_path / name), name
    for name in ("older/x.py", "x.py", "a/c.py"):
        assert not settings.excludes(tmp_path / name), name


def test_the_output_may_go_to_a_folder(tmp_path: Path) -> None:
    settings = find_settings(project(tmp_path, '[tool.transpiler]\noutput = "torch/{name}.py"\n'))
    assert settings.output_for(tmp_path / "net.py") == tmp_path / "torch" / "net.py"


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("[tool.transpiler]\ndrop_in = true\n", "unknown key `drop_in`.*did you mean `drop-in`"),
        ("[tool.transpiler]\ncolour = 1\n", "unknown key `colour`.*known are: drop-in, entry, exclude, output"),
        ('[tool.transpiler]\ndrop-in = "yes"\n', "`drop-in`.*true or false"),
        ('[tool.transpiler]\nentry = "build()"\n', "`entry`.*list of strings"),
        ("[tool.transpiler]\nexclude = [1]\n", "`exclude`.*list of strings"),
        ('[tool.transpiler]\noutput = "out.py"\n', "`output`"),
        ('[tool.transpiler]\noutput = "{name}.py"\n', "overwrite the input"),
        ("[tool]\ntranspiler = 3\n", "must be a table"),
        ("[tool.transpiler]\ndrop-in = \n", "pyproject.toml: .*line 2"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, table: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        find_settings(project(tmp_path, table))


def test_a_broken_pyproject_that_is_not_for_us_does_no_harm(tmp_path: Path) -> None:
    assert find_settings(project(tmp_path, "[tool.black\n")).drop_in is False
