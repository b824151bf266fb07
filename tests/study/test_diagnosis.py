import pytest

from napari_hsisynth import InputError
from napari_hsisynth.study import DIAGNOSIS_COLOURS, PIN_COLOURS, Diagnosis


def test_words_and_colours_are_those_of_the_interface():
    assert Diagnosis.DYSPLASTIC_NEVUS.label == "dysplastic nevus"
    assert DIAGNOSIS_COLOURS[Diagnosis.MELANOMA] == "#D55E00"
    assert DIAGNOSIS_COLOURS[Diagnosis.DYSPLASTIC_NEVUS] == "#56B4E9"
    assert DIAGNOSIS_COLOURS[Diagnosis.NEVUS] == "#009E73"
    named = {Diagnosis.MELANOMA, Diagnosis.DYSPLASTIC_NEVUS, Diagnosis.NEVUS}
    assert {DIAGNOSIS_COLOURS[d] for d in Diagnosis if d not in named} == {"#999999"}
    assert not set(PIN_COLOURS) & set(DIAGNOSIS_COLOURS.values())


@pytest.mark.parametrize("text", ["dysplastic_nevus", "Dysplastic nevus", " DYSPLASTIC-NEVUS "])
def test_diagnoses_are_read_as_people_write_them(text):
    assert Diagnosis.parse(text) is Diagnosis.DYSPLASTIC_NEVUS


def test_an_unknown_diagnosis_names_the_known_ones():
    with pytest.raises(InputError, match=r"row 3: unknown diagnosis 'mole'; use one of: melanoma, dysplastic_nevus"):
        Diagnosis.parse("mole", where="row 3")
