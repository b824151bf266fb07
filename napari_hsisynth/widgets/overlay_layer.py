"""`lay_over`: a layer of ours on the pixels of a cube, named after it."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Layer


def lay_over(viewer: Any, layer: Layer, image: Layer, what: str, *, above: int | None = None) -> None:
    """Name a 2-D layer ``<cube> · <what>`` and give it the axes of the cube that `image` shows.

    Parameters
    ----------
    viewer : napari.Viewer
    layer : napari.layers.Layer
        Of ours, on this cube or on the one before.
    image : napari.layers.Layer
        Shows the cube.
    what : str
    above : int, optional
        Move it so many places above the image; it stays where it is by default.
    """
    name = f"{image.name.split(' · ')[0]} · {what}"
    if layer.name != name:
        layer.name = name
    for attribute in ("scale", "translate"):
        wanted = getattr(image, attribute)[-2:]
        if not np.array_equal(getattr(layer, attribute), wanted):
            setattr(layer, attribute, wanted)
    for attribute in ("axis_labels", "units"):
        wanted = tuple(getattr(image, attribute)[-2:])
        if tuple(getattr(layer, attribute)) != wanted:
            setattr(layer, attribute, wanted)
    if above is not None and image in viewer.layers:
        here, below = viewer.layers.index(layer), viewer.layers.index(image)
        if here != (below + above if here > below else below + above - 1):
            viewer.layers.move(here, below + above)  # napari counts the places before it takes the layer out
