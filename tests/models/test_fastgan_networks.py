"""FastGAN's networks are what the paper describes, down to the number of weights and what a score can see."""

import math

import pytest
import torch
from torch.nn import functional as F

from napari_hsisynth.models.fastgan import FastGANGenerator
from napari_hsisynth.models.fastgan_blocks import DownBlock, NoisyUpBlock, PixelNoise, SkipLayerExcitation, UpBlock
from napari_hsisynth.models.fastgan_critic import Decoders, FastGANCritic, quarter

SIZES = (64, 128, 256, 512)


def generator(**changes):
    torch.manual_seed(0)
    return FastGANGenerator(**{"bands": 5, "image_size": 64, "latent_dim": 8, "width": 4, **changes}).eval()


def critic(**changes):
    torch.manual_seed(0)
    return FastGANCritic(**{"bands": 5, "image_size": 64, "width": 4, **changes}).eval()


def none_told(count):
    return torch.zeros(count, dtype=torch.int64)


def weights(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_generator_has_the_weights_of_the_papers_table():
    made = {4: 1024, 8: 512, 16: 256, 32: 128, 64: 128, 128: 64, 256: 32}  # channels of each side at width 64

    def doubling(side):  # 3 x 3 to twice the channels, which a GLU halves; scale and shift of the norm
        return made[side // 2] * 2 * made[side] * 9 + 4 * made[side]

    def once_more(side):  # the second convolution with its norm, and two strengths of noise
        return made[side] * 2 * made[side] * 9 + 4 * made[side] + 2

    def excitation(low, high):
        return made[low] * made[high] * 16 + made[high] ** 2

    expected = 256 * 2048 * 16 + 2 * 2048
    expected += sum(doubling(side) for side in (8, 16, 32, 64, 128, 256)) + sum(map(once_more, (8, 32, 128)))
    expected += excitation(4, 64) + excitation(8, 128) + excitation(16, 256)
    expected += 32 * 3 * 9 + 3 + 64 * 3 + 3  # to the image, and to the small one
    with torch.device("meta"):
        found = weights(FastGANGenerator(bands=3, image_size=256, latent_dim=256, width=64))
    assert found == expected
    assert round(found / 1e6) == 29


def test_the_critic_has_the_weights_of_its_table():
    made = {256: 16, 128: 32, 64: 64, 32: 128, 16: 256, 8: 512}

    def halving(inputs, outputs):  # 4 x 4, 3 x 3 and, on the other way, 1 x 1; three norms
        return inputs * outputs * 16 + outputs**2 * 9 + inputs * outputs + 6 * outputs

    def decoder(inputs, bands):
        total = 0
        for outputs in (128, 64, 64, 32):  # 16, 32, 64 and 128 px
            total += inputs * 2 * outputs * 9 + 4 * outputs
            inputs = outputs
        return total + inputs * bands * 9 + bands

    expected = 3 * 16 * 9 + sum(halving(made[2 * side], made[side]) for side in (128, 64, 32, 16, 8))
    expected += sum(made[8 * low] * made[low] * 16 + made[low] ** 2 for low in (32, 16, 8))
    expected += 512 * 1024 + 2 * 1024 + 1024 * 16
    expected += 3 * 32 * 16 + halving(32, 64) + halving(64, 128) + halving(128, 256) + 256 * 16
    expected += decoder(512, 3) + decoder(256, 3) + decoder(256, 3)
    assert weights(FastGANCritic(bands=3, image_size=256, width=64)) == expected


@pytest.mark.parametrize("size", SIZES)
def test_every_size_makes_two_images_and_fifty_scores(size):
    with torch.no_grad():
        image, small = generator(image_size=size)(torch.randn(2, 8), none_told(2))
        seen = critic(image_size=size)(image, small, none_told(2))
        decoded = Decoders(5, size, 4)(seen.last, quarter(seen.middle, 3), seen.small)
    side = min(128, size // 2)
    assert (tuple(image.shape), tuple(small.shape)) == ((2, 5, size, size), (2, 5, side, side))
    assert seen.logits.shape == (2, 2 * 5 * 5)
    assert (seen.last.shape[2:], seen.middle.shape[2:], seen.small.shape[2:]) == ((8, 8), (16, 16), (8, 8))
    assert [one.shape[-1] for one in decoded] == [min(128, size), side, side]


def test_an_excitation_is_the_one_computed_by_hand():
    excite = SkipLayerExcitation(low=2, high=3)
    low, high = torch.randn(2, 2, 8, 8), torch.randn(2, 3, 32, 32)
    pooled = low.unflatten(3, (4, 2)).unflatten(2, (4, 2)).mean(dim=(3, 5))  # 4 x 4 means of 2 x 2
    hidden = torch.einsum("ncyx,dcyx->nd", pooled, excite.look.weight)
    hidden = torch.where(hidden > 0, hidden, 0.1 * hidden)
    factors = 1 / (1 + torch.exp(-hidden @ excite.weigh.weight[:, :, 0, 0].T))
    torch.testing.assert_close(excite(low, high), high * factors[:, :, None, None])


def test_an_up_block_repeats_convolves_normalises_and_gates():
    block = UpBlock(3, 2).train()
    features = torch.randn(4, 3, 5, 5)
    repeated = features.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    made = F.conv2d(repeated, block.conv.weight, padding=1)
    mean, var = made.mean(dim=(0, 2, 3), keepdim=True), made.var(dim=(0, 2, 3), keepdim=True, unbiased=False)
    made = (made - mean) / torch.sqrt(var + 1e-5)
    torch.testing.assert_close(block(features), made[:, :2] * torch.sigmoid(made[:, 2:]), atol=1e-5, rtol=1e-4)


def test_noise_does_nothing_at_first_and_is_added_by_its_strength_later():
    block = NoisyUpBlock(3, 2).eval()
    features, noise = torch.randn(2, 3, 4, 4), torch.randn(2, 2, 8, 8)
    assert torch.equal(block(features, noise), block(features, torch.zeros_like(noise)))
    with torch.no_grad():
        block.injections[1].strength.fill_(0.5)
        block.convs[1].weight.zero_()
    made = 0.5 * noise[:, 1, None] / math.sqrt(1 + 1e-5)
    torch.testing.assert_close(block(features, noise), (made * torch.sigmoid(made)).expand(-1, 2, -1, -1))


def test_a_down_block_is_the_mean_of_its_two_ways():
    block = DownBlock(2, 3).eval()
    features = torch.randn(2, 2, 8, 8)
    means = features.unflatten(3, (4, 2)).unflatten(2, (4, 2)).mean(dim=(3, 5))
    way = block.averaged[1:](means)
    torch.testing.assert_close(block(features), (block.convolved(features) + way) / 2)


@pytest.mark.parametrize("size", [64, 128])
def test_a_corner_score_sees_as_far_as_its_convolutions_reach(size, monkeypatch):
    monkeypatch.setattr(SkipLayerExcitation, "forward", lambda self, low, high: high)  # these see everything
    network = critic(image_size=size)
    images = torch.randn(1, 5, size, size, requires_grad=True)
    logits = network(images, torch.zeros(1, 5, size // 2, size // 2), none_told(1)).logits
    (gradient,) = torch.autograd.grad(logits[0, 0], images)
    last = 3  # the last of the 4 x 4 features under the first score
    for _ in range(int(math.log2(size // 8))):
        last = 2 * (last + 1) + 2  # through a 3 x 3 convolution, then through a strided one of 4 x 4
    last += 1
    reached = gradient.abs().sum(dim=(0, 1))
    assert last < size - 1
    for along in (reached.sum(dim=0), reached.sum(dim=1)):
        assert int(along.nonzero().max()) == last


@pytest.mark.parametrize("norm", ["batch", "group"])
def test_a_sample_does_not_depend_on_its_neighbours(norm):
    network = generator(norm=norm, classes=2)
    with torch.no_grad():
        for block in ("8", "32"):
            for injection in network.blocks[block].injections:
                injection.strength.fill_(1.0)
        latent = torch.randn(4, 8)
        together = network(latent, torch.tensor([0, 1, 0, 1]))[0]
        alone = network(latent[2:3], none_told(1))[0]
        elsewhere = network(latent[[3, 2, 2, 0]], none_told(4))[0]
    torch.testing.assert_close(together[2:3], alone, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(elsewhere[1:3], alone.expand(2, -1, -1, -1), atol=1e-5, rtol=1e-4)


def test_the_noise_of_an_image_is_white_and_its_own():
    noise = PixelNoise(20_000, latent_dim=16)
    latent = torch.randn(64, 16)
    made = noise(latent)
    torch.testing.assert_close(made[3], noise(latent[3:4])[0])
    torch.testing.assert_close(made.mean(dim=1), torch.zeros(64), atol=0.04, rtol=0)  # 0.007 expected
    torch.testing.assert_close(made.var(dim=1), torch.ones(64), atol=0.06, rtol=0)  # 0.01 expected
    neighbours = (made[:, 1:] * made[:, :-1]).mean(dim=1)
    torch.testing.assert_close(neighbours, torch.zeros(64), atol=0.04, rtol=0)
    torch.testing.assert_close(noise(3 * latent), made)
    near = (noise(latent + 1e-3) - made).abs().max()
    assert near < 0.05


def test_mixing_lets_one_noise_weigh_the_fine_maps_of_another():
    network = generator(image_size=128)
    coarse, fine = torch.randn(2, 2, 8)
    with torch.no_grad():
        own = network(coarse, none_told(2))[0]
        factors = network.excitation_factors(coarse, none_told(2))
        assert sorted(factors) == [64, 128]
        torch.testing.assert_close(network(coarse, none_told(2), factors=factors)[0], own)
        for excitation in network.excitations.values():
            excitation.weigh.weight.mul_(100)  # first weights hardly excite
        own = network(coarse, none_told(2))[0]
        given = network.excitation_factors(fine, none_told(2))
        mixed = network(coarse, none_told(2), factors=given)[0]
        assert (mixed - own).abs().max() > 1e-3 * own.std()
        for excitation in network.excitations.values():
            excitation.weigh.weight.zero_()
        given = network.excitation_factors(fine, none_told(2))
        assert all(torch.all(factor == 0.5) for factor in given.values())


def test_a_class_adds_one_number_to_the_scores_of_each_arm():
    network = critic(classes=2)
    images, small = torch.randn(2, 5, 64, 64), torch.randn(2, 5, 32, 32)
    with torch.no_grad():
        apart = network(images, small, torch.tensor([1, 1])).logits - network(images, small, none_told(2)).logits
    for arm in apart.split(25, dim=1):
        torch.testing.assert_close(arm, arm[:, :1].expand(-1, 25), atol=1e-5, rtol=0)
        assert arm.abs().max() > 1e-4


def test_a_quarter_of_the_features_lies_where_the_quarter_of_the_image_does():
    images = torch.arange(16.0).view(1, 1, 4, 4)
    assert [quarter(images, number)[0, 0, 0, 0].item() for number in range(4)] == [0, 2, 8, 10]
    features = F.avg_pool2d(images, 2)
    for number in range(4):
        assert quarter(features, number).item() == quarter(images, number).mean().item()


def test_the_critic_bounds_every_gain_but_those_of_its_decoders():
    network = critic(classes=2)
    plain = [
        name
        for name, module in network.named_modules()
        if isinstance(module, torch.nn.Conv2d | torch.nn.Embedding) and not hasattr(module, "parametrizations")
    ]
    assert plain
    assert all(name.startswith("decoders.") for name in plain)
    assert not [name for name, _ in network.named_modules() if "decoders" in name and "parametrizations" in name]
