"""A split that the user can see and change before training: patients stay together, runs keep what they used."""

import contextlib
import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_hsisynth import Cube, InputError, Study, cli
from napari_hsisynth.jobs import new_run
from napari_hsisynth.metrics.selection import select
from napari_hsisynth.study import (
    make_crops,
    planned_change,
    read_crop,
    reassign,
    reassign_each,
    split_table,
    write_crop,
    write_crops_index,
)
from napari_hsisynth.study.storage import study_lock

#: Cube id, diagnosis and patient.
CUBES = [
    ("A0", "melanoma", "p1"),
    ("A1", "melanoma", "p1"),
    ("A2", "nevus", "p1"),
    ("B0", "melanoma", "p2"),
    ("C0", "nevus", ""),
    ("C1", "nevus", ""),
    ("C2", "nevus", ""),
    ("D0", "melanoma", "p3"),
]


@pytest.fixture
def patients(tmp_path):
    study = Study.create(tmp_path / "study", wavelengths_nm=[500, 600])
    for cube_id, diagnosis, patient in CUBES:
        mask = np.zeros((6, 6), dtype=bool)
        mask[2:4, 2:4] = True
        study.add_cube(Cube(np.ones((2, 6, 6)), [500, 600]), cube_id, diagnosis, patient, mask=mask)
    make_crops(study)
    stand(study, A0="train", A1="train", A2="train", B0="val", C0="train", C1="val", C2="test", D0="test")
    return study


def stand(study, **sides):
    rows = "".join(f"{cube_id},{side},4\n" for cube_id, side in sides.items())
    (study.root / "splits.csv").write_text(f"id,split,seed\n{rows}")


def made_run(study, name, **about):
    run = new_run(study.root, name)
    run.write_config({"model": "vae", "run": {"verb": "train", "study": "../..", "diagnosis": "", **about}})
    return run


def test_one_cube_of_a_patient_moves_all_of_them(patients):
    change = reassign(patients, "A1", "test")
    assert change.moved == dict.fromkeys(("A0", "A1", "A2"), ("train", "test"))
    split = Study.open(patients.root).splits()
    assert [split[cube] for cube, *_ in CUBES] == ["test", "test", "test", "val", "train", "val", "test", "test"]
    assert patients.splits(seed=4) == split, "the seed of the draw stays"
    assert change.notes == ("no cube of melanoma in train",)


def test_a_patient_is_named_as_well_as_a_cube(patients):
    assert set(reassign(patients, ["p3", "C1"], "train").moved) == {"D0", "C1"}


def test_a_name_that_means_two_things_is_refused(patients):
    patients.update("B0", patient="C0")  # a patient called like the cube C0
    with pytest.raises(InputError, match="'C0' is a cube and also a patient"):
        reassign(patients, "C0", "test")
    assert set(reassign(patients, "B0", "test").moved) == {"B0"}


@pytest.mark.parametrize(
    ("sides", "what"),
    [
        ({"Z": "train"}, "no cube and no patient 'Z'"),
        ({"C1": "train", "Z": "val"}, "no cube and no patient 'Z'"),
        ({"C1": "dev"}, "no split 'dev'"),
        ({"A0": "val", "A2": "test"}, "patient p1 cannot be in val and in test"),
        ({"p1": "val", "C0": "test"}, "no cube would be left to train on"),
    ],
)
def test_what_cannot_be_done_moves_nothing(patients, sides, what):
    made_run(patients, "vae")
    before = (patients.root / "splits.csv").read_bytes()
    for attempt in (planned_change, reassign_each):
        with pytest.raises(InputError, match=what):
            attempt(patients, sides)
    assert (patients.root / "splits.csv").read_bytes() == before
    assert not list(patients.runs_dir.glob("*/splits.csv"))


def test_the_last_training_cubes_can_be_exchanged_in_one_go(patients):
    change = reassign_each(patients, {"p1": "val", "C0": "test", "D0": "train"})
    assert patients.splits()["D0"] == "train"
    assert len(change.moved) == 5


def test_where_everything_already_stands_nothing_is_written(patients):
    before = os.stat(patients.root / "splits.csv").st_mtime_ns
    assert reassign(patients, ["p1", "C0"], "train").moved == {}
    assert os.stat(patients.root / "splits.csv").st_mtime_ns == before


def test_a_split_not_drawn_yet_is_drawn_first(patients):
    (patients.root / "splits.csv").unlink()
    drawn = planned_change(patients, {}).moved
    assert drawn == {}
    side = patients.splits()["B0"]
    other = "val" if side != "val" else "train"
    (patients.root / "splits.csv").unlink()
    assert reassign(patients, "B0", other).moved == {"B0": (side, other)}


def test_a_patient_on_two_sides_is_put_together(patients):
    stand(patients, A0="train", A1="val", A2="train", B0="val", C0="train", C1="val", C2="test", D0="test")
    with pytest.raises(InputError, match="patient 'p1'"):
        patients.splits()
    assert reassign(patients, "p1", "train").moved == {"A1": ("val", "train")}
    assert patients.splits()["A1"] == "train"


def test_runs_of_the_older_split_are_named_and_keep_it(patients):
    everything, nevi = made_run(patients, "vae"), made_run(patients, "vae-nevus", diagnosis="nevus")
    sampled = made_run(patients, "sample", verb="sample")
    (patients.runs_dir / "torn").mkdir()
    (patients.runs_dir / "torn" / "config.yaml").write_text("run: [")
    before = (patients.root / "splits.csv").read_bytes()

    planned = planned_change(patients, {"p3": "train", "B0": "test"})
    assert not (everything.path / "splits.csv").exists()
    change = reassign_each(patients, {"p3": "train", "B0": "test"})
    assert planned == change
    (only,) = change.outdated  # the model of nevi has not seen a melanoma before, nor would it now
    assert (only.run_id, only.seen, only.unseen, only.moved) == (everything.id, (), ("D0",), ("B0",))
    assert (everything.path / "splits.csv").read_bytes() == before
    assert not (sampled.path / "splits.csv").exists()

    newer = made_run(patients, "vae")
    change = reassign(patients, "p1", "val")  # holds a nevus, too
    assert {run.run_id: run.seen for run in change.outdated} == {
        everything.id: ("A0", "A1", "A2"),
        nevi.id: ("A2",),
        newer.id: ("A0", "A1", "A2"),
    }
    assert (everything.path / "splits.csv").read_bytes() == before

    back = reassign(patients, "p1", "train")
    assert [run.run_id for run in back.outdated] == [everything.id], "a change taken back outdates no run"
    assert [run.run_id for run in reassign_each(patients, {"p3": "test", "B0": "val"}).outdated] == [newer.id]
    texts = {run.run_id: run.text() for run in reassign(patients, "p1", "test").outdated}
    assert texts[everything.id].endswith("with new runs: A0, A1, A2 in its training split, held out now")
    assert "A0, A1, A2 and 1 more in its training split, held out now; B0 moved between" in texts[newer.id]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    moves=st.lists(
        st.tuples(st.sampled_from([c for c, *_ in CUBES]), st.sampled_from(["train", "val", "test"])), max_size=6
    )
)
def test_whatever_is_moved_no_patient_stands_on_two_sides(patients, moves):
    for name, side in moves:
        with contextlib.suppress(InputError):  # the last one in train stays there
            reassign(patients, name, side)
        split = patients.splits()  # raises if a patient stands on two sides
        assert "train" in split.values()
        table = split_table(patients)
        assert sum(row.cubes[side] for row in table for side in row.cubes) == len(CUBES)


def test_the_table_counts_cubes_patients_and_crops(patients):
    melanoma, nevus = split_table(patients)
    assert (melanoma.diagnosis, nevus.diagnosis) == ("melanoma", "nevus")
    assert melanoma.cubes == {"train": 2, "val": 1, "test": 1}
    assert melanoma.patients == {"train": 1, "val": 1, "test": 1}
    assert nevus.cubes == {"train": 2, "val": 1, "test": 1} == nevus.crops
    assert nevus.patients == {"train": 1, "val": 0, "test": 0}


def test_two_programs_move_cubes_at_once_and_no_move_is_lost(patients):
    code = (
        "import sys; from napari_hsisynth.study import Study, reassign;"
        "study = Study.open(sys.argv[1]); print(flush=True); reassign(study, sys.argv[2], 'train')"
    )
    with study_lock(patients.root):  # both wait here until they are ready
        words = [[sys.executable, "-c", code, str(patients.root), cube] for cube in ("C1", "D0")]
        both = [subprocess.Popen(one, stdout=subprocess.PIPE) for one in words]
        for one in both:
            one.stdout.readline()
    for one in both:
        one.communicate()
        assert one.returncode == 0
    split = patients.splits()
    assert (split["C1"], split["D0"]) == ("train", "train")


def test_a_study_that_cannot_be_written_is_one_clear_error(patients, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("napari_hsisynth.study.splits.write_split", full)
    with pytest.raises(InputError, match="disk is full"):
        reassign(patients, "C1", "train")


def test_an_evaluation_says_that_the_generator_has_seen_cubes_that_are_held_out_now(patients):
    run = made_run(patients, "vae")
    (real, *_) = [record for record in patients.crops() if record.cube_id == "A0"]
    folder = patients.synthetic_dir(run.id)
    folder.mkdir(parents=True)
    made = replace(real, crop_id="S0", cube_id="S0", file="S0.npz", run=run.id, seed=0)
    write_crop(folder, replace(read_crop(patients.crops_dir, real), record=made))
    write_crops_index(folder, [made])

    def said():
        notes = select(patients.root, folder, split="held-out", diagnosis=None).notes
        return [note for note in notes if "figures flatter" in note]

    assert not said()
    reassign(patients, "p1", "test")
    (note,) = said()
    assert note.startswith(f"{run.id} was trained while the split was another, on 3 of these real cubes (A0, A1, A2)")
    reassign(patients, "p1", "train")
    assert not said()


def test_looking_needs_no_right_to_write(patients, monkeypatch, capsys):
    def refused(*_):
        raise InputError("cannot write here")

    monkeypatch.setattr("napari_hsisynth.study.splits.study_lock", refused)
    assert cli.main(["split", str(patients.root)]) == cli.DONE


# --- the verb


def test_the_verb_prints_the_table(patients, capsys):
    assert cli.main(["split", str(patients.root)]) == cli.DONE
    assert capsys.readouterr().out.splitlines() == [
        "cubes (crops)  train    val   test",
        "melanoma       2 (2)  1 (1)  1 (1)",
        "nevus          2 (2)  1 (1)  1 (1)",
        "all            4 (4)  2 (2)  2 (2)",
    ]


def test_the_verb_moves_and_says_what_no_longer_compares(patients, capsys):
    run = made_run(patients, "vae")
    words = ["split", str(patients.root), "--set", "p3=train", "C1=test", "--set", "C2=val", "--json"]
    assert cli.main([*words, "--dry-run"]) == cli.DONE
    planned = json.loads(capsys.readouterr().out)
    assert planned["changed"] is False
    assert planned["splits"]["D0"] == "test"
    assert cli.main(words) == cli.DONE
    captured = capsys.readouterr()
    value = json.loads(captured.out)
    assert value["moved"] == planned["moved"] == {
        "C1": {"from": "val", "to": "test"},
        "C2": {"from": "test", "to": "val"},
        "D0": {"from": "test", "to": "train"},
    }  # fmt: skip
    assert value["splits"] == patients.splits()
    assert value["outdated"] == planned["outdated"]
    assert value["outdated"][0]["unseen"] == ["D0"]
    assert f"note: {run.id} no longer compares with new runs" in captured.err


@pytest.mark.parametrize("word", ["A0", "A0=", "A0=dev", "=train"])
def test_the_verb_refuses_what_is_no_move(patients, word, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["split", str(patients.root), "--set", word])
    assert ended.value.code == cli.BAD_INPUT
    assert "is not ID=train" in capsys.readouterr().err


def test_the_verb_refuses_two_sides(patients, capsys):
    assert cli.main(["split", str(patients.root), "--set", "A0=val", "A0=test"]) == cli.BAD_INPUT
    assert "'A0' cannot be on two sides" in capsys.readouterr().err
