"""`Study`: the folder that holds a user's cubes, masks and crops, and what was made of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.study.annotation import (
    Annotation,
    AnnotationSummary,
    annotation_path,
    check_unclaimed,
    given_mask,
    read_annotation,
    read_summary,
    remove_annotation,
    write_annotation,
)
from napari_hsisynth.study.crops import INDEX, CropRecord, read_crops_index
from napari_hsisynth.study.cube_files import content_sha256, copy_in, fitting, free_file, read_file, stored_path
from napari_hsisynth.study.diagnosis import Diagnosis
from napari_hsisynth.study.manifest import MANIFEST, Entry, checked_id, read_manifest, write_manifest
from napari_hsisynth.study.settings import SETTINGS, StudySettings, checked_wavelengths, read_settings, write_settings
from napari_hsisynth.study.splits import Split, stored_splits
from napari_hsisynth.study.storage import recover_folder, sha256_of, study_lock, writing
from napari_hsisynth.typed_path import typed_path


class Study:
    """A study folder: open it with `Study.open`, make one with `Study.create`.

    It holds the manifest as read; every change first reads it again, under a lock, so that two programs may work on it.

    Parameters
    ----------
    root : pathlib.Path
        The folder with ``study.yaml``.

    Examples
    --------
    >>> import tempfile
    >>> study = Study.create(Path(tempfile.mkdtemp()) / "mine", wavelengths_nm=[500, 600])
    >>> study.add_cube(Cube(np.ones((2, 4, 5)), [500, 600]), "DN_1", "dysplastic nevus").id
    'DN_1'
    >>> Study.open(study.root / "cubes").read_cube("DN_1").shape_yx
    (4, 5)
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        self.settings = read_settings(self.root / SETTINGS)
        self._shapes: dict[str, tuple[int, int]] = {}
        self.reload()

    # --- making and opening

    @classmethod
    def create(
        cls,
        root: str | Path,
        *,
        wavelengths_nm: ArrayLike,
        notes: str = "",
        positive: Diagnosis | str = Diagnosis.MELANOMA,
        wavelengths_source: str = "given",
    ) -> Study:
        """Make a new, empty study.

        Parameters
        ----------
        root : path-like
            Its folder; made if it is not there. A folder that already holds a study is refused.
        wavelengths_nm : array_like, shape (bands,)
            Band centres of all its cubes.
        notes : str
            For people.
        positive : Diagnosis
            The class that tests look for.
        wavelengths_source : str
            How the wavelengths are known.
        """
        root = typed_path(root).absolute()
        if (root / SETTINGS).exists() or ((root / MANIFEST).exists() and read_manifest(root / MANIFEST)):
            raise InputError("there is a study already", where=root, fix="choose another folder")
        settings = StudySettings(
            wavelengths_nm=checked_wavelengths(wavelengths_nm),
            positive=Diagnosis.parse(positive),
            notes=notes,
            wavelengths_source=wavelengths_source,
        )
        with writing(root):
            root.mkdir(parents=True, exist_ok=True)
            write_manifest(root / MANIFEST, [])
            write_settings(root / SETTINGS, settings)  # last: a folder with it is a study
        return cls(root)

    @classmethod
    def open(cls, path: str | Path) -> Study:
        """Open the study at `path`, or the one that `path` lies in; InputError if there is none."""
        start = typed_path(path).absolute()
        for folder in (start, *start.parents):
            if (folder / SETTINGS).is_file():
                recover_folder(folder, "crops")
                return cls(folder)
        what = "no study here" if start.exists() else "no such folder"
        raise InputError(what, where=start, fix="make one with: napari-hsisynth import, or phantom")

    def reload(self) -> None:
        """Read the manifest again, after another program may have changed it."""
        self._entries = {entry.id: entry for entry in read_manifest(self.root / MANIFEST)}

    # --- what it holds

    @property
    def name(self) -> str:
        """Name of its folder."""
        return self.root.name

    @property
    def wavelengths_nm(self) -> NDArray[np.float64]:
        """Band centres of every cube, nm, shape (bands,)."""
        return self.settings.wavelengths_nm.copy()

    @property
    def classes(self) -> tuple[Diagnosis, ...]:
        """Diagnoses in use."""
        return self.settings.classes

    @property
    def positive(self) -> Diagnosis:
        """The class that tests look for."""
        return self.settings.positive

    @property
    def notes(self) -> str:
        """What its makers wrote about it."""
        return self.settings.notes

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Its cubes, sorted by id."""
        return tuple(self._entries.values())

    @property
    def masks_dir(self) -> Path:
        """Folder of the annotations."""
        return self.root / "masks"

    @property
    def crops_dir(self) -> Path:
        """Folder of the crops."""
        return self.root / "crops"

    @property
    def runs_dir(self) -> Path:
        """Folder of the run folders."""
        return self.root / "runs"

    def synthetic_dir(self, run_id: str) -> Path:
        """Folder of the cubes that a run sampled."""
        return self.root / "synthetic" / checked_id(run_id, what="run id", longest=200)

    def synthetic_runs(self) -> list[str]:
        """Ids of the runs with sampled cubes, sorted."""
        return sorted(index.parent.name for index in (self.root / "synthetic").glob(f"[!.]*/{INDEX}"))

    def crops(self) -> list[CropRecord]:
        """Its crops, in the order of ``crops.csv``; none if no crops were cut yet."""
        return read_crops_index(self.crops_dir) if (self.crops_dir / INDEX).is_file() else []

    def __repr__(self) -> str:
        return f"Study({self.name!r}, {len(self._entries)} cubes, {len(self.settings.wavelengths_nm)} bands)"

    # --- cubes

    def entry(self, cube_id: str) -> Entry:
        """Return the row of a cube; InputError if the study has none of this id."""
        try:
            return self._entries[cube_id]
        except KeyError:
            raise InputError(f"no cube '{cube_id}' in this study", where=self.root) from None

    def cube_path(self, cube_id: str) -> Path:
        """Return where the cube's file is, absolute."""
        return self.root / self.entry(cube_id).path

    def read_cube(self, cube_id: str) -> Cube:
        """Read a cube; its name is its id and its wavelengths are the study's.

        Notes of the cube tell of pixels that are not finite, and of wavelengths in the file that differ.

        Raises
        ------
        InputError
            If the file is missing, is not a cube, or has another number of bands than the study.
        """
        path = self.cube_path(cube_id)
        cube = self._read_fitting(path, cube_id)
        self._shapes[cube_id] = cube.shape_yx
        return cube

    def shape_yx(self, cube_id: str) -> tuple[int, int]:
        """Height and width of a cube, px; reads it the first time."""
        if cube_id not in self._shapes:
            self.read_cube(cube_id)
        return self._shapes[cube_id]

    def _read_fitting(self, path: Path, cube_id: str, *, new: bool = False) -> Cube:
        return fitting(read_file(path), self.settings.wavelengths_nm, name=cube_id, where=path, new=new)

    def add(
        self, cube_id: str, path: str | Path, diagnosis: Diagnosis | str, patient: str = "", *, copy: bool = False
    ) -> Entry:
        """Add a cube that is already a file.

        Parameters
        ----------
        cube_id : str
            New, unique id.
        path : path-like
            The file. It is read once, to see that it fits.
        diagnosis : Diagnosis
            Of the cube.
        patient : str
            Empty if not known.
        copy : bool
            Copy the file into ``cubes/`` instead of pointing at it, see `cube_files.copy_in`.
        """
        path = typed_path(path).absolute()
        self._check_new(cube_id)
        diagnosis = self._checked_diagnosis(diagnosis)
        self._read_fitting(path, cube_id, new=True)
        if copy:
            with writing(self.root / "cubes"):
                path = copy_in(path, self.root / "cubes", cube_id)
        entry = Entry(cube_id, stored_path(self.root, path), diagnosis, patient.strip(), content_sha256(path))
        self.commit([entry])
        return entry

    def add_cube(
        self,
        cube: Cube,
        cube_id: str,
        diagnosis: Diagnosis | str,
        patient: str = "",
        *,
        mask: ArrayLike | None = None,
        annotator: str = "",
        provenance: Mapping[str, Any] | None = None,
    ) -> Entry:
        """Write a cube into ``cubes/`` and add it.

        Parameters
        ----------
        cube : Cube
            With as many bands as the study.
        cube_id : str
            New, unique id.
        diagnosis : Diagnosis
            Of the cube and of the lesions in `mask`.
        patient : str
            Empty if not known.
        mask : array_like, shape (y, x), optional
            One lesion (bool) or instance labels (int); stored as accepted.
        annotator : str
            Who made the mask.
        provenance : mapping, optional
            Added to the cube's own.
        """
        from napari_hsisynth.formats import write_cube

        self._check_new(cube_id)
        diagnosis = self._checked_diagnosis(diagnosis)
        cube = fitting(cube, self.settings.wavelengths_nm, name=cube_id, where=self.root, new=True)
        cube = cube.replace(provenance={**cube.provenance, **(provenance or {})})
        annotations = [] if mask is None else [given_mask(cube_id, mask, diagnosis, cube.shape_yx, annotator)]
        target = free_file(self.root / "cubes", cube_id, ".npz")
        with writing(target):
            target.parent.mkdir(exist_ok=True)
            write_cube(target, cube)
        entry = Entry(cube_id, stored_path(self.root, target), diagnosis, patient.strip(), sha256_of(target))
        try:
            self.commit([entry], annotations)
        except BaseException:
            target.unlink(missing_ok=True)
            raise
        self._shapes[cube_id] = cube.shape_yx
        return entry

    def update(self, cube_id: str, *, diagnosis: Diagnosis | str | None = None, patient: str | None = None) -> Entry:
        """Correct the diagnosis or the patient of a cube; its lesions keep their own diagnoses."""
        with study_lock(self.root):
            self.reload()
            entry = self.entry(cube_id)
            if diagnosis is not None:
                entry = replace(entry, diagnosis=self._checked_diagnosis(diagnosis))
            if patient is not None:
                entry = replace(entry, patient=patient.strip())
            write_manifest(self.root / MANIFEST, {**self._entries, cube_id: entry}.values())
            self.reload()
        return entry

    def commit(self, entries: Iterable[Entry], annotations: Iterable[Annotation] = ()) -> None:
        """Add rows for cubes whose files are in place: all or, if anything fails, none.

        The annotations are written first and the manifest last, in one step: what it does not name does not exist.
        """
        entries, annotations = list(entries), list(annotations)
        with study_lock(self.root):
            self.reload()
            for entry in entries:
                self._check_new(entry.id)
            for annotation in annotations:
                check_unclaimed(self.masks_dir, annotation)
            try:
                for annotation in annotations:
                    write_annotation(self.masks_dir, annotation)
                write_manifest(self.root / MANIFEST, [*self._entries.values(), *entries])
            except BaseException:
                for annotation in annotations:
                    remove_annotation(self.masks_dir, annotation.cube_id)
                raise
            self.reload()

    def _check_new(self, cube_id: str) -> None:
        checked_id(cube_id)
        if cube_id.lower() in {known.lower() for known in self._entries}:
            raise InputError(f"id '{cube_id}' is in the study already", where=self.root, fix="choose another id")

    def _checked_diagnosis(self, diagnosis: Diagnosis | str) -> Diagnosis:
        diagnosis = Diagnosis.parse(diagnosis)
        if diagnosis not in self.classes:
            known = ", ".join(self.classes)
            raise InputError(f"{diagnosis} is not a class of this study", where=self.root, fix=f"use one of: {known}")
        return diagnosis

    # --- annotations

    def annotation(self, cube_id: str, annotator: str | None = None) -> Annotation:
        """Read the annotation of a cube; an empty one with status "todo" if there is none yet."""
        path = self._annotation_path(cube_id, annotator)
        if not path.exists():
            return Annotation(cube_id, np.zeros(self.shape_yx(cube_id), np.uint16))
        annotation = read_annotation(path)
        if annotation.cube_id != cube_id:
            raise InputError(f"the annotation is of cube '{annotation.cube_id}'", where=path)
        if cube_id in self._shapes:
            self.check_fit(annotation, path)
        return annotation

    def annotation_summary(self, cube_id: str, annotator: str | None = None) -> AnnotationSummary:
        """Read status and lesions of a cube without its mask, for lists."""
        path = self._annotation_path(cube_id, annotator)
        return read_summary(path) if path.exists() else AnnotationSummary()

    def save_annotation(self, annotation: Annotation, annotator: str | None = None) -> Path:
        """Store an annotation in place of the present one and return its JSON.

        Whatever happens in between, the study holds either the old pair of JSON and PNG or the new one.

        Raises
        ------
        InputError
            If the mask has another size than the cube, or the folder cannot be written.
        """
        path = self._annotation_path(annotation.cube_id, annotator)
        self.check_fit(annotation, path)
        with study_lock(self.root):
            return write_annotation(self.masks_dir, annotation, annotator)

    def check_fit(self, annotation: Annotation, where: Path | None = None) -> None:
        """Raise InputError if the mask has another size than its cube."""
        shape = self.shape_yx(annotation.cube_id)
        if annotation.mask.shape != shape:
            found = " x ".join(map(str, annotation.mask.shape))
            raise InputError(
                f"the mask has {found} px, the cube {shape[0]} x {shape[1]} px", where=where or annotation.cube_id
            )

    def _annotation_path(self, cube_id: str, annotator: str | None) -> Path:
        self.entry(cube_id)
        if annotator is not None:
            checked_id(annotator, what="name of an annotator")
        return annotation_path(self.masks_dir, cube_id, annotator)

    # --- splits

    def splits(self, *, seed: int | None = None) -> dict[str, Split]:
        """Return "train", "val" or "test" for every cube, the same at every call; see `stored_splits`."""
        return stored_splits(self, seed=seed)
