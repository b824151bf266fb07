"""Flow matching: straight ways from noise to images, the velocity along them, and how to follow a velocity."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


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


def follow(velocity: Callable[[Tensor, Tensor], Tensor], noise: Tensor, steps: int, method: str = "heun") -> Tensor:
    """Move noise along a velocity from time 0 to 1, in equal steps.

    Parameters
    ----------
    velocity : callable
        Of points (n, ...) and times (n,).
    noise : Tensor, shape (n, ...)
    steps : int
        1 or more.
    method : {"euler", "heun"}
        Euler's method asks for the velocity once in a step, and its error falls with the number of steps; Heun's asks
        twice, and its error falls with the square. The last step is Euler's in any case (as in Karras et al. 2022,
        arXiv 2206.00364): at time 1 itself the velocity no longer knows of what little noise is left.

    Returns
    -------
    Tensor, shape (n, ...)
    """
    points, length = noise, 1 / steps
    for number in range(steps):
        begin, end = (noise.new_full((len(noise),), at / steps) for at in (number, number + 1))
        direction = velocity(points, begin)
        if method == "heun" and number + 1 < steps:
            direction = (direction + velocity(points + length * direction, end)) / 2
        points = points + length * direction
    return points
