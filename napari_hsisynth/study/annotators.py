"""Who annotates: the first annotator of a cube owns ``masks/<id>.json``, everybody else has a file of their own.

Names are told apart by their `annotator_id`, upper and lower case alike, because a file name holds it and not every
disk tells ``Jane`` from ``jane``. An annotation that nobody put a name to, as an imported mask, belongs to nobody:
who changes it first owns it from then on.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_hsisynth.errors import InputError
from napari_hsisynth.study.annotation import Annotation, read_annotation_json, write_annotation
from napari_hsisynth.study.manifest import checked_id
from napari_hsisynth.study.storage import study_lock
from napari_hsisynth.study.study import Study

#: How the first annotation of a cube is listed that nobody put their name to.
NOBODY = "first"
#: Whose file it is when somebody without a name goes on after another annotator.
UNNAMED = "unnamed"

_UNFIT = re.compile(r"[^A-Za-z0-9_\-]+")
_LONGEST = 60
_SIGNED = "annotator"  # in the JSON of an annotation


def annotator_id(name: str) -> str:
    """Return a person's name in the form that a file name can hold; empty for a name without letters and digits.

    Accents are dropped. Where more than that is lost, as with letters of other scripts, eight digits of a hash keep
    names apart.

    Examples
    --------
    >>> annotator_id("Jane Doe"), annotator_id("Zoë")
    ('Jane_Doe', 'Zoe')
    """
    spelt = "".join(sign for sign in unicodedata.normalize("NFKD", name) if not unicodedata.combining(sign))
    plain = _UNFIT.sub("_", spelt).strip("_-")
    lost = any(sign.isalnum() and not sign.isascii() for sign in spelt)
    if lost or len(plain) > _LONGEST:
        whole = unicodedata.normalize("NFKC", name).casefold().strip()
        digits = hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        plain = f"{plain[: _LONGEST - len(digits) - 1] or 'annotator'}_{digits}"
    return f"{plain}_" if plain.lower() == NOBODY else plain


def shown_name(annotator: str) -> str:
    """Return an `annotator_id` as it is shown to people: ``Jane_Doe`` as ``Jane Doe``."""
    return annotator.replace("_", " ").strip()


def same_annotator(one: str, other: str) -> bool:
    """Whether two names mean one person."""
    return annotator_id(one).lower() == annotator_id(other).lower()


def owner(study: Study, cube_id: str) -> str:
    """Return who made the first annotation of a cube; empty if nobody has, or it came with the cube.

    That is who signed it, else the annotator of its earliest lesion that names one.

    Raises
    ------
    InputError
        If the annotation is damaged: it is somebody's, but nobody can tell whose.
    """
    path = study.masks_dir / f"{study.entry(cube_id).id}.json"
    return signed_by(read_annotation_json(path)) if path.exists() else ""


def signed_by(annotation: Mapping[str, Any]) -> str:
    """Return the name under an annotation's JSON, as `read_annotation_json` gives it; empty if there is none."""
    name = annotation.get(_SIGNED)
    if isinstance(name, str) and annotator_id(name):
        return name
    named = [one for one in annotation["instances"] if annotator_id(one.annotator)]
    return min(named, key=lambda one: one.time).annotator if named else ""


def annotation_key(study: Study, cube_id: str, name: str) -> str | None:
    """Return the `annotator` under which a person's work on a cube is stored, for `Study.annotation` and its like.

    Parameters
    ----------
    name : str
        Of the person; empty for somebody who does not say.

    Returns
    -------
    str or None
        None for the cube's first annotation, if it is theirs or nobody's; else their `annotator_id`, in the spelling of
        the file if they have one already.

    Raises
    ------
    InputError
        If they have no file of their own, and the first annotation is damaged.
    """
    own = annotator_id(name) or UNNAMED
    files = annotation_files(study, cube_id).get(cube_id, {})
    kept = [key for key in files if key is not None and key.lower() == own.lower()]
    if kept:
        return kept[0]
    first = owner(study, cube_id)
    return None if not first or same_annotator(first, own) else own


def save_as(study: Study, annotation: Annotation, name: str) -> str | None:
    """Store a person's annotation where it belongs, and put their name to it.

    Whose the first annotation is, is looked up while the study is locked: of two people who begin with the same cube,
    the first to save owns it, and the other's work goes beside it.

    Parameters
    ----------
    name : str
        Of the person; empty for somebody who does not say.

    Returns
    -------
    str or None
        The `annotation_key` that was used: from now on, this person's work is there.

    Raises
    ------
    InputError
        If the mask has another size than the cube, the folder cannot be written, or the first annotation is damaged and
        might be theirs. Then nothing is written.
    """
    study.check_fit(annotation)
    with study_lock(study.root):
        key = annotation_key(study, annotation.cube_id, name)
        write_annotation(study.masks_dir, _signed(annotation, name, key), key)
    return key


def _signed(annotation: Annotation, name: str, key: str | None) -> Annotation:
    extra = dict(annotation.extra)
    before = extra.get(_SIGNED)
    if isinstance(before, str) and same_annotator(before, name):
        return annotation
    if annotator_id(name):
        extra[_SIGNED] = name.strip()
    elif key is not None:
        extra.pop(_SIGNED, None)  # what they took over from another annotator is not that one's any more
    return annotation.replace(extra=extra)


def annotators(study: Study, cube_id: str) -> dict[str, str | None]:
    """Return who has annotated a cube, by `annotator_id`, with their `annotation_key`; the first one comes first.

    A first annotation that nobody put their name to is listed as "first".

    Raises
    ------
    InputError
        If nobody has, or the first annotation is damaged.
    """
    study.entry(cube_id)
    files = annotation_files(study, cube_id).get(cube_id, {})
    if not files:
        raise InputError("nobody has annotated this cube yet", where=cube_id)
    return by_name(files, owner(study, cube_id))


def by_name(files: Mapping[str | None, Path], first: str) -> dict[str, str | None]:
    """Return the `annotation_key` of every annotator of a cube.

    Parameters
    ----------
    files : mapping of str or None to pathlib.Path
        Of the cube, see `annotation_files`.
    first : str
        Who made the first annotation; empty if nobody says.
    """
    found: dict[str, str | None] = {key: key for key in files if key is not None}
    if None not in files:
        return found
    taken = {key.lower() for key in found}
    name = annotator_id(first)
    # who has a file of their own goes on there; what else bears their name must not hide it
    return {name if name and name.lower() not in taken else NOBODY: None, **found}


def annotation_files(study: Study, cube_id: str = "*") -> dict[str, dict[str | None, Path]]:
    """Return the JSON files of a cube's annotations, of all cubes by default: by cube, by `annotation_key`.

    The first annotation (None) comes first, the others by name. One listing of the folder, whatever their number.
    """
    found: dict[str, dict[str | None, Path]] = {}
    known = {entry.id for entry in study.entries}
    patterns = ("*.json",) if cube_id == "*" else (f"{cube_id}.json", f"{cube_id}.*.json")
    for path in sorted(path for pattern in patterns for path in study.masks_dir.glob(pattern)):
        of_cube, dot, key = path.name.removesuffix(".json").partition(".")
        if of_cube in known and (not dot or _is_key(key)):
            found.setdefault(of_cube, {})[key if dot else None] = path
    return {of_cube: {key: files[key] for key in sorted(files, key=_first)} for of_cube, files in found.items()}


def _first(key: str | None) -> tuple[bool, str]:
    return key is not None, key or ""


def _is_key(text: str) -> bool:
    try:
        return checked_id(text).lower() != NOBODY
    except InputError:  # another program's, or a file that was renamed by hand
        return False
