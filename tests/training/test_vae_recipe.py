"""The ELBO is what its name says, with sums; its parts agree with closed forms."""

import numpy as np
import pytest
import torch
from torch import distributions

from napari_hsisynth.training.ema import Average
from napari_hsisynth.training.recipes.latents import LatentGaussian
from napari_hsisynth.training.recipes.vae import gaussian_elbo


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
