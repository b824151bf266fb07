import csv
import errno
import shutil
import subprocess
import sys

import numpy as np
import pytest

from napari_hsisynth import Cube, InputError
from napari_hsisynth.study import Diagnosis, Study, make_crops


def test_what_is_created_is_what_is_opened(tmp_path):
    Study.create(tmp_path / "s", wavelengths_nm=[500.5, 620.25], notes="Körper", positive="nevus")
    study = Study.open(tmp_path / "s")
    assert study.wavelengths_nm.tolist() == [500.5, 620.25]
    assert study.notes == "Körper"
    assert study.positive is Diagnosis.NEVUS
    assert study.entries == ()
    assert study.crops() == []
    assert study.synthetic_runs() == []


def test_a_study_is_found_from_anything_inside_it(study):
    for inside in ("cubes", "masks/A.json", "cubes/A.npz", "runs/not-there"):
        assert Study.open(study.root / inside).root == study.root
    with pytest.raises(InputError, match="no study here"):
        Study.open(study.root.parent)
    with pytest.raises(InputError, match="no such folder"):
        Study.open(study.root.parent / "absent")


def test_a_study_is_never_overwritten(study):
    with pytest.raises(InputError, match="there is a study already"):
        Study.create(study.root, wavelengths_nm=[500])
    assert len(Study.open(study.root).entries) == 3


@pytest.mark.parametrize("wavelengths", [[], [[1, 2]], [500, np.nan], [500, 500], ["red"], [-1, 2]])
def test_unusable_wavelengths_are_refused(tmp_path, wavelengths):
    with pytest.raises(InputError, match="wavelength"):
        Study.create(tmp_path / "s", wavelengths_nm=wavelengths)
    assert not (tmp_path / "s").exists()


def test_a_cube_comes_back_as_it_was_added(empty_study, make):
    cube = make.cube(7)
    cube = cube.replace(provenance={"phantom": True})
    empty_study.add_cube(cube, "P-1", "Solar lentigo", "patient 7")
    study = Study.open(empty_study.root)
    entry = study.entry("P-1")
    assert (entry.path, entry.diagnosis, entry.patient) == ("cubes/P-1.npz", Diagnosis.SOLAR_LENTIGO, "patient 7")
    back = study.read_cube("P-1")
    np.testing.assert_array_equal(back.data, cube.data)
    assert back.name == "P-1"
    assert back.provenance["phantom"] is True
    assert back.notes == ()


def test_a_moved_and_a_copied_study_works(study, tmp_path, make):
    shutil.copytree(study.root, tmp_path / "copy")
    study.root.rename(tmp_path / "moved")
    for root in (tmp_path / "copy", tmp_path / "moved"):
        opened = Study.open(root)
        np.testing.assert_array_equal(opened.read_cube("A").data, make.cube(1).data)
        assert opened.cube_path("A").is_relative_to(root)
        assert opened.annotation("B").mask.max() == 2


def test_a_file_outside_is_pointed_at_and_copied_only_when_asked(empty_study, tmp_path, make):
    cube = make.cube(4)
    np.savez(tmp_path / "x.npz", cube=cube.data, wavelengths_nm=cube.wavelengths_nm)
    assert empty_study.add("here", tmp_path / "x.npz", "nevus").path == (tmp_path / "x.npz").as_posix()
    assert empty_study.add("copied", tmp_path / "x.npz", "nevus", copy=True).path == "cubes/copied.npz"
    (tmp_path / "x.npz").unlink()
    np.testing.assert_array_equal(empty_study.read_cube("copied").data, cube.data)
    with pytest.raises(InputError, match=r"x\.npz: the cube's file is missing"):
        empty_study.read_cube("here")


def test_a_cube_of_other_bands_is_refused_and_leaves_nothing(study, tmp_path, make):
    with pytest.raises(InputError, match="8 bands, but the study has 16"):
        study.add_cube(make.cube(bands=8), "D", "nevus")
    np.savez(tmp_path / "x.npz", cube=make.cube(bands=8).data)
    with pytest.raises(InputError, match=r"x\.npz: 8 bands, but the study has 16"):
        study.add("D", tmp_path / "x.npz", "nevus", copy=True)
    assert not (study.root / "cubes" / "D.npz").exists()
    assert len(Study.open(study.root).entries) == 3


def test_a_cube_of_unknown_wavelengths_takes_the_studys(empty_study, tmp_path, make):
    np.savez(tmp_path / "x.npz", cube=make.cube().data)
    empty_study.add("x", tmp_path / "x.npz", "nevus")
    cube = empty_study.read_cube("x")
    np.testing.assert_array_equal(cube.wavelengths_nm, make.wavelengths_nm)
    assert cube.wavelengths_known
    assert not any("wavelengths" in note for note in cube.notes)


def test_wavelengths_that_differ_are_told(empty_study, tmp_path, make):
    np.savez(tmp_path / "x.npz", cube=make.cube().data, wavelengths_nm=make.wavelengths_nm + 7)
    empty_study.add("x", tmp_path / "x.npz", "nevus")
    cube = empty_study.read_cube("x")
    np.testing.assert_array_equal(cube.wavelengths_nm, make.wavelengths_nm)
    assert any("7.0 nm from the study's" in note for note in cube.notes)


def test_pixels_that_are_not_finite_are_counted_and_kept(empty_study, make):
    data = make.cube().data.copy()
    data[3, 2, 5], data[4, 2, 5], data[0, 7, 7] = np.nan, np.inf, -np.inf
    empty_study.add_cube(Cube(data, make.wavelengths_nm), "x", "nevus")
    cube = empty_study.read_cube("x")
    assert np.isnan(cube.data[3, 2, 5])
    assert sum("finite" in note for note in cube.notes) == 1
    assert any(f"2 of {make.shape[0] * make.shape[1]}" in note for note in cube.notes)


@pytest.mark.parametrize("cube_id", ["", "a b", "a.b", "../a", "-a", "a-", "x" * 101, "ä"])
def test_an_id_that_cannot_be_a_file_name_is_refused(empty_study, cube_id, make):
    with pytest.raises(InputError, match="cannot be a cube id"):
        empty_study.add_cube(make.cube(), cube_id, "nevus")


def test_ids_are_unique_even_where_the_disk_ignores_case(study, make):
    with pytest.raises(InputError, match="'a' is in the study already"):
        study.add_cube(make.cube(), "a", "nevus")


def test_an_unnamed_file_is_not_overwritten(study, make):
    (study.root / "cubes" / "D.npz").write_bytes(b"mine")
    with pytest.raises(InputError, match="the manifest does not name it"):
        study.add_cube(make.cube(), "D", "nevus")
    assert (study.root / "cubes" / "D.npz").read_bytes() == b"mine"


def test_diagnosis_and_patient_can_be_corrected(study):
    study.update("A", diagnosis="nevus", patient=" p1 ")
    entry = Study.open(study.root).entry("A")
    assert (entry.diagnosis, entry.patient) == (Diagnosis.NEVUS, "p1")
    assert study.annotation("A").instances[0].diagnosis is Diagnosis.MELANOMA
    with pytest.raises(InputError, match="no cube 'Z'"):
        study.update("Z", patient="p")


def test_columns_of_others_in_the_manifest_are_kept(study, make):
    path = study.root / "manifest.csv"
    rows = list(csv.reader(path.read_text().splitlines()))
    rows = [[*row, "site" if number == 0 else f"arm {number}"] for number, row in enumerate(rows)]
    path.write_text("\ufeff" + "\r\n".join(",".join(row) for row in rows), encoding="utf-8")  # as Excel writes it
    opened = Study.open(study.root)
    opened.add_cube(make.cube(9), "D", "nevus")
    kept = list(csv.DictReader(path.read_text().splitlines()))
    assert [row["site"] for row in kept] == ["arm 1", "arm 2", "arm 3", ""]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,path\nA,a.npz\n", "columns missing: diagnosis"),
        ("id,path,diagnosis\nA,a.npz,mole\n", "line 2: unknown diagnosis 'mole'"),
        ("id,path,diagnosis\nA,a.npz,nevus\na,b.npz,nevus\n", "line 3: id 'a' is there twice"),
        ("id,path,diagnosis\nA,,nevus\n", "line 2: cube 'A' has no path"),
        ("id,path,diagnosis\nA,b.npz,nevus,1,2\n", "line 2: the row has not as many fields"),
        ("id,path,diagnosis\nA,b.npz\n", "line 2: the row has not as many fields"),
        ("", "columns missing: id, path, diagnosis"),
    ],
)
def test_a_manifest_that_cannot_be_used_says_where(study, text, message):
    (study.root / "manifest.csv").write_text(text)
    with pytest.raises(InputError, match=rf"manifest\.csv.*{message}"):
        Study.open(study.root)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("wavelengths_nm: [1, two]", "must be numbers"),
        ("[1, 2", "not YAML"),
        ("notes: none", "wavelengths_nm is missing"),
        ("wavelengths_nm: [500]\npositive: mole", "unknown diagnosis"),
        ("wavelengths_nm: [500]\nclasses: [nevus]", "not among the classes"),
        ("wavelengths_nm: [500]\nformat: 9", "format 9; update"),
    ],
)
def test_settings_that_cannot_be_used_say_what(study, text, message):
    (study.root / "study.yaml").write_text(text)
    with pytest.raises(InputError, match=rf"study\.yaml.*{message}"):
        Study.open(study.root)


_ADD_TEN = """
import sys
import numpy as np
from napari_hsisynth import Cube, Study
study, start = Study.open(sys.argv[1]), int(sys.argv[2])
for number in range(start, start + 10):
    study.add_cube(Cube(np.ones((16, 4, 5)), study.wavelengths_nm), f"N{number:02}", "nevus")
"""


def test_two_programs_may_add_at_once(empty_study):
    command = [sys.executable, "-c", _ADD_TEN, str(empty_study.root)]
    writers = [subprocess.Popen([*command, start]) for start in ("0", "10")]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    empty_study.reload()
    assert [entry.id for entry in empty_study.entries] == [f"N{number:02}" for number in range(20)]


WRITES = {
    "update": lambda study: study.update("A", patient="p"),
    "save_annotation": lambda study: study.save_annotation(study.annotation("A")),
    "splits": lambda study: study.splits(),
    "make_crops": make_crops,
    "add_cube": lambda study: study.add_cube(study.read_cube("A"), "Z", "nevus"),
}


@pytest.mark.parametrize("write", WRITES)
def test_a_read_only_study_is_read_and_says_why_it_is_not_written(study, monkeypatch, write):
    """Root may write anywhere, so the refusal of the system is played; what it leaves behind is real."""
    before = {path: path.read_bytes() for path in study.root.rglob("*") if path.is_file()}
    opened = Study.open(study.root)

    def refuse(*args, **kwargs):
        raise OSError(errno.EROFS, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr("napari_hsisynth.study.storage.open", refuse, raising=False)
        patch.setattr("os.replace", refuse)
        assert opened.annotation("A").mask.any()
        with pytest.raises(InputError, match=r"(cannot write here|cannot be written): .*; choose another"):
            WRITES[write](opened)
    assert {path: path.read_bytes() for path in study.root.rglob("*") if path.is_file()} == before


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="in the way"):
        Study.create(tmp_path / "file" / "study", wavelengths_nm=[500])
