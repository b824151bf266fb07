"""Spatially-adaptive normalisation is what its formula says, acts where the mask is, and loses no small lesion."""

import pytest

torch = pytest.importorskip("torch", reason="networks need the extra [train]")

from torch.nn import functional as F  # noqa: E402

from napari_hsisynth.models.spade import MARGIN_PX, SPADE, LesionPlanes  # noqa: E402


def nobody(count):
    """Classes of images whose model is told none."""
    return torch.zeros(count, dtype=torch.int64)


def planes_of(mask):
    return LesionPlanes()(mask, nobody(len(mask)), side_px=mask.shape[-1], margin_px=MARGIN_PX)


@pytest.mark.parametrize("cover", [0.0, 1.0])
def test_under_a_constant_mask_it_is_an_affine_batch_norm_up_to_the_border(cover):
    torch.manual_seed(0)
    spade, features = SPADE(channels=3, planes=1, width=4), torch.randn(5, 3, 6, 6) * 2 + 1
    # a constant plane meets the sum of each kernel
    sums = {name: getattr(spade, name).weight.sum(dim=(2, 3)) for name in ("shared", "gamma", "beta")}
    hidden = torch.relu(sums["shared"][:, 0] * cover + spade.shared.bias)
    gamma = sums["gamma"] @ hidden + spade.gamma.bias
    beta = sums["beta"] @ hidden + spade.beta.bias
    expected = F.batch_norm(features, None, None, 1 + gamma, beta, training=True)
    torch.testing.assert_close(spade(features, planes_of(torch.full((5, 6, 6), cover))), expected)


def test_by_hand_on_two_pixels():
    spade = SPADE(channels=1, planes=1, width=1)
    for name, centre, bias in (("shared", 2.0, -1.0), ("gamma", 3.0, 0.5), ("beta", -1.0, 0.25)):
        convolution = getattr(spade, name)
        torch.nn.init.zeros_(convolution.weight)
        convolution.weight.data[0, 0, 1, 1] = centre
        torch.nn.init.constant_(convolution.bias, bias)
    mask = torch.tensor([[[True, False], [False, False]]])
    # mean 1, variance 3: normalised to 3/sqrt(3), -1/sqrt(3) ...; hidden is 1 inside and 0 outside
    made = spade(torch.tensor([[[[4.0, 0.0], [0.0, 0.0]]]]), planes_of(mask))
    root = (3 + spade.norm.eps) ** 0.5
    torch.testing.assert_close(made[0, 0, 0], torch.tensor([3 / root * 4.5 - 0.75, -1 / root * 1.5 + 0.25]))


def test_one_pixel_of_the_mask_acts_on_the_five_by_five_around_it_and_nowhere_else():
    torch.manual_seed(0)
    spade, features = SPADE(channels=2, planes=1, width=8), torch.randn(1, 2, 11, 11)
    empty, dot = torch.zeros(1, 11, 11, dtype=torch.bool), torch.zeros(1, 11, 11, dtype=torch.bool)
    dot[0, 4, 7] = True
    changed = (spade(features, planes_of(dot)) != spade(features, planes_of(empty))).any(dim=1)[0]
    reach = torch.zeros(11, 11, dtype=torch.bool)
    reach[2:7, 5:10] = True
    assert torch.equal(changed, reach)


def test_with_a_group_norm_an_image_depends_on_itself_alone():
    torch.manual_seed(0)
    spade, features = SPADE(channels=2, planes=1, norm="group"), torch.randn(3, 2, 4, 4)
    planes = planes_of(torch.rand(3, 4, 4) > 0.5)
    torch.testing.assert_close(spade(features, planes)[:1], spade(features[:1], planes[:1]))


def test_a_lesion_of_one_pixel_is_seen_at_every_level():
    mask = torch.zeros(1, 64, 64, dtype=torch.bool)
    mask[0, 21, 40] = True
    for side in (4, 8, 16, 32, 64):
        plane = LesionPlanes()(mask, nobody(1), side_px=side)[0, 0]
        block = 64 // side
        assert plane.sum() == pytest.approx(1 / block**2)
        assert plane[21 // block, 40 // block] > 0
    finer = LesionPlanes()(mask, nobody(1), side_px=128)[0, 0]
    assert torch.equal(finer.nonzero().amin(dim=0), torch.tensor([42, 80]))
    assert finer.sum() == 4


def test_a_margin_repeats_the_border():
    plane = LesionPlanes()(torch.eye(4, dtype=torch.bool)[None], nobody(1), side_px=4, margin_px=2)[0, 0]
    assert torch.equal(plane, F.pad(torch.eye(4)[None, None], [2] * 4, mode="replicate")[0, 0])
    assert plane[:3, :3].all()


def test_a_class_is_told_inside_its_lesion_only():
    planes = LesionPlanes(classes=3)
    masks = torch.zeros(2, 8, 8, dtype=torch.bool)
    masks[:, 2:5, 3:6] = True
    first, second = planes(masks, torch.tensor([0, 2]), side_px=8)
    differs = (first != second).any(dim=0)
    assert torch.equal(differs, masks[0])
    assert torch.equal(first[1:, 3, 4], planes.class_vectors.weight[0])
    assert planes.count == 1 + planes.class_vectors.embedding_dim


def test_weights_of_diagnoses_say_so_by_name_and_are_the_only_ones_to_depend_on_their_number():
    two, five = LesionPlanes(classes=2), LesionPlanes(classes=5)
    shapes = [{name: value.shape for name, value in planes.state_dict().items()} for planes in (two, five)]
    assert two.count == five.count
    assert all("class" in name for name in shapes[0] if shapes[0][name] != shapes[1][name])
    assert LesionPlanes(classes=1).count == 1
