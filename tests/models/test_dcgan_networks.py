"""Generator and critics have the sizes of the published ones, take any bands and sides, and obey each switch."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="networks need the extra [train]")

from torch import nn  # noqa: E402

from napari_hsisynth.models.critics import Critic, band_frequencies  # noqa: E402
from napari_hsisynth.models.dcgan import DCGANGenerator  # noqa: E402


def weights(network):
    return sum(weight.numel() for weight in network.parameters())


def nobody(count):
    """Classes of images whose model is told none."""
    return torch.zeros(count, dtype=torch.int64)


@pytest.mark.parametrize("kind", ["2d", "3d"])
@pytest.mark.parametrize(("bands", "size"), [(16, 28), (16, 64), (3, 17), (224, 28), (1, 16), (5, 100)])
def test_any_bands_and_any_side(kind, bands, size):
    images = DCGANGenerator(bands=bands, image_size=size, latent_dim=4, width=4)(torch.randn(1, 4), nobody(1))
    assert images.shape == (1, bands, size, size)
    scores = Critic(bands=bands, image_size=size, width=4, kind=kind, fourier_arm=True)(images, nobody(1))
    assert scores.shape == (1,)
    assert torch.isfinite(scores).all()


@pytest.mark.parametrize(
    ("size", "sides"), [(28, [4, 7, 14, 28]), (64, [4, 8, 16, 32, 64]), (256, [4, 8, 16, 32, 64, 128, 256])]
)
def test_the_generator_climbs_from_four_pixels(size, sides):
    assert DCGANGenerator(bands=3, image_size=size, latent_dim=4, width=4).sides == sides


def test_the_generator_at_64_px_is_the_published_one():
    # noise - 512 x 4 x 4 - 256 x 8 x 8 - 128 x 16 x 16 - 64 x 32 x 32 - 3 x 64 x 64, kernels of 4, BatchNorm without
    # a bias before it; the last layer has one
    generator = DCGANGenerator(bands=3, image_size=64, latent_dim=100, width=64)
    kernels = 100 * 512 * 16 + 16 * (512 * 256 + 256 * 128 + 128 * 64 + 64 * 3)
    assert weights(generator) == kernels + 2 * (512 + 256 + 128 + 64) + 3


def test_the_critic_at_64_px_is_the_published_one():
    critic = Critic(bands=3, image_size=64, width=64)
    kernels = 16 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512) + 512 * 16
    assert weights(critic) == kernels + 64 + 128 + 256 + 512 + 1


def test_the_three_dimensional_critic_shares_its_weights_along_the_bands():
    few, many = (Critic(bands=bands, image_size=16, width=4, kind="3d") for bands in (8, 16))
    assert weights(many.spatial.features) == weights(few.spatial.features)
    assert few.spatial.features(torch.zeros(1, 1, 8, 16, 16)).shape == (1, 8, 2, 4, 4)  # halved as often as the side


@pytest.mark.parametrize(("size", "reach"), [(28, 22), (64, 46)])
def test_a_feature_of_the_critic_sees_what_its_kernels_add_up_to(size, reach):
    # after k layers of kernel 4 and stride 2: 4, 10, 22, 46
    critic = Critic(bands=2, image_size=size, width=2)
    images = torch.randn(1, 2, size, size, requires_grad=True)
    features = critic.spatial.features(images)
    features[0, :, features.shape[2] // 2, features.shape[3] // 2].sum().backward()
    seen = images.grad[0].abs().sum(dim=0) > 0
    assert (seen.any(dim=0).sum(), seen.any(dim=1).sum()) == (reach, reach)


def test_first_weights_are_those_of_the_paper():
    torch.manual_seed(0)
    generator = DCGANGenerator(bands=8, image_size=32, latent_dim=64, width=16)
    for network in (generator, Critic(bands=8, image_size=32, width=16)):
        drawn = torch.cat(
            [m.weight.detach().flatten() for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
        )
        assert abs(drawn.mean()) < 5 * 0.02 / len(drawn) ** 0.5
        assert drawn.std() == pytest.approx(0.02, rel=0.02)


@pytest.mark.parametrize("norm", ["batch", "none"])
def test_a_new_generator_makes_neither_nothing_nor_noise_of_any_strength(norm):
    torch.manual_seed(0)
    images = DCGANGenerator(bands=8, image_size=64, latent_dim=32, width=16, norm=norm)(torch.randn(8, 32), nobody(8))
    assert 0.05 < images.std() < 2


def test_without_batch_norm_an_image_does_not_depend_on_the_others():
    torch.manual_seed(0)
    noise = torch.randn(5, 4)
    for norm, independent in (("none", True), ("batch", False)):
        generator = DCGANGenerator(bands=3, image_size=16, latent_dim=4, width=4, norm=norm)
        together, alone = generator(noise, nobody(5))[2], generator(noise[2:3], nobody(1))[0]
        assert torch.allclose(together, alone, atol=1e-5) == independent


def test_diagnoses_change_images_and_scores():
    torch.manual_seed(0)
    generator = DCGANGenerator(bands=3, image_size=16, latent_dim=4, width=4, classes=3)
    critic = Critic(bands=3, image_size=16, width=4, classes=3, kind="3d", fourier_arm=True)
    noise, classes = torch.randn(1, 4).expand(3, 4), torch.arange(3)
    images = generator(noise, classes)
    assert (images[0] - images[1]).abs().max() > 1e-3
    scores = critic(images[:1].expand(3, -1, -1, -1), classes)
    assert len(set(scores.tolist())) == 3


def test_the_critic_projects_on_the_diagnosis():
    """The difference of two classes' scores is linear in the features, with the difference of their vectors."""
    torch.manual_seed(0)
    critic = Critic(bands=3, image_size=16, width=4, classes=2)
    image = torch.randn(1, 3, 16, 16)
    one, other = critic(image.expand(2, -1, -1, -1), torch.tensor([0, 1]))
    vectors = critic.spatial.head.classes.weight
    pooled = critic.spatial.features(image).mean(dim=(2, 3))[0]
    torch.testing.assert_close(other - one, pooled @ (vectors[1] - vectors[0]))


@pytest.mark.parametrize("kind", ["2d", "3d"])
def test_spectral_norm_bounds_the_gain_of_every_layer(kind):
    torch.manual_seed(0)
    critic = Critic(bands=6, image_size=16, width=4, kind=kind, spectral_norm=True, fourier_arm=True, classes=3)
    images, classes = torch.randn(2, 6, 16, 16), torch.tensor([0, 2])
    with torch.no_grad():
        for _ in range(200):  # one step of power iteration each
            critic(images, classes)
    critic.eval()
    layers = [m for m in critic.modules() if isinstance(m, nn.Conv2d | nn.Conv3d | nn.Linear | nn.Embedding)]
    assert len(layers) == 8
    for layer in layers:
        assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, abs=2e-3)


def test_frequencies_are_the_discrete_fourier_transform():
    spectra = np.random.default_rng(0).normal(size=(2, 7, 3, 4))
    expected = np.abs(np.fft.rfft(spectra, axis=1)) / np.sqrt(7)
    found = band_frequencies(torch.from_numpy(spectra).float())
    np.testing.assert_allclose(found, expected, atol=2e-4)


def test_frequencies_do_not_see_where_along_the_spectrum_a_feature_lies():
    torch.manual_seed(0)
    images = torch.randn(1, 16, 16, 16)
    rolled = images.roll(5, dims=1)
    torch.testing.assert_close(band_frequencies(rolled), band_frequencies(images))
    arm = Critic(bands=16, image_size=16, width=4, fourier_arm=True)
    torch.testing.assert_close(*(arm.frequencies(band_frequencies(x), nobody(1)) for x in (rolled, images)))
    assert arm(rolled, nobody(1)) != arm(images, nobody(1))  # the other arm does


def test_the_fourier_arm_has_two_derivatives_even_for_a_dark_cube():
    critic = Critic(bands=4, image_size=16, width=4, fourier_arm=True)
    images = torch.zeros(1, 4, 16, 16, requires_grad=True)
    (gradient,) = torch.autograd.grad(critic(images, nobody(1)).sum(), images, create_graph=True)
    gradient.square().sum().backward()
    for found in (gradient, images.grad, *(w.grad for w in critic.frequencies.parameters() if w.grad is not None)):
        assert torch.isfinite(found).all()
    images = torch.randn(1, 4, 16, 16, requires_grad=True)
    critic.frequencies(band_frequencies(images), nobody(1)).sum().backward()
    assert images.grad.abs().max() > 0
