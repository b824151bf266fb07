"""Several annotators of one cube: whose file is whose, and that nobody's work is ever in another's way."""

import json
import threading

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from napari_hsisynth import InputError, Study
from napari_hsisynth.study.annotators import (
    annotation_files,
    annotation_key,
    annotator_id,
    annotators,
    owner,
    same_annotator,
    save_as,
)
from napari_hsisynth.study.drafts import cubes_with_draft, draft_path, read_draft, save_draft
from napari_hsisynth.study.manifest import checked_id


def drawn(study, make, cube_id="C", radius=4, **details):
    """An annotation with one more lesion, not saved."""
    mask = make.disc(make.shape, (10, 12), radius)
    return study.annotation(cube_id).with_instance(mask, "nevus", **details)


def name_the_mask(study, cube_id, name):
    """Put a name to the first annotation of a cube."""
    save_as(study, study.annotation(cube_id), name)


# --- names


@given(st.text(max_size=150))
@example("a" * 100)
@example("-x-")
@example("Иван")
@example("first")
@example("CON")
@settings(max_examples=200, deadline=None)
def test_every_name_becomes_a_file_name_or_none(name):
    found = annotator_id(name)
    assert not found or checked_id(found) == found
    assert annotator_id(found) == found, "the id of an id is itself"
    assert found or not any(sign.isalnum() for sign in name), "only a name without letters and digits is none"
    assert found.lower() != "first", "how the first annotation is listed that nobody put their name to"


def test_names_without_latin_letters_stay_apart():
    names = ["李雷", "韩梅梅", "Иван", "Ивана", "Jane 李", "Jane"]
    assert len({annotator_id(name) for name in names}) == len(names)
    assert annotator_id("Zoë") == "Zoe"
    assert annotator_id("  Jane   Doe ") == annotator_id("Jane_Doe") == "Jane_Doe"
    assert annotator_id("Zoe\u0308") == annotator_id("Zo\u00eb"), "composed or not, it looks the same"
    assert annotator_id(" ?! ") == ""


def test_long_names_are_told_apart_by_their_ends():
    one, other = ("x" * 200 + end for end in "ab")
    assert annotator_id(one) != annotator_id(other)


@given(st.text("abcXYZ _-", max_size=12))
@settings(max_examples=50, deadline=None)
def test_upper_and_lower_case_mean_one_person(name):
    assert same_annotator(name, name.swapcase())


# --- whose file


def test_an_imported_mask_is_nobodys_until_somebody_changes_it(study, make):
    assert owner(study, "A") == ""
    assert annotators(study, "A") == {"first": None}
    assert annotation_key(study, "A", "Jane") is None
    assert save_as(study, drawn(study, make, "A", radius=2), "Jane") is None
    assert owner(study, "A") == "Jane"
    assert annotation_key(study, "A", "Max") == "Max"
    assert annotation_key(study, "A", "jane ") is None


def test_the_second_annotator_has_a_file_of_their_own(study, make):
    first = drawn(study, make, annotator="Jane Doe")
    assert save_as(study, first, "Jane Doe") is None
    second = drawn(study, make, radius=6, annotator="Max")
    assert save_as(study, second, "Max") == "Max"
    assert np.array_equal(study.annotation("C").mask, first.mask)
    assert np.array_equal(study.annotation("C", "Max").mask, second.mask)
    assert annotators(study, "C") == {"Jane_Doe": None, "Max": "Max"}
    assert list(annotation_files(study)["C"]) == [None, "Max"]


def test_who_deleted_every_lesion_still_owns_the_cube(study, make):
    save_as(study, drawn(study, make, annotator="Jane"), "Jane")
    empty = study.annotation("C").replace(mask=np.zeros(make.shape, np.uint16), instances=(), status="done")
    assert save_as(study, empty, "Jane") is None
    assert save_as(study, drawn(study, make, annotator="Max"), "Max") == "Max"
    assert study.annotation("C").status == "done"


def test_who_began_beside_stays_there(study, make):
    name_the_mask(study, "A", "Jane")
    save_as(study, drawn(study, make, "A", radius=2), "Max")
    study.save_annotation(study.annotation("A").replace(instances=study.annotation("A").instances, extra={}))
    assert owner(study, "A") == "", "Jane's name is gone"
    assert annotation_key(study, "A", "Max") == "Max"
    assert annotators(study, "A") == {"first": None, "Max": "Max"}


def test_the_earliest_lesion_tells_whose_an_unsigned_annotation_is(study, make):
    late = drawn(study, make, annotator="Max", time="2026-02-01T00:00:00+00:00")
    both = late.with_instance(
        make.disc(make.shape, (20, 28), 3), "nevus", annotator="Jane", time="2026-01-01T00:00:00+00:00"
    )
    study.save_annotation(both)
    assert owner(study, "C") == "Jane"


def test_somebody_without_a_name_takes_nobodys_place(study, make):
    assert save_as(study, drawn(study, make), "") is None
    name_the_mask(study, "A", "Jane")
    before = study.annotation("A").mask
    assert save_as(study, drawn(study, make, "A", radius=2), "") == "unnamed"
    assert np.array_equal(study.annotation("A").mask, before)
    assert annotation_key(study, "A", " ?! ") == "unnamed"


def test_spelling_of_the_file_that_is_there_is_kept(study, make):
    name_the_mask(study, "A", "Jane")
    assert save_as(study, drawn(study, make, "A", radius=2), "max") == "max"
    assert save_as(study, drawn(study, make, "A", radius=3), "MAX") == "max"
    assert list(annotation_files(study)["A"]) == [None, "max"]


@pytest.mark.parametrize("name", ["first", "First", "tmp", "draft", "A", "C"])
def test_odd_but_possible_names(study, make, name):
    name_the_mask(study, "A", "Jane")
    key = save_as(study, drawn(study, make, "A", radius=2), name)
    assert key == annotator_id(name)
    assert annotators(study, "A") == {"Jane": None, key: key}
    assert study.annotation("A", key).mask.any()
    save_draft(study, "A", {"points": []}, key)
    assert read_draft(study, "A", key) == {"points": []}
    assert read_draft(study, "A") is None


def test_files_of_others_in_the_folder_are_left_alone(study, make):
    name_the_mask(study, "A", "Jane")
    for name in ("A.a b.json", "A.x.y.json", ".A.12345678.tmp.json", "gone.json", "gone.Max.json", "A.first.json"):
        (study.masks_dir / name).write_text("{")
    assert annotators(study, "A") == {"Jane": None}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"mask": "../../x.png", "instances": []}', "\x00"])
def test_a_damaged_first_annotation_is_said_and_nothing_is_overwritten(study, make, text):
    annotation = drawn(study, make, "A", radius=2)
    path = study.masks_dir / "A.json"
    path.write_text(text)
    before = {each.name: each.read_bytes() for each in study.masks_dir.iterdir()}
    for act in (
        lambda: save_as(study, annotation, "Max"),
        lambda: annotation_key(study, "A", "Max"),
        lambda: annotators(study, "A"),
    ):
        with pytest.raises(InputError, match=r"A\.json"):
            act()
    assert {each.name: each.read_bytes() for each in study.masks_dir.iterdir()} == before


def test_who_has_a_file_of_their_own_goes_on_although_the_first_is_damaged(study, make):
    name_the_mask(study, "A", "Jane")
    save_as(study, drawn(study, make, "A", radius=2), "Max")
    changed = study.annotation("A", "Max").replace(status="unsure")
    (study.masks_dir / "A.json").write_text("{")
    assert save_as(study, changed, "Max") == "Max"
    assert (study.masks_dir / "A.json").read_text() == "{"


def test_a_mask_of_another_size_is_refused(study, make):
    annotation = study.annotation("A").replace(mask=np.zeros((3, 3), np.uint16), instances=())
    with pytest.raises(InputError, match="the mask has 3 x 3"):
        save_as(study, annotation, "Jane")


def test_nobody_has_annotated_it(study):
    with pytest.raises(InputError, match="nobody has annotated this cube"):
        annotators(study, "C")
    with pytest.raises(InputError, match="no cube"):
        annotation_key(study, "Z", "Jane")


def test_of_two_who_begin_with_the_same_cube_each_keeps_their_work(study, make):
    # each has read the study when the cube had no annotation, on a computer of their own
    names, radii = ("Jane", "Max", "Eva"), (2, 4, 6)
    studies = [Study.open(study.root) for _ in names]
    begun = [
        drawn(each, make, radius=radius, annotator=name)
        for each, radius, name in zip(studies, radii, names, strict=True)
    ]
    begin, keys = threading.Barrier(len(names)), {}

    def save(number):
        begin.wait()
        for _ in range(3):
            keys.setdefault(names[number], set()).add(save_as(studies[number], begun[number], names[number]))

    threads = [threading.Thread(target=save, args=(number,)) for number in range(len(names))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(len(used) == 1 for used in keys.values()), "nobody's work moves from one file to another"
    assert sum(used == {None} for used in keys.values()) == 1
    for number, name in enumerate(names):
        stored = study.annotation("C", annotation_key(study, "C", name))
        assert np.array_equal(stored.mask, begun[number].mask)
        assert json.loads((annotation_files(study, "C")["C"][next(iter(keys[name]))]).read_text())["annotator"] == name


# --- drafts


def test_drafts_come_back_and_go(study):
    draft = {"points": [[1, 2]], "diagnosis": "nevus"}
    save_draft(study, "A", draft, "Jane")
    save_draft(study, "B", draft)
    assert read_draft(study, "A", "Jane") == draft
    assert read_draft(study, "A", "Max") is None
    assert cubes_with_draft(study, "jane") == {"A"}
    assert cubes_with_draft(study, "") == {"B"}
    save_draft(study, "A", None, "Jane")
    save_draft(study, "A", None, "Jane")
    assert not draft_path(study, "A", "Jane").exists()


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b"null"])
def test_work_goes_on_without_a_damaged_draft(study, content):
    path = draft_path(study, "A")
    path.parent.mkdir()
    path.write_bytes(content)
    assert read_draft(study, "A") is None
    save_draft(study, "A", {"points": []})
    assert read_draft(study, "A") == {"points": []}


def test_drafts_that_cannot_be_kept_are_said(study):
    (study.root / "drafts").write_text("a file")
    with pytest.raises(InputError, match="in the way"):
        save_draft(study, "A", {})
    with pytest.raises(InputError, match="cannot be a name of an annotator"):
        save_draft(study, "A", {}, "../x")
    study.root.rename(study.root.with_name("elsewhere"))
    with pytest.raises(InputError, match="not there any more"):
        save_draft(study, "A", {})
