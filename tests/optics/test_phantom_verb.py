"""``napari-hsisynth phantom``: a study of labelled phantoms whose annotations are the true masks."""

import json

import numpy as np
import pytest

from napari_hsisynth.cli import main
from napari_hsisynth.optics import phantom_series
from napari_hsisynth.phantom_study import make_phantom_study
from napari_hsisynth.study import Study

ARGUMENTS = ["--per-class", "2", "--shape", "20", "32", "--seed", "7"]


@pytest.mark.parametrize("sensor", ["ideal", "hsidermoscopy"])
def test_verb_writes_what_the_series_makes(tmp_path, capsys, sensor):
    folder = tmp_path / "study"
    assert main(["phantom", str(folder), *ARGUMENTS, "--sensor", sensor, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["cubes"] == 6
    study = Study.open(folder)
    expected = dict(phantom_series(2, (20, 32), seed=7, sensor=sensor))
    assert {entry.id: entry.diagnosis for entry in study.entries} == {
        name: made.kind for name, made in expected.items()
    }
    assert "PHANTOM" in study.notes
    for cube_id, made in expected.items():
        cube, annotation = study.read_cube(cube_id), study.annotation(cube_id)
        assert cube.data.tobytes() == made.cube.data.tobytes()
        assert cube.provenance["phantom"] is True
        np.testing.assert_array_equal(annotation.mask, made.instances)
        assert [(each.id, each.diagnosis, each.status) for each in annotation.instances] == [
            (label, kind, "accepted") for label, kind in enumerate(made.kinds, start=1)
        ]
        assert annotation.status == "done"


def test_lesions_of_one_cube_keep_their_own_diagnoses(tmp_path):
    study = make_phantom_study(tmp_path / "study", per_class=8, shape=(64, 96), seed=6)
    made = dict(phantom_series(8, (64, 96), seed=6, sensor="hsidermoscopy"))
    assert any(len(set(each.kinds)) == 2 for each in made.values())
    for cube_id, phantom in made.items():
        annotation = study.annotation(cube_id)
        assert study.entry(cube_id).diagnosis == phantom.kind
        for label, kind in enumerate(phantom.kinds, start=1):
            assert annotation.instance(label).diagnosis == kind
            np.testing.assert_array_equal(annotation.mask_of(label), phantom.instances == label)


def test_verb_refuses_a_size_without_room_for_a_lesion_and_leaves_nothing(tmp_path, capsys):
    assert main(["phantom", str(tmp_path / "study"), "--per-class", "1", "--shape", "8", "90"]) == 2
    assert "16 px or more" in capsys.readouterr().err
    assert not (tmp_path / "study").exists()


def test_verb_does_not_write_into_a_study_that_is_there(tmp_path, capsys):
    assert main(["phantom", str(tmp_path), *ARGUMENTS]) == 0
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert main(["phantom", str(tmp_path), *ARGUMENTS]) == 2
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
