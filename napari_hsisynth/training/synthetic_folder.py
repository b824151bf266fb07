"""The folder that synthetic cubes go to: which one, what is missing there, and whether there is room."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from napari_hsisynth.errors import InputError
from napari_hsisynth.study import CropRecord
from napari_hsisynth.training.generator import Generator
from napari_hsisynth.training.synthetic_cubes import cubes_in, is_whole


def prepared(
    generator: Generator, wanted: Sequence[CropRecord], out: Path | None, kind: str = ""
) -> tuple[str, list[int]]:
    """Make the folder; return it, and which of the cubes are still to be drawn.

    Parameters
    ----------
    generator : Generator
        Draws them.
    wanted : sequence of CropRecord
        All cubes that are asked for.
    out : pathlib.Path, optional
        The folder; by default one of the study.
    kind : str
        Ends the name of the study's folder: cubes that are not a plain draw of what the run learned, such as those of
        a painted mask, do not lie among those that are measured against real ones.
    """
    folder = _folder(generator, out, kind)
    present = {record.crop_id: record for record in cubes_in(folder)}
    missing = [i for i, record in enumerate(wanted) if not is_whole(folder, present.get(record.crop_id))]
    check_space(folder, generator, len(missing))
    _make(folder)
    for i in missing:  # left by a killed process, or damaged: a file that is there from now on is whole
        (folder / wanted[i].file).unlink(missing_ok=True)
    return str(folder), missing


def _folder(generator: Generator, out: Path | None, kind: str) -> Path:
    """Where the cubes go: never among those of another checkpoint."""
    if out is not None:
        if not _same_checkpoint(generator, out):
            raise InputError(
                f"there are already cubes of another checkpoint than {generator.label}",
                where=out,
                fix="use another --out",
            )
        return out
    study = generator.study()
    usual = study.synthetic_dir(generator.run.id + kind)
    if _same_checkpoint(generator, usual):
        return usual
    return study.synthetic_dir(f"{generator.run.id}-{generator.label.replace('@', '')}{kind}")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder: {error.strerror}", where=folder, fix="use another --out") from error


def _same_checkpoint(generator: Generator, folder: Path) -> bool:
    made_by = {(record.run, record.checkpoint, record.source_sha256) for record in cubes_in(folder)}
    return made_by <= {(generator.run.id, generator.label, generator.sha256)}


def check_space(folder: Path, generator: Generator, cubes: int) -> None:
    """Raise InputError if the disk of `folder` (which need not exist yet) has no room for so many cubes."""
    existing = next(path for path in (folder, *folder.absolute().parents) if path.is_dir())
    side = generator.config.image_size
    needed = cubes * (side * side * (4 * len(generator.wavelengths_nm) + 1) + 4096)
    free = shutil.disk_usage(existing).free
    if needed > free:
        raise InputError(
            f"{cubes} cubes need {needed / 1e6:,.0f} MB, {free / 1e6:,.0f} MB are free",
            where=folder,
            fix="free some space or ask for fewer",
        )
