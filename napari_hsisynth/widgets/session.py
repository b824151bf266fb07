"""`Session`: what is open in one viewer. The docks share it and hear of each other's work through its signals."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary, ref

from napari.layers import Image
from psygnal import Signal

from napari_hsisynth.errors import InputError
from napari_hsisynth.study import Study
from napari_hsisynth.widgets import settings, warm_up
from napari_hsisynth.widgets.canvas_context import finish_in_own_context
from napari_hsisynth.widgets.layers import add_cube, cube_layers, unwrapped
from napari_hsisynth.widgets.wavelength_text import WavelengthText

_LAST_STUDY, _RECENT = "session/last_study", "session/recent_studies"
_MOST_RECENT = 8


class Session:
    """The study and the cube that are open in a viewer; get it with `session_for`.

    Parameters
    ----------
    viewer : napari.Viewer

    Attributes
    ----------
    study_changed : Signal(Study or None)
        Another study is open, none is, or `reload` has read it again.
    cube_changed : Signal(str or None)
        Another cube of the study is shown.
    annotation_changed : Signal(str)
        Masks or status of the cube of this id were saved.
    crops_changed : Signal()
        Crops or synthetic cubes were written.
    runs_changed : Signal(str)
        The run of this id was started, has ended, or was deleted.
    clicks_changed : Signal()
        `clicks_taken_by` is another one.
    """

    study_changed = Signal(object)
    cube_changed = Signal(object)
    annotation_changed = Signal(str)
    crops_changed = Signal()
    runs_changed = Signal(str)
    clicks_changed = Signal()

    def __init__(self, viewer: Any) -> None:
        self._viewer = ref(viewer)
        self._shown: Image | None = None
        self.study: Study | None = None
        self.cube_id: str | None = None
        #: Functions that open a step by its name, the latest Workflow dock's last.
        self.step_openers: list[Callable[[str], None]] = []
        self.wavelength_text = WavelengthText(viewer)
        self._click_claims: dict[object, str] = {}
        finish_in_own_context(viewer)
        warm_up.begin_when_idle()

    @property
    def viewer(self) -> Any:
        """The viewer."""
        viewer = self._viewer()
        assert viewer is not None, "the viewer is gone"
        return viewer

    def open_study(self, path: str | Path) -> Study:
        """Open the study at `path`, or the one it lies in; InputError if there is none, and the open one stays."""
        study = Study.open(path)
        self._forget_cube()
        self.study = study
        settings.set_value(_LAST_STUDY, str(study.root))
        others = [root for root in self.recent_studies() if root != study.root]
        settings.set_value(_RECENT, [str(root) for root in (study.root, *others)][:_MOST_RECENT])
        self.study_changed.emit(study)
        return study

    def close_study(self) -> None:
        """Close the study; the layers stay."""
        self._forget_cube()
        self.study = None
        settings.set_value(_LAST_STUDY, None)
        self.study_changed.emit(None)

    def reload(self) -> None:
        """Read the study again after something was added to it, and tell everybody."""
        if self.study is not None:
            self.study.reload()
            self.study_changed.emit(self.study)

    def restore_last(self) -> bool:
        """Open the study and show the cube of the last start, if they are still there and nothing is open yet."""
        root = settings.value(_LAST_STUDY, "")
        if self.study is not None or not root:
            return False
        cube_id = settings.value(f"session/cube/{root}", "")
        try:
            self.open_study(root)
            if cube_id and not len(self.viewer.layers):
                self.show_cube(cube_id)
        except InputError:  # moved, deleted or on a drive that is not there: nothing to come back to
            return self.study is not None
        return True

    @staticmethod
    def recent_studies() -> list[Path]:
        """Return the folders of studies opened lately that are still there, the latest first."""
        stored: list[str] = settings.value(_RECENT, [])
        return [Path(root) for root in stored if (Path(root) / "study.yaml").is_file()]

    def show_cube(self, cube_id: str | None) -> None:
        """Show a cube of the study as a layer ``<cube> · cube``, in place of the one shown before.

        Only the layer that was added here is replaced; all others, of the user and of docks, stay.

        Raises
        ------
        InputError
            If no study is open, it has no such cube, or its file cannot be read; then nothing changes.
        """
        if cube_id is None:
            self._forget_cube()
            return
        if self.study is None:
            raise InputError("no study is open", fix="open one in the Study dock")
        cube = self.study.read_cube(cube_id)
        if cube_id == self.cube_id and self._shown is not None and self._shown in self.viewer.layers:
            self.viewer.layers.selection.active = self._shown
            return
        before = self._shown if self._shown in self.viewer.layers else None
        # without notes: what a study's cubes have in common was said at import
        layer = add_cube(self.viewer, cube.replace(notes=()))
        if before is not None:
            self.viewer.layers.move(self.viewer.layers.index(layer), self.viewer.layers.index(before))
            self.viewer.layers.remove(before)
        self._shown, self.cube_id = layer, cube_id
        settings.set_value(f"session/cube/{self.study.root}", cube_id)
        self.cube_changed.emit(cube_id)

    @property
    def cube_layer(self) -> Image | None:
        """The layer of the shown cube; None if none is shown or the user has removed it."""
        return self._shown if self._shown is not None and self._shown in self.viewer.layers else None

    def open_step(self, name: str) -> None:
        """Open a step in the Workflow dock, or its own dock where there is no Workflow."""
        if self.step_openers:
            self.step_openers[-1](name)
        else:
            self.viewer.window.add_plugin_dock_widget("napari-hsisynth", name)

    @property
    def clicks_taken_by(self) -> str:
        """Name of the dock for which plain clicks on the canvas mean something now; empty if there is none."""
        return next(reversed(self._click_claims.values()), "")

    def claim_clicks(self, owner: object, name: str) -> None:
        """Have everybody else leave plain clicks on the canvas alone, until `release_clicks`.

        Parameters
        ----------
        owner : object
            Who claims them.
        name : str
            The same for the user.
        """
        if owner not in self._click_claims:
            self._click_claims[owner] = name
            self.clicks_changed.emit()

    def release_clicks(self, owner: object) -> None:
        """Give the clicks back; nothing happens if `owner` has not claimed them."""
        if self._click_claims.pop(owner, None) is not None:
            self.clicks_changed.emit()

    def has_cubes(self) -> bool:
        """Whether any layer shows a cube, of a study or not."""
        return bool(cube_layers(self.viewer, visible=False))

    def _forget_cube(self) -> None:
        changed = self.cube_id is not None
        self._shown = self.cube_id = None
        if changed:
            self.cube_changed.emit(None)


_sessions: WeakKeyDictionary[Any, Session] = WeakKeyDictionary()


def session_for(viewer: Any) -> Session:
    """Return the session of a viewer, made on first use; a plugin's proxy of a viewer has the viewer's session."""
    viewer = unwrapped(viewer)
    if viewer not in _sessions:
        _sessions[viewer] = Session(viewer)
    return _sessions[viewer]
