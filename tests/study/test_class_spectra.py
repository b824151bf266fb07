"""Mean spectra of the diagnoses of a study."""

import numpy as np
import pytest

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.study import SKIN_MARGIN_PX, Cancelled, Diagnosis, Study, class_spectra

NM = [500.0, 550.0, 600.0]
SHAPE = (40, 60)
LESIONS = {  # cube: diagnosis, and of each lesion its rows, columns and value
    "A": ("melanoma", [(slice(2, 8), slice(2, 8), 0.1)]),
    "B": ("melanoma", [(slice(10, 12), slice(5, 30), 0.3), (slice(20, 21), slice(5, 6), 0.5)]),
    "C": ("nevus", [(slice(4, 9), slice(3, 9), 0.2)]),
}
SKIN = {"A": 0.6, "B": 0.8, "C": 0.7}
SLOPE = np.array([1.0, 1.5, 2.0])  # of every spectrum


@pytest.fixture
def study(tmp_path):
    found = Study.create(tmp_path / "mine", wavelengths_nm=NM)
    for cube_id, (diagnosis, lesions) in LESIONS.items():
        values, labels = np.full(SHAPE, SKIN[cube_id]), np.zeros(SHAPE, int)
        for number, (rows, columns, value) in enumerate(lesions, start=1):
            # the rim is neither lesion nor skin, as in life
            values[max(rows.start - 5, 0) : rows.stop + 5, max(columns.start - 5, 0) : columns.stop + 5] = 0.45
            values[rows, columns], labels[rows, columns] = value, number
        for rows, columns, value in lesions:
            values[rows, columns] = value
        found.add_cube(Cube(SLOPE[:, None, None] * values, NM), cube_id, diagnosis, mask=labels)
    found.add_cube(Cube(np.ones((3, *SHAPE)), NM), "D", "dysplastic_nevus")  # nobody looked at it
    return found


def test_every_lesion_counts_once_whatever_its_size(study):
    found = class_spectra(study)
    assert list(found) == [Diagnosis.MELANOMA, Diagnosis.NEVUS]
    melanoma, nevus = found.values()
    assert (melanoma.n, nevus.n) == (3, 1)
    np.testing.assert_allclose(melanoma.mean, 0.3 * SLOPE, rtol=1e-6)
    np.testing.assert_allclose(melanoma.std, np.std([0.1, 0.3, 0.5]) * SLOPE, rtol=1e-6)
    np.testing.assert_allclose(
        [melanoma.lower, melanoma.median, melanoma.upper], np.outer([0.2, 0.3, 0.4], SLOPE), rtol=1e-6
    )
    np.testing.assert_allclose(nevus.mean, 0.2 * SLOPE, rtol=1e-6)
    np.testing.assert_array_equal(nevus.std, 0)


def test_skin_keeps_away_from_every_mask_and_counts_once_per_cube(study):
    assert SKIN_MARGIN_PX > 5
    found = class_spectra(study, region="skin")
    melanoma, nevus = found.values()
    assert (melanoma.n, nevus.n) == (2, 1)
    np.testing.assert_allclose(melanoma.mean, 0.7 * SLOPE, rtol=1e-6)
    np.testing.assert_allclose(melanoma.std, 0.1 * SLOPE, rtol=1e-5)
    np.testing.assert_allclose(nevus.mean, 0.7 * SLOPE, rtol=1e-6)


def test_only_accepted_lesions_count_but_skin_avoids_the_others_too(study):
    annotation = study.annotation("B")
    second = annotation.instance(2)
    draft = type(second)(2, second.diagnosis, status="draft")
    study.save_annotation(annotation.replace(instances=(annotation.instance(1), draft)))
    assert class_spectra(study)[Diagnosis.MELANOMA].n == 2
    np.testing.assert_allclose(class_spectra(study, region="skin")[Diagnosis.MELANOMA].mean, 0.7 * SLOPE, rtol=1e-6)


def test_a_lesion_is_filed_under_its_own_diagnosis_and_skin_under_the_cubes(study):
    annotation = study.annotation("B")
    second = annotation.instance(2)
    other = type(second)(2, Diagnosis.NEVUS)
    study.save_annotation(annotation.replace(instances=(annotation.instance(1), other)))
    found = class_spectra(study)
    assert (found[Diagnosis.MELANOMA].n, found[Diagnosis.NEVUS].n) == (2, 2)
    np.testing.assert_allclose(found[Diagnosis.NEVUS].mean, 0.35 * SLOPE, rtol=1e-6)
    assert class_spectra(study, region="skin")[Diagnosis.NEVUS].n == 1


def test_a_lesion_without_pixels_and_a_cube_without_skin_are_left_out(study, tmp_path):
    annotation = study.annotation("C")
    study.save_annotation(annotation.replace(mask=np.zeros(SHAPE, np.uint16)))
    assert Diagnosis.NEVUS not in class_spectra(study)
    assert Diagnosis.NEVUS not in class_spectra(study, region="skin")
    study.save_annotation(annotation.replace(mask=np.ones(SHAPE, np.uint16)))
    assert Diagnosis.NEVUS in class_spectra(study)
    assert Diagnosis.NEVUS not in class_spectra(study, region="skin")


def test_pixels_that_are_not_finite_do_not_count(study):
    values = np.full((3, *SHAPE), 0.4)
    mask = np.zeros(SHAPE, bool)
    mask[:10, :10] = True
    values[1, 0, 0] = np.nan
    values[0, 5, 5] = np.inf
    study.add_cube(Cube(values, NM), "E", "seborrheic_keratosis", mask=mask)
    np.testing.assert_allclose(class_spectra(study)[Diagnosis.SEBORRHEIC_KERATOSIS].mean, 0.4, rtol=1e-6)


def test_progress_ends_with_all_and_cancelling_stops_at_once(study):
    seen = []
    class_spectra(study, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(done, 4) for done in range(5)]
    asked = []

    def cancelled():
        asked.append(len(asked))
        return len(asked) > 2

    with pytest.raises(Cancelled):
        class_spectra(study, cancelled=cancelled)
    assert len(asked) == 3


def test_wrong_region_and_missing_cube_are_told(study):
    with pytest.raises(InputError, match="unknown region 'pigment'"):
        class_spectra(study, region="pigment")
    study.cube_path("A").unlink()
    with pytest.raises(InputError, match="missing"):
        class_spectra(study)


def test_a_study_without_lesions_has_no_spectra(tmp_path):
    assert class_spectra(Study.create(tmp_path / "empty", wavelengths_nm=NM)) == {}
