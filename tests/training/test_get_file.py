"""Files and archives that a program downloads: the same paths and the same contents as Keras'; nothing is fetched."""

from __future__ import annotations

import io
import tarfile
import warnings
import zipfile
from pathlib import Path
from typing import Any

import pytest

keras = pytest.importorskip("keras")

from tests.training.test_data import helper  # noqa: E402
from transpiler import transpile  # noqa: E402


@pytest.fixture
def origins(tmp_path: Path) -> dict[str, str]:
    """The addresses of a tar file, a zip file and a text, each with members that try to leave the folder."""
    with tarfile.open(tmp_path / "rows.tar.gz", "w:gz") as tar:
        for name in ("top/a.txt", "top/deep/b.txt", "../escaped.txt"):
            member = tarfile.TarInfo(name)
            member.size = len(name)
            tar.addfile(member, io.BytesIO(name.encode()))
        link = tarfile.TarInfo("top/link")
        link.type, link.linkname = tarfile.SYMTYPE, "../../../outside"
        tar.addfile(link)
    with zipfile.ZipFile(tmp_path / "rows.zip", "w") as packed:
        for name in ("top/a.txt", "../escaped.txt"):
            packed.writestr(name, name)
    (tmp_path / "rows.txt").write_text("plain")
    return {kind: (tmp_path / f"rows.{kind}").as_uri() for kind in ("tar.gz", "zip", "txt")}


CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "no name": ("txt", {}),
    "name": ("txt", {"fname": "other.txt"}),
    "subfolder": ("txt", {"cache_subdir": "deep/er"}),
    "again": ("txt", {"force_download": True}),
    "hash": ("txt", {"md5_hash": "ac7938d40cfc2307e2bf325d28e7884e"}),
    "extract": ("tar.gz", {"extract": True}),
    "extract with a name": ("tar.gz", {"extract": True, "fname": "rows"}),
    "extract with an ending": ("tar.gz", {"extract": True, "fname": "my.rows.tar.gz"}),
    "untar": ("tar.gz", {"untar": True, "fname": "rows"}),
    "zip": ("zip", {"extract": True}),
    "zip as a zip": ("zip", {"extract": True, "archive_format": "zip", "cache_subdir": ""}),
    "zip as a tar": ("zip", {"untar": True}),
    "not an archive": ("txt", {"extract": True}),
}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.parametrize("call", CALLS)
def test_paths_and_contents(call: str, origins: dict[str, str], tmp_path: Path) -> None:
    kind, options = CALLS[call]
    made = {}
    for who in ("theirs", "ours"):
        (tmp_path / who / "cache").mkdir(parents=True)
        arguments = {**options, "origin": origins[kind], "cache_dir": str(tmp_path / who / "cache")}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if who == "theirs":
                path = keras.utils.get_file(**arguments)
            else:
                shown = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
                result = transpile(f"import keras\npath = keras.utils.get_file({shown})\n")
                assert not result.diagnostics
                scope: dict[str, Any] = {"__name__": "translated"}
                exec(result.code, scope)
                path = scope["path"]
        made[who] = str(Path(path).relative_to(tmp_path / who)), contents(tmp_path / who)
    assert made["ours"] == made["theirs"]


def test_a_folder_that_is_not_there(tmp_path: Path, origins: dict[str, str]) -> None:
    missing = str(tmp_path / "missing")
    name = "transpiled_rows_of_a_test.txt"
    expected = keras.utils.get_file(name, origins["txt"], cache_dir=missing)
    try:
        assert helper("get_file")["get_file"](name, origins["txt"], cache_dir=missing) == expected
    finally:
        Path(expected).unlink()


def test_the_home_of_keras(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, origins: dict[str, str]) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    path = helper("get_file")["get_file"](origin=origins["txt"])
    assert path == str(tmp_path / "home" / "datasets" / "rows.txt")
    assert Path(path).read_text() == "plain"
    with pytest.raises(ValueError, match="name of a file"):
        helper("get_file")["get_file"](origin="http://example.org/")


@pytest.mark.parametrize(
    "arguments", ["'a'", "'a', u, extract=len(u) > n", "'a', u, extract=True, archive_format='7z'"]
)
def test_refused(arguments: str) -> None:
    result = transpile(f"import keras\nfrom elsewhere import u, n\npath = keras.utils.get_file({arguments})\n")
    assert [d for d in result.diagnostics if d.severity == "error"]
