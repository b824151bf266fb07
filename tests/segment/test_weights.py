"""Which weights there are, where they are found, and how they come from the hub and from Meta."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
import sys
from pathlib import Path

import pytest
from weights_server import COMMIT, Handler

from napari_hsisynth.errors import InputError
from napari_hsisynth.segment import hub_cache, load_segmenter, segmenter_models, weights
from napari_hsisynth.segment.weights import check_weights, locate_weights, meta_path, official_weights, weights_status
from napari_hsisynth.segment.weights_download import download
from napari_hsisynth.study import Cancelled

REPO = "facebook/sam2.1-hiera-tiny"


def test_there_are_weights_for_every_model_that_needs_some():
    for name in ("sam2", "sam"):
        assert tuple(each.model for each in official_weights(name)) == segmenter_models(name)
    with pytest.raises(InputError, match="no weights of a segmenter 'spectral'"):
        official_weights("spectral")
    with pytest.raises(InputError, match="tiny, small, base-plus, large"):
        official_weights("sam2", "vit_b")


@pytest.mark.parametrize(("name", "model"), [("sam2", "tiny"), ("sam", "vit_b")])
def test_missing_weights_are_one_error_that_says_both_ways_to_get_them(name, model):
    with pytest.raises(InputError) as error:
        load_segmenter(name)
    assert f"napari-hsisynth weights fetch {name} --model {model}" in str(error.value)
    assert "folder" in str(error.value)
    status = weights_status(name, model)
    assert not status.present
    assert status.problem == str(error.value)


def in_hub_cache(folder: Path, *, repo: str = REPO) -> Path:
    """Put weights where Hugging Face's library puts what it fetches."""
    blobs = {}
    for name in ("config.json", "model.safetensors"):
        content = (folder / name).read_bytes()
        is_large = name == "model.safetensors"
        etag = hashlib.sha256(content).hexdigest() if is_large else "0" * 40
        blobs[name] = hub_cache.repo_folder(repo) / "blobs" / etag
        blobs[name].parent.mkdir(parents=True, exist_ok=True)
        blobs[name].write_bytes(content)
    return hub_cache.place(repo, COMMIT, blobs)


def test_what_another_program_fetched_from_the_hub_is_found(sam2_folder, cube, monkeypatch):
    huggingface_hub = pytest.importorskip("huggingface_hub")
    snapshot = in_hub_cache(sam2_folder)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    located = locate_weights("sam2", "tiny")
    assert located.path == snapshot / "model.safetensors"
    assert located.stated_sha256 == check_weights(located)
    load_segmenter("sam2").set_cube(cube)
    # and the other way round: the library finds what we have put there
    found = huggingface_hub.try_to_load_from_cache(REPO, "model.safetensors", cache_dir=hub_cache.hub_folder())
    assert Path(found) == located.path


def test_half_a_snapshot_does_not_count(sam2_folder):
    snapshot = in_hub_cache(sam2_folder)
    (snapshot / "config.json").unlink()
    assert not weights_status("sam2", "tiny").present


def test_damage_in_the_hub_cache_is_noticed_before_anything_is_loaded(sam2_folder):
    path = (in_hub_cache(sam2_folder) / "model.safetensors").resolve()
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"damaged.*fetch it again"):
        load_segmenter("sam2")


def test_a_folder_or_file_of_the_user_is_taken(sam2_folder, sam_folder, sam_pth, tmp_path):
    assert locate_weights("sam2", "tiny", sam2_folder).path == sam2_folder / "model.safetensors"
    assert locate_weights("sam2", "tiny", sam2_folder / "model.safetensors").config == sam2_folder / "config.json"
    assert locate_weights("sam", "vit_b", sam_folder).config == sam_folder / "config.json"
    assert locate_weights("sam", "vit_b", sam_pth.parent).path == sam_pth
    both = tmp_path / "both"
    both.mkdir()
    for name in ("sam_vit_b_01ec64.pth", "other.pth"):
        (both / name).write_bytes(b"")
    assert locate_weights("sam", "vit_b", both).path.name == "sam_vit_b_01ec64.pth"
    with pytest.raises(InputError, match=r"2 \.pth files"):
        locate_weights("sam", "vit_l", both)


def test_what_cannot_be_weights_is_refused_in_words(tmp_path, sam2_folder, sam_pth):
    shutil.copy(sam2_folder / "model.safetensors", tmp_path)
    for name, given, words in (
        ("sam2", tmp_path / "nowhere", "no such file or folder"),
        ("sam2", sam_pth, "not in the form"),
        ("sam2", sam_pth.parent, "no weights of sam2"),
        ("sam2", tmp_path, "no weights of sam2"),
        ("sam", tmp_path / "model.safetensors", "config.json is missing"),
    ):
        with pytest.raises(InputError, match=words):
            load_segmenter(name, weights=given)


def test_a_fetched_file_of_meta_must_have_the_published_hash(sam_pth):
    path = weights.meta_path(official_weights("sam", "vit_b")[0])
    path.parent.mkdir(parents=True)
    shutil.copy(sam_pth, path)
    assert weights_status("sam", "vit_b").present
    with pytest.raises(InputError, match="damaged"):
        load_segmenter("sam")


# --- fetching


@pytest.fixture
def hub(server, sam2_folder, monkeypatch):
    pytest.importorskip("huggingface_hub")
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    for name in ("config.json", "model.safetensors"):
        server.files[f"/{REPO}/resolve/main/{name}"] = (sam2_folder / name).read_bytes()
    return server


def get(name="sam2", model="tiny", cancelled=lambda: False):
    told = []
    located = download(name, model, progress=lambda *numbers: told.append(numbers), cancelled=cancelled)
    return located, told


def test_weights_come_from_the_hub_and_work(hub, cube, sam2_folder):
    located, told = get()
    assert located.path.read_bytes() == (sam2_folder / "model.safetensors").read_bytes()
    size = sum((sam2_folder / name).stat().st_size for name in ("config.json", "model.safetensors"))
    assert told[-1] == (size, size)
    made = load_segmenter("sam2")
    made.set_cube(cube)
    assert made.weights_sha256 == located.stated_sha256
    asked = len(hub.asked)
    get()
    assert len(hub.asked) == asked, "what is there is not fetched again"


@pytest.mark.skipif(sys.platform == "win32", reason="links are for some users only")
def test_a_link_that_another_program_has_just_made_is_taken_as_it_is(sam2_folder, monkeypatch):
    snapshot = in_hub_cache(sam2_folder)
    exists = Path.exists
    monkeypatch.setattr(Path, "exists", lambda path: path.parent != snapshot and exists(path))
    monkeypatch.setattr(Path, "is_symlink", lambda path: False)
    in_hub_cache(sam2_folder)
    monkeypatch.undo()
    assert (snapshot / "model.safetensors").is_symlink()


def test_a_cancelled_download_from_the_hub_does_not_count(hub):
    with pytest.raises(Cancelled):
        get(cancelled=lambda: len(hub.asked) > 1)  # when the second file has begun
    assert not weights_status("sam2", "tiny").present
    get()
    assert weights_status("sam2", "tiny").present


def test_other_bytes_than_the_hub_stated_are_refused(hub, monkeypatch):
    path = f"/{REPO}/resolve/main/model.safetensors"
    right = hub.files[path]
    head = Handler.do_HEAD

    def honest(handler):
        hub.files[path] = right
        head(handler)
        hub.files[path] = right[:-1] + b"!"

    monkeypatch.setattr(Handler, "do_HEAD", honest)
    with pytest.raises(InputError, match="not the published file"):
        get()
    assert not weights_status("sam2", "tiny").present


def test_nothing_is_fetched_offline_or_from_a_server_that_says_nothing(hub, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(InputError, match="HF_HUB_OFFLINE"):
        get()
    monkeypatch.delenv("HF_HUB_OFFLINE")
    hub.files.clear()
    with pytest.raises(InputError, match="cannot be fetched"):
        get()
    hub.commit = "../../etc"
    hub.files[f"/{REPO}/resolve/main/config.json"] = b"{}"
    with pytest.raises(InputError, match="does not say"):
        get()


def test_metas_file_comes_from_meta_with_the_published_hash(server, sam_pth, monkeypatch):
    content = sam_pth.read_bytes()
    official = official_weights("sam", "vit_b")[0]
    server.files[f"/{official.meta_file}"] = content
    monkeypatch.setattr(weights, "_META", server.url)
    ours = weights.OfficialWeights("sam", "vit_b", official.repo, 0, official.meta_file, "0" * 64)
    monkeypatch.setattr(weights, "OFFICIAL", (ours,))
    with pytest.raises(InputError, match="not the published file"):
        get("sam", "vit_b")
    right = hashlib.sha256(content).hexdigest()
    ours = weights.OfficialWeights("sam", "vit_b", official.repo, 0, official.meta_file, right)
    monkeypatch.setattr(weights, "OFFICIAL", (ours,))
    located, _ = get("sam", "vit_b")
    assert located.path.read_bytes() == content
    assert check_weights(located) == right
    meta_path(ours).with_name(ours.meta_file + ".part").write_bytes(content[:100])
    meta_path(ours).unlink()
    server.files[f"/{official.meta_file}"] = b"<html>please log in</html>"
    monkeypatch.setattr(weights, "OFFICIAL", (dataclasses.replace(ours, size_mb=1),))
    with pytest.raises(InputError, match="something else there, of 26 bytes"):
        get("sam", "vit_b")
    assert meta_path(ours).with_name(ours.meta_file + ".part").stat().st_size == 100, "what had come by then stays"


def test_metas_server_that_is_not_there_is_said(server, monkeypatch):
    server.shutdown()
    server.server_close()
    monkeypatch.setattr(weights, "_META", server.url)
    with pytest.raises(InputError, match=r"cannot be fetched .*; check the network"):
        get("sam", "vit_b")
