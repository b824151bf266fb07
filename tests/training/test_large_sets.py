"""Sets that memory has no room for: the same training to the bit, without ever being in memory as a whole."""

import errno
import shutil
import sys
import tempfile
import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from napari_hsisynth.errors import InputError
from napari_hsisynth.jobs import new_run
from napari_hsisynth.training import checkpoint as checkpoints
from napari_hsisynth.training import device_data, image_store
from napari_hsisynth.training.data import load_images
from napari_hsisynth.training.device_data import DeviceData
from napari_hsisynth.training.image_store import ImageStore
from napari_hsisynth.training.memory import _control_group_bytes, free_bytes
from napari_hsisynth.training.normalisation import Normalisation, band_statistics
from napari_hsisynth.training.run import train

CPU = torch.device("cpu")
ALL = {"train", "val", "test"}


def test_batches_from_a_file_are_those_from_memory(study):
    kept = load_images(study, ALL, image_size=20)
    mapped = load_images(study, ALL, image_size=20, most_bytes=0)
    assert not mapped.images.flags.writeable
    assert mapped.warnings[0].startswith("memory has no room for 16 images: they are in a file in ")
    assert not kept.warnings
    assert mapped.fingerprint == kept.fingerprint
    np.testing.assert_array_equal(mapped.images, kept.images)
    np.testing.assert_array_equal(mapped.only(["nevus"]).images, kept.only(["nevus"]).images)
    normalisation = Normalisation.fit(kept.images)
    assert Normalisation.fit(mapped.images).to_json() == normalisation.to_json()

    names = ("melanoma", "nevus")
    resident = DeviceData(kept, normalisation, names, CPU)
    large = DeviceData(mapped, normalisation, names, CPU, most_bytes=0)
    assert resident.resident
    assert not large.resident
    order = np.array([5, 0, 0, 3])
    for share in ({}, {"rank": 1, "world": 2}):
        one, other = resident.batch(order, **share), large.batch(order, **share)
        for field in ("images", "masks", "classes"):
            assert torch.equal(getattr(one, field), getattr(other, field))
        assert (one.total, one.first) == (other.total, other.first)
    assert torch.equal(resident.everything().images, large.everything().images)
    assert torch.equal(resident.spectra(500, seed=3), large.spectra(500, seed=3))
    assert large.spectra(500, seed=3).dtype == torch.float32


def test_a_whole_training_from_a_file_is_to_the_bit_that_from_memory(study, small, monkeypatch):
    weights = []
    for part in (0.5, 0.0):
        monkeypatch.setattr(image_store, "MOST_OF_MEMORY", part)
        monkeypatch.setattr(device_data, "MOST_OF_MEMORY", part)
        run = new_run(study.root, "vae")
        settings = small(conditional=True, max_images=16, checkpoint_every=16, preview_every=16)
        train(study.root, settings, diagnosis=None, run=run)
        told = " ".join(event.fields["message"] for event in run.events() if event.kind == "warning")
        assert ("memory has no room" in told and "the device has no room" in told) == (part == 0)
        weights.append(checkpoints.load(run.checkpoints_dir / "last.pt").recipe["network"])
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_a_large_set_is_never_in_memory_as_a_whole(study):
    tracemalloc.start()
    mapped = load_images(study, ALL, image_size=160, most_bytes=0)
    normalisation = Normalisation.fit(mapped.images)
    data = DeviceData(mapped, normalisation, (), CPU, most_bytes=0)
    data.batch(np.array([0, 1]))
    assert band_statistics(mapped.images)[0].shape == (5,)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.6 * mapped.images.nbytes  # of 16 images, a batch of two and what one takes on its way


def test_a_set_in_memory_is_there_once_while_it_is_read_and_measured(study):
    tracemalloc.start()
    kept = load_images(study, ALL, image_size=160, most_bytes=10**9)
    Normalisation.fit(kept.images)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.4 * kept.images.nbytes


@pytest.mark.skipif(sys.platform == "win32", reason="there the name goes when the file is closed")
def test_the_file_has_no_name_that_could_stay_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    store = ImageStore((2, 1, 3, 3), most_bytes=0)
    for value in (1, 2):
        store.put(np.full((1, 3, 3), value, dtype=np.float32))
    images = store.images()
    del store
    assert images[1].max() == 2
    assert not list(tmp_path.iterdir())


def test_no_room_on_the_disk_is_said_before_or_when_it_is_found(monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(InputError, match=r"need 0\.0 GB.*set TMPDIR to a folder with more room"):
        ImageStore((2, 1, 30, 30), most_bytes=0)
    monkeypatch.undo()

    store = ImageStore((1, 1, 3, 3), most_bytes=0)

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    store._file = SimpleNamespace(write=full)
    with pytest.raises(InputError, match="disk is full"):
        store.put(np.zeros((1, 3, 3), dtype=np.float32))


def test_statistics_are_those_of_the_whole_array():
    images = np.random.default_rng(0).normal(5, 2, (7, 3, 9, 11)).astype(np.float32)
    mean, std = band_statistics(images)
    np.testing.assert_allclose(mean, images.mean(axis=(0, 2, 3), dtype=np.float64), rtol=1e-12)
    np.testing.assert_allclose(std, images.std(axis=(0, 2, 3), dtype=np.float64), rtol=1e-12)


def test_a_limit_of_the_control_group_counts(tmp_path):
    inner = tmp_path / "cgroup" / "job" / "step"
    inner.mkdir(parents=True)
    (tmp_path / "self").write_text("0::/job/step\n")
    assert _control_group_bytes(tmp_path / "self", tmp_path / "cgroup") is None
    for folder, most, used in ((inner, "max", 500), (inner.parent, "1000", 600)):
        (folder / "memory.max").write_text(f"{most}\n")
        (folder / "memory.current").write_text(f"{used}\n")
        (folder / "memory.stat").write_text("anon 300\ninactive_file 200\n")
    assert _control_group_bytes(tmp_path / "self", tmp_path / "cgroup") == 600
    assert _control_group_bytes(tmp_path / "missing", tmp_path / "cgroup") is None
    assert free_bytes() > 10**6
