"""A data set on disk: names, table, card, checksums; the same files each time; whole or not there."""

import csv
import json
import shutil
import subprocess
import sys
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.io
import spectral.io.envi
from PIL import Image

from napari_hsisynth import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.study import Cancelled, Diagnosis, Study, dataset, import_hsidermoscopy, make_crops
from napari_hsisynth.study.adding import add_files
from napari_hsisynth.study.dataset import import_dataset, is_data_set
from napari_hsisynth.study.dataset.layout import stem
from napari_hsisynth.study.hsidermoscopy import folder_for, scan, told_by_name

export_dataset = partial(dataset.export_dataset, masks="stored")  # the default needs a segmenter


def rows(folder):
    with open(folder / "dataset.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def data(evaluated, tmp_path):
    export_dataset(evaluated, tmp_path / "data", licence="CC BY 4.0", title="two generators")
    return tmp_path / "data"


def test_other_programs_read_the_cubes_and_masks(study, data, tmp_path, make, synthetic):
    export_dataset(study, tmp_path / "envi", cube_format="envi")
    originals = {**synthetic(study, make.first), "syn-0-2": synthetic(study, make.second)["syn-0"]}
    for row, envi in zip(rows(data)[:4], rows(tmp_path / "envi")[:4], strict=True):
        original = originals[row["crop_id"]]
        expected = np.moveaxis(original.cube.data, 0, -1)
        stored = scipy.io.loadmat(data / row["file"])
        np.testing.assert_array_equal(stored["DataCubeC"], expected)
        assert "SYNTHETIC" in stored["name"][0]
        assert json.loads(stored["provenance"][0])["synthetic"] is True
        image = spectral.io.envi.open(tmp_path / "envi" / envi["file"])
        np.testing.assert_array_equal(np.asarray(image.load()), expected)
        assert "SYNTHETIC" in image.metadata["description"]
        np.testing.assert_array_equal([float(nm) for nm in image.metadata["wavelength"]], make.nm)
        if original.mask.any():
            with Image.open(data / row["mask_file"]) as mask:
                np.testing.assert_array_equal(np.array(mask), original.mask * 255)


def test_the_table_says_everything_of_every_cube(data, make):
    conditioned = next(row for row in rows(data) if row["crop_id"] == "syn-0-2")
    values = make.values(10)
    expected = {
        "mask_source": "conditioning", "lesion_px": "3", "diagnosis": "dysplastic_nevus", "run": make.second,
        "seed": "1", "checkpoint": "last@24", "checkpoint_sha256": "cd" * 32, "condition": "DN_1_1", "set": make.second,
        "invalid_px": "0",
    }  # fmt: skip
    assert {name: conditioned[name] for name in expected} == expected
    assert float(conditioned["min"]) == values.min()
    assert float(conditioned["max"]) == values.max()
    assert float(conditioned["mean"]) == pytest.approx(values.mean(dtype=np.float64), rel=1e-12)
    assert [row["model"] for row in rows(data)] == ["vae"] * 3 + [""] * 2  # the other run is not in the study
    assert [row["mask_file"] != "" for row in rows(data)] == [False, False, False, True, False]


def test_names_say_synthetic_and_tell_the_diagnosis_where_the_layout_asks_the_name(data):
    for path in data.rglob("*"):
        if path.is_file() and path.parent != data:
            assert "SYNTHETIC_PHANTOM" in path.name
    for diagnosis in Diagnosis:
        name = stem("syn-1", diagnosis, phantom=False)
        assert folder_for(diagnosis) != "OtherCube" or told_by_name(name) is diagnosis
    found = {cube.cube_id: cube for cube in scan(data).cubes}
    for row in rows(data):
        cube = next(found[name] for name in found if name.endswith(f"_{row['crop_id']}"))
        assert cube.diagnosis == row["diagnosis"]
        assert [mask.relative_to(data).as_posix() for mask in cube.masks] == [row["mask_file"]] * bool(row["mask_file"])


def test_the_card_names_generators_data_figures_and_limits(data, make):
    card = json.loads((data / "datacard.json").read_text())
    page = (data / "README.md").read_text()
    assert card["title"] == "SYNTHETIC: two generators"
    assert card["licence"] == "CC BY 4.0"
    assert card["phantom"] is True
    known, unknown = card["generators"]
    assert (known["run"], known["model"], known["training_data"]["fingerprint"]) == (make.first, "vae", "fp")
    assert known["configuration"] == {"model": "vae", "lr": 1e-3, "photos": "photos"}  # no folder of the machine
    assert (unknown["run"], unknown["known"]) == (make.second, False)
    (report,) = card["evaluations"]
    assert (report["run"], report["figures"]["angle"]["value"]) == ("20260104-000000-evaluate-2", 0.25)  # the newest
    assert any("Not evaluated" in limit and make.second in limit for limit in card["limits"])
    assert any("Memorisation was not tested" in limit for limit in card["limits"])
    assert "| Angle (rad) | 0.25 | 0.1 to 0.3 | 0.125 |" in page
    assert page.index("SYNTHETIC") < page.index("PHANTOM") < page.index("## Generators")
    assert "two generators" in page


def test_the_card_says_how_cubes_were_drawn_also_after_a_way_through_a_data_set(study, tmp_path, make):
    others = [
        make.crop("syn-t", "nevus", make.values(20), run=make.first, truncation=0.7),
        make.crop("syn-g", "nevus", make.values(21), run=make.first, drawn_with={"guidance": 2.5, "sampler_steps": 7}),
        make.crop("syn-m", "nevus", make.values(22), run=make.first, truncation=0.7, fine_seed=3),
        make.crop("syn-i", "nevus", make.values(23), run=make.first, interpolation={"toward_seed": 3, "part": 0.5}),
    ]
    make.put_set(study, f"{make.first}-t0p7", others)
    said = {
        "as in the training": 3,
        "between the noise of two seeds": 1,
        "guidance 2.5, sampler_steps 7": 1,
        "truncation 0.7": 1,
        "truncation 0.7, fine layers of another seed": 1,
    }
    export_dataset(study, tmp_path / "data", masks="stored", sets=[make.first, f"{make.first}-t0p7"])
    card = json.loads((tmp_path / "data" / "datacard.json").read_text())
    assert card["generators"][0]["drawing"] == said
    assert "- Drawn as in the training (3), between" in (tmp_path / "data" / "README.md").read_text()
    back = import_dataset(tmp_path / "data", tmp_path / "other")
    export_dataset(back.study, tmp_path / "again", masks="stored")
    assert json.loads((tmp_path / "again" / "datacard.json").read_text())["generators"][0]["drawing"] == said


def test_training_crops_are_counted_by_the_split_of_the_run(study, tmp_path, make):
    for name in ("A", "B"):
        cube = Cube(np.ones((3, *make.shape)), make.nm)
        study.add_cube(cube, name, "melanoma", mask=np.eye(*make.shape, dtype=bool))
    make_crops(study)
    (study.root / "splits.csv").write_text("id,split,seed\nA,train,0\nB,train,0\n")
    (study.runs_dir / make.first / "splits.csv").write_text("id,split,seed\nA,train,0\nB,test,0\n")
    export_dataset(study, tmp_path / "data", sets=[make.first])
    card = json.loads((tmp_path / "data" / "datacard.json").read_text())
    assert card["generators"][0]["training_data"]["crops"] == {"melanoma": 1}


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="needs coreutils")
def test_sha256sum_accepts_the_checksums_of_every_file(data):
    check = subprocess.run(["sha256sum", "-c", "--strict", "SHA256SUMS"], cwd=data, capture_output=True, text=True)
    assert check.returncode == 0, check.stdout + check.stderr
    assert check.stdout.count(": OK") == sum(path.is_file() for path in data.rglob("*")) - 1


@pytest.mark.parametrize("cube_format", ["mat", "envi"])
def test_the_same_cubes_make_the_same_files(evaluated, tmp_path, files, cube_format):
    for name in ("one", "two"):
        export_dataset(evaluated, tmp_path / name, cube_format=cube_format)
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_sets_runs_diagnoses_and_numbers_choose_cubes(study, tmp_path, make):
    def exported(**how):
        export_dataset(study, tmp_path / "data", force=True, **how)
        return [row["crop_id"] for row in rows(tmp_path / "data")]

    (study.synthetic_dir(make.second)).rename(study.synthetic_dir("renamed"))
    assert exported(sets=["renamed"]) == exported(sets=[make.second]) == ["syn-0", "SYN-1"]
    assert exported(n=1) == ["syn-0", "syn-1", "syn-0-2", "SYN-1-2"]
    assert exported(diagnosis="Melanoma") == ["syn-0", "syn-2"]
    for wrong in ({"sets": ["nothing"]}, {"diagnosis": "solar lentigo"}, {"n": 0}, {"masks": "complete"}):
        with pytest.raises(InputError):
            exported(**wrong)
    assert exported(diagnosis="Melanoma", sets=[make.first]) == ["syn-0", "syn-2"]


def test_what_is_not_a_data_set_is_never_replaced(study, data, tmp_path, files):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    for force in (False, True):
        with pytest.raises(InputError, match="not empty and no data set"):
            export_dataset(study, tmp_path / "full", force=force)
    before = files(data)
    with pytest.raises(InputError, match="--force"):
        export_dataset(study, data)
    assert files(data) == before
    assert (tmp_path / "full" / "mine.txt").read_text() == "mine"


def test_a_stopped_or_failing_export_leaves_nothing(study, data, tmp_path, files):
    asked = iter([False, False, True])
    with pytest.raises(Cancelled):
        export_dataset(study, tmp_path / "other", cancelled=lambda: next(asked))
    before = files(data)
    damaged = next(study.synthetic_dir(study.synthetic_runs()[0]).glob("*.npz"))
    damaged.write_bytes(damaged.read_bytes()[:99])
    with pytest.raises(InputError, match=f"{damaged.name}.*sample draws"):
        export_dataset(study, data, force=True)
    assert files(data) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "mine"]


def test_a_killed_export_is_finished_by_the_same_command(study, tmp_path):
    code = (
        "import os, sys; from napari_hsisynth.study import Study\n"
        "from napari_hsisynth.study.dataset import export_dataset\n"
        "export_dataset(Study.open(sys.argv[1]), sys.argv[2], masks='stored',"
        " progress=lambda done, _: done < 3 or os._exit(9))"
    )
    words = [sys.executable, "-c", code, str(study.root), str(tmp_path / "data")]
    assert subprocess.run(words, check=False).returncode == 9
    left = {path.name for path in tmp_path.iterdir()} - {"mine"}
    assert len(left) == 1
    assert "data" not in left
    (tmp_path / ".data-0123abcd.new").mkdir()  # not ours: nobody says that it was an export
    assert export_dataset(study, tmp_path / "data").cubes == 5
    assert {path.name for path in tmp_path.iterdir()} == {"mine", "data", ".data-0123abcd.new"}


def test_a_full_disk_is_said_before_anything_is_written(study, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=10))
    with pytest.raises(InputError, match="MB are free"):
        export_dataset(study, tmp_path / "data")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("name", ["datacard.json", "dataset.csv", "*.mat", "*_mask.png", "README.md"])
def test_a_damaged_or_missing_file_is_named_and_nothing_is_imported(data, tmp_path, name):
    victim = sorted(data.rglob(name))[0]
    content = bytearray(victim.read_bytes())
    content[-3] ^= 1
    victim.write_bytes(content)
    with pytest.raises(InputError, match=victim.name):
        import_dataset(data, tmp_path / "new")
    victim.unlink()
    with pytest.raises(InputError, match=victim.name):
        import_dataset(data, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_names_cannot_lead_out_of_the_data_set(data, tmp_path):
    sums = data / "SHA256SUMS"
    sums.write_text(sums.read_text() + f"{'0' * 64}  ../secret\n")
    with pytest.raises(InputError, match="not a path inside"):
        import_dataset(data, tmp_path / "new")


def test_other_wavelengths_are_refused(data, tmp_path, make):
    other = Study.create(tmp_path / "other", wavelengths_nm=make.nm + 1)
    fewer = Study.create(tmp_path / "fewer", wavelengths_nm=make.nm[:2])
    for study in (other, fewer):
        with pytest.raises(InputError, match=r"but the study has \d bands"):
            import_dataset(data, study.root)
        assert not study.synthetic_runs()


def test_synthetic_cubes_never_become_real_ones(study, data, tmp_path):
    assert is_data_set(data)
    folder = import_dataset(data, study.root).folder
    assert not is_data_set(folder)  # it keeps the card, but must not be replaced as a data set may be
    with pytest.raises(InputError, match="no data set"):
        export_dataset(study, folder, force=True)
    with pytest.raises(InputError, match="import dataset data STUDY"):
        import_hsidermoscopy(data, tmp_path / "new")
    for name in ("datacard.json", "README.md"):
        (data / name).unlink()
    with pytest.raises(InputError, match="must not be taken for a real one"):
        import_hsidermoscopy(data, tmp_path / "new")
    cube = next(data.rglob("*.mat"))
    with pytest.raises(InputError, match="must not be taken for a real one"):
        study.add("A", cube, "melanoma")
    with pytest.raises(InputError, match="must not be taken for a real one"):
        add_files(study, [cube], "melanoma")
    assert not study.entries
    assert not (tmp_path / "new").exists()


def test_pixels_that_are_not_finite_are_kept_and_counted(study, tmp_path, make):
    values = make.values(3)
    values[0, 1, 2] = np.nan
    make.put_set(study, "holes", [make.crop("h", "other", values, run="r")])
    make.put_set(study, "nothing", [make.crop("n", "other", values * np.nan, run="r")])
    export_dataset(study, tmp_path / "data", sets=["holes", "nothing"], masks="complete", propose=lambda c: c.valid())
    holes, nothing = rows(tmp_path / "data")
    assert (holes["invalid_px"], nothing["invalid_px"]) == ("1", "63")
    assert float(holes["max"]) == np.nanmax(values)
    assert (nothing["min"], nothing["mean"], nothing["mask_file"]) == ("", "", "")
