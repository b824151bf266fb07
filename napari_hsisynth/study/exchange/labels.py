"""What other tools call a lesion, as a diagnosis."""

from __future__ import annotations

import re

from napari_hsisynth.errors import InputError
from napari_hsisynth.study.diagnosis import Diagnosis

#: Words that say that there is a lesion, not which; it is then taken to be what its cube is.
_NO_DIAGNOSIS = {"", "lesion", "lesions", "skin_lesion", "mask", "object", "foreground", "tumor", "tumour", "mole"}
_ALSO = {
    "mm": Diagnosis.MELANOMA,
    "mmcube": Diagnosis.MELANOMA,
    "malignant_melanoma": Diagnosis.MELANOMA,
    "dn": Diagnosis.DYSPLASTIC_NEVUS,
    "dncube": Diagnosis.DYSPLASTIC_NEVUS,
    "dysplastic_naevus": Diagnosis.DYSPLASTIC_NEVUS,
    "nv": Diagnosis.NEVUS,
    "naevus": Diagnosis.NEVUS,
    "lentigo": Diagnosis.SOLAR_LENTIGO,
    "iec": Diagnosis.INTRAEPIDERMAL_CARCINOMA,
    "sk": Diagnosis.SEBORRHEIC_KERATOSIS,
    "seborrhoeic_keratosis": Diagnosis.SEBORRHEIC_KERATOSIS,
}


def diagnosis_of(label: str, of_cube: Diagnosis) -> tuple[Diagnosis, str]:
    """Return the diagnosis that a label means, and what there is to say about it, if anything.

    Parameters
    ----------
    label : str
        As the other tool has it.
    of_cube : Diagnosis
        For labels that name none.

    Examples
    --------
    >>> diagnosis_of("Dysplastic nevus", Diagnosis.OTHER)
    (<Diagnosis.DYSPLASTIC_NEVUS: 'dysplastic_nevus'>, '')
    >>> diagnosis_of("wart", Diagnosis.NEVUS)
    (<Diagnosis.OTHER: 'other'>, "the label 'wart' is no diagnosis of ours and was taken as other")
    """
    word = re.sub(r"[\s\-]+", "_", label.strip().lower())
    if word in _NO_DIAGNOSIS:
        said = f"the label '{label[:40]}' names no diagnosis" if word else "some lesions have no label"
        return of_cube, f"{said}: taken as the diagnosis of the cube"
    if word in _ALSO:
        return _ALSO[word], ""
    try:
        return Diagnosis.parse(word), ""
    except InputError:
        return Diagnosis.OTHER, f"the label '{label[:40]}' is no diagnosis of ours and was taken as other"
