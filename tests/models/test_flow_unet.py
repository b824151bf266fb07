"""The network of flow matching: sizes, what it is told, and what it knows before it has learnt anything."""

import sys

import pytest

torch = pytest.importorskip("torch", reason="networks need the extra [train]")

from napari_hsisynth.errors import MissingExtraError  # noqa: E402
from napari_hsisynth.models.flow_unet import FlowUNet  # noqa: E402


def made(**changes):
    torch.manual_seed(0)
    network = FlowUNet(**{"channels": 3, "width": 4, "levels": 2, "labels": 5, **changes}).eval()
    torch.nn.init.normal_(network.unet.conv_out.weight)  # zero at first, which would hide all else
    return network


def asked(network, side=16, told=True, **changes):
    torch.manual_seed(1)
    given = {"images": torch.randn(2, 3, side, side), "time": torch.tensor([0.3, 0.8])}
    given |= {"told": torch.tensor([told, told]), "classes": torch.tensor([0, 1])}
    with torch.no_grad():
        return network(**{**given, **changes})


@pytest.mark.parametrize(("side", "patch_px", "levels"), [(16, 1, 2), (17, 2, 2), (28, 4, 3), (33, 2, 4)])
def test_any_side_will_do(side, patch_px, levels):
    assert asked(made(patch_px=patch_px, levels=levels), side).shape == (2, 3, side, side)


def test_before_it_has_learnt_anything_it_says_the_velocity_to_normal_pixels():
    network = FlowUNet(channels=3, width=4, levels=2)
    mixing = torch.tensor([[1.0, 0.0, 0.0], [0.9, 0.3, 0.0], [0.8, 0.1, 0.01]])
    network.set_covariance(mixing @ mixing.T)
    # images and velocities of a pixel are jointly normal: the best linear guess of one from the other
    torch.manual_seed(0)
    noise, pixels = torch.randn(200_000, 3).double(), torch.randn(200_000, 3).double() @ mixing.T.double()
    for time in (0.1, 0.5, 0.9):
        points = (1 - time) * noise + time * pixels
        regression = torch.linalg.lstsq(points, pixels - noise).solution.T
        images = torch.eye(3)[:, :, None, None].expand(3, 3, 4, 4)
        told = torch.ones(3, dtype=bool)
        with torch.no_grad():
            found = network(images, torch.full((3,), time), told, torch.zeros(3, dtype=torch.int64))
        torch.testing.assert_close(found[..., 0, 0].T, regression.float(), atol=0.05, rtol=0)
        assert torch.equal(found[..., 0, 0], found[..., 3, 2])


def test_class_and_mask_are_known_only_where_they_are_told():
    network = made(classes=2, masks=True)
    masks = torch.zeros(2, 16, 16, dtype=bool)
    masks[:, 4:12, 4:12] = True
    others = {"classes": torch.tensor([1, 0])}, {"masks": ~masks}, {"masks": None}
    first = asked(network, masks=masks)
    assert all(not torch.equal(first, asked(network, **{"masks": masks, **other})) for other in others)
    unknown = asked(network, told=False, masks=masks)
    assert all(torch.equal(unknown, asked(network, told=False, **{"masks": masks, **other})) for other in others)
    assert not torch.equal(first, unknown)


def test_no_augmentation_is_a_description_of_zeros_and_descriptions_reach_the_network():
    network = made()
    assert torch.equal(asked(network), asked(network, labels=torch.zeros(2, 5)))
    labels = torch.zeros(2, 5, requires_grad=True)
    told = torch.ones(2, dtype=bool)
    network(
        torch.randn(2, 3, 16, 16), torch.rand(2), told, torch.zeros(2, dtype=torch.int64), labels=labels
    ).sum().backward()
    assert (labels.grad != 0).all()
    assert network.label_embedding.weight.grad.abs().sum() == 0


def test_weights_of_classes_are_named_so():
    plain, told = (set(made(classes=count).state_dict()) for count in (1, 2))
    assert told - plain == {"class_embedding.weight"}
    assert not [name for name in plain if "class" in name]


def test_without_diffusers_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(MissingExtraError, match=r"napari-hsisynth\[train\]"):
        FlowUNet(channels=3)
