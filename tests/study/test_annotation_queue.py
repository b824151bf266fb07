"""The queue: what is done, what is shown, and where to go on. None of it needs a window."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_hsisynth.study import Diagnosis, Entry
from napari_hsisynth.study.annotation_queue import AnnotationQueue, QueueFilter, QueueRow, read_row, read_rows
from napari_hsisynth.study.annotators import save_as

MELANOMA, NEVUS = Diagnosis.MELANOMA, Diagnosis.NEVUS


def queue_of(*statuses, patients=()):
    """A queue of cubes A, B, C ... with these statuses; every other one a melanoma."""
    ids = [chr(65 + number) for number in range(len(statuses))]
    patients = patients or [""] * len(ids)
    kinds = [(MELANOMA, NEVUS)[number % 2] for number in range(len(ids))]
    queue = AnnotationQueue(
        [Entry(i, "x", kind, patient) for i, kind, patient in zip(ids, kinds, patients, strict=True)]
    )
    rows = zip(ids, kinds, patients, statuses, strict=True)
    queue.put([QueueRow(i, kind, patient, status) for i, kind, patient, status in rows])
    return queue


# --- reading


def test_rows_tell_what_an_annotator_has_done(study, make):
    unsure = study.annotation("B").with_instance(make.disc(make.shape, (20, 3), 2), "nevus", status="unsure")
    save_as(study, unsure.replace(status="unsure"), "Jane")
    rows = read_rows(study, "Jane")
    assert list(rows) == ["A", "B", "C"]
    assert [row.status for row in rows.values()] == ["done", "unsure", "todo"]
    assert (rows["B"].accepted, rows["B"].unsure, rows["B"].draft) == (2, 1, 0)
    assert [row.lesions_text() for row in rows.values()] == ["1", "2 + 1", ""]
    assert rows["A"].others == (), "a mask that belongs to nobody is hers to change"
    assert rows["B"] == read_row(study, "Jane", "B")


def test_for_the_second_annotator_the_cube_is_still_to_do(study, make):
    save_as(study, study.annotation("A"), "Jane")
    row = read_row(study, "Max", "A")
    assert (row.status, row.first, row.others, row.lesions_text()) == ("todo", "Jane", ("Jane",), "")
    save_as(study, study.annotation("A").replace(status="unsure"), "Max")
    row = read_row(study, "max", "A")
    assert (row.status, row.first, row.others) == ("unsure", "Jane", ("Jane",))
    row = read_row(study, "Jane", "A")
    assert (row.status, row.first, row.others) == ("done", "", ("Max",))
    row = read_row(study, "", "A")
    assert (row.status, row.first, row.others) == ("todo", "Jane", ("Jane", "Max"))


def test_a_damaged_annotation_is_its_own_status(study, make):
    save_as(study, study.annotation("A").replace(status="unsure"), "Jane")
    save_as(study, study.annotation("A"), "Max")
    (study.masks_dir / "A.json").write_text("{")
    jane, max_ = read_row(study, "Jane", "A"), read_row(study, "Max", "A")
    assert jane.status == "damaged"
    assert "A.json" in jane.trouble
    assert max_.status == "unsure", "his own file is whole"
    queue = AnnotationQueue(study.entries)
    queue.put(read_rows(study, "Jane").values())
    assert queue.text() == "1 of 3 done · 1 damaged"
    assert queue.still_todo(None) == ["C"]


def test_only_what_has_changed_is_read_again(study, make, monkeypatch):
    rows = read_rows(study, "Jane")
    save_as(study, study.annotation("C").with_instance(make.disc(make.shape, (9, 9), 3), "nevus"), "Jane")
    study.update("A", diagnosis="nevus", patient="p7")
    asked = []
    real = read_rows.__globals__["read_annotation_json"]
    monkeypatch.setitem(
        read_rows.__globals__, "read_annotation_json", lambda path: asked.append(path.name) or real(path)
    )
    again = read_rows(study, "Jane", rows)
    assert asked == ["C.json"]
    assert again["C"].accepted == 1
    assert (again["A"].diagnosis, again["A"].patient, again["A"].accepted) == (NEVUS, "p7", 1)
    assert again == read_rows(study, "Jane")


def test_a_cube_added_or_gone_meanwhile_is_no_error(study):
    queue = AnnotationQueue(study.entries)
    queue.put([QueueRow("Z", NEVUS, status="done")])
    assert list(queue.rows) == ["A", "B", "C"]
    assert queue.text() == "", "nothing was read yet"


# --- showing


def test_filters():
    queue = queue_of("todo", "done", "unsure", "done", patients=["p1", "p1", "P2", ""])
    queue.drafts, queue.disagreeing = {"A", "D"}, {"B", "D"}
    for wanted, shown in (
        (QueueFilter(), "ABCD"),
        (QueueFilter(status="done"), "BD"),
        (QueueFilter(diagnosis=MELANOMA), "AC"),
        (QueueFilter(text="p2"), "C"),
        (QueueFilter(text="b p1"), "B"),
        (QueueFilter(text="zzz"), ""),
        (QueueFilter(has_draft=True), "AD"),
        (QueueFilter(disagree=True, status="done"), "BD"),
        (QueueFilter(disagree=True, has_draft=True, diagnosis=NEVUS), "D"),
    ):
        queue.filter = wanted
        assert "".join(queue.shown) == shown, wanted
        assert bool(wanted) == (wanted != QueueFilter())
    assert queue.text() == "2 of 4 done · 1 unsure", "counts are of the study, whatever is shown"


def test_what_becomes_done_leaves_the_cubes_to_do_and_keeps_its_place():
    queue = queue_of("todo", "todo", "todo", "done", "todo")
    queue.filter = QueueFilter(status="todo")
    queue.put([QueueRow("B", NEVUS, status="done")])
    assert queue.shown == ("A", "C", "E")
    assert (queue.neighbour("B", -1), queue.neighbour("B", 1)) == ("A", "C")
    assert (queue.neighbour("C", 1), queue.neighbour("E", 1), queue.neighbour("A", -1)) == ("E", None, None)
    assert (queue.neighbour(None, 1), queue.neighbour(None, -1)) == ("A", "E")
    assert queue.neighbour("gone", 1) == "A"
    assert queue.neighbour("A", 2) == "E"
    assert queue.neighbour("A", 0) is None


def test_next_to_do_begins_again_after_the_last():
    queue = queue_of("todo", "done", "todo", "unsure", "todo")
    assert queue.still_todo("C") == ["E", "A"]
    assert queue.still_todo(None) == ["A", "C", "E"]
    queue.filter = QueueFilter(text="a")
    assert queue.still_todo("C") == ["A"]
    queue.filter = QueueFilter(status="done")
    assert queue.still_todo("C") == ["E", "A"], "nothing shown is to do: then the others"
    assert queue_of("todo", "done").still_todo("A") == []


@given(st.lists(st.sampled_from(["todo", "done", "unsure"]), min_size=1, max_size=12), st.data())
@settings(max_examples=40, deadline=None)
def test_forth_and_back_visits_every_shown_cube_once(statuses, data):
    queue = queue_of(*statuses)
    queue.filter = QueueFilter(status=data.draw(st.sampled_from(["", "todo", "done"])))
    for by in (1, -1):
        here, visited = queue.neighbour(None, by), []
        while here is not None:
            visited.append(here)
            here = queue.neighbour(here, by)
        assert tuple(visited[::by]) == queue.shown
    counts = queue.counts()
    assert sum(counts.values()) == len(statuses)
    assert queue.text().startswith(f"{statuses.count('done')} of {len(statuses)} done")


@pytest.mark.parametrize(
    ("typed", "found"), [("DN_1", "DN_1"), ("dn_1", "DN_1"), (" MM ", "MM_7"), ("DN", None), ("", None), ("x", None)]
)
def test_a_typed_id_is_found(typed, found):
    entries = [Entry(cube_id, "x", NEVUS) for cube_id in ("DN_1", "DN_12", "MM_7")]
    assert AnnotationQueue(entries).find(typed) == found


def test_filtering_does_not_ask_the_disk(study, monkeypatch):
    queue = AnnotationQueue(study.entries)
    queue.put(read_rows(study, "").values())
    np.testing.assert_array_equal(queue.shown, ["A", "B", "C"])
    (study.masks_dir).rename(study.root / "away")
    queue.filter = QueueFilter(status="done")
    assert queue.shown == ("A", "B")
