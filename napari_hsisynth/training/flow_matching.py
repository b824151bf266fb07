"""Flow matching: straight ways from noise to images, the velocity along them, and how to follow a velocity."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

#: Values of an image whose times are left as they are: those of the small RGB images that flow matching began with.
_UNSHIFTED_VALUES = 3 * 32 * 32


def on_the_way(noise: Tensor, images: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
    """Points on the straight ways from noise to images, and the velocity there.

    A network that has learnt the mean velocity at every point and time moves standard normal noise, from time 0 to 1,
    to the distribution of the images (Lipman et al. 2023, arXiv 2210.02747, with sigma_min = 0; Liu et al. 2023,
    arXiv 2209.03003).

    Parameters
    ----------
    noise, images : Tensor, shape (n, ...)
    time : Tensor, shape (n,)
        0 for the noise, 1 for the image.

    Returns
    -------
    points, velocity : Tensor, shape (n, ...)

    Examples
    --------
    >>> point, velocity = on_the_way(torch.tensor([0.0]), torch.tensor([2.0]), torch.tensor([0.25]))
    >>> float(point), float(velocity)
    (0.5, 2.0)
    """
    share = time.view(-1, *[1] * (images.ndim - 1))
    return torch.lerp(noise, images, share), images - noise


def time_shift(values: int) -> float:
    """How many times closer to the noise an image is decided than one of 3 x 32 x 32 values.

    The more pixels and bands agree on something, the more noise it is seen through: the place and size of a lesion in
    16 bands already at a time of about 0.01. The root of the number of values is how far their mean stands out (Esser
    et al. 2024, arXiv 2403.03206, section 5.3.2).

    Parameters
    ----------
    values : int
        Bands (or components) times pixels.

    Returns
    -------
    float
        1 or more.

    Examples
    --------
    >>> time_shift(3 * 32 * 32), time_shift(3 * 64 * 64), time_shift(16)
    (1.0, 2.0, 1.0)
    """
    return max(1.0, math.sqrt(values / _UNSHIFTED_VALUES))


def shifted(time: Tensor, shift: float) -> Tensor:
    """Times in [0, 1] moved towards the noise: the odds of the image against the noise are divided by `shift`."""
    return time / (time + shift * (1 - time))


def follow(velocity: Callable[[Tensor, Tensor], Tensor], noise: Tensor, times: Tensor, method: str = "heun") -> Tensor:
    """Move noise along a velocity from the first time to the last.

    Parameters
    ----------
    velocity : callable
        Of points (n, ...) and times (n,).
    noise : Tensor, shape (n, ...)
    times : Tensor, shape (steps + 1,)
        Rising from 0 to 1.
    method : {"euler", "heun"}
        Euler's method asks for the velocity once in a step, and its error falls with the number of steps; Heun's asks
        twice, and its error falls with the square. The last step is Euler's in any case (as in Karras et al. 2022,
        arXiv 2206.00364): at time 1 itself the velocity no longer knows of what little noise is left.

    Returns
    -------
    Tensor, shape (n, ...)
    """
    points = noise
    for number, (begin, end) in enumerate(pairwise(times.tolist())):
        direction = velocity(points, points.new_full((len(points),), begin))
        if method == "heun" and number + 2 < len(times):
            ahead = velocity(points + (end - begin) * direction, points.new_full((len(points),), end))
            direction = (direction + ahead) / 2
        points = points + (end - begin) * direction
    return points
