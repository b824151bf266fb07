"""Flow matching against what can be worked out: points, normal distributions, and the orders of the samplers."""

import pytest
import torch

from napari_hsisynth.training.flow_matching import follow, on_the_way, shifted, time_shift

MEAN, STD = 1.5, 0.4


def to_normal(points, time):
    """The velocity from standard normal noise to a normal distribution, E[image - noise | point]."""
    time = time.view(-1, *[1] * (points.ndim - 1))
    variance = (1 - time) ** 2 + time**2 * STD**2
    return MEAN + (time * STD**2 - (1 - time)) / variance * (points - time * MEAN)


@pytest.mark.parametrize("method", ["euler", "heun"])
def test_noise_becomes_the_normal_distribution_that_the_velocity_leads_to(method):
    noise = torch.randn(2000, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(
        follow(to_normal, noise, torch.linspace(0, 1, 401), method), MEAN + STD * noise, atol=1e-2, rtol=0
    )


@pytest.mark.parametrize(("method", "order"), [("euler", 1), ("heun", 2)])
def test_the_error_falls_as_the_order_of_the_method_says(method, order):
    noise = torch.linspace(-2, 2, 9, dtype=torch.float64)[:, None]
    grids = [shifted(torch.linspace(0, 1, steps + 1, dtype=torch.float64), 3.0) for steps in (128, 256)]
    errors = [(follow(to_normal, noise, times, method) - MEAN - STD * noise).abs().max() for times in grids]
    assert errors[0] / errors[1] == pytest.approx(2**order, rel=0.15)


@pytest.mark.parametrize("method", ["euler", "heun"])
@pytest.mark.parametrize("steps", [1, 5])
def test_all_ways_to_one_image_end_there_and_its_velocity_has_no_loss(method, steps):
    image = torch.tensor([[2.0, -1.0]])

    def velocity(points, time):
        return (image - points) / (1 - time[:, None])

    noise = torch.randn(7, 2, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(follow(velocity, noise, torch.linspace(0, 1, steps + 1), method), image.expand(7, 2))
    time = torch.linspace(0, 0.9, 7)
    points, target = on_the_way(noise, image.expand(7, 2), time)
    torch.testing.assert_close(velocity(points, time), target)


def test_ways_begin_at_the_noise_and_end_at_the_image():
    noise, images = torch.randn(2, 3, 3, 4, 4)
    for time, ends in ((0.0, noise), (1.0, images)):
        torch.testing.assert_close(on_the_way(noise, images, torch.full((3,), time))[0], ends)


def test_a_shift_makes_up_for_a_mean_that_stands_out_more():
    """The mean of four times as many values is seen through twice the noise: as well at a time as before at another."""
    times = torch.tensor([0.0, 0.2, 0.5, 1.0])
    few, many = 3 * 32 * 32, 3 * 64 * 64
    before, after = (shifted(times, time_shift(values)) for values in (few, many))
    seen = [time / ((1 - time) / values**0.5) for time, values in ((before, few), (after, many))]
    torch.testing.assert_close(*seen)
    assert torch.equal(before, times)
