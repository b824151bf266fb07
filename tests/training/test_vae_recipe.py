"""The ELBO is what its name says, with sums; its parts agree with closed forms."""

import numpy as np
import pytest
import torch
from torch import distributions

from napari_hsisynth.training.ema import Average
from napari_hsisynth.training.recipes.latents import LatentGaussian
from napari_hsisynth.training.recipes.objectives import gaussian_elbo


@pytest.mark.parametrize("beta", [0.0, 1.0, 4.0])
def test_the_elbo_is_the_sum_of_log_densities(beta):
    torch.manual_seed(0)
    images, reconstruction = torch.randn(3, 2, 5, 6), torch.randn(3, 2, 5, 6)
    mean, log_variance, variance = torch.randn(3, 4), torch.randn(3, 4), torch.tensor([0.3, 2.0])
    elbo, kl = gaussian_elbo(images, reconstruction, mean, log_variance, variance, beta)
    likelihood = distributions.Normal(reconstruction, variance.sqrt()[:, None, None])
    posterior = distributions.Normal(mean, (0.5 * log_variance).exp())
    divergence = distributions.kl_divergence(posterior, distributions.Normal(0.0, 1.0)).sum(dim=1)
    torch.testing.assert_close(kl, divergence)
    torch.testing.assert_close(elbo, likelihood.log_prob(images).sum(dim=(1, 2, 3)) - beta * divergence)


def test_fitted_latents_have_the_moments_of_the_aggregate_posterior():
    torch.manual_seed(0)
    true = torch.tensor([[2.0, 0.0, 0.0], [1.0, 0.5, 0.0], [0.0, 0.0, 1.0]])
    means = torch.randn(20_000, 3) @ true.T + torch.tensor([1.0, -2.0, 0.5])
    fitted = LatentGaussian.fit(means, torch.full_like(means, 0.09))
    drawn = fitted.latents(torch.randn(50_000, 3))
    np.testing.assert_allclose(drawn.mean(dim=0), [1.0, -2.0, 0.5], atol=0.05)
    expected = true @ true.T + 0.09 * torch.eye(3)
    np.testing.assert_allclose(torch.cov(drawn.T).diagonal(), expected.diagonal(), rtol=0.05)
    np.testing.assert_allclose(torch.cov(drawn.T)[0, 1], 0.95 * expected[0, 1], rtol=0.05)  # shrunk by 5 %


def test_one_image_is_enough_to_fit_latents():
    fitted = LatentGaussian.fit(torch.ones(1, 4), torch.full((1, 4), 0.01))
    assert torch.isfinite(fitted.latents(torch.randn(3, 4))).all()


def test_the_prior_is_standard_normal():
    noise = torch.randn(5, 7)
    assert torch.equal(LatentGaussian.prior(7).latents(noise), noise)
    assert torch.equal(LatentGaussian.prior(7, 3).latents(noise, torch.tensor([0, 2, 1, 1, 0])), noise)


def test_latents_of_each_class_lie_where_its_posteriors_do():
    torch.manual_seed(0)
    classes = torch.arange(40_000) % 2
    spreads = torch.tensor([[1.0, 0.2], [0.5, 2.0]])
    means = 3.0 * (2 * classes[:, None] - 1) + torch.randn(40_000, 2) * spreads[classes]
    fitted = LatentGaussian.fit(means, torch.zeros_like(means), classes, 2)
    for told in (0, 1):
        drawn = fitted.latents(torch.randn(40_000, 2), torch.full((40_000,), told))
        np.testing.assert_allclose(drawn.mean(dim=0), [6 * told - 3] * 2, atol=0.05)
        np.testing.assert_allclose(drawn.std(dim=0), spreads[told], rtol=0.05)


def test_a_rare_class_has_its_own_mean_and_the_spread_of_the_others():
    torch.manual_seed(0)
    means = torch.cat([torch.randn(1000, 4), torch.full((1, 4), 9.0)])
    classes = torch.cat([torch.zeros(1000), torch.ones(1)]).long()
    fitted = LatentGaussian.fit(means, torch.zeros_like(means), classes, 3)  # none of class 2
    np.testing.assert_allclose(fitted.mean[1], 9.0)
    np.testing.assert_allclose(fitted.factor[1].diagonal(), 0.8**0.5, rtol=0.1)  # 4 of 1 + 4 parts from the others
    np.testing.assert_allclose(fitted.mean[2], means.mean(dim=0), atol=1e-5)
    assert torch.isfinite(fitted.factor).all()


def test_the_average_follows_weights_and_copies_buffers():
    network = torch.nn.BatchNorm1d(3)
    average = Average(network, decay=0.5)
    with torch.no_grad():
        network.weight.fill_(4.0)
        network.running_mean.fill_(7.0)
    average.steps = 1000  # past the opening phase
    average.update(network)
    assert average.network.weight.tolist() == [2.5] * 3
    assert average.network.running_mean.tolist() == [7.0] * 3
