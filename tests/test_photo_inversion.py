"""``napari-hsisynth invert``: photographs to cubes that look like them and say what they are."""

import json
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
from napari_hsisynth.photo_inversion import invert_photographs, study_gain
from napari_hsisynth.photo_inversion.files import _names
from napari_hsisynth.photographs import read_photograph, srgb
from napari_hsisynth.study import Study, make_crops

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
    assert invert_photographs(photo[0], tmp_path / "out", like=study.root).kept == 1
    with pytest.raises(InputError, match="is there already"):  # its gain is not what is asked for now
        invert_photographs(photo[0], tmp_path / "out", wavelengths_nm=nm)
    infrared = Study.create(tmp_path / "infrared", wavelengths_nm=[700.0, 800.0, 900.0])
    with pytest.raises(InputError, match=f"{infrared.root}: .* use bands that reach from 500 to 600 nm"):
        invert_photographs(photo[0], tmp_path / "other", like=infrared.root)
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


def test_in_the_folder_of_the_photographs_cubes_are_not_taken_for_photographs(photo):
    path, _ = photo
    for replace in (False, True):
        report = invert_photographs(path.parent, path.parent, format="tiff", replace=replace)
        assert [each.name for each in report.cubes] == ["SYNTHETIC_patient.tif"]
        assert not report.skipped


@given(st.lists(st.text("ab_./2", min_size=1, max_size=5), max_size=8))
@settings(max_examples=50, deadline=None)
def test_names_are_never_given_twice(ways):
    names = _names([PurePath(f"{way.strip('/')}.png") for way in dict.fromkeys(ways) if way.strip("/.")])
    assert len({name.casefold() for name in names}) == len(names)


@pytest.fixture
def photos(tmp_path):
    """Two photographs, each of its own skin."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed, name in enumerate(("a.png", "b.png")):
        photograph(folder / name, skin(NM, seed=seed)[0])
    return folder


def test_cubes_are_not_replaced_unless_asked(photos, tmp_path, capsys):
    out = tmp_path / "out"
    words = ["invert", str(photos), "--out", str(out)]
    assert main([*words, "--wavelengths", "465:630:8"]) == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert main(words) == 2
    said = capsys.readouterr().err
    assert "is there already, made otherwise, and 1 more; choose another folder, or replace it (--replace)" in said
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert main([*words, "--replace"]) == 0
    assert read_cube(out / "SYNTHETIC_a.npz").bands == 16


@pytest.mark.parametrize("format", ["npz", "matlab5", "envi", "tiff"])
def test_the_same_command_makes_nothing_again(photo, tmp_path, capsys, format):
    words = ["invert", str(photo[0]), "--out", str(tmp_path / "out"), "--format", format]
    assert main(words) == 0
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    for more in ([], ["--replace"]):
        assert main([*words, *more]) == 0
        assert "1 cubes in" in (said := capsys.readouterr().out)
        assert "1 of them were there already" in said
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()} == times


def test_only_what_is_missing_or_broken_is_made(photos, tmp_path, capsys):
    out = tmp_path / "out"
    whole = invert_photographs(photos, out, maps=True)
    first, second = whole.cubes
    maps = out / "maps" / "SYNTHETIC_b.npz"
    maps.unlink()  # as if it had been ended between cube and maps
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*.npz")}
    again = invert_photographs(photos, out, maps=True)
    assert (again.cubes, again.kept) == (whole.cubes, 1)
    assert again.pixels == whole.pixels / 2  # of the photograph that was looked at
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert maps.exists()
    second.write_bytes(second.read_bytes()[:100])
    with pytest.raises(InputError, match="is there already") as error:
        invert_photographs(photos, out, maps=True)
    assert error.value.where == second
    assert invert_photographs(photos, out, maps=True, replace=True).kept == 1
    assert first.stat().st_mtime_ns == times[first]
    assert read_cube(second).bands == 16


def test_a_cube_of_another_photograph_is_in_the_way(photos, tmp_path):
    invert_photographs(photos, tmp_path / "out")
    photograph(photos / "b.png", skin(NM, seed=7)[0])
    with pytest.raises(InputError, match=r"SYNTHETIC_b\.npz: is there already"):
        invert_photographs(photos, tmp_path / "out")
    assert invert_photographs(photos, tmp_path / "out", replace=True).kept == 1


def test_a_format_that_says_nothing_of_the_cube_is_in_the_way(photo, tmp_path):
    invert_photographs(photo[0], tmp_path / "out", format="npy")
    with pytest.raises(InputError, match="is there already"):
        invert_photographs(photo[0], tmp_path / "out", format="npy")


def test_a_file_in_place_of_the_folder(photos, tmp_path):
    (tmp_path / "out").touch()
    with pytest.raises(InputError, match="is a file, and cubes go into a folder"):
        invert_photographs(photos, tmp_path / "out")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--format", "none"], "no writable format"),
        (["--wavelengths", "700:900:4"], "there are 4 in 700-900 nm; use bands that reach from 500 to 600 nm"),
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


def test_cancelling_keeps_what_is_whole(photos, tmp_path):
    told = []
    report = invert_photographs(
        photos,
        tmp_path / "out",
        progress=lambda done, total, share: told.append((done, total, share)),
        cancelled=lambda: bool(told) and told[-1][0] == 1,
    )
    assert report.stopped
    assert [path.name for path in report.cubes] == ["SYNTHETIC_a.npz"]
    assert list((tmp_path / "out").iterdir()) == report.cubes
    report = invert_photographs(photos, tmp_path / "out")
    assert (len(report.cubes), report.kept, report.stopped) == (2, 1, False)


def job(tmp_path, photos, name, *words):
    run = RunFolder(tmp_path / name)
    run.path.mkdir()
    if name == "stopped":
        run.request_stop()
    assert main(["invert", str(photos), "--out", str(tmp_path / "out"), "--run", str(run.path), *words]) == 0
    return run


def test_as_a_job_it_says_how_far_it_is_and_can_be_stopped(photos, tmp_path, capsys):
    stopped = job(tmp_path, photos, "stopped")
    assert "stopped: 0 cubes so far; the same command makes the others" in capsys.readouterr().out
    assert stopped.state().status == "stopped"
    assert stopped.state().result["path"] == str(tmp_path / "out")
    assert not stopped.stop_requested()
    done = job(tmp_path, photos, "done")
    assert [event.kind for event in done.events() if event.kind in ("started", "done")] == ["started", "done"]
    assert len(done.state().result["cubes"]) == 2
    assert done.config["out"] == str(tmp_path / "out")
    assert done.config["wavelengths"] is None
    other = job(tmp_path, photos, "other", "--replace", "--wavelengths", "480:620:3")
    assert other.config["wavelengths"] == [480, 550, 620]


def test_of_many_photographs_left_out_few_are_named(photos, tmp_path):
    for number in range(8):
        (photos / f"bad{number}.jpg").write_text("no picture")
    run = job(tmp_path, photos, "many")
    said = [event.fields["message"] for event in run.events() if event.kind == "warning"]
    assert sum(text.startswith("left out: bad") for text in said) == 5
    assert "left out: 3 more photographs" in said
    assert len(run.state().result["skipped"]) == 8
