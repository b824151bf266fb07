"""Masks without a display: files of prompts, studies, loose cubes, and other packages' segmenters."""

from __future__ import annotations

import json
from importlib.metadata import EntryPoint

import numpy as np
import pytest
from PIL import Image

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.formats import write_cube
from napari_hsisynth.segment import (
    Prompts,
    Proposals,
    batch,
    list_segmenters,
    load_segmenter,
    registry,
    segment_path,
    segment_study,
)
from napari_hsisynth.study import Diagnosis, Study
from napari_hsisynth.study.annotators import save_as

SHAPE = (50, 70)
NM = [465.0, 550.0, 630.0]


def lesion(centre):
    y, x = np.indices(SHAPE)
    return (y - centre[0]) ** 2 + (x - centre[1]) ** 2 < 10**2


def cube(centre=(25, 35)):
    return Cube(np.where(lesion(centre), np.array([0.1, 0.15, 0.25])[:, None, None], 0.5), NM)


@pytest.fixture
def study(tmp_path):
    made = Study.create(tmp_path / "study", wavelengths_nm=NM)
    made.add_cube(cube(), "MM_1", "melanoma")
    made.add_cube(cube((20, 30)), "DN_2", "dysplastic nevus")
    return made


def prompts_file(tmp_path, value):
    path = tmp_path / "prompts.json"
    path.write_text(json.dumps(value))
    return path


def test_proposed_lesions_are_drafts_for_a_person_to_look_at(study):
    report = segment_path(study.root)
    assert report.lesions == {"DN_2": 1, "MM_1": 1}
    annotation = study.annotation("MM_1")
    assert annotation.status == "todo"
    (instance,) = annotation.instances
    assert (instance.status, instance.diagnosis, instance.backend) == ("draft", Diagnosis.MELANOMA, "spectral")
    assert (annotation.mask_of(1) & lesion((25, 35))).sum() > 0.9 * (annotation.mask_of(1) | lesion((25, 35))).sum()


def test_a_second_proposal_leaves_what_is_there_alone(study):
    segment_study(study)
    before = study.annotation("MM_1")
    report = segment_study(study)
    assert report.lesions == {}
    assert report.notes == ("2 of 2 cubes left alone: they have lesions already",)
    assert study.annotation("MM_1").instances == before.instances


def test_a_cube_that_was_finished_without_a_lesion_gets_no_drafts(study):
    study.save_annotation(study.annotation("MM_1").replace(status="done"))
    report = segment_study(study)
    assert report.lesions == {"DN_2": 1}
    assert report.notes == ("1 of 2 cubes left alone: they were finished without a lesion",)
    assert study.annotation("MM_1").instances == ()


class SlowSegmenter:
    """Finds a lesion in the left half, while somebody else is at work."""

    name, model, weights_sha256 = "slow", "", ""

    def __init__(self, meanwhile):
        self.meanwhile = meanwhile

    def set_cube(self, cube):
        self.cube = cube

    def predict(self, prompts):
        return self.propose()

    def propose(self):
        self.meanwhile(self.cube)
        return Proposals((np.indices(SHAPE)[1] < 35)[None], [1.0])


@pytest.fixture
def drawn_meanwhile(study, monkeypatch):
    """Let somebody mark the upper half of every cube while it is being segmented."""

    def draw(cube):
        mask = np.indices(SHAPE)[0] < 25
        annotation = study.annotation(cube.name).with_instance(mask, "nevus", annotator="Ann")
        save_as(study, annotation.replace(status="done"), "Ann")

    monkeypatch.setattr(batch, "load_segmenter", lambda name: SlowSegmenter(draw))


def test_what_somebody_saves_while_their_cube_is_segmented_stays(study, drawn_meanwhile):
    report = segment_study(study)
    assert report.lesions == {}
    for cube_id in ("MM_1", "DN_2"):
        (instance,) = study.annotation(cube_id).instances
        assert instance.annotator == "Ann"
        assert (study.annotation(cube_id).mask == (np.indices(SHAPE)[0] < 25)).all()


def test_prompts_take_no_pixel_from_lesions_that_somebody_has_accepted(study, drawn_meanwhile):
    prompts = {"MM_1": [(Prompts([(40, 10)], [1]), None)]}
    report = segment_study(study, prompts)
    y, x = np.indices(SHAPE)
    annotation = study.annotation("MM_1")
    assert [one.annotator for one in annotation.instances] == ["Ann", ""]
    assert (annotation.mask_of(1) == (y < 25)).all()
    assert (annotation.mask_of(2) == ((y >= 25) & (x < 35))).all()
    assert report.notes == ("MM_1: 875 px stay with lesions that were there before",)


def test_the_same_prompts_again_change_nothing(study):
    prompts = {"MM_1": [(Prompts([(25, 35)], [1]), None)]}
    segment_study(study, prompts)
    before = study.annotation("MM_1")
    report = segment_study(study, prompts)
    assert report.lesions == {"MM_1": 0}
    assert report.notes == ("MM_1: a lesion lies wholly inside lesions that were there before, and was left out",)
    assert study.annotation("MM_1").instances == before.instances
    assert (study.annotation("MM_1").mask == before.mask).all()


def test_a_prompted_lesion_takes_the_place_of_its_draft(study):
    segment_study(study)
    segment_study(study, {"MM_1": [(Prompts([(25, 35)], [1]), None)]})
    (instance,) = study.annotation("MM_1").instances
    assert instance.status == "accepted"


def test_prompted_lesions_are_accepted_with_their_prompts(study, tmp_path):
    path = prompts_file(tmp_path, {"MM_1": [{"points": [[25, 35]], "diagnosis": "nevus"}]})
    report = segment_path(study.root, path)
    assert report.lesions == {"MM_1": 1}
    annotation = study.annotation("MM_1")
    (instance,) = annotation.instances
    assert (annotation.status, instance.status, instance.diagnosis) == ("done", "accepted", Diagnosis.NEVUS)
    assert instance.prompts == {"points": [[25, 35]], "labels": [1], "box": None}
    assert not study.annotation("DN_2").instances


def test_a_loose_cube_gets_a_png_beside_it(tmp_path):
    path = tmp_path / "one.npz"
    np.savez(path, cube=cube().data, wavelengths_nm=NM)
    report = segment_path(path)
    assert report.target == tmp_path / "one_mask.png"
    labels = np.array(Image.open(report.target))
    assert set(np.unique(labels)) == {0, 1}
    assert labels.shape == SHAPE
    assert "1 lesion" in report.text()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"XX": [{"points": [[1, 1]]}]}, "no cube 'XX'"),
        ({"MM_1": []}, "MM_1"),
        ({"MM_1": [{}]}, "lesion 1: no point"),
        ({"MM_1": [{"points": [[99, 0]]}]}, "outside"),
        ({"MM_1": [{"points": [[1, 1]], "diagnosis": "measles"}]}, "measles"),
        ([{"points": [[1, 1]]}], "cube id per list"),
        ({}, "no prompts"),
        ("MM_1", "no prompts"),
    ],
)
def test_prompts_that_do_not_fit_are_refused_in_words(study, tmp_path, value, words):
    with pytest.raises(InputError, match=words):
        segment_path(study.root, prompts_file(tmp_path, value))
    assert not study.annotation("MM_1").instances


def test_a_missing_or_broken_file_of_prompts_is_refused(study, tmp_path):
    with pytest.raises(InputError, match="no such file"):
        segment_path(study.root, tmp_path / "none.json")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(InputError, match="not JSON"):
        segment_path(study.root, tmp_path / "bad.json")


class EverythingSegmenter:
    """Says yes to every pixel."""

    name, model, weights_sha256 = "everything", "", ""

    def __init__(self, value=True):
        self.value = value

    def set_cube(self, cube):
        self.shape = cube.shape_yx

    def predict(self, prompts):
        return self.propose()

    def propose(self):
        return Proposals(np.full((1, *self.shape), self.value), [1.0])


def _points(*points):
    return lambda group: list(points)


def test_another_package_adds_a_segmenter(monkeypatch, study):
    point = EntryPoint("everything", f"{__name__}:EverythingSegmenter", registry.ENTRY_POINT_GROUP)
    monkeypatch.setattr(EntryPoint, "load", lambda self: EverythingSegmenter)
    monkeypatch.setattr(registry, "entry_points", _points(point))
    assert list_segmenters() == ["spectral", "sam2", "sam", "everything"]
    assert load_segmenter("everything", value=False).value is False
    segment_study(study, backend="everything")
    assert (study.annotation("MM_1").mask == 1).all()


@pytest.mark.parametrize(("loaded", "words"), [(None, "cannot be loaded"), (dict, "protocol")])
def test_a_broken_package_is_named(monkeypatch, loaded, words):
    point = EntryPoint("broken", "somebody.else:Thing", registry.ENTRY_POINT_GROUP)
    if loaded is not None:
        monkeypatch.setattr(EntryPoint, "load", lambda self: loaded)
    monkeypatch.setattr(registry, "entry_points", _points(point))
    with pytest.raises(InputError, match=words):
        load_segmenter("broken")


def test_an_unknown_segmenter_names_the_known_ones():
    with pytest.raises(InputError, match="spectral"):
        load_segmenter("sam9")


def test_a_cube_that_is_a_folder_is_no_study(tmp_path):
    write_cube(tmp_path / "a.zarr", cube())
    report = segment_path(tmp_path / "a.zarr")
    assert report.target == tmp_path / "a_mask.png"
    found = np.asarray(Image.open(report.target))
    assert (found > 0)[lesion((25, 35))].mean() > 0.9
