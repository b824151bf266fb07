"""A study to exchange: lesions with holes, in several parts, of every status, by two annotators."""

import numpy as np
import pytest

from napari_hsisynth.study import Study

PROMPTS = {"points": [[6, 6], [20, 30]], "labels": [1, 0], "box": [3, 3, 10, 10]}


@pytest.fixture
def marked(empty_study, make):
    """DN_1: a lesion with a hole and one in two parts; MM_1: a draft, an unsure lesion and an accepted one; Nv_1: none.

    bob has marked DN_1 as well.
    """
    study = empty_study
    for seed, (cube_id, diagnosis) in enumerate(
        [("DN_1", "dysplastic_nevus"), ("MM_1", "melanoma"), ("Nv_1", "nevus")], 1
    ):
        study.add_cube(make.cube(seed), cube_id, diagnosis)
    ring = make.disc(make.shape, (6, 6), 5) & ~make.disc(make.shape, (6, 6), 2)
    parts = make.disc(make.shape, (18, 6), 3) | make.disc(make.shape, (18, 24), 4)
    first = study.annotation("DN_1").with_instance(
        ring, "dysplastic_nevus", prompts=PROMPTS, backend="sam2", model="tiny", weights_sha256="ab" * 32, score=0.93,
        annotator="Ann Example", extra={"breslow_mm": 0.4},
    )  # fmt: skip
    study.save_annotation(first.with_instance(parts, "nevus", annotator="Ann Example").replace(status="done"))
    disc = make.disc
    theirs = study.annotation("DN_1", "bob").with_instance(disc(make.shape, (7, 6), 4), "melanoma", annotator="bob")
    study.save_annotation(theirs.replace(status="unsure", extra={"annotator": "bob"}), "bob")
    other = study.annotation("MM_1").with_instance(disc(make.shape, (10, 12), 4), "melanoma", status="draft", score=0.5)
    other = other.with_instance(make.disc(make.shape, (18, 25), 4), "other", status="unsure")
    other = other.with_instance(np.eye(*make.shape, dtype=bool), "melanoma", keep_earlier=True)
    study.save_annotation(other.replace(status="unsure", extra={"reviewed_by": "x"}))
    return study


@pytest.fixture
def bare(marked, tmp_path):
    """The same cubes, without annotations."""
    study = Study.create(tmp_path / "bare", wavelengths_nm=marked.wavelengths_nm)
    for entry in marked.entries:
        study.add(entry.id, marked.cube_path(entry.id), entry.diagnosis)
    return study


@pytest.fixture
def same():
    """Compare an annotation of two studies, everything but the time of day it was written."""

    def compare(one, other, cube_id, annotator=None):
        first, second = one.annotation(cube_id, annotator), other.annotation(cube_id, annotator)
        np.testing.assert_array_equal(first.mask, second.mask)
        assert first.instances == second.instances
        assert first.status == second.status
        assert dict(first.extra) == dict(second.extra)

    return compare
