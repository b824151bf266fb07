"""Networks between RGB images and cubes: published sizes, any side, what a patch sees, closed forms of the view."""

import pytest

torch = pytest.importorskip("torch", reason="networks need the extra [train]")

from torch import nn  # noqa: E402

from napari_hsisynth.models.cyclegan import (  # noqa: E402
    RECEPTIVE_FIELDS_PX,
    CubeFromRGB,
    PatchCritic,
    RGBFromCube,
    strided_for,
)
from napari_hsisynth.models.linear_base import LinearBase  # noqa: E402
from napari_hsisynth.models.rgb_map import RGBMap, srgb_decode, srgb_encode  # noqa: E402
from napari_hsisynth.models.spectral_decoder import SpectralDecoder  # noqa: E402
from napari_hsisynth.models.unet import RGBUNet  # noqa: E402

#: A spectral basis of three components, and a linear base.
PARTS = {"spectra": SpectralDecoder(16, 3), "base": LinearBase(3)}


def weights(network):
    return sum(weight.numel() for weight in network.parameters())


def nobody(count):
    """Classes of images whose model is told none."""
    return torch.zeros(count, dtype=torch.int64)


def makers(image_size=32, bands=5, **options):
    """Both generators of cubes, small."""
    return (
        RGBUNet(bands=bands, image_size=image_size, width=4, **options),
        CubeFromRGB(bands, width=4, blocks=1, **options),
    )


@pytest.mark.parametrize(("bands", "size"), [(16, 16), (3, 17), (224, 30), (1, 64), (5, 101)])
def test_any_bands_and_any_side(bands, size):
    rgb = torch.rand(1, 3, size, size)
    for network in makers(size, bands):
        images = network(rgb, nobody(1))
        assert images.shape == (1, bands, size, size)
        seen = RGBFromCube(bands, width=4, blocks=1)(images, nobody(1))
        assert seen.shape == rgb.shape
        assert seen.min() >= 0
        assert seen.max() <= 1
        scores = PatchCritic(bands, width=4, strided=strided_for(size))(images, nobody(1))
        assert scores.shape[:2] == (1, 1)
        assert torch.isfinite(scores).all()


def test_the_published_translator_and_critic_have_the_published_sizes():
    # with 3 channels on both sides: c7s1-64, d128, d256, 9 x R256, u128, u64, c7s1-3; every convolution has a bias
    channels = [3, 64, 128, 256]
    expected = 49 * 3 * 64 + 64 + sum(9 * a * b + b for a, b in ((64, 128), (128, 256), (256, 128), (128, 64)))
    expected += 9 * 2 * (9 * 256 * 256 + 256) + 49 * 64 * 3 + 3
    assert weights(RGBFromCube(channels[0], width=64, blocks=9)) == expected
    assert weights(CubeFromRGB(3, width=64, blocks=9)) == expected
    layers = ((3, 64), (64, 128), (128, 256), (256, 512), (512, 1))
    assert weights(PatchCritic(3)) == sum(16 * a * b + b for a, b in layers)


def test_the_u_net_has_a_level_for_each_halving_down_to_four_pixels():
    network = RGBUNet(bands=16, image_size=32, width=8)  # 32, 16, 8 and 4 px with 8, 16, 32 and 64 channels
    down = [(3 * 9, 8), (8 * 16, 16), (16 * 16, 32), (32 * 16, 64)]
    up = [((64 + 32) * 9, 32), ((32 + 16) * 9, 16), ((16 + 8) * 9, 8), (8, 16)]
    assert weights(network) == sum((inputs + 1) * channels for inputs, channels in down + up)
    assert [RGBUNet(bands=1, image_size=side, width=4).depth for side in (16, 64, 256, 1024)] == [2, 4, 5, 5]


@pytest.mark.parametrize("side", [16, 64, 128])
def test_a_new_patch_critic_hears_the_class_and_still_sees_the_image(side):
    torch.manual_seed(0)
    critic = PatchCritic(16, width=16, strided=strided_for(side), classes=2)
    images = torch.randn(8, 16, side, side)
    plain, other = (critic(images, torch.full((8,), number)) for number in (0, 1))
    assert 0.02 < (plain - other).std() / plain.std() < 1  # from patch to patch, not for all alike


@pytest.mark.parametrize("strided", RECEPTIVE_FIELDS_PX)
def test_a_patch_is_as_large_as_it_is_said_to_be(strided):
    critic = PatchCritic(1, width=2, strided=strided, classes=2)
    # an InstanceNorm lets every pixel count a little: without it the convolutions alone decide
    critic.features = nn.Sequential(*(m for m in critic.features if not isinstance(m, nn.InstanceNorm2d)))
    image = torch.randn(1, 1, 160, 160, requires_grad=True)
    scores = critic(image, nobody(1))
    scores[0, 0, scores.shape[2] // 2, scores.shape[3] // 2].backward()
    seen = image.grad[0, 0] != 0
    side = RECEPTIVE_FIELDS_PX[strided]
    assert (seen.any(dim=0).sum(), seen.any(dim=1).sum()) == (side, side)


@pytest.mark.parametrize(("image_size", "side"), [(16, 16), (33, 16), (64, 34), (70, 70), (256, 70)])
def test_patches_fit_into_the_images(image_size, side):
    assert RECEPTIVE_FIELDS_PX[strided_for(image_size)] == side


def test_diagnoses_change_what_every_network_makes():
    torch.manual_seed(0)
    rgb, told = torch.rand(1, 3, 32, 32).expand(2, -1, -1, -1), torch.arange(2)
    for network in (*makers(classes=2), PatchCritic(3, width=4, strided=1, classes=2)):
        one, other = network(rgb, told)
        assert (one - other).abs().max() > 1e-3
        assert any("class" in name for name in network.state_dict())
        assert not any("class" in name for name in makers()[0].state_dict())


def test_an_image_depends_on_itself_alone():
    torch.manual_seed(0)
    rgb = torch.rand(3, 3, 32, 32)
    for network in (*makers(), PatchCritic(3, width=4, strided=2)):
        together, alone = network(rgb, nobody(3))[1], network(rgb[1:2], nobody(1))[0]
        torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)


def test_with_a_base_the_networks_begin_at_it_and_can_leave_it():
    torch.manual_seed(0)
    rgb, spectra = torch.rand(500, 3), torch.randn(500, 5)
    base = LinearBase(5)
    base.fit(rgb, spectra)
    images = torch.rand(2, 3, 16, 16)
    for network in makers(16, base=base):
        torch.testing.assert_close(network(images, nobody(2)), base(images))
        network(images, nobody(2)).square().mean().backward()
        assert any(weight.grad is not None and weight.grad.abs().max() > 0 for weight in network.parameters())


def test_the_base_is_the_regression_of_least_squares():
    torch.manual_seed(0)
    rgb = torch.rand(400, 3, dtype=torch.float64)
    factors = torch.cat([srgb_decode(rgb), torch.ones(400, 1)], dim=1)
    spectra = factors @ torch.randn(4, 6, dtype=torch.float64) + 0.1 * torch.randn(400, 6)
    base = LinearBase(6)
    base.fit(rgb, spectra)
    left = spectra - base(rgb.float()[:, :, None, None])[:, :, 0, 0]
    torch.testing.assert_close(factors.T @ left.double(), torch.zeros(4, 6).double(), atol=1e-3, rtol=0)


def test_a_base_of_grey_images_is_finite():
    base = LinearBase(2)
    base.fit(torch.linspace(0, 1, 50)[:, None].expand(-1, 3), torch.randn(50, 2))
    assert torch.isfinite(base(torch.rand(1, 3, 4, 4))).all()


def test_a_spectral_basis_stands_behind_the_base():
    for network in makers(16, bands=16, **PARTS):
        assert network(torch.rand(1, 3, 16, 16), nobody(1)).shape == (1, 16, 16, 16)


# --- the view


def view(bands=6, white=0.5):
    """A map of arbitrary weights, each channel's with sum 1, of values with mean 0.3 and deviation 0.1."""
    torch.manual_seed(0)
    shares = torch.rand(3, bands, dtype=torch.float64)
    colours = RGBMap(bands)
    colours.put(
        shares / shares.sum(dim=1, keepdim=True), torch.full((bands,), 0.3), torch.full((bands,), 0.1), white=white
    )
    return colours


@pytest.mark.parametrize("value", [0.0, 0.001, 0.1, 0.3, 0.5])
def test_a_flat_spectrum_is_neutral_and_as_bright_as_the_formula_says(value):
    share = value / 0.5
    expected = 12.92 * share if share <= 0.0031308 else 1.055 * share ** (1 / 2.4) - 0.055
    seen = view().render(torch.full((1, 6, 1, 1), (value - 0.3) / 0.1))
    torch.testing.assert_close(seen.flatten(), torch.full((3,), expected), atol=2e-6, rtol=1e-5)


def test_gamma_and_its_inverse_go_on_beyond_what_a_screen_shows():
    linear = torch.cat([torch.linspace(-0.2, 2, 400, dtype=torch.float64), torch.tensor([0.0031308, 0.0, 1.0])])
    torch.testing.assert_close(srgb_decode(srgb_encode(linear)), linear, atol=1e-7, rtol=1e-6)
    assert (srgb_encode(linear[:400]).diff() > 0).all()
    linear.requires_grad_()
    srgb_encode(linear).sum().backward()
    assert torch.isfinite(linear.grad).all()
    assert (linear.grad > 0).all()


def test_a_clipped_channel_only_says_at_least_or_at_most():
    colours = view(white=0.5)
    bright, dark = torch.full((1, 6, 1, 1), 5.0), torch.full((1, 6, 1, 1), -3.5)  # values 0.8 and -0.05
    white, black, grey = (torch.full((1, 3, 1, 1), level) for level in (1.0, 0.0, 0.5))
    assert colours.error(bright, white) == 0
    assert colours.error(dark, black) == 0
    assert colours.error(dark, white) > 1
    assert colours.error(bright, black) > 1
    torch.testing.assert_close(colours.error(bright, grey), colours(bright).mean() - 0.5)


def test_the_map_has_nothing_to_learn():
    assert not list(RGBMap(4).parameters())
    assert not list(LinearBase(4).parameters())
