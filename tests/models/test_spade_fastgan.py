"""The mask reaches every level of the generator and both arms of the critic; a class acts inside its lesion only."""

import pytest

torch = pytest.importorskip("torch", reason="networks need the extra [train]")

from torch import nn  # noqa: E402

from napari_hsisynth.models.fastgan import FastGANGenerator  # noqa: E402
from napari_hsisynth.models.spade import SPADE  # noqa: E402
from napari_hsisynth.models.spade_fastgan import SPADEFastGANCritic, SPADEFastGANGenerator  # noqa: E402

SMALL = {"bands": 3, "image_size": 64, "width": 4}


def nobody(count):
    """Classes of images whose model is told none."""
    return torch.zeros(count, dtype=torch.int64)


def weights(network):
    return sum(weight.numel() for weight in network.parameters())


def a_disc(count=1, side=64, radius=16):
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    return ((y - side // 2) ** 2 + (x - side // 2) ** 2 <= radius**2).expand(count, -1, -1)


def generator(**changes):
    torch.manual_seed(0)
    return SPADEFastGANGenerator(**{**SMALL, "latent_dim": 4, "mask_width": 4, **changes})


@pytest.mark.parametrize("size", [64, 128, 256])
def test_every_norm_of_the_generator_is_told_the_mask_and_has_no_parameters_of_its_own(size):
    made = generator(image_size=size, width=2)
    told = [module for module in made.modules() if isinstance(module, SPADE)]
    plain = FastGANGenerator(bands=3, image_size=size, latent_dim=4, width=2)
    assert len(told) == sum(isinstance(module, nn.BatchNorm2d) for module in plain.modules())
    assert not any(list(norm.norm.parameters()) for norm in told)
    # instead of a scale and a shift for each channel: 3 x 3 kernels from the mask to 4 channels, and from there to both
    norms = [norm.norm.num_features for norm in told]
    assert weights(made) - weights(plain) == sum(9 * 4 + 4 + 2 * (9 * 4 + 1) * c - 2 * c for c in norms)


def test_each_level_of_the_generator_sees_its_own_planes():
    made = generator().eval()
    seen = {}
    for name, module in made.named_modules():
        if isinstance(module, SPADE):
            module.register_forward_hook(
                lambda _, given, __, name=name: seen.update({name: [tuple(one.shape[-2:]) for one in given]})
            )
    made(torch.randn(1, 4), a_disc(), nobody(1))
    sides = {features[0] for features, _ in seen.values()}
    assert sides == {4, 8, 16, 32, 64}
    assert all(planes == (features[0] + 4, features[1] + 4) for features, planes in seen.values())


def test_the_mask_changes_the_image_and_its_small_version():
    made = generator().eval()
    latent = torch.randn(1, 4)
    with torch.no_grad():
        with_one, without = (made(latent, mask, nobody(1)) for mask in (a_disc(), torch.zeros(1, 64, 64)))
        again = made(latent, a_disc(), nobody(1))
    for one, other, same in zip(with_one, without, again, strict=True):
        assert (one - other).abs().max() > 1e-3 * one.std()
        assert torch.equal(one, same)


def test_a_mask_is_taken_at_any_size():
    made = generator().eval()
    latent = torch.randn(1, 4)
    fine = a_disc().repeat_interleave(2, 1).repeat_interleave(2, 2)
    for one, other in zip(made(latent, a_disc(), nobody(1)), made(latent, fine, nobody(1)), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("make", [generator, lambda **changes: SPADEFastGANCritic(**{**SMALL, **changes})])
def test_weights_that_depend_on_the_number_of_diagnoses_say_so_by_name(make):
    two, five = (dict(make(classes=count).named_parameters()) for count in (2, 5))
    assert two.keys() == five.keys()
    different = [name for name in two if two[name].shape != five[name].shape]
    assert different
    assert all("class" in name for name in different)


def test_an_empty_mask_has_no_diagnosis_and_a_lesion_has():
    made = generator(classes=3).eval()
    latent = torch.randn(1, 4).expand(2, -1)
    with torch.no_grad():
        empty, _ = made(latent, torch.zeros(2, 64, 64), torch.tensor([0, 2]))
        shown, _ = made(latent, a_disc(2), torch.tensor([0, 2]))
    assert torch.equal(empty[0], empty[1])
    assert not torch.equal(shown[0], shown[1])


def test_the_critic_looks_at_the_mask_in_both_arms_and_decodes_bands_only():
    torch.manual_seed(0)
    critic = SPADEFastGANCritic(**SMALL).eval()
    images, small = torch.randn(1, 3, 64, 64), torch.randn(1, 3, 32, 32)
    there, nowhere = a_disc(), torch.zeros(1, 64, 64)
    with torch.no_grad():
        one = critic(images, small, there, there, nobody(1))
        of_image = critic(images, small, nowhere, there, nobody(1))
        of_small = critic(images, small, there, nowhere, nobody(1))
    for other, same, changed in ((of_image, slice(25, 50), slice(25)), (of_small, slice(25), slice(25, 50))):
        assert torch.equal(one.logits[:, same], other.logits[:, same])
        assert not torch.equal(one.logits[:, changed], other.logits[:, changed])
    assert [image.shape[1] for image in critic.decoders(one.last, one.middle, one.small)] == [3, 3, 3]
