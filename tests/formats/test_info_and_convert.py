"""The verbs `info` and `convert`, as a user calls them."""

import json

import numpy as np
import pytest
import scipy.io
import tifffile

from napari_hsisynth.cli import main
from napari_hsisynth.cube import Cube
from napari_hsisynth.formats import read_cube, write_cube
from napari_hsisynth.study import Study


@pytest.fixture
def mat(tmp_path):
    """Write a file in the layout of HSIDermoscopy, with one invalid pixel."""
    values = np.random.default_rng(0).normal(size=(20, 30, 16)).astype(np.float32)
    values[1, 2, 3] = np.nan
    scipy.io.savemat(tmp_path / "DN_1.mat", {"DataCubeC": values, "comment": "x"})
    return tmp_path / "DN_1.mat"


def test_info_json_holds_what_the_file_holds(mat, capsys):
    assert main(["info", str(mat), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    values = scipy.io.loadmat(mat)["DataCubeC"]
    assert found["shape"] == [16, 20, 30]
    assert (found["dtype"], found["variable"], found["wavelengths_known"]) == ("single", "DataCubeC", False)
    assert {"name": "comment", "shape": [1], "dtype": "char"} in [
        {**variable, "shape": variable["shape"][1:]} for variable in found["variables"]
    ]
    assert (found["nonfinite_values"], found["nonfinite_pixels"]) == (1, 1)
    for band, one in enumerate(found["bands"]):
        assert one["wavelength_nm"] == 465 + 11 * band
        expected = [np.nanmin(values[..., band]), np.nanmax(values[..., band]), np.nanmean(values[..., band])]
        np.testing.assert_allclose([one["min"], one["max"], one["mean"]], expected, rtol=1e-5, atol=1e-7)


def test_info_text_says_shape_range_and_notes(mat, capsys):
    assert main(["info", str(mat)]) == 0
    text = capsys.readouterr().out
    for part in (
        "16 bands, 20 x 30 px",
        "465-630 nm (assumed)",
        "1 of 600 pixels",
        "last of the three axes",
        "comment",
    ):
        assert part in text


def test_info_of_a_band_without_any_finite_value(tmp_path, capsys):
    write_cube(tmp_path / "a.npz", Cube(np.full((2, 3, 4), np.inf), [500, 600]))
    assert main(["info", str(tmp_path / "a.npz"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["bands"][0] == {
        "wavelength_nm": 500,
        "min": None,
        "max": None,
        "mean": None,
    }
    assert main(["info", str(tmp_path / "a.npz")]) == 0


def test_info_of_a_study(tmp_path, capsys):
    study = Study.create(tmp_path / "s", wavelengths_nm=[500, 600], notes="mine")
    study.add_cube(Cube(np.ones((2, 8, 9)), [500, 600]), "a", "melanoma")
    assert main(["info", str(study.root), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["cubes"], found["diagnoses"], found["wavelengths_nm"]) == (1, {"melanoma": 1}, [500, 600])
    assert main(["info", str(study.root)]) == 0
    assert "1 melanoma" in capsys.readouterr().out


def test_convert_keeps_the_values_and_says_what_was_assumed(mat, tmp_path, capsys):
    assert main(["convert", str(mat), str(tmp_path / "new" / "a.NPZ"), "--json"]) == 0
    printed = capsys.readouterr()
    result = json.loads(printed.out)
    assert result["shape"] == [16, 20, 30]
    assert any("465-630" in note for note in result["notes"])
    assert "note: " in printed.err
    np.testing.assert_array_equal(read_cube(tmp_path / "new" / "a.NPZ").data, read_cube(mat).data)


def test_convert_with_wavelengths_makes_them_known(mat, tmp_path):
    assert main(["convert", str(mat), str(tmp_path / "a.mat"), "--wavelengths", "470:620:16"]) == 0
    cube = read_cube(tmp_path / "a.mat")
    assert cube.wavelengths_known
    assert cube.wavelengths_nm[[0, -1]].tolist() == [470, 620]


def test_convert_of_a_mosaic_frame_stays_unordered_until_a_layout_is_given(tmp_path, capsys):
    tifffile.imwrite(tmp_path / "f.tif", np.random.default_rng(0).integers(0, 255, (16, 24), dtype=np.uint8))
    assert main(["convert", str(tmp_path / "f.tif"), str(tmp_path / "f.npz"), "--mosaic", "4x4"]) == 0
    cube = read_cube(tmp_path / "f.npz")
    assert cube.axis_label == "band"
    assert not cube.wavelengths_known
    table = "\n".join(f"{n},{600 - 5 * n},{n // 4},{n % 4}" for n in range(16))
    (tmp_path / "l.csv").write_text(f"band,centre_nm,mosaic_row,mosaic_col\n{table}\n")
    assert main(["convert", str(tmp_path / "f.tif"), str(tmp_path / "g.npz"), "--mosaic", str(tmp_path / "l.csv")]) == 0
    np.testing.assert_array_equal(read_cube(tmp_path / "g.npz").data, cube.data[::-1])


def test_convert_to_npy_says_what_is_lost(mat, tmp_path, capsys):
    assert main(["convert", str(mat), str(tmp_path / "a.npy")]) == 0
    assert "wavelengths, name and provenance were left out" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["info", "missing.mat"],
        ["info", "."],
        ["info", "DN_1.mat", "--variable", "nothing"],
        ["info", "DN_1.mat", "--variable", "comment"],
        ["info", "DN_1.mat", "--mosaic", "4x4"],
        ["info", "flat.tif"],
        ["info", "flat.tif", "--mosaic", "5x5"],
        ["info", "flat.tif", "--mosaic", "nowhere.csv"],
        ["convert", "DN_1.mat", "a.xyz"],
        ["convert", "DN_1.mat", "."],
        ["convert", "DN_1.mat", "DN_1.mat/a.npz"],
        ["convert", "DN_1.mat", "a.npz", "--wavelengths", "1,2,3"],
        ["convert", "flat.tif", "a.npz"],
    ],
)
def test_bad_input_is_one_line_and_status_2(mat, capsys, monkeypatch, words):
    monkeypatch.chdir(mat.parent)
    tifffile.imwrite("flat.tif", np.ones((8, 8), np.uint8))
    assert main(words) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    errors = [line for line in printed.err.splitlines() if not line.startswith("note: ")]
    assert len(errors) == 1
    assert errors[0].startswith("error: ")
