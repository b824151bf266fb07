"""The network takes any number of bands and any allowed size, and treats every image by itself."""

import pytest

torch = pytest.importorskip("torch", reason="networks need the extra [train]")

from napari_hsisynth.models.vae import VAE, pyramid  # noqa: E402


@pytest.mark.parametrize(("bands", "size"), [(16, 64), (3, 16), (7, 48), (1, 80), (16, 256), (4, 45), (5, 30)])
def test_shapes(bands, size):
    vae = VAE(bands=bands, image_size=size, latent_dim=6, width=4)
    image, mean, log_variance = vae(torch.zeros(2, bands, size, size), torch.zeros(2, 6))
    assert image.shape == (2, bands, size, size)
    assert mean.shape == log_variance.shape == (2, 6)
    assert torch.isfinite(image).all()


@pytest.mark.parametrize(("size", "sides"), [(64, [64, 32, 16, 8, 4]), (45, [45, 23, 12, 6, 3])])
def test_the_pyramid_halves(size, sides):
    assert pyramid(size) == sides


def test_a_sample_needs_nothing_from_the_encoder():
    vae = VAE(bands=4, image_size=16, latent_dim=3, width=4)
    latents = torch.randn(2, 3)
    before = vae.decode(latents)
    for weight in vae.encoder.parameters():
        torch.nn.init.normal_(weight)
    assert torch.equal(vae.decode(latents), before)


def test_encoder_and_decoder_are_told_the_class():
    torch.manual_seed(0)
    vae = VAE(bands=4, image_size=16, latent_dim=3, width=4, classes=2)
    images, latents = torch.randn(1, 4, 16, 16), torch.randn(1, 3)
    told = [torch.tensor([number]) for number in (0, 1)]
    assert not torch.equal(vae.encode(images, told[0])[0], vae.encode(images, told[1])[0])
    assert not torch.equal(vae.decode(latents, told[0]), vae.decode(latents, told[1]))
    alone = VAE(bands=4, image_size=16, latent_dim=3, width=4)  # one class is none
    assert torch.equal(alone.decode(latents, told[0]), alone.decode(latents))


def test_an_image_does_not_depend_on_the_others_of_its_batch():
    torch.manual_seed(0)
    vae = VAE(bands=4, image_size=16, latent_dim=3, width=4)
    images, noise = torch.randn(5, 4, 16, 16), torch.randn(5, 3)
    together, alone = vae(images, noise)[0][2], vae(images[2:3], noise[2:3])[0][0]
    assert torch.allclose(together, alone, atol=1e-5)


def test_signal_stays_in_range_at_any_depth():
    torch.manual_seed(0)
    for size in (16, 64, 256):
        vae = VAE(bands=16, image_size=size, latent_dim=64, width=8)
        image, mean, _ = vae(torch.randn(2, 16, size, size), torch.randn(2, 64))
        assert 0.01 < image.std() < 100
        assert mean.std() < 100
