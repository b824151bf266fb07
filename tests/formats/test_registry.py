from importlib.metadata import EntryPoint

import numpy as np
import pytest

from napari_hsisynth.cube import Cube
from napari_hsisynth.formats import Format, Variable, format_of, list_formats, read_cube, registry, write_cube

TEXT_FORMAT = Format(
    "text",
    "text cube",
    (".txt",),
    lambda path, head: head.startswith(b"cube "),
    lambda path: [Variable("cube", (1, 1, 1), "text")],
    lambda path, options: Cube(np.full((1, 1, 1), float(path.read_text().split()[1])), [500]),
    lambda path, cube: (path.write_text(f"cube {cube.data.item()}"), ["all but one value"])[1],
)
NO_FORMAT = "a string"


@pytest.fixture
def plugins(monkeypatch):
    """Let the registry see entry points of another package, and forget them afterwards."""

    def use(*names):
        group = registry.ENTRY_POINTS
        found = [EntryPoint(name, f"{__name__}:{name}", group) for name in names]
        monkeypatch.setattr(registry, "entry_points", lambda group: found)
        monkeypatch.setattr(EntryPoint, "load", lambda self: globals()[self.name])
        registry._formats.cache_clear()

    yield use
    monkeypatch.undo()
    registry._formats.cache_clear()


def test_built_in_formats_and_what_they_can():
    found = {known.name: (known.readable, known.writable) for known in list_formats()}
    assert found["matlab5"] == found["npz"] == found["npy"] == found["tiff"] == (True, True)
    assert found["matlab73"] == (True, False)


def test_another_package_can_add_a_format(plugins, tmp_path):
    plugins("TEXT_FORMAT")
    assert write_cube(tmp_path / "a.txt", Cube(np.full((1, 1, 1), 0.25), [500])) == ("all but one value",)
    assert read_cube(tmp_path / "a.txt").data.item() == 0.25


@pytest.mark.parametrize("broken", ["MISSING", "NO_FORMAT"])
def test_a_broken_package_is_named_and_takes_nothing_away(plugins, broken):
    plugins(broken, "TEXT_FORMAT")
    with pytest.warns(UserWarning, match=broken):
        names = [known.name for known in list_formats()]
    assert names[-1] == "text"
    assert "matlab5" in names


def test_the_content_decides_where_the_suffix_is_wrong(tmp_path):
    cube = Cube(np.random.default_rng(0).normal(size=(16, 4, 5)), np.arange(500, 516))
    write_cube(tmp_path / "a.npz", cube)
    for name in ("a.mat", "a.npy", "a", "a.npz.bak"):
        (tmp_path / name).write_bytes((tmp_path / "a.npz").read_bytes())
        assert format_of(tmp_path / name).name == "npz"
        np.testing.assert_array_equal(read_cube(tmp_path / name).data, cube.data)
