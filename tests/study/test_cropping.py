import errno
import os

import numpy as np
import pytest

from napari_hsisynth import Cube, InputError, Study, write_cube
from napari_hsisynth.study import Cancelled, Instance, make_crops, read_crop
from napari_hsisynth.study.storage import recover_folder


def files(study):
    return {path.name: path.read_bytes() for path in study.crops_dir.iterdir()}


def hidden(study):
    return [path.name for path in study.root.glob(".crops-*")]


def test_every_accepted_lesion_becomes_one_crop_with_its_own_mask(study, make):
    report = make_crops(study)
    assert [record.crop_id for record in report.records] == ["A_1", "B_1", "B_2"]
    assert report.skipped == [("C", "no lesion marked")]
    assert study.crops() == report.records
    by_id = {record.crop_id: record for record in report.records}
    # a disc of radius 5 about (16, 24) spans 11..21 x 19..29; 11 px grow to 17 (16.5), three more on each side
    assert by_id["B_2"].box == (8, 16, 24, 32)  # and the image ends at 24 x 32
    crop = read_crop(study.crops_dir, by_id["B_2"])
    np.testing.assert_array_equal(crop.cube.data, make.cube(2).data[:, 8:24, 16:32])
    np.testing.assert_array_equal(crop.mask, make.disc(make.shape, (16, 24), 5)[8:24, 16:32])
    assert by_id["B_2"].source_sha256 == study.entry("B").sha256
    assert by_id["B_2"].diagnosis == "dysplastic_nevus"
    # the other lesion of the same cube is not in this crop's mask
    whole = study.annotation("B")
    inside = read_crop(study.crops_dir, by_id["B_1"])
    y0, x0, y1, x1 = by_id["B_1"].box
    np.testing.assert_array_equal(inside.mask, whole.mask[y0:y1, x0:x1] == 1)


def test_only_accepted_lesions_are_cut_and_the_others_are_counted(study):
    annotation = study.annotation("B")
    one, two = annotation.instances
    draft = Instance(one.id, one.diagnosis, status="draft")
    study.save_annotation(annotation.replace(instances=(draft, Instance(two.id, two.diagnosis, status="unsure"))))
    report = make_crops(study)
    assert [record.crop_id for record in report.records] == ["A_1"]
    assert ("B", "no accepted lesion (1 draft, 1 unsure)") in report.skipped
    assert report.notes == [
        "left out: B (no accepted lesion (1 draft, 1 unsure)) and 1 more",
        "lesions left out because they are not accepted: 1 draft and 1 unsure",
    ]


def test_a_lesion_without_pixels_is_skipped_with_the_reason(study):
    annotation = study.annotation("A")
    study.save_annotation(annotation.replace(instances=(*annotation.instances, Instance(2, "nevus"))))
    report = make_crops(study)
    assert ("A", "lesion 2 has no pixels") in report.skipped
    assert [record.crop_id for record in report.records] == ["A_1", "B_1", "B_2"]


def test_cropping_again_replaces_the_whole_set(study):
    make_crops(study, margin=1)
    (study.crops_dir / "stale_1.npz").write_bytes(b"old")
    study.save_annotation(study.annotation("A").replace(instances=(), mask=np.zeros((24, 32), np.uint16)))
    make_crops(study, margin=0)
    assert set(files(study)) == {"crops.csv", "B_1.npz", "B_2.npz"}
    assert study.crops()[0].box == (3, 3, 10, 10)
    assert hidden(study) == []


def test_margin_and_square_reach_the_boxes(study):
    make_crops(study, margin=0.2, square=True)
    for record in study.crops():
        crop = read_crop(study.crops_dir, record)
        assert crop.cube.shape_yx == (record.y1 - record.y0, record.x1 - record.x0)
        assert crop.cube.shape_yx[0] == crop.cube.shape_yx[1]


def test_cancelling_leaves_the_old_set_whole(study):
    make_crops(study, margin=1)
    before = files(study)
    for answers in ([False, True], [False, False, False, True]):  # in the middle, and at the very end
        with pytest.raises(Cancelled):
            make_crops(study, margin=0, cancelled=iter(answers).__next__)
        assert files(study) == before
        assert hidden(study) == []


def test_progress_counts_cubes(study):
    told = []
    make_crops(study, progress=lambda done, total: told.append((done, total)))
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_nothing_to_crop_is_said_and_leaves_the_old_set(study):
    make_crops(study)
    before = files(study)
    for cube_id in ("A", "B"):
        study.save_annotation(study.annotation(cube_id).replace(instances=(), mask=np.zeros((24, 32), np.uint16)))
    with pytest.raises(InputError, match="no accepted lesion to crop; accept lesions"):
        make_crops(study)
    assert files(study) == before


def test_a_missing_cube_is_named_and_leaves_the_old_set(study):
    make_crops(study)
    before = files(study)
    study.cube_path("B").unlink()
    with pytest.raises(InputError, match=r"B\.npz: the cube's file is missing"):
        make_crops(study)
    assert files(study) == before


def test_a_mask_of_another_size_is_named(study, make):
    study.cube_path("B").unlink()
    write_cube(study.cube_path("B"), make.cube(2, shape=(30, 32)))
    with pytest.raises(InputError, match=r"B\.json: the mask has 24 x 32 px, the cube 30 x 32 px"):
        make_crops(Study.open(study.root))


def test_pixels_that_are_not_finite_and_changed_files_are_told(study, make):
    data = make.cube(1).data.copy()
    data[0, 10, 12] = np.nan
    write_cube(study.cube_path("A"), Cube(data, make.wavelengths_nm))
    report = make_crops(study)
    assert any(note.startswith("A: ") and "finite" in note and "1 of 768" in note for note in report.notes)
    assert any("A: the file has changed since it was added" in note for note in report.notes)
    assert np.isnan(read_crop(study.crops_dir, report.records[0]).cube.data).sum() == 1


@pytest.mark.parametrize("failing", range(6))
def test_a_full_disk_leaves_the_old_set(study, monkeypatch, failing):
    make_crops(study, margin=1)
    before = files(study)
    calls = iter(range(100))
    real = {"savez": np.savez, "replace": os.replace}

    def refusing(name):
        def call(*args, **kwargs):
            if next(calls) == failing:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real[name](*args, **kwargs)

        return call

    with monkeypatch.context() as patch:
        patch.setattr("numpy.savez", refusing("savez"))
        patch.setattr("os.replace", refusing("replace"))
        with pytest.raises(InputError, match="the disk is full"):
            make_crops(study, margin=0)
    assert files(study) == before
    assert hidden(study) == []


def test_killed_between_the_two_renames_the_old_set_comes_back(study, monkeypatch):
    """The one moment without a crops folder: the old set has stepped aside, the new one is not in place."""
    make_crops(study, margin=1)
    before = files(study)

    class Killed(BaseException):
        pass

    rename = type(study.root).rename

    def killing(path, target):
        if path.name.endswith(".new"):
            raise Killed  # not an OSError: nothing in the process handles it, as nothing handles a kill
        return rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr("napari_hsisynth.atomic._swapped", lambda *folders: False)  # as on other systems
        patch.setattr("pathlib.Path.rename", killing)
        with pytest.raises(Killed):
            make_crops(study, margin=0)
    assert not study.crops_dir.exists()
    assert files(Study.open(study.root)) == before
    make_crops(study, margin=0)
    assert hidden(study) == []
    recover_folder(study.root, "crops")  # with nothing to do it does nothing
    assert len(study.crops()) == 3
