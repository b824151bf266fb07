"""Files that are not the weights they seem to be: one clear error each, and nothing of them is executed."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import shutil
import struct
import zipfile

import numpy as np
import pytest

from napari_hsisynth.errors import InputError
from napari_hsisynth.segment import load_segmenter
from napari_hsisynth.segment.weight_files import check_safetensors, load_torch_tensors

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
PAGE = b"<!DOCTYPE html><html><body>Please sign in</body></html>" * 40
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0000\nsize 156\n"


def header(value: object, content: bytes = b"") -> bytes:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return struct.pack("<Q", len(text)) + text + content


def entry(shape, begin, end, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a safetensors"),
        (b"\0" * 7, "not a safetensors"),
        (PAGE, "web page"),
        (b"  \n" + PAGE, "web page"),
        (POINTER, "git lfs pull"),
        (struct.pack("<Q", 2**62) + b"{}", "not a safetensors"),
        (struct.pack("<Q", 90 * 2**20) + b"{" * 1000, "not a safetensors"),
        (header(b"{not json"), "no sense"),
        (header(b"[" * 5000), "no sense"),
        (header([1]), "no sense"),
        (header({"a": {"shape": "x"}}), "no sense"),
        (header({"a": entry([2], 0, "end")}), "no sense"),
        (header({"a": entry([-2], 0, 8)}, b"\0" * 8), "no sense"),
        (header({"a": entry([10**6, 10**6], 0, 8)}, b"\0" * 8), "does not describe"),
        (header({"a": entry([2], 0, 8)}, b"\0" * 7), "not the whole file"),
        (header({"a": entry([2], 0, 8)}, b"\0" * 9), "not the whole file"),
        (header({}), "not the whole file"),
    ],
)
def test_what_is_no_safetensors_file_is_said(tmp_path, content, words):
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words):
        check_safetensors(path)


def test_a_real_file_passes_with_its_shapes(tmp_path):
    from safetensors.numpy import save_file

    save_file({"a": np.ones((2, 3), np.float16), "b": np.ones(4)}, tmp_path / "a.safetensors", {"note": "x"})
    assert check_safetensors(tmp_path / "a.safetensors") == {"a": (2, 3), "b": (4,)}


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


def zipped(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


@pytest.mark.parametrize("how", ["torch", "bare pickle", "bare pickle in the archive"])
def test_code_in_a_checkpoint_is_never_executed(tmp_path, how):
    path, mark = tmp_path / "evil.pth", tmp_path / "executed"
    if how == "torch":
        torch.save({"image_encoder.pos_embed": torch.ones(1), "more": Bomb(mark)}, path)
    elif how == "bare pickle":
        path.write_bytes(pickle.dumps(Bomb(mark)))
    else:
        zipped(path, {"archive/data.pkl": pickle.dumps(Bomb(mark)), "archive/version": b"3"})
    with pytest.raises(InputError, match=r"refused|not a torch checkpoint"):
        load_segmenter("sam", weights=path)
    assert not mark.exists()


def test_what_is_no_checkpoint_is_said(tmp_path, sam_pth):
    path = tmp_path / "own.pth"
    whole = sam_pth.read_bytes()
    cases = {
        "web page": PAGE,
        "git lfs pull": POINTER,
        "cut short": whole[: len(whole) // 2],
        "not a torch": b"",
    }
    for words, content in cases.items():
        path.write_bytes(content)
        with pytest.raises(InputError, match=words):
            load_segmenter("sam", weights=path)
    zipped(path, {"a/data.pkl": b"0" * 10_000}, zipfile.ZIP_DEFLATED)
    with pytest.raises(InputError, match="compressed"):
        load_torch_tensors(path)
    zipped(path, {"a/other": b"0"})
    with pytest.raises(InputError, match="not a torch checkpoint"):
        load_torch_tensors(path)
    for value in (torch.ones(3), {"a": 1}, [torch.ones(1)]):
        torch.save(value, path)
        with pytest.raises(InputError, match="named tensors"):
            load_torch_tensors(path)


def test_changed_bytes_in_a_checkpoint_are_an_error_or_harmless(tmp_path, sam_pth):
    path, whole = tmp_path / "own.pth", bytearray(sam_pth.read_bytes())
    random = np.random.default_rng(0)
    for place in [*random.integers(0, 3000, 6), *random.integers(len(whole) - 3000, len(whole), 6)]:
        changed = bytearray(whole)
        changed[place] ^= 0xFF
        path.write_bytes(changed)
        with contextlib.suppress(InputError):  # anything else is a traceback for the user
            load_segmenter("sam", weights=path, cache=False)


def test_a_network_of_other_shapes_is_refused(tmp_path, sam_pth):
    tensors = torch.load(sam_pth, weights_only=True)
    path = tmp_path / "own.pth"
    changes = [
        {"image_encoder.pos_embed": torch.ones(3)},
        {"image_encoder.blocks.0.attn.rel_pos_h": torch.ones(7, 5)},
        {"mask_decoder.iou_token.weight": torch.ones(1, 7)},
        {"something.else": torch.ones(1)},
    ]
    for change in changes:
        torch.save({**tensors, **change}, path)
        with pytest.raises(InputError, match="not the weights of a SAM network"):
            load_segmenter("sam", weights=path)
    torch.save({"weight": torch.ones(3)}, path)
    with pytest.raises(InputError, match="not the weights of a SAM network"):
        load_segmenter("sam", weights=path)


def test_the_weights_of_another_model_are_named(tmp_path, sam_pth, monkeypatch):
    from napari_hsisynth.segment import sam

    monkeypatch.setitem(sam._WIDTHS, 24, "vit_l")
    with pytest.raises(InputError, match="weights of vit_l, not of vit_b; choose model vit_l"):
        load_segmenter("sam", model="vit_b", weights=sam_pth)
    assert "own" in load_segmenter("sam", model="vit_l", weights=sam_pth, cache=False).model


@pytest.fixture
def folder(tmp_path, sam2_folder):
    return shutil.copytree(sam2_folder, tmp_path / "sam2")


def changed_config(folder, **changes):
    config = json.loads((folder / "config.json").read_text())
    for dotted, value in changes.items():
        place = config
        *outer, last = dotted.split("__")
        for key in outer:
            place = place[key]
        place[last] = value
    (folder / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model_type": "bert"}, "kind 'bert'"),
        ({"model_type": 7}, "not of SAM"),
        ({"model_type": "sam"}, "weights of sam, not of sam2"),
        ({"prompt_encoder_config__hidden_size": 64}, "do not fit together"),
        ({"prompt_encoder_config__hidden_size": "many"}, "do not fit together"),
        ({"mask_decoder_config__num_hidden_layers": 3}, "weights are missing"),
        ({"mask_decoder_config__mlp_dim": 10**9}, "too large"),
        ({"vision_config__backbone_config__blocks_per_stage": [2, 6, 36, 4]}, "not of tiny|do not fit|missing"),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused(folder, changes, words):
    changed_config(folder, **changes)
    with pytest.raises(InputError, match=words):
        load_segmenter("sam2", weights=folder)


def test_a_large_model_is_not_taken_for_a_tiny_one(folder):
    changed_config(
        folder,
        vision_config__backbone_config__hidden_size=144,
        vision_config__backbone_config__blocks_per_stage=[2, 6, 36, 4],
    )
    with pytest.raises(InputError, match="weights of large, not of tiny; choose model large"):
        load_segmenter("sam2", model="tiny", weights=folder)


def test_a_broken_configuration_or_tensor_file_is_one_error(folder):
    (folder / "config.json").write_text("{")
    with pytest.raises(InputError, match="not the configuration"):
        load_segmenter("sam2", weights=folder)
    (folder / "config.json").write_text("[" * 3000)
    with pytest.raises(InputError, match="not the configuration"):
        load_segmenter("sam2", weights=folder)


def test_a_truncated_tensor_file_is_one_error(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="not the whole file"):
        load_segmenter("sam2", weights=folder)


def test_sam2_as_it_is_published_is_the_network_for_videos(folder, cube):
    """The hub's files are of the network for videos, which contains the one for images."""
    from transformers import Sam2Model, Sam2VideoConfig, Sam2VideoModel

    expected = load_segmenter("sam2", weights=folder, cache=False)
    small = json.loads((folder / "config.json").read_text())
    small = {name: value for name, value in small.items() if name.endswith("_config")}
    sizes = dict.fromkeys(
        (
            "memory_attention_hidden_size",
            "memory_attention_feed_forward_hidden_size",
            "memory_encoder_hidden_size",
            "mask_downsampler_embed_dim",
            "memory_fuser_embed_dim",
            "memory_fuser_intermediate_dim",
        ),
        32,
    )
    video = Sam2VideoModel(Sam2VideoConfig(**small, **sizes, memory_attention_num_layers=1, image_size=128))
    video.load_state_dict(Sam2Model.from_pretrained(folder).state_dict(), strict=False)
    video.save_pretrained(folder)
    assert json.loads((folder / "config.json").read_text())["model_type"] == "sam2_video"
    made = load_segmenter("sam2", weights=folder, cache=False)
    for segmenter in (made, expected):
        segmenter.set_cube(cube)
    np.testing.assert_allclose(made.propose().logits, expected.propose().logits, atol=1e-2)
    assert made.weights_sha256 != expected.weights_sha256
