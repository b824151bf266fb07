"""Importing never overwrites work, is all or nothing per cube, and says what it did."""

import errno
import json
import os
import random
import subprocess
import sys
import time

import numpy as np
import pytest

from napari_hsisynth import InputError, Study
from napari_hsisynth.study import Cancelled
from napari_hsisynth.study.annotation import read_annotation
from napari_hsisynth.study.annotators import annotators, owner, save_as
from napari_hsisynth.study.exchange import export_annotations, import_annotations


@pytest.fixture
def coco(marked, tmp_path):
    """The annotations of `marked` as COCO: of DN_1 two lesions, of MM_1 three."""
    export_annotations("coco", marked, tmp_path / "coco.json", status="all")
    return tmp_path / "coco.json"


@pytest.fixture
def worked(bare, make):
    """`bare`, after somebody has marked one lesion in DN_1."""
    mine = make.disc(make.shape, (6, 6), 4)
    bare.save_annotation(bare.annotation("DN_1").with_instance(mine, "other", annotator="me").replace(status="done"))
    return bare


def state(study):
    return {path.relative_to(study.root): path.read_bytes() for path in study.root.rglob("*") if path.is_file()}


def test_a_cube_with_lesions_is_left_alone(worked, coco, same, marked):
    before = worked.annotation("DN_1")
    report = import_annotations("coco", coco, worked)
    assert report.cubes == ["MM_1"]
    assert ("DN_1.npz", "its cube has lesions already") in report.skipped
    np.testing.assert_array_equal(worked.annotation("DN_1").mask, before.mask)
    assert worked.annotation("DN_1").instances == before.instances
    same(marked, worked, "MM_1")


def test_merging_adds_lesions_and_leaves_pixels_with_the_earlier(worked, coco, marked):
    before, new = worked.annotation("DN_1"), marked.annotation("DN_1")
    report = import_annotations("coco", coco, worked, if_marked="merge")
    after = worked.annotation("DN_1")
    np.testing.assert_array_equal(after.mask == 1, before.mask == 1)
    np.testing.assert_array_equal(after.mask == 2, (new.mask == 1) & (before.mask == 0))
    np.testing.assert_array_equal(after.mask == 3, new.mask == 2)
    assert [one.annotator for one in after.instances] == ["me", "Ann Example", "Ann Example"]
    assert after.status == "done"
    assert report.lesions == 5
    assert "DN_1: pixels of lesions that were there before stay with them" in report.notes
    again = import_annotations("coco", coco, worked, if_marked="merge")
    assert (again.cubes, again.lesions) == ([], 0)  # there is nothing new in it
    assert worked.annotation("DN_1").instances == after.instances


def test_replacing_keeps_the_old_annotation(worked, coco, same, marked):
    old = {path.name: path.read_bytes() for path in worked.masks_dir.glob("DN_1*")}
    before = worked.annotation("DN_1")
    report = import_annotations("coco", coco, worked, if_marked="replace")
    same(marked, worked, "DN_1")
    (kept,) = (worked.root / "replaced-masks").iterdir()
    assert {path.name: path.read_bytes() for path in kept.iterdir()} == old
    np.testing.assert_array_equal(read_annotation(kept / "DN_1.json").mask, before.mask)
    assert f"DN_1: the old annotation is kept in replaced-masks/{kept.name}" in report.notes
    assert list(annotators(worked, "DN_1")) == ["Ann_Example"]


def test_a_cube_that_somebody_finished_without_a_lesion_is_left_alone(bare, coco):
    save_as(bare, bare.annotation("DN_1").replace(status="done"), "me")
    before = (bare.masks_dir / "DN_1.json").read_bytes()
    report = import_annotations("coco", coco, bare)
    assert ("DN_1.npz", "its cube was finished without a lesion") in report.skipped
    assert (bare.masks_dir / "DN_1.json").read_bytes() == before
    import_annotations("coco", coco, bare, if_marked="replace")
    (kept,) = (bare.root / "replaced-masks").iterdir()
    assert (kept / "DN_1.json").read_bytes() == before


def test_what_replaces_somebodys_work_does_not_bear_their_name(bare, coco):
    mask = np.ones(bare.shape_yx("DN_1"), bool)
    save_as(bare, bare.annotation("DN_1").with_instance(mask, "other", annotator="me"), "me")
    import_annotations("coco", coco, bare, if_marked="replace")
    assert owner(bare, "DN_1") == "Ann Example"


def test_as_an_annotator_goes_into_their_file(worked, coco, marked):
    before = worked.annotation("DN_1")
    report = import_annotations("coco", coco, worked, annotator="Jane Doe")
    assert sorted(report.cubes) == ["DN_1", "MM_1"]
    np.testing.assert_array_equal(worked.annotation("DN_1").mask, before.mask)
    np.testing.assert_array_equal(worked.annotation("DN_1", "Jane_Doe").mask, marked.annotation("DN_1").mask)
    assert worked.annotation("MM_1").instances[0].annotator == "Jane Doe"  # the first to mark this cube
    assert import_annotations("coco", coco, worked, annotator="Jane Doe").cubes == []


def test_a_damaged_annotation_is_never_replaced(worked, coco):
    (worked.masks_dir / "DN_1.json").write_text("{ damaged")
    for if_marked in ("skip", "merge", "replace"):
        report = import_annotations("coco", coco, worked, if_marked=if_marked)
        assert any(what == "DN_1.npz" and "not an annotation" in reason for what, reason in report.skipped)
    assert (worked.masks_dir / "DN_1.json").read_text() == "{ damaged"


def test_an_unmarked_annotation_keeps_what_others_wrote_into_it(bare, coco):
    bare.save_annotation(bare.annotation("DN_1").replace(extra={"seen_by": "x"}))
    import_annotations("coco", coco, bare)
    assert bare.annotation("DN_1").extra["seen_by"] == "x"


def test_the_cubes_come_first(coco, tmp_path):
    with pytest.raises(InputError, match="no such folder; import its cubes first"):
        import_annotations("coco", coco, tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_wrong_choices_are_refused(bare, coco):
    with pytest.raises(InputError, match="use one of: coco, labelstudio, labelme, hsidermoscopy"):
        import_annotations("cvat", coco, bare)
    with pytest.raises(InputError, match="come with their cubes"):
        import_annotations("hsidermoscopy", coco, bare)
    with pytest.raises(InputError, match="use skip, merge or replace"):
        import_annotations("coco", coco, bare, if_marked="overwrite")
    with pytest.raises(InputError, match="cannot be a name of an annotator"):
        import_annotations("coco", coco, bare, annotator="../..")
    assert not bare.masks_dir.exists()


def test_a_lesion_that_is_no_class_of_the_study_is_refused(bare, coco):
    settings = bare.root / "study.yaml"
    settings.write_text(settings.read_text().replace("- nevus\n", ""))
    report = import_annotations("coco", coco, Study.open(bare.root))
    assert ("DN_1.npz", "nevus is not a class of this study") in report.skipped


def test_cubes_are_found_by_id_by_file_and_by_uploaded_name(bare, coco, make):
    bare.add("Two", bare.cube_path("Nv_1").rename(bare.root / "Raw 7.npz"), "nevus")
    value = json.loads(coco.read_text())
    for image, name in zip(value["images"], ["0A1B2C3D-x", "0a1b2c3d-mm_1.PNG", "a/RAW 7.tif"], strict=True):
        image["file_name"] = name
        del image["hsisynth"]
    value["images"][0]["file_name"] = "set%20a/0a1b2c3d-DN 1.jpg"
    value["annotations"][0]["image_id"] = 3
    coco.write_text(json.dumps(value))
    assert sorted(import_annotations("coco", coco, bare).cubes) == ["DN_1", "MM_1", "Two"]


def test_progress_is_told_and_cancelling_leaves_everything(bare, coco):
    before = state(bare)
    for asked in (0, 1, 3):
        answers = iter([False] * asked + [True])
        with pytest.raises(Cancelled):
            import_annotations("coco", coco, bare, cancelled=answers.__next__)
        assert state(bare) == before
    told = []
    import_annotations("coco", coco, bare, progress=lambda done, total: told.append((done, total)))
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("failing", range(5))
def test_a_full_disk_leaves_every_cube_with_the_old_or_the_new(worked, coco, marked, monkeypatch, failing):
    old = {cube_id: worked.annotation(cube_id) for cube_id in ("DN_1", "MM_1")}
    calls, replace = iter(range(100)), os.replace

    def refusing(*args):
        if next(calls) == failing:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return replace(*args)

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", refusing)
        with pytest.raises(InputError, match="the disk is full"):
            import_annotations("coco", coco, worked, if_marked="replace")
    for cube_id in old:
        found = Study.open(worked.root).annotation(cube_id)
        assert any(np.array_equal(found.mask, one.mask) for one in (old[cube_id], marked.annotation(cube_id)))
    import_annotations("coco", coco, worked, if_marked="replace")
    np.testing.assert_array_equal(worked.annotation("DN_1").mask, marked.annotation("DN_1").mask)


_REPLACE_FOREVER = """
import itertools, sys
from napari_hsisynth.study.exchange import import_annotations
print("ready", flush=True)
for number in itertools.count():
    import_annotations("coco", sys.argv[1 + number % 2], sys.argv[3], if_marked="replace")
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="kills with a signal")
def test_killing_an_import_leaves_every_cube_with_the_old_or_the_new(marked, bare, tmp_path):
    """A child replaces the annotations by one of two exports, over and over; one has the lesions' masks swapped."""
    export_annotations("coco", marked, tmp_path / "0.json", status="all")
    swapped = {cube_id: marked.annotation(cube_id).replace(status="done") for cube_id in ("DN_1", "MM_1")}
    for cube_id, annotation in swapped.items():
        swapped[cube_id] = annotation.replace(mask=np.flip(annotation.mask, axis=1))
        marked.save_annotation(swapped[cube_id])
    export_annotations("coco", marked, tmp_path / "1.json", status="all")
    files = [str(tmp_path / "0.json"), str(tmp_path / "1.json")]
    draw = random.Random(1)
    for _ in range(12):
        child = subprocess.Popen(
            [sys.executable, "-c", _REPLACE_FOREVER, *files, str(bare.root)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout.readline(), "the child never began"
        time.sleep(draw.uniform(0, 0.4))  # the moment of the kill is the test's random input, not a wait
        child.kill()
        child.wait()
        study = Study.open(bare.root)
        for cube_id, annotation in swapped.items():
            found = study.annotation(cube_id)
            if not found.instances:
                continue  # the first import never got here
            is_swapped = np.array_equal(found.mask, annotation.mask)
            assert is_swapped or np.array_equal(np.flip(found.mask, axis=1), annotation.mask)
        for kept in (bare.root / "replaced-masks").glob("*/*.json"):
            read_annotation(kept)
