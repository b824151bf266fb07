"""Undo and redo: a row of states with a place in it."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_hsisynth.study import Diagnosis, Instance
from napari_hsisynth.study.label_runs import LabelRuns
from napari_hsisynth.widgets.annotation_history import AnnotationState, History
from napari_hsisynth.widgets.draft import Draft


@given(st.lists(st.sampled_from(["record", "undo", "redo", "amend"]), max_size=30))
@settings(max_examples=80, deadline=None)
def test_it_is_what_two_stacks_would_be(actions):
    longest = 5
    history, past, future, present = History(0, longest), [], [], (0, "")
    for number, action in enumerate(actions, start=1):
        if action == "record":
            history.record(f"step {number}", number)
            past, present, future = [*past, present][-longest:], (number, f"step {number}"), []
        elif action == "amend":
            history.amend(number)
            present = (number, present[1])
        elif action == "undo":
            assert history.undo() == (past[-1][0] if past else None)
            if past:
                past, present, future = past[:-1], past[-1], [present, *future]
        elif action == "redo":
            assert history.redo() == (future[0][0] if future else None)
            if future:
                past, present, future = [*past, present], future[0], future[1:]
        assert history.present == present[0]
        assert history.done == (present[1] if past else "")
        assert history.undone == (future[0][1] if future else "")


def test_what_makes_a_difference_to_undo():
    labels = np.zeros((4, 5), np.uint16)
    labels[1:3, 1:3] = 1
    lesions = {1: Instance(1, Diagnosis.NEVUS), 2: Instance(2, Diagnosis.MELANOMA)}
    state = AnnotationState(LabelRuns.of(labels), lesions, "todo")
    assert state.present == {1: lesions[1]}
    same = AnnotationState(LabelRuns.of(labels.copy()), {1: lesions[1]}, "todo", selected=1)
    assert state.same_as(same), "a deleted lesion and the choice are not stored"
    assert not state.same_as(replace(state, draft=Draft(Diagnosis.NEVUS)))
    assert state.stored_like(replace(state, draft=Draft(Diagnosis.NEVUS)))
    assert not state.same_as(replace(state, status="done"))
    assert not state.same_as(replace(state, lesions={1: Instance(1, Diagnosis.OTHER)}))
    assert not state.same_as(replace(state, labels=LabelRuns.of(labels * 2)))
