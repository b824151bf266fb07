"""The lesion in the making: what comes of it step by step, and on disk and back."""

import json

import numpy as np
import pytest

from napari_hsisynth.errors import InputError
from napari_hsisynth.segment import Prompts, Proposals
from napari_hsisynth.study import Diagnosis, Instance
from napari_hsisynth.study.label_runs import LabelRuns
from napari_hsisynth.widgets.draft import Draft

SHAPE = (12, 20)
MADE_BY = {"backend": "spectral", "model": "m1", "weights_sha256": ""}


def masks(count: int = 3) -> np.ndarray:
    found = np.zeros((count, *SHAPE), bool)
    for number in range(count):
        found[number, 2 : 5 + number, 3:9] = True
    return found


def answered(draft: Draft, count: int = 3) -> Draft:
    return draft.answered(Proposals(masks(count), np.linspace(0.9, 0.5, count)), MADE_BY)


def clicked() -> Draft:
    return Draft(Diagnosis.NEVUS).with_prompts(Prompts([(4, 5)], [1], box=(1, 1, 9, 9)))


def test_prompts_are_asked_and_answered():
    draft = clicked()
    assert draft.waiting
    assert draft.question() is draft.prompts
    assert draft.mask is None
    draft = answered(draft)
    assert not draft.waiting
    assert np.array_equal(draft.mask, masks()[0])
    assert draft.text() == "candidate 1/3 · score 0.90 · 18 px"
    assert [draft.next_candidate().choice, draft.next_candidate().next_candidate().next_candidate().choice] == [1, 0]
    record = draft.next_candidate().record()
    assert record == {"prompts": draft.prompts.to_json(), "score": 0.7, "backend": "spectral", "model": "m1"}
    assert draft.with_prompts(Prompts()) is None, "the last prompt was deleted"


def test_a_mask_by_hand_is_where_further_prompts_start():
    painted = masks()[2]
    draft = answered(clicked()).by_hand(painted)
    assert np.array_equal(draft.mask, painted)
    assert draft.record()["prompts"] is None, "they do not give the mask any more"
    assert draft.text() == "by hand · 30 px"
    question = draft.with_prompts(Prompts([(1, 1)], [0])).question()
    assert np.array_equal(question.logits > 0, painted)
    without = answered(draft.with_prompts(Prompts([(1, 1)], [0]))).with_prompts(Prompts())
    assert np.array_equal(without.mask, painted)
    assert without.question() is None
    assert draft.by_hand(np.zeros(SHAPE, bool)) is None


def test_proposed_lesions_are_dealt_with_one_by_one():
    draft = answered(Draft(Diagnosis.OTHER, proposed=True, waiting=True))
    rest = draft.next_candidate().without_shown()
    assert [runs.area_px for runs in rest.candidates] == [18, 30]
    assert rest.choice == 1
    assert rest.without_shown().without_shown() is None
    assert draft.with_prompts(Prompts([(4, 5)], [1])).candidates == (), "a click starts another lesion"
    outside = draft.next_candidate().with_prompts(Prompts([(4, 5)], [0]))
    assert np.array_equal(outside.question().logits > 0, masks()[1]), "but for one outside, which corrects it"
    refined = draft.next_candidate().by_hand(masks()[0])
    assert [runs.area_px for runs in refined.candidates] == [18, 18, 30]
    assert refined.text() == "proposed 2/3 · 18 px"
    assert [runs.area_px for runs in refined.without_shown().candidates] == [18, 30]
    further = refined.with_prompts(Prompts([(1, 1)], [0]))
    assert np.array_equal(further.question().logits > 0, masks()[0]), "but goes on from what was made by hand"


def test_a_lesion_is_taken_up_as_it_is():
    prompts = {"points": [[4, 5]], "labels": [1], "box": None}
    draft = Draft.of_lesion(Instance(7, Diagnosis.NEVUS, prompts, "sam2", "tiny", score=0.8), masks()[1])
    assert (draft.editing, draft.prompts.points, draft.base, draft.waiting) == (7, ((4, 5),), None, False)
    assert np.array_equal(draft.mask, masks()[1])
    assert draft.record() == {"prompts": prompts, "score": 0.8, "backend": "sam2", "model": "tiny"}
    drawn = Draft.of_lesion(Instance(7, Diagnosis.NEVUS), masks()[1])
    assert np.array_equal(drawn.base.mask(), masks()[1])


@pytest.mark.parametrize(
    "draft",
    [
        clicked(),
        answered(clicked()).next_candidate(),
        answered(clicked()).by_hand(masks()[2]),
        answered(answered(clicked()).by_hand(masks()[2]).with_prompts(Prompts([(1, 1)], [0]))),
        answered(Draft(Diagnosis.OTHER, proposed=True, editing=3)),
    ],
)
def test_a_draft_comes_back_from_json_whole(draft):
    text = json.dumps(draft.to_json())
    again = Draft.from_json(json.loads(text), SHAPE)
    assert json.dumps(again.to_json()) == text
    assert again.text() == draft.text()
    assert again.record() == draft.record()
    with pytest.raises(InputError):
        Draft.from_json(json.loads(text), (5, 5))


@pytest.mark.parametrize(
    "value",
    [
        {"prompts": 3},
        {"candidates": [{}], "scores": [1]},
        {"candidates": 4},
        {"scores": [0.5]},
        {"choice": "x"},
        {"choice": 1},
        {"made_by": 1},
        {"diagnosis": "unheard of"},
        {"candidates": [LabelRuns.of(masks()[0]).to_json()], "scores": ["a"]},
    ],
)
def test_a_damaged_draft_is_refused(value):
    with pytest.raises(InputError):
        Draft.from_json(value, SHAPE)
