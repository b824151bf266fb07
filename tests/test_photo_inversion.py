"""``napari-hsisynth invert``: photographs to cubes that look like them and say what they are."""

import json
import shutil
from pathlib import PurePath

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from napari_hsisynth import Cube
from napari_hsisynth.cli import main
from napari_hsisynth.composite import cie1931_rgb_weights
from napari_hsisynth.errors import InputError
from napari_hsisynth.formats import read_cube
from napari_hsisynth.jobs import RunFolder
from napari_hsisynth.optics import SURFACE_REFLECTANCE, skin_reflectance
from napari_hsisynth.optics.sensor import REFERENCE_SKIN
from napari_hsisynth.photo_inversion import _names, invert_photographs, study_gain
from napari_hsisynth.photographs import read_photograph, srgb
from napari_hsisynth.study import Cancelled, Study, make_crops

NM = np.linspace(465, 630, 16)


def skin(nm, shape=(6, 8), seed=0):
    """Reflectance of mottled skin with a dark square, and the square."""
    rng = np.random.default_rng(seed)
    mask = np.zeros(shape, bool)
    mask[2:-2, 2:-2] = True
    melanin = np.where(mask, 0.09, REFERENCE_SKIN.melanin_fraction) * rng.uniform(0.9, 1.1, shape)
    blood = REFERENCE_SKIN.blood_fraction * rng.uniform(0.7, 1.3, shape)
    return skin_reflectance(nm, melanin, 0.006, blood, 0.65, 1.0) + SURFACE_REFLECTANCE, mask


def photograph(path, reflectance, nm=NM):
    colours = srgb(np.tensordot(cie1931_rgb_weights(nm), reflectance, 1))
    Image.fromarray((np.moveaxis(np.clip(colours, 0, 1), 0, 2) * 255).round().astype(np.uint8)).save(path)


@pytest.fixture
def photo(tmp_path):
    reflectance, _ = skin(NM)
    photograph(tmp_path / "patient.png", reflectance)
    return tmp_path / "patient.png", reflectance


def test_a_photograph_of_the_model_comes_back(photo, tmp_path, capsys):
    path, reflectance = photo
    assert main(["invert", str(path), "--out", str(tmp_path / "out"), "--maps", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    cube = read_cube(told["cubes"][0])
    assert cube.name == "SYNTHETIC_patient"
    assert cube.provenance["synthetic"] == "skin-optics inversion"
    assert cube.provenance["photograph"] == "patient.png"
    np.testing.assert_allclose(cube.wavelengths_nm, NM)
    assert np.abs(cube.data - reflectance).max() < 0.02  # the photograph is rounded to 8 bits
    looks = srgb(np.tensordot(cie1931_rgb_weights(NM), cube.data, 1))
    assert np.abs(looks - read_photograph(path)).max() < 2 / 255
    with np.load(tmp_path / "out" / "maps" / "SYNTHETIC_patient.npz", allow_pickle=False) as maps:
        assert maps["melanin_fraction"].shape == (6, 8)
        assert maps["melanin_fraction"][3, 4] > 2 * maps["melanin_fraction"][0, 0]
        assert str(maps["synthetic"]) == "skin-optics inversion"
    assert told["pixels"] == 48
    assert "SYNTHETIC" in told["notes"][0]


def test_any_bands_and_any_format(photo, tmp_path):
    path, _ = photo
    report = invert_photographs(path, tmp_path / "out", wavelengths_nm=[480, 520, 560, 600, 700], format="envi")
    assert [each.name for each in report.cubes] == ["SYNTHETIC_patient.hdr"]
    cube = read_cube(report.cubes[0])
    assert cube.data.shape == (5, 6, 8)
    assert cube.wavelengths_nm.tolist() == [480, 520, 560, 600, 700]


def test_like_a_study_gives_the_values_of_its_camera(photo, tmp_path):
    nm = np.linspace(470, 640, 9)
    gain = np.linspace(0.5, 2.0, 9)
    study = Study.create(tmp_path / "study", wavelengths_nm=nm)
    for number in range(8):
        reflectance, mask = skin(nm, (12, 12), seed=number)
        data = reflectance * gain[:, None, None]
        study.add_cube(Cube(data.astype(np.float32), nm), f"C{number}", "nevus", mask=mask)
    with pytest.raises(InputError, match="no training crops"):
        invert_photographs(photo[0], tmp_path / "out", like=study.root)
    make_crops(study)
    found = study_gain(study, cie1931_rgb_weights(nm))
    np.testing.assert_allclose(found, gain, rtol=0.05)
    cube = read_cube(invert_photographs(photo[0], tmp_path / "out", like=study.root).cubes[0])
    plain = read_cube(invert_photographs(photo[0], tmp_path / "plain", wavelengths_nm=nm).cubes[0])
    np.testing.assert_allclose(cube.data, plain.data * found[:, None, None], rtol=1e-5)
    np.testing.assert_allclose(cube.provenance["gain"], found)
    with pytest.raises(InputError, match="its own wavelengths"):
        invert_photographs(photo[0], tmp_path / "other", like=study.root, wavelengths_nm=nm)


def test_a_folder_leaves_out_what_it_cannot_read_and_says_so(photo, tmp_path, capsys):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a.png", "a.tif", "b.png"):
        Image.open(photo[0]).save(folder / name)
    (folder / "bad.jpg").write_text("no picture")
    assert main(["invert", str(folder), "--out", str(tmp_path / "out"), "--json"]) == 0
    printed = capsys.readouterr()
    told = json.loads(printed.out)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "SYNTHETIC_a_png.npz",
        "SYNTHETIC_a_tif.npz",
        "SYNTHETIC_b.npz",
    ]
    assert told["skipped"] == [{"photograph": "bad.jpg", "reason": "not a photograph"}]
    assert "left out: bad.jpg" in printed.err


def test_every_photograph_gets_a_cube_of_its_own(photo, tmp_path):
    folder = tmp_path / "photos"
    original = Image.open(photo[0])
    ways = ["a/1.png", "b/1.png", "a_1.png", "x.jpg", "X.png", "x_jpg.png", "y.tif", "out/old.png"]
    for way in ways:
        (folder / way).parent.mkdir(parents=True, exist_ok=True)
        original.save(folder / way)
    report = invert_photographs(folder, folder / "out", maps=True)
    found = {read_cube(path).provenance["photograph"]: path.stem.removeprefix("SYNTHETIC_") for path in report.cubes}
    assert found == {
        "a/1.png": "a_1_png",
        "b/1.png": "b_1",
        "a_1.png": "a_1_png_2",
        "x.jpg": "x_jpg_2",
        "X.png": "X_png",
        "x_jpg.png": "x_jpg",
        "y.tif": "y",
    }
    assert len(list((folder / "out").glob("*.npz"))) == len(list((folder / "out" / "maps").iterdir())) == 7
    for path in report.cubes:
        path.unlink()
    with pytest.raises(InputError, match="is there already"):  # the maps are
        invert_photographs(folder, folder / "out", maps=True)


@given(st.lists(st.text("ab_./2", min_size=1, max_size=5), max_size=8))
@settings(max_examples=50, deadline=None)
def test_names_are_never_given_twice(ways):
    names = _names([PurePath(f"{way.strip('/')}.png") for way in dict.fromkeys(ways) if way.strip("/.")])
    assert len({name.casefold() for name in names}) == len(names)


def test_cubes_are_not_replaced_unless_asked(photo, tmp_path, capsys):
    words = ["invert", str(photo[0]), "--out", str(tmp_path / "out")]
    assert main(words) == 0
    assert main(words) == 2
    assert "is there already" in capsys.readouterr().err
    assert main([*words, "--replace"]) == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--format", "none"], "no writable format"),
        (["--wavelengths", "700:900:4"], "colour render needs bands"),
        (["--wavelengths", "465:630:16", "--like", "study"], "not allowed with"),
    ],
)
def test_bad_wishes_are_one_line_and_write_nothing(photo, tmp_path, capsys, words, said):
    try:
        status = main(["invert", str(photo[0]), "--out", str(tmp_path / "out"), *words])
    except SystemExit as error:
        status = error.code
    assert status == 2
    printed = capsys.readouterr().err
    assert said in printed
    assert len(printed.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_single_bad_photograph_is_an_error(tmp_path, capsys):
    (tmp_path / "bad.jpg").write_text("no picture")
    assert main(["invert", str(tmp_path / "bad.jpg"), "--out", str(tmp_path / "out")]) == 2
    assert "bad.jpg: not a photograph" in capsys.readouterr().err


def test_cancelling_keeps_what_is_whole(photo, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        Image.open(photo[0]).save(folder / name)
    told = []
    with pytest.raises(Cancelled):
        invert_photographs(
            folder,
            tmp_path / "out",
            progress=lambda done, total, share: told.append((done, total, share)),
            cancelled=lambda: bool(told) and told[-1][0] == 1,
        )
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["SYNTHETIC_a.npz"]


def test_as_a_job_it_says_how_far_it_is_and_can_be_stopped(photo, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("a.png", "b.png"):
        shutil.copy(photo[0], photos / name)
    run = RunFolder(tmp_path / "run")
    run.path.mkdir()
    assert main(["invert", str(photos), "--out", str(tmp_path / "out"), "--run", str(run.path)]) == 0
    assert [event.kind for event in run.events() if event.kind in ("started", "done")] == ["started", "done"]
    assert len(run.state().result["cubes"]) == 2
    stopped = RunFolder(tmp_path / "stopped")
    stopped.path.mkdir()
    stopped.request_stop()
    assert main(["invert", str(photos), "--out", str(tmp_path / "none"), "--run", str(stopped.path)]) == 0
    assert stopped.state().status == "stopped"
    assert not list((tmp_path / "none").glob("*.npz"))
