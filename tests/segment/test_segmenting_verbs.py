"""The verbs ``segment`` and ``weights``: options reach the segmenter, and what goes wrong is one line."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from napari_hsisynth import cli
from napari_hsisynth.errors import InputError
from napari_hsisynth.formats import write_cube
from napari_hsisynth.segment import load_segmenter
from napari_hsisynth.study import Study


@pytest.fixture
def study(tmp_path, cube):
    made = Study.create(tmp_path / "study", wavelengths_nm=cube.wavelengths_nm)
    made.add_cube(cube, "MM_1", "melanoma")
    return made


def test_a_study_is_segmented_by_sam_with_its_options_on_record(study, sam2_folder, capsys):
    words = ["segment", str(study.root), "--backend", "sam2", "--model", "small", "--view", "band:630"]
    assert cli.main([*words, "--weights", str(sam2_folder), "--device", "cpu", "--json"]) == cli.DONE
    captured = capsys.readouterr()
    assert json.loads(captured.out)["lesions"] == {"MM_1": 1}
    assert "taken as your own" in captured.err
    (instance,) = study.annotation("MM_1").instances
    assert (instance.backend, instance.model) == ("sam2", "small (own) · band:630")
    assert len(instance.weights_sha256) == 64


def test_a_loose_cube_is_segmented_by_sam(tmp_path, cube, sam_pth, capsys):
    write_cube(tmp_path / "one.npz", cube)
    prompts = tmp_path / "prompts.json"
    prompts.write_text(json.dumps([{"points": [[30, 45], [5, 5]], "labels": [1, 0], "box": [10, 20, 50, 70]}]))
    words = ["segment", str(tmp_path / "one.npz"), "--backend", "sam", "--prompts", str(prompts)]
    assert cli.main([*words, "--weights", str(sam_pth)]) == cli.DONE
    labels = np.asarray(Image.open(tmp_path / "one_mask.png"))
    assert (labels[30, 45], labels[5, 5]) == (1, 0)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--backend", "sam2"], "weights fetch sam2 --model tiny"),
        (["--backend", "sam", "--model", "vit_h"], "weights fetch sam --model vit_h"),
        (["--backend", "sam2", "--view", "first"], "no view 'first'"),
        (["--model", "tiny"], "segmenter 'spectral' has no option model"),
    ],
)
def test_what_cannot_be_segmented_with_is_one_line(study, capsys, words, expected):
    assert cli.main(["segment", str(study.root), *words]) == cli.BAD_INPUT
    err = capsys.readouterr().err
    assert expected in err
    assert err.count("\n") == 1
    assert not study.annotation("MM_1").instances


def test_options_that_a_segmenter_does_not_have_are_named():
    with pytest.raises(InputError, match="no option size, colour; it has: model, view, weights"):
        load_segmenter("sam", size=3, colour=1)


def test_weights_are_listed_and_checked(capsys, sam_pth, tmp_path):
    assert cli.main(["weights", "list"]) == cli.DONE
    assert capsys.readouterr().out.count("not on this machine") == 7
    assert cli.main(["weights", "list", "sam2", "--model", "tiny", "--json"]) == cli.DONE
    (found,) = json.loads(capsys.readouterr().out)["weights"]
    assert (found["present"], found["size_mb"], found["path"]) == (False, 156, None)

    assert cli.main(["weights", "check"]) == cli.DONE
    assert "no weights on this machine" in capsys.readouterr().out
    assert cli.main(["weights", "check", "sam", "--weights", str(sam_pth), "--json"]) == cli.DONE
    (found,) = json.loads(capsys.readouterr().out)["weights"]
    assert (len(found["sha256"]), found["error"], found["path"]) == (64, "", str(sam_pth))
    page = tmp_path / "sam.pth"
    page.write_text("<html>")
    assert cli.main(["weights", "check", "sam", "--weights", str(page)]) == cli.BAD_INPUT
    assert "a web page" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["fetch"], "weights fetch sam2"),
        (["fetch", "spectral"], "no weights of a segmenter 'spectral'"),
        (["fetch", "sam2", "--model", "vit_b"], "no model 'vit_b'"),
        (["list", "--weights", "x"], "weights check NAME"),
        (["fetch", "sam"], "HF_HUB_OFFLINE"),
    ],
)
def test_what_cannot_be_fetched_is_one_line(capsys, monkeypatch, words, expected):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert cli.main(["weights", *words]) == cli.BAD_INPUT
    err = capsys.readouterr().err
    assert expected in err
    assert err.count("\n") == 1


def test_weights_that_are_there_are_not_fetched(capsys, monkeypatch, sam2_folder):
    from napari_hsisynth.segment import hub_cache

    blobs = {}
    for name in ("config.json", "model.safetensors"):
        blobs[name] = hub_cache.repo_folder("facebook/sam2.1-hiera-tiny") / "blobs" / name
        blobs[name].parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(sam2_folder / name, blobs[name])
    hub_cache.place("facebook/sam2.1-hiera-tiny", "0" * 40, blobs)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert cli.main(["weights", "fetch", "sam2", "--json"]) == cli.DONE
    assert json.loads(capsys.readouterr().out)["present"]
