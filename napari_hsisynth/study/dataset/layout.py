"""How a data set is laid out: that of HSIDermoscopy, with SYNTHETIC in every name.

``images/{DNCube,MMCube,OtherCube}/<stem>`` with masks in the parallel tree ``masks/...`` as ``<stem>_mask.png``. The
first word of a stem tells the diagnosis, as the names in HSIDermoscopy's OtherCube do, so that programs which know that
layout find the right one.
"""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any, Literal, get_args

from napari_hsisynth.errors import InputError
from napari_hsisynth.study.dataset.card_fields import check_card
from napari_hsisynth.study.diagnosis import Diagnosis
from napari_hsisynth.study.hsidermoscopy import folder_for

#: The card in a form for programs; synthetic sets of a study that came from a data set keep it too.
CARD = "datacard.json"
#: The same for people.
README = "README.md"
TABLE = "dataset.csv"
WAVELENGTHS = "wavelengths.csv"
PREVIEWS = "previews"
#: ``format`` of a card.
KIND, VERSION = "napari-hsisynth synthetic data set", 1
CubeFormat = Literal["mat", "envi"]
CUBE_FORMATS: tuple[CubeFormat, ...] = get_args(CubeFormat)

_SUFFIX: dict[CubeFormat, str] = {"mat": ".mat", "envi": ".hdr"}
_WORDS = {
    Diagnosis.MELANOMA: "MM",
    Diagnosis.DYSPLASTIC_NEVUS: "DN",
    Diagnosis.NEVUS: "Nv",
    Diagnosis.SOLAR_LENTIGO: "Lentigo",
    Diagnosis.INTRAEPIDERMAL_CARCINOMA: "IEC",
    Diagnosis.SEBORRHEIC_KERATOSIS: "SK",
    Diagnosis.MELANOCYTIC_LESION: "Melt",
    Diagnosis.OTHER: "Other",
}


def stem(crop_id: str, diagnosis: Diagnosis, *, phantom: bool) -> str:
    """Return the name of a cube's files, without suffix.

    Examples
    --------
    >>> stem("syn-3bb6-last12000-s0-00004", Diagnosis.NEVUS, phantom=True)
    'Nv_SYNTHETIC_PHANTOM_syn-3bb6-last12000-s0-00004'
    """
    return "_".join([_WORDS[diagnosis], "SYNTHETIC", *(["PHANTOM"] if phantom else []), crop_id])


def cube_file(name: str, diagnosis: Diagnosis, cube_format: CubeFormat) -> str:
    """Return the path of a cube in the data set; of an ENVI pair, that of the header."""
    return f"images/{folder_for(diagnosis)}/{name}{_SUFFIX[cube_format]}"


def mask_file(name: str, diagnosis: Diagnosis) -> str:
    """Return the path of a cube's mask in the data set."""
    return f"masks/{folder_for(diagnosis)}/{name}_mask.png"


def is_data_set(folder: Path) -> bool:
    """Whether a folder is a synthetic data set, by its card and its table."""
    try:
        read_card(folder)
    except InputError:
        return False
    return (folder / TABLE).is_file()


def read_card(folder: Path) -> dict[str, Any]:
    """Read the card of a data set.

    Raises
    ------
    InputError
        If there is none, it is one of a later version, or something in it is missing or of another type.
    """
    path = folder / CARD
    try:
        card = json.loads(path.read_text(encoding="utf-8"), parse_constant=no_number)
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"no data set: there is no {CARD}", where=folder, fix="give the folder it lies in") from None
    except (OSError, ValueError) as error:
        raise InputError(f"cannot be read ({error})", where=path, fix="copy the data set again") from None
    if not isinstance(card, dict) or card.get("format") != KIND:
        raise InputError("not the card of a synthetic data set", where=path)
    if card.get("version") != VERSION:
        raise InputError(f"a data set of version {card.get('version')}", where=path, fix="update napari-hsisynth")
    check_card(card, where=path)
    return card


def no_number(text: str) -> float:
    """Refuse NaN and infinity: JSON has neither, and no figure is one."""
    raise ValueError(f"{text} is not JSON")


def inside(folder: Path, name: str, *, where: object) -> Path:
    """Return the file of a data set that `name` means; InputError if it would lie outside of the folder."""
    path = PurePosixPath(name)
    if not name or path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name:
        raise InputError(f"'{name}' is not a path inside the data set", where=where)
    return folder / path
