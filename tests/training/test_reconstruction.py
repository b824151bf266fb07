"""The loss of FastGAN's decoders: structural similarity as it is defined, and LPIPS with weights that are on disk."""

from contextlib import nullcontext

import pytest
import torch
import torchvision
from skimage.metrics import structural_similarity
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torchmetrics.functional.image import (
    learned_perceptual_image_patch_similarity,
    multiscale_structural_similarity_index_measure,
    structural_similarity_index_measure,
)

from napari_hsisynth.errors import InputError
from napari_hsisynth.training.reconstruction import STRUCTURE, Perceptual, chosen, loss_of, structural, weights_file
from napari_hsisynth.training.structural_similarity import (
    _shifted_sum,
    _windowed,
    multi_scale_dissimilarity,
    multi_scale_ssim,
    scale_weights,
    similarity_of_scales,
)


@pytest.fixture
def no_weights(tmp_path, monkeypatch):
    """A machine that has no weights and must not fetch any."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))

    def fetched(*_):
        raise AssertionError("nothing is downloaded unasked")

    monkeypatch.setattr("torch.hub.download_url_to_file", fetched)


@pytest.fixture
def squeeze(no_weights):
    """Weights of a SqueezeNet, random ones, where torchvision would keep the real ones."""
    torch.manual_seed(0)
    file = weights_file("squeeze")
    file.parent.mkdir(parents=True)
    torch.save(torchvision.models.squeezenet1_1(weights=None).state_dict(), file)


def a_pair(side, bands=3, apart=0.2):
    torch.manual_seed(side)
    smooth = F.interpolate(torch.rand(2, bands, 8, 8), (side, side), mode="bicubic").clamp(0, 1)
    return smooth, (smooth + apart * torch.randn_like(smooth)).clamp(0, 1)


@pytest.mark.parametrize("side", [32, 64, 176])
def test_multi_scale_ssim_is_that_of_torchmetrics_but_for_its_reflected_borders(side):
    images, others = a_pair(side)
    betas = scale_weights(side)
    expected = multiscale_structural_similarity_index_measure(
        images, others, data_range=1.0, betas=betas, reduction="none"
    )
    # at the coarsest scale it takes windows in that reach beyond the image: leave them out
    coarse = [F.avg_pool2d(one, 2 ** (len(betas) - 1)) for one in (images, others)]
    with_borders = structural_similarity_index_measure(*coarse, data_range=1.0, reduction="none")
    maps = [
        structural_similarity(
            *(one[number].numpy() for one in coarse),
            channel_axis=0,
            data_range=1.0,
            gaussian_weights=True,
            use_sample_covariance=False,
            full=True,
        )[1][:, 5:-5, 5:-5]
        for number in range(2)
    ]
    without = torch.tensor([one.mean() for one in maps], dtype=torch.float32)
    expected = expected * (without / with_borders) ** betas[-1]
    torch.testing.assert_close(multi_scale_ssim(images, others, data_range=1.0), expected, atol=1e-5, rtol=1e-4)


def test_there_are_as_many_scales_as_hold_a_window():
    counts = {11: 1, 21: 1, 22: 2, 43: 2, 44: 3, 87: 3, 88: 4, 128: 4, 175: 4, 176: 5, 512: 5}
    assert {side: len(scale_weights(side)) for side in counts} == counts
    assert all(sum(scale_weights(side)) == pytest.approx(1) for side in counts)


def test_the_loss_is_what_the_product_lacks_to_one_where_images_are_nearly_alike():
    images, others = a_pair(64, apart=0.01)
    lacking = 1 - multi_scale_ssim(images, others, data_range=1.0)
    torch.testing.assert_close(multi_scale_dissimilarity(images, others, data_range=1.0), lacking, rtol=0.05, atol=0)
    assert similarity_of_scales(images, images, data_range=1.0).eq(1).all()


def test_the_loss_has_a_gradient_where_the_product_has_none():
    images = a_pair(64)[0] - 0.5
    others = (-images).requires_grad_()  # unlike at every scale
    assert multi_scale_ssim(images, others, data_range=6.0, lowest=-3.0).sum() == 0
    (gradient,) = torch.autograd.grad(structural(others, images), others)
    assert gradient.isfinite().all()
    moved = others - 10 * gradient
    assert structural(moved, images) < structural(others, images)


class Operations(TorchDispatchMode):
    """Keeps the names of all operations."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_dispatch__(self, called, types, args=(), kwargs=None):
        self.names.add(called.name())
        return called(*args, **kwargs or {})


def test_a_gpu_is_asked_for_no_product_whose_factors_it_may_round(monkeypatch):
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # knows no device without memory
    images, others = (torch.randn(2, 3, 64, 64, device="meta") for _ in range(2))
    with Operations() as seen:
        structural(images, others)
    assert not [name for name in seen.names if "mm" in name or "conv" in name]
    on_cpu = torch.randn(3, 40, 64)
    torch.testing.assert_close(_shifted_sum(_shifted_sum(on_cpu, -2), -1), _windowed(on_cpu))


def test_luminance_is_measured_from_the_lowest_value_and_small_variances_survive():
    images, others = (0.05 * torch.randn(2, 3, 64, 64) + 2 for _ in range(2))
    exact = [one.double() + 3 for one in (images, others)]
    expected = multiscale_structural_similarity_index_measure(
        *exact, data_range=6.0, betas=scale_weights(64), reduction="none", normalize=None
    )
    found = multi_scale_ssim(images, others, data_range=6.0, lowest=-3.0)
    torch.testing.assert_close(found.double(), expected, atol=1e-3, rtol=0)
    assert found.max() <= 1


def test_without_weights_the_structural_loss_is_taken_and_said(no_weights):
    assert chosen("structure") == (STRUCTURE, [])
    name, notes = chosen("auto")
    assert name == STRUCTURE
    assert len(notes) == 1
    assert "multi-scale SSIM" in notes[0]
    assert weights_file("vgg").name in notes[0]
    assert loss_of(name) is structural


def test_lpips_without_weights_is_refused_with_the_place_to_put_them(no_weights, tmp_path):
    for ask in (lambda: chosen("lpips"), lambda: Perceptual("alex")):
        with pytest.raises(InputError) as caught:
            ask()
        assert str(tmp_path) in str(caught.value)
        assert "alexnet-owt" in str(caught.value)
        assert "reconstruction=structure" in str(caught.value)


def test_a_file_that_is_no_weights_is_refused(squeeze):
    weights_file("squeeze").write_bytes(b"no weights")
    with pytest.raises(InputError, match="remove the file"):
        Perceptual("squeeze")


def test_the_first_weights_found_are_taken(squeeze):
    assert chosen("auto") == ("squeeze", [])
    assert chosen("lpips") == ("squeeze", [])
    assert chosen("structure") == (STRUCTURE, [])


def test_lpips_looks_at_a_fixed_view_and_at_three_bands_drawn_anew(squeeze):
    loss = loss_of("squeeze")
    images, others = (0.3 * torch.randn(2, 7, 32, 32) for _ in range(2))
    torch.manual_seed(5)
    drawn = torch.randperm(7)[:3].tolist()
    # what LPIPS takes from -1 to 1 and scales to mean 0 and deviation 1 over ImageNet
    mean, std = torch.tensor([-0.030, -0.088, -0.188]), torch.tensor([0.458, 0.448, 0.450])
    expected = torch.stack(
        [
            learned_perceptual_image_patch_similarity(
                *((one[:, view] * std[:, None, None] + mean[:, None, None]).clamp(min=-1) for one in (images, others)),
                net_type="squeeze",
            )
            for view in ([6, 3, 0], drawn)
        ]
    ).mean()
    torch.manual_seed(5)
    torch.testing.assert_close(loss(images.clamp(min=-2), others.clamp(min=-2)), expected, rtol=1e-3, atol=1e-5)
    assert loss(images, images) == 0


def test_lpips_teaches_the_images_and_never_its_own_network(squeeze):
    loss = Perceptual("squeeze").train()
    images, others = torch.randn(2, 2, 32, 32), torch.randn(2, 2, 32, 32, requires_grad=True)  # fewer bands than three
    loss(others, images).backward()
    assert others.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in loss.parameters())
    assert not loss.distance.training
