"""Agreement of two annotators over a study, in Python and as a command."""

import csv
import json

import numpy as np
import pytest

from napari_hsisynth import Cube, InputError, Study, cli
from napari_hsisynth.metrics.annotator_agreement import cube_agreement, figure_text, study_agreement
from napari_hsisynth.study import Annotation, Cancelled, Instance
from napari_hsisynth.study.annotators import save_as

SHAPE = (30, 40)


def square(left, side=10):
    mask = np.zeros(SHAPE, bool)
    mask[5 : 5 + side, left : left + side] = True
    return mask


def marked(cube_id, *lesions, status="done", diagnosis="nevus"):
    """An annotation with these lesions."""
    annotation = Annotation(cube_id, np.zeros(SHAPE, np.uint16), status=status)
    for mask in lesions:
        annotation = annotation.with_instance(mask, diagnosis)
    return annotation


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Jane and Max have five cubes in common; C0..C4 are shifted by 0..4 px, C5 is Jane's only, C6 nobody's."""
    study = Study.create(tmp_path_factory.mktemp("agreement") / "mine", wavelengths_nm=[500, 600])
    for number in range(7):
        study.add_cube(Cube(np.full((2, *SHAPE), 0.5), [500, 600]), f"C{number}", "nevus", patient=f"p{number}")
    for number in range(5):
        save_as(study, marked(f"C{number}", square(10)), "Jane")
        save_as(study, marked(f"C{number}", square(10 + number)), "Max")
    save_as(study, marked("C5", square(3)), "Jane")
    save_as(study, marked("C5", square(3), status="todo"), "Max")
    return study


def test_figures_of_a_study_are_those_of_shifted_squares(study):
    found = study_agreement(study)
    expected = [(10 - shift) / 10 for shift in range(5)]
    assert found.annotators == ("Jane", "Max")
    assert [cube.dice for cube in found.cubes] == pytest.approx(expected)
    assert (found.overall["dice"].mean, found.overall["dice"].median) == pytest.approx((0.8, 0.8))
    assert found.overall["iou"].mean == pytest.approx(np.mean([d / (2 - d) for d in expected]))
    assert found.overall["boundary_95_px"].mean == pytest.approx(2)
    low, high = found.overall["dice"].ci
    assert 0.6 <= low < 0.8 < high <= 1
    assert found.overall["dice"].n == 5
    assert found.only == {"Jane": ["C5"], "Max": []}, "what is still to do is not compared"
    assert found.lesions() == {"matched": 5, "only_first": 0, "only_second": 0, "same_diagnosis": 5}
    assert study_agreement(study, seed=0).overall == found.overall


def test_names_may_be_given_in_any_case_and_order(study):
    found = study_agreement(study, ["max", "JANE"])
    assert found.annotators == ("Max", "Jane")
    assert found.only == {"Max": [], "Jane": ["C5"]}
    for wrong, what in ((["Jane", "Eva"], "no annotator 'Eva'"), (["Jane", "jane"], "between two annotators")):
        with pytest.raises(InputError, match=what):
            study_agreement(study, wrong)


def test_what_is_worth_a_second_look():
    one = marked("C", square(5), square(25))
    same = cube_agreement(one, one)
    assert not same.disagree
    assert same.text() == "Dice 1.00, IoU 1.00, boundary 0.0 px (95 %: 0.0 px)"
    missed = cube_agreement(one, marked("C", square(5)))
    assert missed.disagree
    assert (missed.matched, missed.only_first, missed.only_second) == (1, 1, 0)
    assert "1 lesion marked by one only" in missed.text()
    assert missed.swapped() == cube_agreement(marked("C", square(5)), one)
    other = cube_agreement(one, marked("C", square(5), square(25), diagnosis="melanoma"))
    assert other.disagree
    assert other.text().endswith("2 other diagnoses")
    assert cube_agreement(marked("C", square(5)), marked("C", square(8))).disagree, "Dice .7"
    assert not cube_agreement(marked("C", square(5)), marked("C", square(6))).disagree


def test_drafts_of_a_segmenter_are_not_an_opinion():
    one = marked("C", square(5))
    proposed = one.with_instance(square(25), "nevus", status="draft")
    assert cube_agreement(one, proposed).dice == 1


def test_where_nobody_sees_a_lesion_they_agree_and_no_distance_is_defined():
    found = cube_agreement(marked("C"), marked("C"))
    assert (found.dice, found.iou, found.disagree) == (1, 1, False)
    assert found.row()["boundary_mean_px"] is None
    assert "boundary" not in found.text()


def test_a_first_annotation_without_a_name_can_be_compared_and_damage_is_skipped(study, tmp_path):
    alone = Study.create(tmp_path / "alone", wavelengths_nm=[500, 600])
    for cube_id in ("A", "B", "C"):
        alone.add_cube(Cube(np.full((2, *SHAPE), 0.5), [500, 600]), cube_id, "nevus", mask=square(10))
    with pytest.raises(InputError, match="first; agreement needs two"):
        study_agreement(alone)
    for cube_id in ("A", "B", "C"):
        alone.save_annotation(marked(cube_id, square(12)), "Max")
    (alone.masks_dir / "A.json").write_text("{")
    next(alone.masks_dir.glob("B-*.png")).write_bytes(b"no image")
    found = study_agreement(alone, ["first", "Max"])
    assert [cube.cube_id for cube in found.cubes] == ["C"]
    assert {cube for cube, _ in found.skipped} == {"A", "B"}
    assert found.overall["dice"].ci is None
    assert figure_text(found.overall["dice"]) == "mean .80, median .80 (n = 1)"


def test_it_can_be_stopped(study):
    with pytest.raises(Cancelled):
        study_agreement(study, cancelled=lambda: True)


def test_command(study, tmp_path, capsys):
    table = tmp_path / "table.csv"
    words = ["agreement", str(study.root), "--annotators", "Max", "Jane", "--csv", str(table)]
    assert cli.main([*words, "--json"]) == cli.DONE
    found = json.loads(capsys.readouterr().out)
    assert found["annotators"] == ["Max", "Jane"]
    assert found["overall"]["dice"]["mean"] == pytest.approx(0.8)
    assert found["only"]["Jane"] == ["C5"]
    with open(table, newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [float(row["dice"]) for row in rows] == pytest.approx([cube["dice"] for cube in found["cubes"]])
    assert cli.main(words[:2]) == cli.DONE
    text = capsys.readouterr().out
    assert "C2: Dice .80, IoU .67, boundary 1.0 px (95 %: 2.0 px)" in text
    assert "5 marked by both (5 of 5 with the same diagnosis), 0 only Jane, 0 only Max" in text
    assert "only Jane: C5" in text


def test_command_with_a_name_that_is_not_there(study, capsys):
    assert cli.main(["agreement", str(study.root), "--annotators", "Jane", "Eva"]) == cli.BAD_INPUT
    assert "annotators here: Jane, Max" in capsys.readouterr().err


def test_instances_are_compared_not_numbers():
    one = Annotation("C", square(5) * 3, (Instance(3, "nevus"),))
    other = Annotation("C", square(5) * 7, (Instance(7, "nevus"),))
    assert cube_agreement(one, other).same_diagnosis == 1
