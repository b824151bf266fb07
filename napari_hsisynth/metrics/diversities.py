"""How different the cubes of one set are from each other."""

from __future__ import annotations

from typing import Any

import array_api_compat

from napari_hsisynth.errors import InputError
from napari_hsisynth.metrics.arrays import Array, as_floating
from napari_hsisynth.metrics.thumbnails import band_scale, cell_px, squared_distances, thumbnails


def diversity(x: Any, *, reference: Any = None) -> Array:
    """Mean distance between two cubes of a set, in a space of small thumbnails.

    It falls when a generator draws the same few cubes again and again (mode collapse), and says nothing of whether they
    are right: hold it against the same figure of real cubes, and read it beside the distances between the sets.

    Parameters
    ----------
    x : array or tensor, shape (n, bands, y, x)
        Two cubes or more.
    reference : array or tensor, shape (m, bands, y, x), optional
        The set whose bands have deviation 1, for example the real one; `x` itself by default. Give the same to every
        set that is to be compared.

    Returns
    -------
    array or tensor, shape ()
        Root mean square difference per cell and band, in standard deviations of the reference, averaged over all pairs:
        0 for a set of equal cubes. Does not depend on n, but for chance.

    Notes
    -----
    As the mean pairwise distance that is used for image translation [1]_, with thumbnails of about 16 x 16 cells in all
    bands in place of features of a network that has never seen 16 bands. Noise of single pixels, which makes no cube a
    different one, is averaged out.

    References
    ----------
    .. [1] J.-Y. Zhu et al., "Toward multimodal image-to-image translation", NeurIPS 2017,
       https://arxiv.org/abs/1711.11586

    Examples
    --------
    >>> import numpy as np
    >>> two = np.stack([np.full((3, 16, 16), value) for value in (0.0, 1.0)])
    >>> float(diversity(two))  # one apart, in units of their deviation of 0.5
    2.0
    """
    distances = pairwise_distances(x, reference=reference)
    n = distances.shape[0]
    return distances.sum() / (n * (n - 1))


def pairwise_distances(x: Any, *, reference: Any = None) -> Array:
    """Distance between every two cubes of a set, shape (n, n); see `diversity`."""
    xp, x = as_floating(x, name="set", axes=4)
    if x.shape[0] < 2:
        raise InputError("one cube has no diversity", fix="pass 2 or more")
    if reference is None:
        reference = x
    else:
        other, reference = as_floating(reference, name="reference", axes=4)
        if xp is not other or reference.shape[1] != x.shape[1]:
            raise InputError("the reference is not of the same kind and bands as the set", where="reference")
    mean, spread = band_scale(xp, reference)
    cells = thumbnails(xp, x, cell_px(x.shape[-2:]))
    cells = (cells - mean[:, None, None]) / spread[:, None, None]
    rows = xp.reshape(cells, (cells.shape[0], -1))
    distances = xp.sqrt(squared_distances(rows, rows) / rows.shape[1])
    others = 1 - xp.eye(rows.shape[0], dtype=rows.dtype, device=array_api_compat.device(rows))
    return distances * others
