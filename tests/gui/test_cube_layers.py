"""Cubes as layers and back, what the manifest names, and the session that the docks share."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest
import yaml
from napari.components import ViewerModel
from npe2 import PluginManifest
from qtpy.QtCore import QObject

import napari_hsisynth
from napari_hsisynth import Cube, InputError, Study, read_cube
from napari_hsisynth.lazy_array import LazyArray
from napari_hsisynth.widgets import layers, npe2, settings
from napari_hsisynth.widgets.app import read_all
from napari_hsisynth.widgets.command_line import CommandLine, command_text
from napari_hsisynth.widgets.comparison import Comparison
from napari_hsisynth.widgets.layers import (
    add_cube,
    contrast_limits,
    cube_layer_data,
    display_gamma,
    front_cube_layer,
    in_memory,
    layer_cube,
    pixel_at,
    set_band,
    shown_band,
)
from napari_hsisynth.widgets.session import session_for

PLUGIN = "napari-hsisynth"


@pytest.fixture
def study(tmp_path, make_cube):
    made = Study.create(tmp_path / "study", wavelengths_nm=465.0 + 11.0 * np.arange(16))
    for name in ("DN_1", "DN_2"):
        made.add_cube(make_cube(name=name), name, "dysplastic_nevus")
    return made


# --- layers


def test_a_layer_has_axes_in_nm_and_gives_the_cube_back(make_cube):
    cube = make_cube(provenance={"camera": "x"})
    viewer = ViewerModel()
    layer = add_cube(viewer, cube)
    assert layer.name == "numbers · cube"
    assert viewer.dims.axis_labels == ("wavelength", "y", "x")
    assert [str(unit) for unit in layer.units] == ["nanometer", "pixel", "pixel"]
    assert viewer.dims.range[0] == (465.0, 630.0, 11.0)
    found = layer_cube(layer)
    assert found.data is layer.data is cube.data
    assert found.provenance["camera"] == "x"
    np.testing.assert_array_equal(found.wavelengths_nm, cube.wavelengths_nm)


@pytest.mark.parametrize("nm", [[465, 470, 500, 630], [630, 500, 470, 465], [500, 465, 630, 470]])
def test_uneven_and_unordered_bands_keep_their_wavelengths(nm, make_cube):
    viewer = ViewerModel()
    session_for(viewer)
    layer = add_cube(viewer, make_cube(4, wavelengths_nm=nm))
    for band in range(4):
        set_band(viewer, layer, band)
        assert shown_band(viewer, layer) == band
        assert viewer.canvas.overlays.text.text == f"{nm[band]} nm"
    np.testing.assert_array_equal(layer_cube(layer).wavelengths_nm, nm)


def test_unknown_wavelengths_are_bands():
    viewer = ViewerModel()
    session_for(viewer)
    layer = add_cube(viewer, Cube(np.ones((5, 4, 3)), name="z"))
    assert viewer.dims.axis_labels == ("band", "y", "x")
    set_band(viewer, layer, 3)
    assert viewer.canvas.overlays.text.text == "band 3 of 5"
    assert not layer_cube(layer).wavelengths_known


def test_contrast_is_not_decided_by_one_pixel_and_values_are_kept():
    data = np.random.default_rng(0).uniform(0, 1, (4, 50, 50)).astype(np.float32)
    data[2, 3, 4], data[1, 1, 1] = 1e6, np.nan
    low, high = contrast_limits(data)
    assert 0 <= low < high <= 1.01
    assert cube_layer_data(Cube(data, [1, 2, 3, 4]))[0][2, 3, 4] == 1e6
    assert contrast_limits(np.full((2, 3, 3), np.nan)) == (0.0, 1.0)
    assert contrast_limits(np.full((2, 3, 3), 5.0)) == (5.0, 6.0)


def test_pixels_are_found_in_scaled_layers_only_inside():
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((3, 10, 20)), scale=(1, 2, 2), translate=(0, 5, 5))
    assert pixel_at(layer, (0, 5, 5)) == (0, 0)
    assert pixel_at(layer, (0, 5 + 2 * 9 + 0.9, 5 + 2 * 19)) == (9, 19)
    assert pixel_at(layer, (0, 3.9, 5)) is None
    assert pixel_at(layer, (0, 5 + 2 * 9.6, 5)) is None


def test_other_layers_are_no_cubes():
    viewer = ViewerModel()
    assert layer_cube(viewer.add_image(np.zeros((8, 8)))) is None
    assert layer_cube(viewer.add_image(np.zeros((8, 8, 3), np.uint8), rgb=True)) is None
    assert layer_cube(viewer.add_labels(np.zeros((3, 8, 8), int))) is None
    assert front_cube_layer(viewer) is None
    stack = viewer.add_image(np.zeros((3, 8, 8), np.uint16))
    assert layer_cube(stack).axis_label == "band"


def test_a_text_of_the_users_own_is_left_alone(make_cube):
    viewer = ViewerModel()
    viewer.canvas.overlays.text.text = "mine"
    session_for(viewer)
    add_cube(viewer, make_cube())
    assert viewer.canvas.overlays.text.text == "mine"


# --- the manifest


def test_manifest_is_valid_and_the_top_level_file_is_the_same():
    inside = Path(napari_hsisynth.__file__).with_name("napari.yaml")
    outside = Path(napari_hsisynth.__file__).parent.parent / "napari.yaml"
    assert yaml.safe_load(outside.read_text()) == yaml.safe_load(inside.read_text())
    manifest = PluginManifest.from_file(inside)
    manifest.validate_imports()
    names = [widget.display_name for widget in manifest.contributions.widgets]
    assert sorted(names) == sorted(
        ["Workflow", "Study", "Spectra", "View", "Annotate", "Crop", "Train", "Sample", "Compare", "Evaluate"]
    )


def test_a_written_layer_is_read_again(tmp_path, make_cube):
    viewer = ViewerModel()
    layer = add_cube(viewer, make_cube(provenance={"camera": "x"}))
    for suffix in ("npz", "mat"):
        path = str(tmp_path / f"out.{suffix}")
        npe2.write_cube_layer(path, layer.data, layer.as_layer_data_tuple()[1])
        back = read_cube(path)
        np.testing.assert_array_equal(back.data, layer.data)
        np.testing.assert_allclose(back.wavelengths_nm, 465.0 + 11.0 * np.arange(16))
        assert back.provenance["camera"] == "x"


def test_a_layer_that_is_no_cube_is_not_written(tmp_path):
    layer = ViewerModel().add_image(np.zeros((5, 5)), name="flat")
    with pytest.raises(InputError, match="not a cube"):
        npe2.write_cube_layer(str(tmp_path / "x.npz"), layer.data, layer.as_layer_data_tuple()[1])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("key", ["melanoma", "dysplastic_nevus", "nevus", "ideal_nevus"])
def test_sample_data_are_phantoms_with_their_masks(make_napari_viewer, key):
    viewer = make_napari_viewer()
    cube, mask = viewer.open_sample(PLUGIN, key)
    assert cube.name.startswith("PHANTOM")
    assert cube.metadata["hsisynth"]["origin"] == "phantom"
    assert mask.data.shape == cube.data.shape[1:]
    inside = mask.data > 0
    assert inside.any()
    assert cube.data[8][inside].mean() < cube.data[8][~inside].mean()


# --- session, settings, command


def test_session_shows_one_cube_after_the_other(study):
    viewer = ViewerModel()
    session, seen = session_for(viewer), []
    session.cube_changed.connect(seen.append)
    own = viewer.add_points(np.zeros((1, 2)), name="mine")
    session.open_study(study.root)
    session.show_cube("DN_1")
    session.show_cube("DN_2")
    assert [layer.name for layer in viewer.layers] == ["mine", "DN_2 · cube"]
    assert seen == ["DN_1", "DN_2"]
    with pytest.raises(InputError, match="no cube"):
        session.show_cube("DN_3")
    assert session.cube_id == "DN_2"
    viewer.layers.remove(session.cube_layer)
    assert session.cube_layer is None
    session.show_cube("DN_2")
    session.close_study()
    assert seen[-1] is None
    assert own in viewer.layers


def test_last_study_and_cube_come_back(study):
    viewers = [ViewerModel() for _ in range(3)]
    first = session_for(viewers[0])
    first.open_study(study.root)
    first.show_cube("DN_2")
    second = session_for(viewers[1])
    assert second.restore_last()
    assert (second.study.root, second.cube_id) == (study.root, "DN_2")
    assert second.recent_studies() == [study.root]
    study.root.rename(study.root.with_name("moved"))
    assert not session_for(viewers[2]).restore_last()


def test_a_session_ends_with_its_viewer():
    import weakref

    viewer = ViewerModel()
    session = weakref.ref(session_for(viewer))
    del viewer
    gc.collect()
    assert session() is None


@pytest.mark.parametrize("stored", ["text", True, 3, 2.5, ["a", 1], {"b": None}])
def test_settings_keep_types(stored):
    settings.set_value("group/key", stored)
    assert settings.value("group/key", None) == stored
    assert settings.value("group/key", type(stored)()) == stored
    settings.set_value("group/key", None)
    assert settings.value("group/key", "default") == "default"


def test_settings_of_another_type_are_not_believed():
    settings.set_value("group/key", "many")
    assert settings.value("group/key", 3) == 3


def test_command_is_quoted_for_the_shell_and_copied(qtbot):
    from qtpy.QtWidgets import QApplication

    line = CommandLine()
    qtbot.addWidget(line)
    assert not line.copy_button.isEnabled()
    line.set_words(["crop", "my study", "--margin", 0.5])
    line.copy_button.click()
    assert QApplication.clipboard().text() == line.command == command_text(["crop", "my study", "--margin", 0.5])
    assert "my study" in line.command
    assert line.line.text() == f"$ {line.command}"


def test_open_reads_everything_before_a_window(study, tmp_path, make_cube):
    napari_hsisynth.write_cube(tmp_path / "a.npz", make_cube())
    found, cubes = read_all([study.root, tmp_path / "a.npz"])
    assert (found.root, [cube.name for cube in cubes]) == (study.root, ["numbers"])
    with pytest.raises(InputError, match="second study"):
        read_all([study.root, study.root])
    with pytest.raises(InputError, match="no such file"):
        read_all([tmp_path / "none.mat"])


def test_the_first_band_is_well_exposed_and_the_brightest_is_not_cut_off():
    bands = np.array([0.1, 0.2, 0.9])[:, None, None] * np.random.default_rng(0).normal(1, 0.02, (3, 40, 60))
    data, options, _ = cube_layer_data(Cube(bands, [500.0, 540.0, 620.0]))
    low, high = options["contrast_limits"]

    def shown(band: int) -> float:
        return float(np.median((data[band] - low) / (high - low)) ** options["gamma"])

    assert shown(1) == pytest.approx(0.5, abs=0.12)  # 0.11 without gamma
    assert shown(0) < shown(1) < shown(2) < 1.0
    np.testing.assert_array_equal(data, bands.astype(np.float32))


@pytest.mark.parametrize(("level", "gamma"), [(0.0, 0.4), (0.25, 0.5), (0.5, 1.0), (0.9, 1.0), (np.nan, 1.0)])
def test_gamma_makes_the_middle_band_mid_grey(level, gamma):
    data = np.full((3, 4, 5), level)
    assert display_gamma(data, (0.0, 1.0)) == pytest.approx(gamma)


def test_a_compared_pair_has_one_exposure(qapp):
    owner = QObject()
    comparison = Comparison(ViewerModel(), owner)
    steep, flat = (Cube(np.ones((3, 8, 8)) * [[[1]], [[2]], [[top]]], [500.0, 540.0, 620.0]) for top in (9, 4))
    comparison.show(steep, flat)
    real, synthetic = comparison.layers
    assert real.gamma < 1
    for layer in (synthetic, real):
        assert (tuple(layer.contrast_limits), layer.gamma) == (tuple(real.contrast_limits), real.gamma)
        layer.gamma = 0.8
    comparison.leave()


def test_large_cubes_are_not_brought_into_memory_unasked(monkeypatch):
    lazy = Cube(LazyArray(np.zeros((4, 5, 6), np.uint16)), [500.0, 510.0, 520.0, 530.0], name="big")
    assert isinstance(in_memory(lazy).data, np.ndarray)
    monkeypatch.setattr(layers, "MOST_LOADED_BYTES", 4 * lazy.data.size - 1)
    with pytest.raises(InputError, match=r"big: too large for this"):
        in_memory(lazy)
    assert in_memory(lazy.loaded()).bands == 4


def test_450_bands_of_an_envi_file_and_bands_in_infrared_have_their_nm():
    nm = 378.28 + np.cumsum(np.linspace(4.5, 5.0, 450))
    viewer = ViewerModel()
    session_for(viewer)
    layer = add_cube(viewer, Cube(np.zeros((450, 3, 4)), nm))
    for band in (0, 111, 449):
        set_band(viewer, layer, band)
        assert shown_band(viewer, layer) == band
        assert viewer.canvas.overlays.text.text == f"{nm[band]:.4g} nm"
    viewer.dims.set_current_step(0, viewer.dims.nsteps[0] - 1)
    assert shown_band(viewer, layer) == 449


@pytest.mark.parametrize("first_nm", [465.0, 465.16, 400.3])
@pytest.mark.parametrize("step_nm", [11.0, 10.34, 9.91, 0.1])
def test_the_slider_reaches_the_last_band(first_nm, step_nm):
    viewer = ViewerModel()
    cube = Cube(np.zeros((16, 4, 5)), first_nm + step_nm * np.arange(16))
    data, options, _ = cube_layer_data(cube)
    layer = viewer.add_image(data, **options)
    assert viewer.dims.nsteps[0] == 16
    viewer.dims.set_current_step(0, viewer.dims.nsteps[0] - 1)
    assert shown_band(viewer, layer) == 15
    np.testing.assert_allclose([layer.translate[0], layer.scale[0]], [first_nm, step_nm], atol=1e-5)
