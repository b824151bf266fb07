"""The cubes of a study as a queue: what one annotator has done, what is left, and in which order to go on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from napari_hsisynth.errors import InputError
from napari_hsisynth.study.annotation import read_annotation_json
from napari_hsisynth.study.annotators import UNNAMED, annotation_files, annotator_id, by_name, same_annotator, signed_by
from napari_hsisynth.study.diagnosis import Diagnosis
from napari_hsisynth.study.manifest import Entry
from napari_hsisynth.study.study import Study

#: "damaged": the annotation cannot be read; "unread": nobody has looked yet.
QueueStatus = Literal["todo", "done", "unsure", "damaged", "unread"]
_Stamp = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True)
class QueueRow:
    """One cube, as one annotator left it.

    Parameters
    ----------
    cube_id : str
    diagnosis : Diagnosis
        Of the cube.
    patient : str
        Empty if not known.
    status : QueueStatus
    accepted, unsure, draft : int
        Lesions by their status.
    first : str
        Who made the first annotation of the cube, if it is another person: this annotator's is kept beside it.
    others : tuple of str
        Ids of all others who have annotated the cube.
    trouble : str
        Why the annotation cannot be read.
    """

    cube_id: str
    diagnosis: Diagnosis
    patient: str = ""
    status: QueueStatus = "unread"
    accepted: int = 0
    unsure: int = 0
    draft: int = 0
    first: str = ""
    others: tuple[str, ...] = ()
    trouble: str = ""
    stamp: _Stamp = ()

    def lesions_text(self) -> str:
        """Return ``1``, or ``1 + 2``: accepted lesions, and those that are not (yet)."""
        more = self.unsure + self.draft
        return f"{self.accepted}{f' + {more}' if more else ''}" if self.accepted or more else ""


def read_rows(study: Study, name: str, known: Mapping[str, QueueRow] | None = None) -> dict[str, QueueRow]:
    """Read what an annotator has done on every cube, from the JSON files only.

    Parameters
    ----------
    study : Study
    name : str
        Of the annotator; empty for somebody who does not say.
    known : mapping of str to QueueRow, optional
        What was read before for the same name: files that have not changed since are not read again.

    Returns
    -------
    dict of str to QueueRow
        By cube, in the order of the study.
    """
    files = annotation_files(study)
    known = known or {}
    return {each.id: _read(each, files.get(each.id, {}), name, known.get(each.id)) for each in study.entries}


def read_row(study: Study, name: str, cube_id: str) -> QueueRow:
    """Read what an annotator has done on one cube."""
    return _read(study.entry(cube_id), annotation_files(study, cube_id).get(cube_id, {}), name, None)


def _read(entry: Entry, files: Mapping[str | None, Path], name: str, known: QueueRow | None) -> QueueRow:
    row = QueueRow(entry.id, entry.diagnosis, entry.patient, "todo", stamp=_stamp(files))
    if known is not None and known.status != "unread" and known.stamp == row.stamp:
        return replace(known, diagnosis=entry.diagnosis, patient=entry.patient)
    own = annotator_id(name) or UNNAMED
    kept = next((key for key in files if key is not None and same_annotator(key, own)), None)
    value, trouble = _json(files.get(None))
    first = signed_by(value) if value is not None else ""
    is_beside = kept is not None or bool(first and not same_annotator(first, own))
    if is_beside:
        value, trouble = _json(files[kept]) if kept is not None else (None, "")
    listed = by_name(files, first)
    others = tuple(each for each, key in listed.items() if key != kept or (key is None and is_beside))
    row = replace(row, others=others, first=(first or "somebody") if is_beside and None in files else "")
    if trouble:
        return replace(row, status="damaged", trouble=trouble)
    if value is None:
        return row
    counted = Counter(instance.status for instance in value["instances"])
    return replace(
        row,
        status=value["status"],
        accepted=counted["accepted"],
        unsure=counted["unsure"],
        draft=counted["draft"],
    )


def _json(path: Path | None) -> tuple[dict[str, Any] | None, str]:
    """Return the JSON of an annotation, if there is one, and why it cannot be read."""
    try:
        return (None if path is None else read_annotation_json(path)), ""
    except (InputError, OSError) as error:
        return None, str(error)


def _stamp(files: Mapping[str | None, Path]) -> _Stamp:
    found = []
    for path in files.values():
        try:
            state = path.stat()
        except OSError:  # gone between listing and now: whoever took it away will be seen the next time
            continue
        found.append((path.name, state.st_mtime_ns, state.st_size))
    return tuple(found)


@dataclass(frozen=True)
class QueueFilter:
    """Which cubes of a queue to go through.

    Parameters
    ----------
    status : QueueStatus or ""
        Of the cube; any if empty.
    diagnosis : Diagnosis, optional
        Of the cube; any if None.
    text : str
        Words that all occur in id or patient, upper and lower case alike.
    has_draft : bool
        Only cubes with an unfinished lesion.
    disagree : bool
        Only cubes on which annotators disagree.
    """

    status: QueueStatus | Literal[""] = ""
    diagnosis: Diagnosis | None = None
    text: str = ""
    has_draft: bool = False
    disagree: bool = False

    def __bool__(self) -> bool:
        return self != QueueFilter()


class AnnotationQueue:
    """The cubes of a study in their order, what is known of them, and those that a filter shows.

    Parameters
    ----------
    entries : iterable of Entry
        Rows of the manifest; what their annotations say comes later, by `put`.

    Examples
    --------
    >>> queue = AnnotationQueue([Entry("A", "a.npz", Diagnosis.NEVUS), Entry("B", "b.npz", Diagnosis.NEVUS)])
    >>> queue.put([QueueRow("A", Diagnosis.NEVUS, status="done"), QueueRow("B", Diagnosis.NEVUS, status="unsure")])
    >>> queue.text(), queue.neighbour("A", 1)
    ('1 of 2 done · 1 unsure', 'B')
    """

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.rows = {entry.id: QueueRow(entry.id, entry.diagnosis, entry.patient) for entry in entries}
        self._filter = QueueFilter()
        self._drafts: frozenset[str] = frozenset()
        self._disagreeing: frozenset[str] = frozenset()
        self._shown: tuple[str, ...] | None = None

    # --- what is known

    def put(self, rows: Iterable[QueueRow]) -> None:
        """Take what was read of some cubes; others than those of the queue are left out."""
        self.rows.update({row.cube_id: row for row in rows if row.cube_id in self.rows})
        self._shown = None

    @property
    def filter(self) -> QueueFilter:
        """Which cubes are shown."""
        return self._filter

    @filter.setter
    def filter(self, to: QueueFilter) -> None:
        self._filter, self._shown = to, None

    @property
    def drafts(self) -> frozenset[str]:
        """Cubes with an unfinished lesion."""
        return self._drafts

    @drafts.setter
    def drafts(self, cube_ids: Iterable[str]) -> None:
        self._drafts, self._shown = frozenset(cube_ids), None

    @property
    def disagreeing(self) -> frozenset[str]:
        """Cubes on which annotators disagree."""
        return self._disagreeing

    @disagreeing.setter
    def disagreeing(self, cube_ids: Iterable[str]) -> None:
        self._disagreeing, self._shown = frozenset(cube_ids), None

    # --- what is left

    @property
    def shown(self) -> tuple[str, ...]:
        """Ids of the cubes that the filter shows, in the order of the study."""
        if self._shown is None:
            self._shown = tuple(cube_id for cube_id, row in self.rows.items() if self._accepts(row))
        return self._shown

    def _accepts(self, row: QueueRow) -> bool:
        wanted = self._filter
        words = f"{row.cube_id}\n{row.patient}".lower()
        return (
            wanted.status in ("", row.status)
            and wanted.diagnosis in (None, row.diagnosis)
            and all(word in words for word in wanted.text.lower().split())
            and (not wanted.has_draft or row.cube_id in self._drafts)
            and (not wanted.disagree or row.cube_id in self._disagreeing)
        )

    def counts(self) -> Counter[QueueStatus]:
        """Count the cubes of the study by status, whatever the filter."""
        return Counter(row.status for row in self.rows.values())

    def text(self) -> str:
        """Return ``112 of 330 done · 14 unsure``; empty without cubes, or before anything was read."""
        counts = self.counts()
        if not self.rows or counts["unread"] == len(self.rows):
            return ""
        more = "".join(f" · {counts[name]} {name}" for name in ("unsure", "damaged") if counts[name])
        return f"{counts['done']} of {len(self.rows)} done{more}"

    # --- the way

    def neighbour(self, here: str | None, by: int) -> str | None:
        """Return the cube `by` places on among those that the filter shows; None at the end, the list does not wrap.

        The present cube need not be among them: a cube that has become done leaves "todo", and its place still counts.

        Parameters
        ----------
        here : str or None
            The present cube. From None, the first or the last is next.
        by : int
            Positive: forwards.
        """
        order = list(self.rows)
        place = order.index(here) if here in self.rows else (-1 if by > 0 else len(order))
        shown = frozenset(self.shown)
        way = order[place + 1 :] if by > 0 else order[:place][::-1] if place > 0 else []
        found = [cube_id for cube_id in way if cube_id in shown]
        return found[abs(by) - 1] if 0 < abs(by) <= len(found) else None

    def still_todo(self, here: str | None) -> list[str]:
        """Return the cubes to do in the order to visit them: from the present one on, then from the beginning.

        Of those that the filter shows, unless none of these is to do.
        """
        order = list(self.rows)
        place = order.index(here) + 1 if here in self.rows else 0
        ahead = [cube_id for cube_id in order[place:] + order[:place] if cube_id != here]
        todo = [cube_id for cube_id in ahead if self.rows[cube_id].status in ("todo", "unread")]
        shown = frozenset(self.shown)
        return [cube_id for cube_id in todo if cube_id in shown] or todo

    def find(self, text: str) -> str | None:
        """Return the cube that is meant by a typed text: that of this id, else the only one with it in its id."""
        wanted = text.strip().lower()
        exact = [cube_id for cube_id in self.rows if cube_id.lower() == wanted]
        close = exact or [cube_id for cube_id in self.rows if wanted and wanted in cube_id.lower()]
        return close[0] if len(close) == 1 else None
