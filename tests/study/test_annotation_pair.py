"""An annotation is two files that always fit each other, whatever happens to the process or the disk."""

import errno
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from napari_hsisynth import InputError, Study
from napari_hsisynth.study import Annotation, Diagnosis, Instance
from napari_hsisynth.study.annotation import encode_labels, read_labels


def lesion(number=1, **details):
    return Instance(number, Diagnosis.MELANOMA, **details)


def test_a_cube_without_annotation_has_an_empty_one_of_its_size(study, make):
    annotation = study.annotation("C")
    assert annotation.mask.shape == make.shape
    assert annotation.mask.dtype == np.uint16
    assert (annotation.mask.any(), annotation.instances, annotation.status) == (False, (), "todo")


def test_everything_comes_back(study, make):
    mask = make.disc(make.shape, (8, 8), 5)
    prompts = {"points": [[8, 8]], "labels": [1], "box": None}
    annotation = study.annotation("C").with_instance(
        mask, "nevus", prompts=prompts, backend="spectral", model="m", weights_sha256="ab", annotator="ann", score=0.93
    )
    study.save_annotation(annotation.replace(status="unsure"))
    back = Study.open(study.root).annotation("C")
    np.testing.assert_array_equal(back.mask, mask.astype(np.uint16))
    assert back.instances == annotation.instances
    assert back.instance(1).time.endswith("+00:00")
    assert back.status == "unsure"
    assert study.annotation_summary("C").accepted == 1


def test_the_png_is_named_by_its_content_and_the_old_one_goes(study, make):
    first = json.loads((study.masks_dir / "A.json").read_text())["mask"]
    study.save_annotation(study.annotation("A").with_instance(make.disc(make.shape, (20, 28), 3), "nevus"))
    second = json.loads((study.masks_dir / "A.json").read_text())["mask"]
    assert first != second
    assert sorted(path.name for path in study.masks_dir.glob("A-*.png")) == [second]
    digest = hashlib.sha256((study.masks_dir / second).read_bytes()).hexdigest()
    assert second == f"A-{digest[:8]}.png"
    with Image.open(study.masks_dir / second) as image:
        assert image.mode.startswith("I;16")


def test_annotators_do_not_touch_each_others_masks(study, make):
    mine = study.annotation("A")
    study.save_annotation(mine, "bob")  # the same mask: both JSON files name one PNG
    study.save_annotation(mine.with_instance(make.disc(make.shape, (20, 28), 3), "nevus"))
    assert study.annotation("A").mask.max() == 2
    np.testing.assert_array_equal(study.annotation("A", "bob").mask, mine.mask)
    study.save_annotation(study.annotation("A"), "bob")
    assert len(list(study.masks_dir.glob("A-*.png"))) == 1
    with pytest.raises(InputError, match="cannot be a name of an annotator"):
        study.save_annotation(mine, "bob.smith")


def test_an_id_that_begins_like_another_keeps_its_mask(study, make):
    study.add_cube(make.cube(5), "A-12345678", "nevus", mask=make.disc(make.shape, (5, 5), 2))
    study.save_annotation(study.annotation("A").with_instance(make.disc(make.shape, (20, 28), 3), "nevus"))
    assert study.annotation("A-12345678").mask.any()


def test_keys_of_others_are_kept(study):
    path = study.masks_dir / "A.json"
    value = json.loads(path.read_text())
    value["reviewed_by"] = "x"
    value["instances"][0]["breslow_mm"] = 0.4
    path.write_text(json.dumps(value))
    study.save_annotation(study.annotation("A").replace(status="done"))
    value = json.loads(path.read_text())
    assert value["reviewed_by"] == "x"
    assert value["instances"][0]["breslow_mm"] == 0.4


def test_a_mask_of_another_size_is_refused_when_saved_and_when_read(study, make):
    with pytest.raises(InputError, match="the mask has 5 x 6 px, the cube 24 x 32 px"):
        study.save_annotation(Annotation("A", np.zeros((5, 6), np.uint16)))
    name = json.loads((study.masks_dir / "A.json").read_text())["mask"]
    (study.masks_dir / name).write_bytes(encode_labels(np.ones((5, 6), np.uint16)))
    with pytest.raises(InputError, match=r"A\.json: the mask has 5 x 6 px"):
        study.annotation("A")


@pytest.mark.parametrize(
    ("mask", "instances", "message"),
    [
        (np.full((2, 2), 3), (), r"labels without an instance: \[3\]"),
        (np.zeros((2, 2), int), (lesion(), lesion()), "two instances have the same id"),
        (np.zeros((2, 2, 2), int), (), "2-D"),
        (np.zeros((2, 2)), (), "whole numbers"),
        (np.full((2, 2), 70000), (lesion(),), "0..65535"),
        (np.full((2, 2), -1), (lesion(),), "0..65535"),
    ],
)
def test_what_is_no_annotation_is_refused(mask, instances, message):
    with pytest.raises(InputError, match=message):
        Annotation("A", mask, instances)


@pytest.mark.parametrize("number", [0, -1, 65536, 1.5, True])
def test_instance_ids_are_labels(number):
    with pytest.raises(InputError, match=r"not in 1\.\.65535"):
        lesion(number)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.update(mask="../../x-12345678.png"), "not a file name"),
        (lambda v: v.update(mask="A-00000000.png"), "the mask is missing"),
        (lambda v: v.update(instances=[]), "labels without an instance"),
        (lambda v: v["instances"][0].update(diagnosis="mole"), "unknown diagnosis"),
        (lambda v: v["instances"][0].update(status="maybe"), "unknown lesion status"),
        (lambda v: v.pop("instances"), "not an annotation"),
        (lambda v: v.update(cube_id="B"), "of cube 'B'"),
        (lambda v: v.update(status="perhaps"), "unknown status"),
    ],
)
def test_a_damaged_json_says_what_and_where(study, change, message):
    path = study.masks_dir / "A.json"
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))
    with pytest.raises(InputError, match=rf"masks/A.*{message}"):
        study.annotation("A")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"mask": 3, "instances": []}'])
def test_what_is_no_json_of_ours_is_refused(study, text):
    (study.masks_dir / "A.json").write_text(text)
    with pytest.raises(InputError, match=r"A\.json: not an annotation"):
        study.annotation("A")


def test_a_picture_in_colour_is_not_a_mask(study):
    name = json.loads((study.masks_dir / "A.json").read_text())["mask"]
    Image.new("RGB", (32, 24)).save(study.masks_dir / name)
    with pytest.raises(InputError, match="one channel, not RGB"):
        study.annotation("A")
    (study.masks_dir / name).write_bytes(b"no picture")
    with pytest.raises(InputError, match="not a readable image"):
        study.annotation("A")


@settings(max_examples=40, deadline=None)
@given(mask=arrays(np.uint16, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_labels_survive_the_png_exactly(tmp_path_factory, mask):
    path = tmp_path_factory.mktemp("png") / "x.png"
    path.write_bytes(encode_labels(mask))
    np.testing.assert_array_equal(read_labels(path), mask)


def test_a_new_lesion_takes_pixels_or_leaves_them(make):
    annotation = Annotation("A", np.zeros((4, 4), np.uint16)).with_instance(np.eye(4, dtype=bool), "nevus")
    everything = np.ones((4, 4), bool)
    assert (annotation.with_instance(everything, "nevus").mask == 2).all()
    kept = annotation.with_instance(everything, "nevus", keep_earlier=True).mask
    assert (kept == 1).sum() == 4
    assert (kept == 2).sum() == 12


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
@pytest.mark.parametrize("failing", range(4))
def test_a_disk_that_refuses_at_any_write_leaves_the_old_pair(study, make, monkeypatch, code, failing):
    """Fails the n-th of: write the PNG, rename it, write the JSON, rename it."""
    before = study.annotation("A")
    calls = iter(range(100))

    def refusing(real):
        def call(*args, **kwargs):
            if next(calls) == failing:
                raise OSError(code, os.strerror(code))
            return real(*args, **kwargs)

        return call

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.write_bytes", refusing(type(study.root).write_bytes))
        patch.setattr("os.replace", refusing(os.replace))
        with pytest.raises(InputError, match=r"masks/A\.json: (the disk is full|cannot write here)"):
            study.save_annotation(before.with_instance(make.disc(make.shape, (20, 28), 3), "nevus"))
    after = Study.open(study.root).annotation("A")
    np.testing.assert_array_equal(after.mask, before.mask)
    study.save_annotation(after.with_instance(make.disc(make.shape, (20, 28), 3), "nevus"))  # and it goes on
    assert len(list(study.masks_dir.glob("A-*.png"))) == 1


def test_a_file_where_the_masks_folder_should_be_is_named(empty_study, make):
    empty_study.add_cube(make.cube(), "A", "nevus")
    empty_study.masks_dir.write_text("in the way")
    with pytest.raises(InputError, match="in the way"):
        empty_study.save_annotation(empty_study.annotation("A"))


_SAVE_FOREVER = """
import sys, itertools
import numpy as np
from napari_hsisynth import Study
study = Study.open(sys.argv[1])
shape = (24, 32)
for number in itertools.count(1):
    blank = study.annotation("A").replace(mask=np.zeros(shape, np.uint16), instances=())
    for lesion in range(number % 5 + 1):
        mask = np.zeros(shape, bool)
        mask[lesion * 4 : lesion * 4 + 3, number % 20 : number % 20 + 9] = True
        blank = blank.with_instance(mask, "nevus", model=str(number))
    study.save_annotation(blank)
    print(number, flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="kills with a signal")
def test_killing_the_writer_at_any_moment_leaves_a_pair_that_fits(study):
    """The child saves as fast as it can, with ids and lesions that tell which JSON goes with which PNG."""
    draw = random.Random(1)
    for _ in range(8):
        child = subprocess.Popen(
            [sys.executable, "-c", _SAVE_FOREVER, str(study.root)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout.readline(), "the child never saved"
        time.sleep(draw.uniform(0, 0.05))  # the moment of the kill is the test's random input, not a wait
        child.send_signal(signal.SIGKILL)
        saved = 1 + len(child.stdout.read().split())
        child.wait()

        annotation = Study.open(study.root).annotation("A")
        numbers = {int(instance.model) for instance in annotation.instances}
        assert len(numbers) == 1
        number = numbers.pop()
        assert number in (saved, saved + 1)  # at most the one it was at is lost, or saved and not yet said
        expected = np.zeros((24, 32), np.uint16)
        for lesion_number in range(number % 5 + 1):
            rows = slice(lesion_number * 4, lesion_number * 4 + 3)
            expected[rows, number % 20 : number % 20 + 9] = lesion_number + 1
        np.testing.assert_array_equal(annotation.mask, expected)
    study.save_annotation(study.annotation("A"))
    left = [path.name for path in study.masks_dir.iterdir() if path.name.startswith((".A", "A-"))]
    assert len(left) == 1, "what the killed left behind is cleared by the next save"
