"""Broken, mismatched and hostile files always end in a WeightsError, and never take long or much."""

from __future__ import annotations

import random
import zipfile

import numpy as np
import pytest

h5py = pytest.importorskip("h5py")

from transpiler.weights.child import read_here  # noqa: E402
from transpiler.weights.convert import convert  # noqa: E402
from transpiler.weights.errors import WeightsError  # noqa: E402
from transpiler.weights.spec import LayerEntry, ModelWeights, Source, StateEntry, Variable  # noqa: E402

VARIABLES = (Variable("kernel", (4, 3)), Variable("bias", (3,)))
SPEC = ModelWeights(
    "model",
    (LayerEntry("Dense", "dense", variables=VARIABLES),),
    (StateEntry("fc.weight", (Source((0,), 0),)), StateEntry("fc.bias", (Source((0,), 1),))),
)


@pytest.fixture
def good(tmp_path):
    path = tmp_path / "x.weights.h5"
    with h5py.File(path, "w") as file:
        file["layers/dense/vars/0"] = np.ones((4, 3), "float32")
        file["layers/dense/vars/1"] = np.ones(3, "float32")
    return path


def refused(path, match="."):
    with pytest.raises(WeightsError, match=match):
        convert(path, SPEC)


def test_the_good_file_is_good(good):
    assert convert(good, SPEC)["fc.weight"].shape == (4, 3)


@pytest.mark.parametrize("content", [b"", b"\x89HDF\r\n\x1a\n", b"import os", b"PK\x03\x04", bytes(5000)])
def test_other_files(content, tmp_path):
    path = tmp_path / "x.h5"
    path.write_bytes(content)
    refused(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        convert(tmp_path / "none.h5", SPEC)


def test_truncated_and_flipped(good, tmp_path):
    whole = good.read_bytes()
    rng = random.Random(0)
    for index in range(24):
        data = bytearray(whole)
        if index % 3 == 0:
            data = data[: rng.randrange(len(data))]
        else:
            used = [i for i, byte in enumerate(data) if byte]
            for position in rng.sample(used, index % 3 * 4):
                data[position] ^= 1 << rng.randrange(8)
        path = tmp_path / "broken.h5"
        path.write_bytes(data)
        try:
            state = convert(path, SPEC)
        except WeightsError as error:
            assert str(error).isprintable()  # noqa: PT017
        else:
            assert state["fc.weight"].shape == (4, 3)


def test_a_process_that_dies_is_a_broken_file(good, monkeypatch):
    monkeypatch.setattr("transpiler.weights.isolate.sys.executable", "/bin/false")
    refused(good, "broken")


def test_a_file_without_end(good, monkeypatch):
    monkeypatch.setattr("transpiler.weights.isolate._SECONDS", 0.001)
    refused(good, "no end")


def test_links_are_not_followed(good, tmp_path):
    for link in (h5py.SoftLink("/layers/other"), h5py.ExternalLink("/etc/passwd", "/x")):
        with h5py.File(good, "a") as file:
            del file["layers/dense/vars/0"]
            file["layers/dense/vars/0"] = link
        refused(good, "link")


def test_groups_in_a_circle(good):
    with h5py.File(good, "a") as file:
        file["layers/dense/again"] = file["layers"]
    refused(good, "twice")


def test_legacy_names_do_not_leave_the_file(tmp_path):
    path = tmp_path / "x.h5"
    for name in ("../../x", "/x", "..", "missing"):
        with h5py.File(path, "w") as file:
            file.attrs["layer_names"] = [name.encode()]
        refused(path)


def test_data_in_another_file(good, tmp_path):
    (tmp_path / "secret").write_bytes(bytes(48))
    with h5py.File(good, "a") as file:
        del file["layers/dense/vars/0"]
        file["layers/dense/vars"].create_dataset("0", (4, 3), "f4", external=[(str(tmp_path / "secret"), 0, 48)])
    refused(good, "another file")


def test_virtual_data(good):
    layout = h5py.VirtualLayout((4, 3), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", shape=(4, 3))
    with h5py.File(good, "a") as file:
        del file["layers/dense/vars/0"]
        file["layers/dense/vars"].create_virtual_dataset("0", layout)
    refused(good, "another file")


def test_a_huge_shape_is_compared_not_read(good):
    with h5py.File(good, "a") as file:
        del file["layers/dense/vars/0"]
        file["layers/dense/vars"].create_dataset("0", (1 << 20, 1 << 20), "f4", chunks=(1 << 10, 1 << 10))
    refused(good, r"\(1048576, 1048576\)")


def test_a_huge_shape_where_any_fits(good):
    dense = LayerEntry("Dense", "dense", variables=(Variable("kernel", (None, None)),))
    spec = ModelWeights("model", (dense,), SPEC.entries[:1])
    with h5py.File(good, "a") as file:
        del file["layers/dense/vars"]
        file["layers/dense"].create_dataset("vars/0", (1 << 20, 1 << 20), "f4", chunks=(1 << 10, 1 << 10))
    with pytest.raises(WeightsError, match="declares"):
        read_here(good, spec)


def test_text_is_no_weight(good):
    with h5py.File(good, "a") as file:
        del file["layers/dense/vars/1"]
        file["layers/dense/vars/1"] = np.array([b"a", b"b", b"c"])
    refused(good, "no numbers")


def archive(path, members, **options):
    with zipfile.ZipFile(path, "w", **options) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return path


def test_archives(good, tmp_path):
    good_bytes = good.read_bytes()
    fine = archive(tmp_path / "a.keras", {"config.json": "not json", "model.weights.h5": good_bytes})
    assert convert(fine, SPEC)["fc.bias"].tolist() == [1, 1, 1]
    refused(archive(tmp_path / "b.keras", {"config.json": "{}"}), "model.weights.h5")
    refused(archive(tmp_path / "c.keras", {"../model.weights.h5": good_bytes}), "model.weights.h5")
    refused(archive(tmp_path / "d.keras", {"model.weights.h5": good_bytes[:700]}))


def test_a_zip_bomb_is_not_unpacked(tmp_path):
    bomb = archive(tmp_path / "a.keras", {"model.weights.h5": bytes(100 << 20)}, compression=zipfile.ZIP_DEFLATED)
    refused(bomb, "declares 104,857,600 bytes")


def test_a_model_without_a_map(good):
    with pytest.raises(WeightsError, match="cannot be converted: why"):
        convert(good, ModelWeights("model", (), (), problem="why"))
