import errno
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from napari_hsisynth import InputError, Study
from napari_hsisynth.study import Cancelled, import_hsidermoscopy
from napari_hsisynth.study.wavelengths import read_wavelengths


def refused(source, target, message, **options):
    """The import raises one clear error and leaves nothing beside the source."""
    with pytest.raises(InputError, match=message) as caught:
        import_hsidermoscopy(source, target, **options)
    assert "\n" not in str(caught.value)
    assert [path.name for path in target.parent.iterdir()] == ["source"]


def test_the_layout_becomes_a_study(source, tmp_path):
    told = []
    report = import_hsidermoscopy(source, tmp_path / "s", progress=lambda done, total: told.append((done, total)))
    study = Study.open(tmp_path / "s")
    assert report.imported == 7
    assert told == [(done, 7) for done in range(8)]
    assert {entry.id: entry.diagnosis.value for entry in study.entries} == {
        "DN_1": "dysplastic_nevus",
        "IEC_1": "intraepidermal_carcinoma",
        "Lentigo_1": "solar_lentigo",
        "MM_1": "melanoma",
        "Melt_1": "melanocytic_lesion",
        "Nv_1": "nevus",
        "SK1": "seborrheic_keratosis",
    }
    assert all(entry.path == (source / "images").as_posix() + entry.path.split("images")[1] for entry in study.entries)
    assert any("5 of 7 cubes have no mask yet" in note for note in report.notes)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_values_and_masks_are_those_of_the_files(source, tmp_path, make):
    study = import_hsidermoscopy(source, tmp_path / "s").study
    values = make.put_cube(tmp_path / "again", "x", seed=2)  # (y, x, bands), as in MM_1
    np.testing.assert_array_equal(study.read_cube("MM_1").data, np.moveaxis(values, -1, 0))
    annotation = study.annotation("MM_1")
    np.testing.assert_array_equal(annotation.mask == 1, make.disc(make.shape, (6, 6), 3))  # crop00 comes first
    np.testing.assert_array_equal(annotation.mask == 2, make.disc(make.shape, (16, 24), 4))
    assert annotation.status == "done"
    assert {one.diagnosis.value for one in annotation.instances} == {"melanoma"}
    assert {one.status for one in annotation.instances} == {"accepted"}
    assert study.annotation("Nv_1").status == "todo"


def test_overlaps_stay_with_the_earlier_lesion_and_are_told(source, tmp_path, make):
    make.put_mask(source / "masks" / "MMCube", "MM_1_crop02_mask", make.disc(make.shape, (6, 9), 3))
    make.put_mask(source / "masks" / "MMCube", "MM_1_crop03_mask", make.disc(make.shape, (6, 6), 2))
    report = import_hsidermoscopy(source, tmp_path / "s")
    mask = report.study.annotation("MM_1").mask
    np.testing.assert_array_equal(mask == 1, make.disc(make.shape, (6, 6), 3))
    later = make.disc(make.shape, (6, 9), 3) & ~make.disc(make.shape, (6, 6), 3)
    np.testing.assert_array_equal(mask == 3, later)
    shared = int((make.disc(make.shape, (6, 9), 3) & make.disc(make.shape, (6, 6), 3)).sum())
    assert any(f"crop02_mask.png: {shared} px belong to an earlier lesion" in note for note in report.notes)
    assert any("crop03_mask.png: lies wholly inside" in note for note in report.notes)
    assert mask.max() == 3


def test_copying_makes_the_study_stand_alone(source, tmp_path):
    study = import_hsidermoscopy(source, tmp_path / "s", copy=True).study
    before = study.read_cube("SK1").data
    shutil.rmtree(source)
    study.root.rename(tmp_path / "moved")
    moved = Study.open(tmp_path / "moved")
    np.testing.assert_array_equal(moved.read_cube("SK1").data, before)
    assert moved.entry("SK1").path == "cubes/SK1.mat"


def test_cubes_inside_the_study_are_pointed_at_relatively(source, tmp_path, make):
    study = Study.create(tmp_path / "s", wavelengths_nm=make.wavelengths_nm)
    shutil.move(source, study.root / "raw")
    import_hsidermoscopy(study.root / "raw", study.root)
    assert Study.open(study.root).entry("DN_1").path == "raw/images/DNCube/DN_1.mat"


@pytest.mark.parametrize("way", ["flag", "table", "assumed"])
def test_wavelengths_come_from_the_flag_the_table_or_an_assumption_that_is_said(source, tmp_path, way):
    flag, table = np.linspace(400, 700, 16), np.linspace(470, 625, 16)
    if way != "assumed":
        rows = "\n".join(f"{number},{nm}" for number, nm in enumerate(table))
        (source / "wavelengths.csv").write_text(f"band,centre_nm\n{rows}\n")
    report = import_hsidermoscopy(source, tmp_path / "s", wavelengths_nm=flag if way == "flag" else None)
    expected, said = {
        "flag": (flag, "as given, 16 bands 400-700 nm"),
        "table": (table, "from wavelengths.csv, 16 bands 470-625 nm"),
        "assumed": (np.linspace(465, 630, 16), "none given, so an even grid is assumed, 16 bands 465-630 nm"),
    }[way]
    np.testing.assert_allclose(report.study.wavelengths_nm, expected)
    assert report.notes[0] == f"wavelengths: {said}"
    np.testing.assert_allclose(report.study.read_cube("DN_1").wavelengths_nm, expected)


def test_importing_again_adds_only_what_is_new(source, tmp_path, make):
    study = import_hsidermoscopy(source, tmp_path / "s").study
    study.save_annotation(study.annotation("DN_1").replace(status="unsure"))
    make.put_cube(source / "images" / "DNCube", "DN_2", seed=30)
    report = import_hsidermoscopy(source, tmp_path / "s")
    assert report.imported == 1
    assert ("DN_1", "in the study already") in report.skipped
    assert len(Study.open(tmp_path / "s").entries) == 8
    assert report.study.annotation("DN_1").status == "unsure"


def test_another_cube_of_a_known_id_is_refused(source, tmp_path, make):
    import_hsidermoscopy(source, tmp_path / "s")
    make.put_cube(source / "images" / "DNCube", "DN_1", seed=31)
    make.put_cube(source / "images" / "DNCube", "DN_2", seed=30)
    with pytest.raises(InputError, match=r"DN_1\.mat: the study has another cube of the id DN_1"):
        import_hsidermoscopy(source, tmp_path / "s")
    assert len(Study.open(tmp_path / "s").entries) == 7


def test_the_same_stem_in_two_folders_is_refused(source, tmp_path, make):
    make.put_cube(source / "images" / "OtherCube", "DN_1")
    refused(
        source, tmp_path / "s", "two cubes would have the id DN_1: images/DNCube/DN_1.mat and images/OtherCube/DN_1"
    )


def test_a_mask_of_another_size_is_refused(source, tmp_path, make):
    make.put_mask(source / "masks" / "MMCube", "MM_1_crop02_mask", np.ones((10, 32)))
    refused(source, tmp_path / "s", r"MM_1_crop02_mask\.png: the mask has 10 x 32 px, its cube 24 x 32 px")


def test_an_empty_mask_is_refused(source, tmp_path, make):
    make.put_mask(source / "masks" / "DNCube", "DN_1_crop01_mask", np.zeros(make.shape))
    refused(source, tmp_path / "s", r"DN_1_crop01_mask\.png: the mask is empty")


def test_a_wrong_band_count_is_refused(source, tmp_path, make):
    make.put_cube(source / "images" / "DNCube", "DN_9", bands=15, seed=4)
    refused(source, tmp_path / "s", r"DN_9\.mat: 15 bands, but the study has 16")
    refused(
        source,
        tmp_path / "s",
        "2 wavelengths for cubes of 15 or 16 bands; given: .* as given",
        wavelengths_nm=[500, 600],
    )


def test_a_file_that_is_no_cube_is_refused(source, tmp_path):
    (source / "images" / "MMCube" / "MM_2.mat").write_bytes(b"MATLAB 5.0 not")
    refused(source, tmp_path / "s", r"MM_2\.mat")


def test_all_problems_are_looked_for_before_anything_is_said(source, tmp_path, make):
    make.put_cube(source / "images" / "OtherCube", "DN_1")
    make.put_mask(source / "masks" / "DNCube", "DN_1_crop01_mask", np.zeros(make.shape))
    refused(source, tmp_path / "s", r"2 problems: two cubes .* \| .*the mask is empty.*nothing was imported")


def test_folders_of_another_layout_say_what_is_needed(source, tmp_path):
    for path, message in [
        (source / "absent", "no such folder"),
        (source / "images", "give the folder above"),
        (source / "images" / "DNCube", "there is no folder images"),
    ]:
        refused(path, tmp_path / "s", message)
    for path in (source / "images").iterdir():
        shutil.rmtree(path)
    refused(source, tmp_path / "s", "no .mat files")


def test_a_folder_that_is_in_use_is_refused(source, tmp_path):
    (tmp_path / "s").mkdir()
    import_hsidermoscopy(source, tmp_path / "s")  # an empty one is fine
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("mine")
    with pytest.raises(InputError, match="not empty and not a study"):
        import_hsidermoscopy(source, tmp_path / "full")
    with pytest.raises(InputError, match="a file, not a folder"):
        import_hsidermoscopy(source, tmp_path / "full" / "letter.txt")


def test_what_was_not_understood_is_listed(source, tmp_path, make):
    make.put_mask(source / "masks" / "DNCube", "DN_7_mask", make.disc(make.shape, (5, 5), 2))
    make.put_cube(source / "images" / "OtherCube", "Wart 1", seed=8)
    make.put_cube(source / "images" / "Extra", "X", seed=9)
    (source / "images" / "DNCube" / "notes.txt").write_text("x")
    (source / "images" / "DNCube" / ".DS_Store").write_text("x")
    report = import_hsidermoscopy(source, tmp_path / "s")
    assert sorted(report.skipped) == [
        ("images/DNCube/notes.txt", "not a .mat file"),
        ("images/Extra", "not DNCube, MMCube or OtherCube"),
        ("masks/DNCube/DN_7_mask.png", "belongs to no cube"),
    ]
    assert report.study.entry("Wart_1").diagnosis.value == "other"
    assert any("the name tells no diagnosis" in note for note in report.notes)
    assert any("its id is Wart_1" in note for note in report.notes)


def test_masks_are_read_in_every_usual_form(source, tmp_path, make):
    disc = make.disc(make.shape, (12, 12), 6)
    folder = source / "masks" / "OtherCube"
    folder.mkdir(parents=True)
    Image.fromarray(disc.astype(np.uint8)).save(folder / "Nv_1_mask.png")  # 0 and 1
    Image.fromarray(disc).save(folder / "SK1_mask.png")  # one bit
    Image.fromarray(np.stack([disc * 255] * 3 + [np.full(disc.shape, 255)], -1).astype(np.uint8)).save(
        folder / "IEC_1_mask.png"  # with an opaque alpha channel
    )
    soft = np.where(disc, 255, 0).astype(np.uint8)
    soft[0, 0], soft[12, 12] = 40, 200
    Image.fromarray(soft).save(folder / "Melt_1_mask.png")
    report = import_hsidermoscopy(source, tmp_path / "s")
    for cube_id in ("Nv_1", "SK1", "IEC_1", "Melt_1"):
        np.testing.assert_array_equal(report.study.annotation(cube_id).mask == 1, disc)
    assert any("Melt_1_mask.png: 4 grey levels" in note for note in report.notes)


def test_pixels_that_are_not_finite_are_told(source, tmp_path):
    import scipy.io

    values = np.ones((24, 32, 16), np.float32)
    values[3, 4, 5] = np.nan
    scipy.io.savemat(source / "images" / "DNCube" / "DN_1.mat", {"data": values})
    report = import_hsidermoscopy(source, tmp_path / "s")
    assert any(note.startswith("DN_1: ") and "1 of 768 pixels are not finite" in note for note in report.notes)


def test_cancelling_leaves_nothing(source, tmp_path):
    with pytest.raises(Cancelled):
        import_hsidermoscopy(source, tmp_path / "s", cancelled=iter([False, False, True]).__next__)
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


@pytest.mark.parametrize("into", ["new", "study"])
@pytest.mark.parametrize("failing", [0, 2, 5, 9])
def test_a_full_disk_leaves_nothing_half_made(source, tmp_path, make, monkeypatch, into, failing):
    root = tmp_path / "s"
    if into == "study":
        Study.create(root, wavelengths_nm=make.wavelengths_nm)
    before = sorted(path.name for path in root.rglob("*"))
    calls = iter(range(100))
    replace = os.replace

    def refusing(*args):
        if next(calls) == failing:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return replace(*args)

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", refusing)
        with pytest.raises(InputError, match="the disk is full; free some space"):
            import_hsidermoscopy(source, root, copy=True)
    if into == "new":
        assert [path.name for path in tmp_path.iterdir()] == ["source"]
    else:
        left = sorted(path.name for path in root.rglob("*") if path.name not in {".lock", "cubes", "masks"})
        assert left == before
        assert Study.open(root).entries == ()
    assert import_hsidermoscopy(source, root, copy=True).imported == 7


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("500\n600.5\n", [500, 600.5]),
        ("0,500\n1,600.5\n", [500, 600.5]),
        ("Wavelength (nm)\n500\n600.5\n", [500, 600.5]),
        ("band;centre_nm\n1;600,5\n0;500\n", [500, 600.5]),
        ("\ufeffcentre_nm,fwhm\n500,10\n600.5,12\n\n", [500, 600.5]),
    ],
)
def test_tables_of_wavelengths_as_people_write_them(tmp_path, text, expected):
    (tmp_path / "w.csv").write_text(text, encoding="utf-8")
    assert read_wavelengths(tmp_path / "w.csv").tolist() == expected


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "centre_nm\nred\n", "0.5\n0.6\n", "500\n500\n", "band,nm\n1\n"])
def test_tables_that_are_none_say_so(tmp_path, text):
    (tmp_path / "w.csv").write_text(text)
    with pytest.raises(InputError, match=r"w\.csv"):
        read_wavelengths(tmp_path / "w.csv")
