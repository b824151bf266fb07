"""Where the latents of a trained encoder lie, fitted so that samples are drawn from there."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

#: Shrinkage of the covariance towards its diagonal: few crops do not determine all correlations.
_SHRINKAGE = 0.05


@dataclass
class LatentGaussian:
    """A normal distribution over latents for each class, by default the prior itself.

    The prior of a VAE trained on a few dozen crops is not where its encoder puts them: the aggregate posterior leaves
    most of the prior empty, and a draw from an empty region decodes to grey mist. A plain autoencoder has no prior at
    all. The remedy is the ex-post density estimate of Ghosh et al. (2020, arXiv 1903.12436): the mean and full
    covariance of the aggregate posterior over augmented training crops. The model and its loss stay as they are.

    Parameters
    ----------
    mean : Tensor, shape (classes, latent_dim)
        Centre.
    factor : Tensor, shape (classes, latent_dim, latent_dim)
        Lower triangular; covariance = factor @ factor.T.
    """

    mean: Tensor
    factor: Tensor

    @classmethod
    def prior(cls, latent_dim: int, classes: int = 1) -> LatentGaussian:
        """The standard normal, for every class."""
        return cls(torch.zeros(classes, latent_dim), torch.eye(latent_dim).repeat(classes, 1, 1))

    @classmethod
    def fit(
        cls, means: Tensor, variances: Tensor, classes: Tensor | None = None, class_count: int = 1
    ) -> LatentGaussian:
        """Moments of the mixture of posteriors of each class.

        A class has its own mean. Its covariance is drawn towards the mean covariance within all classes, the more the
        fewer posteriors it has (by half when there are as many as latents), for a rare class does not determine one. A
        class without any posterior gets the moments of all.

        Parameters
        ----------
        means, variances : Tensor, shape (n, latent_dim)
            Of the posteriors; variances of 0 for an encoder without noise.
        classes : Tensor of int64, shape (n,), optional
            Of each; by default all are of class 0.
        class_count : int
            How many there are.
        """
        # on the CPU in double precision: a Cholesky factor in single precision fails for nearly dependent latents
        means, variances = means.detach().cpu().double(), variances.detach().cpu().double()
        classes = torch.zeros(len(means), dtype=torch.int64) if classes is None else classes.cpu()
        members = [classes == number for number in range(class_count)]
        moments = [_moments(means[own], variances[own]) if own.any() else None for own in members]
        shares = [float(own.double().mean()) for own in members]
        within = sum(share * one[1] for share, one in zip(shares, moments, strict=True) if one is not None)
        everything = _moments(means, variances)

        centres, factors = [], []
        for own, one in zip(members, moments, strict=True):
            centre, covariance = one or everything
            if one is not None:
                weight = int(own.sum()) / (int(own.sum()) + means.shape[1])
                covariance = weight * covariance + (1 - weight) * within
            centres.append(centre)
            factors.append(torch.linalg.cholesky(covariance))
        return cls(torch.stack(centres).float(), torch.stack(factors).float())

    def latents(self, noise: Tensor, classes: Tensor | None = None) -> Tensor:
        """Turn standard normal `noise` (n, latent_dim) into latents of `classes` (n,), on the device of `noise`.

        Without `classes`, all are of class 0.
        """
        mean, factor = self.mean.to(noise), self.factor.to(noise)
        if len(mean) == 1 or classes is None:
            return mean[0] + noise @ factor[0].T
        classes = classes.to(noise.device)
        return mean[classes] + torch.einsum("nij,nj->ni", factor[classes], noise)


def _moments(means: Tensor, variances: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and shrunk covariance of a mixture of diagonal normals."""
    centre = means.mean(dim=0)
    spread = (means - centre).T @ (means - centre) / len(means)
    covariance = (1 - _SHRINKAGE) * spread + _SHRINKAGE * torch.diag(spread.diagonal())
    return centre, covariance + torch.diag(variances.mean(dim=0) + 1e-6)
