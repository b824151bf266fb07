"""The verbs import and export of annotations."""

import json

import numpy as np
import pytest
from PIL import Image

from napari_hsisynth import cli, composite


def run(capsys, *words):
    status = cli.main([str(word) for word in words])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.mark.parametrize("kind", ["coco", "labelstudio", "labelme"])
def test_annotations_go_out_and_come_back(marked, bare, tmp_path, capsys, kind):
    target = tmp_path / ("out.json" if kind == "coco" else "out")
    status, out, _ = run(capsys, "export", kind, marked.root, target, "--status", "all", "--json")
    assert status == cli.DONE
    said = json.loads(out)
    assert (said["path"], said["cubes"]) == (str(target), 3)
    status, out, err = run(capsys, "import", kind, target, bare.root)
    assert status == cli.DONE
    assert out == f"{said['lesions']} lesions in 2 cubes imported into {bare.root}\n"
    assert "Nv_1" in err
    np.testing.assert_array_equal(bare.annotation("MM_1").mask, marked.annotation("MM_1").mask)
    status, out, err = run(capsys, "export", kind, marked.root, target)
    assert status == cli.BAD_INPUT
    assert err.count("\n") == 1
    assert "--force" in err
    assert run(capsys, "export", kind, marked.root, target, "--force")[0] == cli.DONE


def test_pictures_for_label_studio_are_in_colour(marked, tmp_path, capsys):
    assert run(capsys, "export", "labelstudio", marked.root, tmp_path / "out")[0] == cli.DONE
    with Image.open(tmp_path / "out" / "images" / "DN_1.png") as image:
        expected = composite.segmenter_view(marked.read_cube("DN_1"), "rgb")
        np.testing.assert_array_equal(np.array(image), expected)


def test_flags_choose_what_happens_to_cubes_with_lesions(marked, bare, tmp_path, capsys):
    run(capsys, "export", "coco", marked.root, tmp_path / "out.json")
    words = ("import", "coco", tmp_path / "out.json", bare.root, "--json")
    counts = [json.loads(run(capsys, *words, *flags)[1])["lesions"] for flags in ((), (), ("--merge",), ("--replace",))]
    assert counts == [3, 0, 0, 3]
    assert "say --merge, --replace or --as ANNOTATOR" in run(capsys, *words)[2]
    assert json.loads(run(capsys, *words, "--as", "Jane")[1])["cubes"] == ["DN_1", "MM_1"]
    assert bare.annotation("DN_1", "Jane").instances


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["import", "coco", "a.json", "s", "--copy"], "--copy is for cubes"),
        (["import", "coco", "a.json", "s", "--wavelengths", "1:9:3"], "--wavelengths is for cubes"),
        (["import", "hsidermoscopy", "a", "s", "--as", "me"], "--as is for annotations"),
        (["import", "hsidermoscopy", "a", "s", "--merge"], "--merge or --replace is for annotations"),
        (["import", "coco", "a.json", "s"], "import its cubes first"),
        (["export", "coco", "s", "a.json"], "no such folder"),
    ],
)
def test_what_does_not_go_together_is_bad_input(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    status, _, err = run(capsys, *words)
    assert status == cli.BAD_INPUT
    assert message in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_merging_and_replacing_exclude_each_other(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["import", "coco", "a", "b", "--merge", "--replace"])
    assert stop.value.code == 2
