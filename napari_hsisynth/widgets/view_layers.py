"""`ViewLayers`: pictures made of cubes, as layers above them; made once, then brought up to date."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from weakref import ReferenceType, WeakKeyDictionary, ref

import numpy as np
from napari.layers import Image, Layer
from numpy.typing import NDArray

from napari_hsisynth.widgets.layers import METADATA, contrast_limits, display_gamma, layer_cube


@dataclass(frozen=True)
class _Made:
    cube_layer: ReferenceType[Layer]
    name: str  # what it was asked to be called, and what napari then called it
    called: str


class ViewLayers:
    """Adds and updates views in a viewer; a layer that the user has renamed, and any other one, is left alone.

    Parameters
    ----------
    viewer : napari.Viewer
        Not a plugin's proxy.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._made: WeakKeyDictionary[Layer, _Made] = WeakKeyDictionary()

    def of(self, cube_layer: Image) -> list[Image]:
        """Return the views of a cube layer that are still there under their names, the lowest first."""
        return [
            layer
            for layer in self._viewer.layers
            if (made := self._made.get(layer)) is not None
            and made.cube_layer() is cube_layer
            and layer.name == made.called
        ]

    def show(self, cube_layer: Image, view: str, picture: NDArray[Any], options: dict[str, Any]) -> Image:
        """Show a picture of a cube above it and its other views, in the layer that shows this view or in a new one.

        Parameters
        ----------
        cube_layer : Image
        view : str
            What it is called behind the cube's name: ``"CIE RGB"``.
        picture : ndarray, shape (y, x) or (y, x, 3)
            Values of the cube, or colour in 0..1.
        options : dict
            How it was made, for the layer's metadata.
        """
        cube = layer_cube(cube_layer)
        title = cube.name if cube is not None and cube.name else cube_layer.name
        name = f"{title} · {view}"
        colour = picture.ndim == 3
        data = np.round(picture * np.float32(255)).astype(np.uint8) if colour else picture
        fields: dict[str, Any] = {
            "scale": tuple(cube_layer.scale[-2:]),
            "translate": tuple(cube_layer.translate[-2:]),
            "metadata": {METADATA: {"view": view, "of": title, "options": options}},
        }
        if not colour:
            fields["contrast_limits"] = contrast_limits(picture)
            fields["gamma"] = display_gamma(picture[None], fields["contrast_limits"])
        layers = self._viewer.layers
        layer = next((one for one in self.of(cube_layer) if self._made[one].name == name), None)
        if layer is not None:
            layer.data = data
            for key, value in fields.items():
                setattr(layer, key, value)
            layer.visible = True
            top = self.of(cube_layer)[-1]
            if top is not layer:  # else the user would not see what was asked for
                layers.move(layers.index(layer), layers.index(top) + 1)
            return layer
        chosen = layers.selection.active
        layer = Image(data, name=name, rgb=colour, units=tuple(cube_layer.units[-2:]), axis_labels=("y", "x"), **fields)
        below = [cube_layer, *self.of(cube_layer)]
        layers.insert(max(layers.index(one) for one in below) + 1, layer)
        self._made[layer] = _Made(ref(cube_layer), name, layer.name)
        # the cube stays what the docks work on and the slider moves
        layers.selection.active = chosen if chosen in layers else cube_layer
        return layer

    def hide(self, cube_layer: Image) -> None:
        """Hide the views of a cube, so that its bands are seen."""
        for layer in self.of(cube_layer):
            layer.visible = False
        cube_layer.visible = True
