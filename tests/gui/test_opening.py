"""Files and folders in napari: whose they are, what is asked, and how the dialogs of the docks open them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import napari
import numpy as np
import pytest
import tifffile
from qtpy.QtCore import Qt, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QDialogButtonBox, QFileDialog, QWidget

import napari_hsisynth
from napari_hsisynth import Cube, InputError, Study
from napari_hsisynth.formats import AmbiguousVariableError, Format, Variable, registry
from napari_hsisynth.widgets import npe2, opening, reading
from napari_hsisynth.widgets.variable_dialog import VariableDialog

PLUGIN = "napari-hsisynth"


def _read_folder(path, options):
    bands = [np.load(part) for part in sorted(path.glob("*.npy"))]
    return Cube(np.stack(bands), name=path.name)


FOLDER_FORMAT = Format(
    "folder of arrays",
    "a folder of arrays",
    (".arrays",),
    sniff=lambda path, head: path.suffix == ".arrays",
    variables=lambda path: [Variable("bands", (len(list(path.glob("*.npy"))), 4, 5), "float32")],
    read=_read_folder,
    folders=True,
)


def _raw_header(path):
    return path.with_name(path.name + ".json")


RAW_FORMAT = Format(
    "raw",
    "raw values with a header beside them",
    (".img",),
    sniff=lambda path, head: _raw_header(path).is_file(),
    variables=lambda path: [Variable("data", tuple(json.loads(_raw_header(path).read_text())), "float32")],
    read=lambda path, options: Cube(
        np.fromfile(path, np.float32).reshape(json.loads(_raw_header(path).read_text())), name=path.name
    ),
)


@pytest.fixture
def more_formats(monkeypatch):
    """A folder and a raw file as formats; the real ones are tested in their own room."""
    known = registry._formats()
    monkeypatch.setattr(registry, "_formats", lambda: (*known, FOLDER_FORMAT, RAW_FORMAT))


@pytest.fixture
def two_cubes(tmp_path):
    path = tmp_path / "two.npz"
    np.savez(path, first=np.zeros((4, 5, 6)), second=np.full((4, 7, 8), 2.0))
    return path


def layers_of(path):
    reader = npe2.get_cube_reader(str(path))
    assert reader is not None
    return reader(str(path))


# --- whose a file is


def test_files_that_are_no_cubes_are_left_to_others(tmp_path, more_formats):
    import h5py

    np.save(tmp_path / "flat.npy", np.zeros((4, 5)))
    (tmp_path / "no.tif").write_bytes(b"no tiff")
    tifffile.imwrite(tmp_path / "text.tif", np.zeros((2, 2), np.complex64))
    for name in ("camera.raw", "scan.dat", "photo.img", "radiance.hdr", "x.nc", "empty.h5"):
        (tmp_path / name).write_bytes(b"something else")
    with h5py.File(tmp_path / "table.h5", "w") as file:
        file["rows"] = np.zeros(3)
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.png").write_bytes(b"x")
    for path in sorted(tmp_path.iterdir()):
        assert npe2.get_cube_reader(str(path)) is None, path.name
    assert npe2.get_cube_reader(str(tmp_path / "gone.npy")) is None


def test_cubes_are_offered_whatever_they_are(tmp_path, make_cube, more_formats):
    napari_hsisynth.write_cube(tmp_path / "a.npz", make_cube())
    np.save(tmp_path / "b.npy", np.zeros((4, 5, 6)))
    tifffile.imwrite(tmp_path / "frame.tif", np.zeros((8, 8), np.uint16))
    tifffile.imwrite(tmp_path / "stack.tif", np.zeros((3, 8, 8), np.uint16), photometric="minisblack")
    (tmp_path / "c.arrays").mkdir()
    np.save(tmp_path / "c.arrays" / "0.npy", np.zeros((4, 5), np.float32))
    for path in sorted(tmp_path.iterdir()):
        assert npe2.get_cube_reader(str(path)) is not None, path.name
    # nobody else would say what is wrong with these
    (tmp_path / "bad.mat").write_bytes(b"this is no cube")
    assert npe2.get_cube_reader(str(tmp_path / "bad.mat")) is not None


def test_the_manifest_has_a_pattern_for_every_suffix_that_can_be_read(more_formats):
    from npe2 import PluginManifest

    manifest = PluginManifest.from_file(Path(napari_hsisynth.__file__).with_name("napari.yaml"))
    reader = next(one for one in manifest.contributions.readers if one.command.endswith("read_cube"))
    suffixes = {s for known in registry._formats() if known.readable and not known.folders for s in known.suffixes}
    suffixes.discard(".png")  # a raw frame is opened by the docks' dialog; who drops a picture is not to be asked
    missing = [suffix for suffix in suffixes if not any(suffix.endswith(p[1:]) for p in reader.filename_patterns)]
    assert not missing
    assert reader.accepts_directories


def test_a_dropped_study_folder_opens_the_study(make_napari_viewer, tmp_path, make_cube):
    from napari_hsisynth.widgets.session import session_for

    viewer = make_napari_viewer()
    made = Study.create(tmp_path / "study", wavelengths_nm=465.0 + 11.0 * np.arange(16))
    made.add_cube(make_cube(name="DN_1"), "DN_1", "dysplastic_nevus")
    viewer.open(made.root, plugin=PLUGIN)
    assert session_for(viewer).study.root == made.root


# --- dropping


def test_dropped_files_open_and_bad_ones_are_named(make_napari_viewer, tmp_path, make_cube, messages):
    viewer = make_napari_viewer()
    napari_hsisynth.write_cube(tmp_path / "good.mat", make_cube())
    (tmp_path / "bad.mat").write_bytes(b"this is no cube")
    frame = np.arange(16 * 32, dtype=np.uint16).reshape(16, 32)
    tifffile.imwrite(tmp_path / "frame.tif", frame)
    drop = viewer.window._qt_viewer._qt_open  # what a drop calls
    drop([str(tmp_path / "good.mat")], stack=False)
    assert viewer.layers[-1].data.shape == (16, 40, 60)
    drop([str(tmp_path / "bad.mat")], stack=False)
    assert len(viewer.layers) == 1
    assert any("bad.mat" in message and "not a MATLAB" in message for message in messages)
    viewer.open(tmp_path / "frame.tif", plugin=PLUGIN)
    np.testing.assert_array_equal(viewer.layers[-1].data[5], frame[1::4, 1::4])
    assert sum("wavelengths are unknown" in message for message in messages) == 1


def test_a_bad_file_raises_where_there_is_no_viewer(tmp_path):
    assert napari.current_viewer() is None
    (tmp_path / "bad.mat").write_bytes(b"this is no cube")
    with pytest.raises(InputError, match="not a MATLAB"):
        layers_of(tmp_path / "bad.mat")


def test_large_files_stay_where_they_are(tmp_path, monkeypatch):
    from napari_hsisynth.lazy_array import LazyArray

    np.save(tmp_path / "a.npy", np.zeros((4, 5, 6), np.float32))
    monkeypatch.setattr(registry, "LAZY_FROM_BYTES", 100)
    assert isinstance(layers_of(tmp_path / "a.npy")[0][0], LazyArray)


def test_preferences_say_how_a_raw_frame_is_read(tmp_path, monkeypatch):
    """What napari's preferences hold reaches `read_cube`; reading itself is tested with the format."""
    tifffile.imwrite(tmp_path / "frame.tif", np.zeros((10, 10), np.uint16))
    asked = []

    def read(path, **options):
        asked.append(options)
        return Cube(np.zeros((25, 2, 2)))

    monkeypatch.setattr(reading, "read_cube", read)
    monkeypatch.setattr(reading, "mosaic_settings", lambda: {"mosaic": "5x5", "layout": None, "demosaic": True})
    reading.read_one(tmp_path / "frame.tif")
    tifffile.imwrite(tmp_path / "stack.tif", np.zeros((3, 8, 8), np.uint16), photometric="minisblack")
    reading.read_one(tmp_path / "stack.tif")
    assert asked == [{"lazy": None, "mosaic": "5x5", "layout": None, "demosaic": True}, {"lazy": None}]


def test_preferences_are_those_of_the_manifest(make_napari_viewer):
    from napari.settings import get_plugin_settings

    make_napari_viewer()
    assert reading.mosaic_settings() == {"mosaic": "4x4", "layout": None, "demosaic": False}
    mosaic = get_plugin_settings(PLUGIN).mosaic
    before = mosaic.pattern, mosaic.layout, mosaic.demosaic
    try:
        mosaic.pattern, mosaic.layout, mosaic.demosaic = "5x5", "", True
        assert reading.mosaic_settings() == {"mosaic": "5x5", "layout": None, "demosaic": True}
        mosaic.layout = "layout.csv"
        assert reading.mosaic_settings() == {"mosaic": None, "layout": "layout.csv", "demosaic": True}
    finally:
        mosaic.pattern, mosaic.layout, mosaic.demosaic = before


def test_real_mosaic_frames_open(make_napari_viewer):
    folder = Path(os.environ.get("HSISYNTH_TEST_DATA", "")) / "mosaic16"
    frames = sorted(folder.glob("*.tif")) if "HSISYNTH_TEST_DATA" in os.environ else []
    if not frames:
        pytest.skip("HSISYNTH_TEST_DATA names no folder with mosaic16")
    viewer = make_napari_viewer()
    viewer.open(frames[0], plugin=PLUGIN)
    assert viewer.layers[0].data.shape == (16, 256, 512)


# --- several arrays in a file


def test_without_a_viewer_an_ambiguous_file_raises_and_names_the_arrays(two_cubes):
    with pytest.raises(AmbiguousVariableError, match="first 4x5x6"):
        layers_of(two_cubes)


@pytest.mark.parametrize(
    ("keys", "expected"), [([Qt.Key.Key_Down, Qt.Key.Key_Return], 2.0), ([Qt.Key.Key_Escape], None)]
)
def test_in_a_viewer_the_user_chooses_by_keyboard(make_napari_viewer, two_cubes, keys, expected):
    viewer = make_napari_viewer(show=True)
    seen = []

    def answer():
        dialog = QApplication.activeModalWidget()
        if not isinstance(dialog, VariableDialog):
            QTimer.singleShot(20, answer)
            return
        items = [dialog.list.topLevelItem(row) for row in range(dialog.list.topLevelItemCount())]
        seen.extend([item.text(column) for column in range(3)] for item in items)
        for key in keys:
            QTest.keyClick(dialog.list, key)

    QTimer.singleShot(20, answer)
    viewer.open(two_cubes, plugin=PLUGIN)
    assert seen == [["first", "4 x 5 x 6", "float64"], ["second", "4 x 7 x 8", "float64"]]
    if expected is None:
        assert not len(viewer.layers)
    else:
        assert viewer.layers[0].data.max() == expected


def test_the_dialog_is_answered_by_mouse(qtbot):
    dialog = VariableDialog("x.mat", [Variable("a", (1, 2, 3), "u1"), Variable("b", (4, 5, 6), "f4")])
    qtbot.addWidget(dialog)
    dialog.show()
    place = dialog.list.visualItemRect(dialog.list.topLevelItem(1)).center()
    QTest.mouseClick(dialog.list.viewport(), Qt.MouseButton.LeftButton, pos=place)
    QTest.mouseClick(
        dialog.findChild(QDialogButtonBox).button(QDialogButtonBox.StandardButton.Ok), Qt.MouseButton.LeftButton
    )
    assert (dialog.result(), dialog.chosen) == (1, "b")


# --- the dialogs of the docks


def test_the_file_dialog_offers_every_suffix_and_all_files(more_formats):
    patterns = opening.file_patterns()
    assert patterns.startswith("cubes (*.mat ")
    for suffix in (".npz", ".npy", ".tif", ".tiff", ".img"):
        assert f"*{suffix}" in patterns
    assert ".arrays" not in patterns
    assert patterns.endswith("all files (*)")


def test_files_of_any_name_and_folders_open(make_napari_viewer, qtbot, tmp_path, more_formats, monkeypatch, messages):
    viewer = make_napari_viewer()
    parent = QWidget()
    qtbot.addWidget(parent)
    values = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    values.tofile(tmp_path / "darkReference")
    (tmp_path / "darkReference.json").write_text("[2, 3, 4]")
    (tmp_path / "other").write_bytes(b"x")
    (tmp_path / "c.arrays").mkdir()
    np.save(tmp_path / "c.arrays" / "0.npy", np.zeros((4, 5), np.float32))
    names = [str(tmp_path / "darkReference"), str(tmp_path / "other")]
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_, **__: (names, ""))
    opening.ask_for_cubes(parent, viewer)
    assert [layer.name for layer in viewer.layers] == ["darkReference · cube"]
    np.testing.assert_array_equal(viewer.layers[0].data, values)
    assert any("other" in message for message in messages)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: str(tmp_path / "c.arrays"))
    opening.ask_for_folder(parent, viewer)
    assert viewer.layers[-1].name == "c.arrays · cube"
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: "")
    opening.ask_for_folder(parent, viewer)
    assert len(viewer.layers) == 2
