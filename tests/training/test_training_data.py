"""Crops become images of one size without inventing a spectrum, and come back from the network's values exactly."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_hsisynth.errors import InputError
from napari_hsisynth.jobs import new_run
from napari_hsisynth.study import read_crop, write_crop
from napari_hsisynth.training.augment import Augmentation
from napari_hsisynth.training.batch import Batch
from napari_hsisynth.training.checkpoint import load
from napari_hsisynth.training.data import batch_order, fill_invalid, load_images, resize
from napari_hsisynth.training.normalisation import Normalisation
from napari_hsisynth.training.run import train


def test_encode_and_decode_return_every_value():
    rng = np.random.default_rng(0)
    images = rng.uniform(0.001, 0.9, (6, 16, 8, 8))
    normalisation = Normalisation.fit(images)
    cube = images[0].copy()
    cube[:, 3, 3] = 1.72  # a specular pixel, far outside what was fitted
    cube[:, 4, 4] = -0.01
    cube[:, 5, 5] = 1e-5
    np.testing.assert_allclose(normalisation.decode(normalisation.encode(cube)), cube, rtol=1e-6)
    stored = Normalisation.from_json(normalisation.to_json())
    np.testing.assert_array_equal(stored.encode(cube), normalisation.encode(cube))


def test_one_bright_pixel_changes_no_other():
    images = np.random.default_rng(1).uniform(0, 1, (4, 16, 8, 8))
    normalisation = Normalisation.fit(images)
    touched = images[0].copy()
    touched[:, 0, 0] = 1.7
    difference = normalisation.encode(touched) != normalisation.encode(images[0])
    assert difference[:, 0, 0].all()
    assert not difference[:, 1:].any()
    assert not difference[:, 0, 1:].any()


def test_training_images_have_mean_zero_and_deviation_one_per_band():
    images = np.random.default_rng(2).normal(3, [[[[0.1]], [[2.0]]]], (5, 2, 9, 9))
    encoded = Normalisation.fit(images).encode(images)
    np.testing.assert_allclose(encoded.mean(axis=(0, 2, 3)), 0, atol=1e-12)
    np.testing.assert_allclose(encoded.std(axis=(0, 2, 3)), 1)


def test_a_constant_band_does_not_divide_by_zero():
    assert Normalisation.fit(np.full((3, 2, 4, 4), 0.7)).scale.tolist() == [1.0, 1.0]


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([16, 32]))
def test_resizing_keeps_flat_spectra_and_their_range(height, width, size):
    flat = torch.tensor([0.2, 1.7])[:, None, None].expand(2, height, width)
    assert torch.allclose(resize(flat, size), flat[:, :1, :1].expand(2, size, size))
    noise = torch.rand(2, height, width)
    made = resize(noise, size)
    assert made.shape == (2, size, size)
    assert made.min() >= noise.min() - 1e-6
    assert made.max() <= noise.max() + 1e-6


def test_shrinking_by_two_averages_four_pixels():
    image = torch.rand(3, 32, 32)
    expected = image.reshape(3, 16, 2, 16, 2).mean(dim=(2, 4))
    assert torch.allclose(resize(image, 16), expected)


def test_the_square_is_cut_from_the_centre():
    image = torch.arange(48.0).expand(1, 16, 48)
    assert resize(image, 16)[0, 0].tolist() == list(range(16, 32))


def test_invalid_pixels_take_a_whole_neighbouring_spectrum():
    data = np.arange(3 * 4 * 4, dtype=np.float32).reshape(3, 4, 4)
    data[1, 0, 0] = np.nan
    data[:, 3, 3] = np.inf
    filled, count = fill_invalid(data)
    assert count == 2
    assert np.isfinite(filled).all()
    assert filled[:, 0, 0].tolist() in (data[:, 0, 1].tolist(), data[:, 1, 0].tolist())
    valid = np.isfinite(data).all(axis=0)
    np.testing.assert_array_equal(filled[:, valid], data[:, valid])
    with pytest.raises(InputError, match="no pixel"):
        fill_invalid(np.full((2, 3, 3), np.nan, dtype=np.float32))


@given(st.integers(1, 9), st.integers(1, 7))
def test_every_image_is_shown_once_per_round_wherever_a_run_is_resumed(count, batch):
    whole = batch_order(0, count, 3 * count, seed=4)
    for start in range(0, 3 * count, count):
        assert sorted(whole[start : start + count]) == list(range(count))
    at = min(batch, 3 * count - 1)
    np.testing.assert_array_equal(batch_order(at, count, 3 * count - at, seed=4), whole[at:])


def test_augmentation_moves_pixels_but_makes_no_spectrum():
    """Every pixel of an image whose spectra lie on one line stays on it: bands are never treated differently."""
    torch.manual_seed(0)
    spectrum = torch.tensor([0.1, 0.7, 1.6])[:, None, None]
    images = torch.rand(4, 1, 16, 16) * spectrum
    batch = Batch(images, images[:, 0] > 0.05, torch.zeros(4, dtype=torch.int64))
    torch.manual_seed(7)
    made = Augmentation()(batch).images
    assert made.shape == images.shape
    assert not torch.equal(made, images)
    assert torch.allclose(made, made[:, 2:3] / 1.6 * spectrum, atol=1e-5)
    torch.manual_seed(7)
    assert torch.equal(made, Augmentation()(batch).images)


def test_only_the_split_and_the_diagnosis_asked_for(study):
    side = study.splits()
    train = load_images(study, {"train"}, image_size=16, diagnosis="melanoma")
    assert len(train)
    assert all(side[r.cube_id] == "train" and r.diagnosis == "melanoma" for r in train.records)
    everything = load_images(study, {"train", "val", "test"}, image_size=16)
    assert len(everything) == len(study.crops())
    assert everything.images.max() > 0.95  # the specular pixel is averaged, never clipped
    assert everything.masks.any(axis=(1, 2)).all()
    with pytest.raises(InputError, match=r"no crops of dysplastic_nevus.*melanoma, nevus"):
        load_images(study, {"train"}, image_size=16, diagnosis="dysplastic_nevus")


def test_a_changed_crop_changes_the_fingerprint_and_nan_is_mended_and_said(study):
    before = load_images(study, {"train"}, image_size=16)
    record = before.records[0]
    crop = read_crop(study.crops_dir, record)
    crop.cube.data[0, 2, 2] = np.nan
    write_crop(study.crops_dir, crop)
    after = load_images(study, {"train"}, image_size=16)
    assert after.fingerprint != before.fingerprint
    assert np.isfinite(after.images).all()
    assert after.warnings == (f"{record.crop_id}: 1 pixels are not finite; the nearest valid pixel was taken",)


def test_fewer_crops_are_of_each_diagnosis_in_proportion_and_among_more_of_them(tiny, tmp_path):
    study = tiny.put_study(tmp_path / "study", cubes=16)
    everything = load_images(study, {"train", "val", "test"}, image_size=16)
    chosen = {count: everything.some(count, seed=3) for count in (1, 4, 8, 16, 99)}
    names = {count: {record.crop_id for record in part.records} for count, part in chosen.items()}
    assert [len(part) for part in chosen.values()] == [1, 4, 8, 16, 16]
    assert names[1] < names[4] < names[8] < names[16] == names[99]
    for count in (4, 8):
        assert [r.diagnosis.value for r in chosen[count].records].count("melanoma") == count // 2
    for record, image, mask in zip(chosen[4].records, chosen[4].images, chosen[4].masks, strict=True):
        there = everything.records.index(record)
        np.testing.assert_array_equal(image, everything.images[there])
        np.testing.assert_array_equal(mask, everything.masks[there])
    assert {r.crop_id for r in everything.some(4, seed=4).records} != names[4]


def test_a_training_on_fewer_crops_sees_no_other(study, small):
    run = new_run(study.root, "vae")
    result = train(study.root, small(train_crops=4, max_images=8), diagnosis=None, run=run)
    assert result["train"] == 4
    whole = load_images(study, {"train"}, image_size=16)
    expected = Normalisation.fit(whole.some(4, seed=0).images)
    assert Normalisation.from_json(load(run.checkpoints_dir / "last.pt").normalisation).to_json() == expected.to_json()
    more = new_run(study.root, "vae")
    result = train(study.root, small(train_crops=400, max_images=8), diagnosis=None, run=more)
    assert result["train"] == len(whole)
    assert any("fewer than the 400 asked for" in e.fields["message"] for e in more.events() if e.kind == "warning")
