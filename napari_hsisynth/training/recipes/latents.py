"""Where the latents of a trained encoder lie, fitted so that samples are drawn from there."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

#: Shrinkage of the covariance towards its diagonal: few crops do not determine all correlations.
_SHRINKAGE = 0.05


@dataclass
class LatentGaussian:
    """A normal distribution over latents, by default the prior itself.

    The prior of a VAE trained on a few dozen crops is not where its encoder puts them: the aggregate posterior leaves
    most of the prior empty, and a draw from an empty region decodes to grey mist. The remedy is the ex-post density
    estimate of Ghosh et al. (2020, arXiv 1903.12436): the mean and full covariance of the aggregate posterior over
    augmented training crops. The model and its ELBO stay as they are.

    Parameters
    ----------
    mean : Tensor, shape (latent_dim,)
        Centre.
    factor : Tensor, shape (latent_dim, latent_dim)
        Lower triangular; covariance = factor @ factor.T.
    """

    mean: Tensor
    factor: Tensor

    @classmethod
    def prior(cls, latent_dim: int) -> LatentGaussian:
        """The standard normal."""
        return cls(torch.zeros(latent_dim), torch.eye(latent_dim))

    @classmethod
    def fit(cls, means: Tensor, variances: Tensor) -> LatentGaussian:
        """Moments of the mixture of posteriors with these means and variances, each (n, latent_dim)."""
        # on the CPU in double precision: a Cholesky factor in single precision fails for nearly dependent latents
        means, variances = means.detach().cpu().double(), variances.detach().cpu().double()
        centre = means.mean(dim=0)
        spread = (means - centre).T @ (means - centre) / len(means)
        covariance = (1 - _SHRINKAGE) * spread + _SHRINKAGE * torch.diag(spread.diagonal())
        covariance += torch.diag(variances.mean(dim=0) + 1e-6)
        return cls(centre.float(), torch.linalg.cholesky(covariance).float())

    def latents(self, noise: Tensor) -> Tensor:
        """Turn standard normal `noise` (n, latent_dim) into latents, on the device of `noise`."""
        return self.mean.to(noise) + noise @ self.factor.to(noise).T
