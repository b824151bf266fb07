"""The diagnoses, their words and their colours."""

from __future__ import annotations

from enum import StrEnum

from napari_hsisynth.errors import InputError


class Diagnosis(StrEnum):
    """What a cube or a lesion shows. Values are the words used in files; melanoma is the positive class.

    Examples
    --------
    >>> Diagnosis("dysplastic_nevus").label
    'dysplastic nevus'
    """

    MELANOMA = "melanoma"
    DYSPLASTIC_NEVUS = "dysplastic_nevus"
    NEVUS = "nevus"
    SOLAR_LENTIGO = "solar_lentigo"
    INTRAEPIDERMAL_CARCINOMA = "intraepidermal_carcinoma"
    SEBORRHEIC_KERATOSIS = "seborrheic_keratosis"
    MELANOCYTIC_LESION = "melanocytic_lesion"
    OTHER = "other"

    @property
    def label(self) -> str:
        """The diagnosis in words, for eyes."""
        return self.value.replace("_", " ")

    @property
    def colour(self) -> str:
        """The colour that means this diagnosis everywhere, ``#rrggbb``."""
        return DIAGNOSIS_COLOURS[self]

    @classmethod
    def parse(cls, text: str, *, where: object = None) -> Diagnosis:
        """Read a diagnosis as people write it ("Dysplastic nevus"); InputError names the known ones."""
        try:
            return cls(str(text).strip().lower().replace(" ", "_").replace("-", "_"))
        except ValueError:
            known = ", ".join(cls)
            raise InputError(f"unknown diagnosis '{text}'", where=where, fix=f"use one of: {known}") from None


_GREY = "#999999"

#: Colour of a diagnosis, the same in plots, tables and reports (Okabe and Ito's palette for colour-blind readers).
DIAGNOSIS_COLOURS: dict[Diagnosis, str] = dict.fromkeys(Diagnosis, _GREY) | {
    Diagnosis.MELANOMA: "#D55E00",
    Diagnosis.DYSPLASTIC_NEVUS: "#56B4E9",
    Diagnosis.NEVUS: "#009E73",
}

#: What Okabe and Ito's palette has left, for pins and labels, in this order.
PIN_COLOURS: tuple[str, ...] = ("#E69F00", "#CC79A7", "#0072B2", "#F0E442")
