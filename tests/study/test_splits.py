import os
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_hsisynth import InputError, Study
from napari_hsisynth.study import Diagnosis, Entry
from napari_hsisynth.study.splits import draw

DIAGNOSES = list(Diagnosis)[:3]


def entry(cube_id, diagnosis="nevus", patient=""):
    return Entry(cube_id, f"{cube_id}.npz", Diagnosis(diagnosis), patient)


@st.composite
def many_entries(draw_):
    rows = draw_(
        st.lists(st.tuples(st.sampled_from(DIAGNOSES), st.sampled_from(["", "p1", "p2", "p3", "p4"])), max_size=40)
    )
    return [entry(f"c{number:02}", diagnosis, patient) for number, (diagnosis, patient) in enumerate(rows)]


@given(entries=many_entries(), seed=st.integers(0, 5))
def test_every_cube_has_one_side_and_no_patient_has_two(entries, seed):
    split = draw(entries, seed=seed)
    assert set(split) == {one.id for one in entries}
    assert set(split.values()) <= {"train", "val", "test"}
    for patient in {one.patient for one in entries} - {""}:
        assert len({split[one.id] for one in entries if one.patient == patient}) == 1


@given(entries=many_entries(), seed=st.integers(0, 5), order=st.randoms())
def test_the_draw_depends_on_no_order(entries, seed, order):
    shuffled = list(entries)
    order.shuffle(shuffled)
    assert draw(shuffled, seed=seed) == draw(entries, seed=seed)


@given(entries=many_entries(), more=st.integers(0, 40), seed=st.integers(0, 5))
def test_new_cubes_move_no_old_one(entries, more, seed):
    old = draw(entries[:more], seed=seed)
    both = draw(entries, old, seed=seed)
    assert {cube_id: both[cube_id] for cube_id in old} == old
    for patient in {one.patient for one in entries} - {""}:
        assert len({both[one.id] for one in entries if one.patient == patient}) == 1


@pytest.mark.parametrize(
    ("cubes", "train", "val", "test"), [(1, 1, 0, 0), (2, 1, 0, 1), (3, 1, 1, 1), (8, 6, 1, 1), (20, 14, 3, 3)]
)
def test_each_diagnosis_is_split_by_its_quota(cubes, train, val, test):
    entries = [entry(f"{diagnosis[0]}{n}", diagnosis) for diagnosis in ("melanoma", "nevus") for n in range(cubes)]
    split = draw(entries)
    for diagnosis in ("melanoma", "nevus"):
        found = Counter(split[one.id] for one in entries if one.diagnosis == diagnosis)
        assert (found["train"], found["val"], found["test"]) == (train, val, test)


@settings(max_examples=20)
@given(seed=st.integers(0, 1000))
def test_another_seed_is_another_draw(seed):
    entries = [entry(f"c{number}") for number in range(60)]
    assert draw(entries, seed=seed) != draw(entries, seed=seed + 1)


def test_ids_are_not_favoured_by_their_place_in_the_alphabet():
    entries = [entry(f"c{number:03}") for number in range(100)]
    held = Counter()
    for seed in range(200):
        held.update(cube_id for cube_id, side in draw(entries, seed=seed).items() if side != "train")
    first = sum(held[f"c{number:03}"] for number in range(50)) / sum(held.values())
    assert 0.47 < first < 0.53  # 6,000 held-out draws: the standard deviation is below .0065


def test_the_split_is_stored_and_stays(study):
    first = study.splits()
    assert (study.root / "splits.csv").read_text().splitlines()[0] == "id,split,seed"
    before = os.stat(study.root / "splits.csv").st_mtime_ns
    assert Study.open(study.root).splits() == first
    assert os.stat(study.root / "splits.csv").st_mtime_ns == before


def test_another_seed_than_the_stored_one_is_refused(study):
    study.splits(seed=3)
    assert study.splits() == study.splits(seed=3)
    with pytest.raises(InputError, match="drawn with seed 3, not 0"):
        study.splits(seed=0)


def test_a_cube_added_later_joins_its_patient(study, make):
    for number in range(6):
        study.add_cube(make.cube(shape=(4, 4)), f"P{number}", "nevus", f"patient {number}")
    old = study.splits()
    for number in range(6):
        study.add_cube(make.cube(shape=(4, 4)), f"Q{number}", "nevus", f"patient {number}")
    new = study.splits()
    assert {cube_id: new[cube_id] for cube_id in old} == old
    assert all(new[f"Q{number}"] == new[f"P{number}"] for number in range(6))


def test_a_patient_on_both_sides_is_found(study):
    split = study.splits()
    one, two = next((a, b) for a in split for b in split if split[a] != split[b]) if len(set(split.values())) > 1 else (
        "A", "B"
    )  # fmt: skip
    (study.root / "splits.csv").write_text(f"id,split,seed\n{one},train,0\n{two},test,0\nC,train,0\n")
    study.update(one, patient="p")
    study.update(two, patient="p")
    if "C" in (one, two):
        (study.root / "splits.csv").write_text("id,split,seed\nA,train,0\nB,train,0\nC,test,0\n")
    with pytest.raises(InputError, match=r"splits\.csv: cubes of patient 'p' are in test and train"):
        study.splits()


@pytest.mark.parametrize(
    "text", ["id,split,seed\nA,dev,0\n", "id,split,seed\nA,val,x\n", "id,split,seed\nA,val,0\nA,val,0\n", "a\nb\n"]
)
def test_a_table_that_cannot_be_used_says_where(study, text):
    (study.root / "splits.csv").write_text(text)
    with pytest.raises(InputError, match=r"splits\.csv"):
        study.splits()
