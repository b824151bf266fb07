from dataclasses import replace

import numpy as np
import pytest

from napari_hsisynth import Cube, InputError
from napari_hsisynth.study import (
    Crop,
    CropRecord,
    Diagnosis,
    load_collection,
    make_crops,
    read_crop,
    read_crops_index,
    write_crop,
    write_crops_index,
)


def record(crop_id="A_1", **changes):
    values = {
        "cube_id": "A", "instance": 1, "diagnosis": "nevus", "patient": "Müller, \"K\"", "y0": 2, "x0": 3, "y1": 6,
        "x1": 8, "source_sha256": "ab", "file": f"{crop_id}.npz",
    }  # fmt: skip
    return CropRecord(crop_id, **{**values, **changes})


def crop(made=None, seed=0):
    made = made or record()
    draw = np.random.default_rng(seed)
    cube = Cube(draw.normal(size=(3, 4, 5)), [500.5, 600, 550], name="A_1", provenance={"phantom": True})
    return Crop(cube, draw.random((4, 5)) > 0.5, made)


def test_a_crop_comes_back(tmp_path):
    made = crop()
    write_crop(tmp_path, made)
    back = read_crop(tmp_path, made.record)
    np.testing.assert_array_equal(back.cube.data, made.cube.data)
    np.testing.assert_array_equal(back.mask, made.mask)
    np.testing.assert_array_equal(back.cube.wavelengths_nm, [500.5, 600, 550])
    assert back.cube.provenance == {"phantom": True}
    assert back.record == made.record


def test_the_file_holds_plain_arrays(tmp_path):
    write_crop(tmp_path, crop())
    with np.load(tmp_path / "A_1.npz", allow_pickle=False) as stored:
        assert set(stored) == {"cube", "mask", "wavelengths_nm", "meta"}
        assert stored["cube"].dtype == np.float32
        assert stored["mask"].dtype == bool


def test_an_index_comes_back_in_its_order(tmp_path):
    records = [
        record("B_2", cube_id="B", instance=2),
        record("run-1_0001", run="run-1", checkpoint="last", seed=7, mask_source="none", instance=0),
        record("A_1", diagnosis=Diagnosis.MELANOMA, seed=None),
    ]
    write_crops_index(tmp_path, records)
    assert read_crops_index(tmp_path) == records


def test_missing_and_damaged_crops_are_named(tmp_path):
    made = crop()
    with pytest.raises(InputError, match=r"A_1\.npz: the crop is missing; cut the crops again"):
        read_crop(tmp_path, made.record)
    (tmp_path / "A_1.npz").write_bytes(b"PK no")
    with pytest.raises(InputError, match=r"A_1\.npz: not a crop"):
        read_crop(tmp_path, made.record)
    write_crop(tmp_path, made)
    whole = (tmp_path / "A_1.npz").read_bytes()
    (tmp_path / "A_1.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"A_1\.npz: not a crop"):
        read_crop(tmp_path, made.record)
    np.savez(tmp_path / "A_1.npz", cube=np.array([object()]), mask=1, wavelengths_nm=1, meta="{}")
    with pytest.raises(InputError, match=r"A_1\.npz: not a crop"):  # never unpickled
        read_crop(tmp_path, made.record)


def test_a_file_that_is_another_crop_than_listed_is_refused(tmp_path):
    write_crop(tmp_path, crop())
    with pytest.raises(InputError, match=r"not the crop A_1 that crops\.csv lists"):
        read_crop(tmp_path, replace(record(), y1=7))


@pytest.mark.parametrize("file", ["../x.npz", "/etc/x.npz", "", "a\\b.npz", "c:x.npz"])
def test_an_index_does_not_lead_out_of_its_folder(file):
    with pytest.raises(InputError, match="not a path inside the folder"):
        record(file=file)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("melanoma", "mole", "line 2: unknown diagnosis"),
        (",1,", ",one,", "line 2: not a crop's row"),
        ("crop_id", "name", "columns missing: crop_id"),
        ("annotation", "guess", "line 2: A_1: unknown mask_source|line 2: unknown mask_source"),
        (",2,3,6,8,", ",2,3,2,8,", "line 2: the box .* is empty"),
    ],
)
def test_an_index_that_cannot_be_used_says_where(tmp_path, old, new, message):
    write_crops_index(tmp_path, [record(diagnosis="melanoma", patient="")])
    path = tmp_path / "crops.csv"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(InputError, match=rf"crops\.csv.*({message})"):
        read_crops_index(tmp_path)


def test_a_mask_must_fit_its_cube():
    with pytest.raises(InputError, match="mask of"):
        Crop(crop().cube, np.zeros((5, 4), bool), record())


def test_collections_are_found_by_study_and_by_folder(study):
    with pytest.raises(InputError, match="no crops here"):
        load_collection(study.root)
    make_crops(study)
    folder = study.synthetic_dir("20261123-101500-vae-3fa2")
    folder.mkdir(parents=True)
    made = record("S_1", run=folder.name, checkpoint="last", seed=1, mask_source="none")
    write_crop(folder, replace(crop(), record=made))
    write_crops_index(folder, [made])
    for path in (study.root, study.crops_dir):
        real = load_collection(path)
        assert (real.kind, len(real), real.study.root) == ("crops", 3, study.root)
    synthetic = load_collection(folder)
    assert (synthetic.kind, synthetic.study.root) == ("synthetic", study.root)
    assert [one.record.crop_id for one in synthetic] == ["S_1"]
    assert study.synthetic_runs() == [folder.name]


def test_a_collection_may_stand_alone_but_not_be_empty_or_mixed(tmp_path):
    write_crops_index(tmp_path, [record()])
    assert load_collection(tmp_path).study is None
    write_crops_index(tmp_path, [])
    with pytest.raises(InputError, match="lists no crops"):
        load_collection(tmp_path)
    write_crops_index(tmp_path, [record(), record("S", run="r")])
    with pytest.raises(InputError, match="real and synthetic"):
        load_collection(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        load_collection(tmp_path / "absent")
