"""`main`: napari with the workflow docked, as ``napari-hsisynth open`` starts it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError, MissingExtraError
from napari_hsisynth.formats import read_cube
from napari_hsisynth.study import Study


def main(paths: Sequence[str | Path] = (), *, block: bool = True, **options: Any) -> int:
    """Start napari with Workflow and Spectra docked; open cubes and a study.

    Everything is read before a window opens, so that bad input is one line in the shell.

    Parameters
    ----------
    paths : sequence of path-like
        Files of cubes, and at most one study (its folder, or its ``study.yaml``).
    block : bool
        Stay until the window is closed.
    **options
        As for `read_cube`; `mosaic` and `demosaic` are for the pictures (TIFF, PNG) among them.

    Returns
    -------
    int
        Exit status.

    Raises
    ------
    InputError
        If a path is neither a cube nor a study, there are several studies, or no window can be opened.
    """
    study, cubes = read_all(paths, **options)
    _check_display()
    try:
        import napari

        viewer = napari.Viewer(title="HSI Synth")
    except ImportError as error:  # no Qt binding is among the core dependencies
        raise MissingExtraError(f"a window ({error})", "gui") from error
    fill(viewer, study, cubes)
    if block:
        napari.run()
    return 0


def read_all(paths: Sequence[str | Path], **options: Any) -> tuple[Study | None, list[Cube]]:
    """Return the study among `paths`, if there is one, and the cubes; large ones stay in their files."""
    from napari_hsisynth.widgets.reading import FRAME_SUFFIXES

    study: Study | None = None
    cubes = []
    for path in map(Path, paths):
        if path.name == "study.yaml" or (path / "study.yaml").is_file():
            if study is not None:
                raise InputError("a second study; one can be open at a time", where=path)
            study = Study.open(path)
        else:
            is_frame = path.suffix.lower() in FRAME_SUFFIXES
            fitting = options if is_frame else {**options, "mosaic": None, "demosaic": False}
            cubes.append(read_cube(path, lazy=None, **fitting))
    return study, cubes


def fill(viewer: Any, study: Study | None, cubes: Sequence[Cube]) -> None:
    """Dock the workflow in a viewer, and show a study and cubes in it."""
    from napari_hsisynth.widgets.layers import add_cube
    from napari_hsisynth.widgets.session import session_for
    from napari_hsisynth.widgets.workflow import open_workflow

    if study is not None:
        session_for(viewer).open_study(study.root)
    for cube in cubes:
        add_cube(viewer, cube)
    open_workflow(viewer)
    if study is not None and study.entries and not cubes:
        session_for(viewer).show_cube(study.entries[0].id)


def _check_display() -> None:
    from napari_hsisynth.demo import has_display

    if not has_display():
        raise InputError("there is no display to open a window on", fix="use the other verbs, or set DISPLAY")
