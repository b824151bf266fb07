"""Nothing is lost or given away: folders in the way, cards and tables that do not fit, names of photographs, races."""

import errno
import hashlib
import io
import json
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from napari_hsisynth.errors import InputError
from napari_hsisynth.study import dataset, read_crop, read_crops_index
from napari_hsisynth.study.dataset import import_dataset
from napari_hsisynth.study.dataset.checksums import write_sums

export_dataset = partial(dataset.export_dataset, masks="stored")  # the default needs a segmenter


@pytest.fixture
def data(evaluated, tmp_path):
    export_dataset(evaluated, tmp_path / "data", licence="CC BY 4.0")
    return tmp_path / "data"


def changed_card(folder, change):
    card = json.loads((folder / "datacard.json").read_text())
    change(card)
    (folder / "datacard.json").write_text(json.dumps(card))
    write_sums(folder, {})


@pytest.mark.parametrize("name", ["masks", "Masks"])
def test_the_folder_of_painted_masks_is_no_name_of_a_set(study, data, tmp_path, name):
    with pytest.raises(InputError, match=r"painted masks.*--name"):
        import_dataset(data, study.root, name=name)
    with pytest.raises(InputError, match="painted masks"):
        import_dataset(data.rename(tmp_path / name), study.root)


def test_a_folder_that_is_no_set_is_never_replaced(study, data, files):
    folder = study.root / "synthetic" / "mine"
    folder.mkdir()
    assert import_dataset(data, study.root, name="mine").new  # an empty one is not in the way
    (folder / "crops.csv").unlink()
    before = files(folder)
    with pytest.raises(InputError, match=r"a folder of this name is in the way.*--name"):
        import_dataset(data, study.root, name="mine")
    assert files(folder) == before


def test_a_folder_that_is_filled_during_an_import_stays(study, data):
    folder = study.root / "synthetic" / "late"

    def fill(done, total):
        if done == total - 1:
            folder.mkdir(exist_ok=True)
            (folder / "syn-1.npz").write_text("a cube")

    with pytest.raises(InputError, match="in the way"):
        import_dataset(data, study.root, name="late", progress=fill)
    assert (folder / "syn-1.npz").read_text() == "a cube"


def test_an_export_that_was_quicker_is_not_replaced(study, tmp_path):
    def quicker(done, total):
        if done == 3:
            (tmp_path / "data").mkdir()
            (tmp_path / "data" / "theirs").write_text("theirs")

    with pytest.raises(InputError, match="not empty"):
        export_dataset(study, tmp_path / "data", progress=quicker)
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["theirs"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "mine"]


def set_in(*way, to):
    def change(card):
        for step in way[:-1]:
            card = card[step]
        card[way[-1]] = to

    return change


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda card: card.pop("title"), "title"),
        (lambda card: card.pop("licence"), "licence"),
        (set_in("cubes", to=[1]), "cubes"),
        (set_in("cubes", "wavelengths_nm", to=["a"]), "wavelengths_nm"),
        (set_in("generators", 0, "training_data", "crops", to={"melanoma": None}), "crops.melanoma"),
        (set_in("generators", 0, "training_data", "crops", to={"wart": 1}), "crops"),
        (set_in("generators", 0, "training_data", to=None), "training_data"),
        (set_in("evaluations", 0, "n_real", to="many"), "n_real"),
        (set_in("evaluations", 0, "figures", "angle", "ci", to=[1]), "ci"),
        (set_in("evaluations", 0, "figures", "angle", "value", to=float("nan")), "NaN"),
    ],
)
def test_a_card_of_other_types_is_bad_input_and_nothing_is_imported(data, tmp_path, change, field):
    changed_card(data, change)
    with pytest.raises(InputError, match=field):
        import_dataset(data, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_what_the_card_may_lack_can_be_exported_again(data, tmp_path):
    def change(card):
        card["evaluations"][0] |= {"n_real": None, "n_synthetic": None}
        del card["evaluations"][0]["n_set"]

    changed_card(data, change)
    back = import_dataset(data, tmp_path / "new")
    export_dataset(back.study, tmp_path / "again")
    assert "an unknown number of cubes" in (tmp_path / "again" / "README.md").read_text()


@pytest.mark.parametrize("n_real", [None, "eight"])
def test_a_report_without_numbers_does_not_stop_an_export(evaluated, tmp_path, n_real):
    (path,) = evaluated.runs_dir.glob("*evaluate-2/report/metrics.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"n_real": n_real}))
    export_dataset(evaluated, tmp_path / "data")
    (report,) = json.loads((tmp_path / "data" / "datacard.json").read_text())["evaluations"]
    assert report["run"].endswith("evaluate-2" if n_real is None else "evaluate-1")


def test_the_card_says_how_much_of_a_set_was_measured(evaluated, data, tmp_path, make):
    assert "all 3 cubes of the set beside 8 real ones, diagnosis all" in (data / "README.md").read_text()
    folder = evaluated.synthetic_dir(make.first)
    old = [read_crop(folder, record) for record in read_crops_index(folder)]
    shutil.rmtree(folder)
    make.put_set(evaluated, make.first, [*old, make.crop("syn-9", "nevus", make.values(9), run=make.first)])
    export_dataset(evaluated, tmp_path / "grown", n=1)
    page = (tmp_path / "grown" / "README.md").read_text()
    assert "3 of 4 cubes of the set beside 8 real ones" in page
    export_dataset(import_dataset(tmp_path / "grown", tmp_path / "new").study, tmp_path / "again")
    assert "3 of 4 cubes of the set beside 8 real ones, diagnosis all" in (tmp_path / "again" / "README.md").read_text()


@pytest.mark.parametrize("name", ["dataset.csv", "datacard.json", "*.hdr", "*.dat", "*_mask.png"])
def test_a_file_without_a_checksum_is_not_taken(study, tmp_path, name):
    data = tmp_path / "data"
    export_dataset(study, data, cube_format="envi")
    victim = sorted(data.rglob(name))[0].relative_to(data).as_posix()
    lines = (data / "SHA256SUMS").read_text().splitlines(keepends=True)
    (data / "SHA256SUMS").write_text("".join(line for line in lines if not line.endswith(f"  {victim}\n")))
    with pytest.raises(InputError, match=f"{victim}.*no checksum"):
        import_dataset(data, tmp_path / "new")


@pytest.mark.parametrize("name", ["dataset.csv", "README.md"])
def test_a_file_that_cannot_be_read_is_bad_input(data, tmp_path, monkeypatch, name):
    opened = io.open

    def refusing(file, *args, **kwargs):
        if Path(file).name == name:
            raise PermissionError(errno.EACCES, "Permission denied", str(file))
        return opened(file, *args, **kwargs)

    monkeypatch.setattr("builtins.open", refusing)
    with pytest.raises(InputError, match=f"{name}: cannot be read.*copy the data set again"):
        import_dataset(data, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_damaged_table_is_told_before_its_rows_are_read(study, tmp_path):
    data = tmp_path / "data"
    export_dataset(study, data)
    with open(data / "dataset.csv", "ab") as table:
        table.write(b"x")
    with pytest.raises(InputError, match=r"dataset.csv: not the table that the card was written for"):
        import_dataset(data, tmp_path / "new")


@pytest.mark.parametrize("cube_format", ["mat", "envi"])
def test_table_card_and_checksums_have_to_agree(study, tmp_path, cube_format):
    data = tmp_path / "data"
    export_dataset(study, data, cube_format=cube_format)
    table = data / "dataset.csv"
    original = table.read_bytes()
    table.write_bytes(original.replace(b"DN_1_1", b"DN_1_2"))
    write_sums(data, {})
    with pytest.raises(InputError, match="not the table that the card"):
        import_dataset(data, tmp_path / "new")
    table.write_bytes(original)
    values = sorted(data.rglob("*.mat" if cube_format == "mat" else "*.dat"))[0]
    content = bytearray(values.read_bytes())
    content[-3] ^= 1
    values.write_bytes(content)
    write_sums(data, {})
    with pytest.raises(InputError, match=f"{values.name}.*not the file that the table"):
        import_dataset(data, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_damaged_set_does_not_stop_the_export_of_another(study, tmp_path, make):
    (study.synthetic_dir(make.second) / "crops.csv").write_text("damaged")
    study.synthetic_dir(make.first).rename(study.synthetic_dir("renamed"))
    for name in ("renamed", make.first):
        assert export_dataset(study, tmp_path / name, sets=[name]).cubes == 3
    for sets in (None, [make.second]):
        with pytest.raises(InputError, match=r"crops\.csv"):
            export_dataset(study, tmp_path / "all", sets=sets)


@pytest.mark.parametrize("cube_format", ["mat", "envi"])
def test_names_of_files_that_cubes_show_do_not_leave(study, tmp_path, make, files, synthetic, cube_format):
    sha256 = hashlib.sha256(b"photograph").hexdigest()
    told = {"told": ["rgb"], "source": "file", "name": "Smith/left arm.jpg", "sha256": sha256}
    crops = [
        make.crop("a", "other", make.values(1), run="r", condition=told["name"], shown=told),
        make.crop("b", "other", make.values(2), run="r", condition="Smith", shown=told | {"name": "Smith"}),
        make.crop("c", "other", make.values(3), run="r", condition="Smith.jpg"),  # where nobody said what it is
        make.crop(
            "d", "other", make.values(4), run="r", condition="DN_1", shown=told | {"source": "crop", "name": "DN_1"}
        ),
    ]
    make.put_set(study, "shown", crops)
    data = tmp_path / "data"
    export_dataset(study, data, sets=["shown"], cube_format=cube_format)
    assert not [name for name, content in files(data).items() if b"Smith" in content or b"left arm" in content]
    back = import_dataset(data, study.root)
    found = synthetic(study, "data")
    expected = {"a": f"file-{sha256[:8]}", "b": f"file-{sha256[:8]}", "c": "file-unknown", "d": "DN_1"}
    assert {name: crop.record.condition for name, crop in found.items()} == expected
    assert {name: crop.cube.provenance["condition"]["name"] for name, crop in found.items()} == expected
    assert found["a"].cube.provenance["condition"]["sha256"] == sha256
    np.testing.assert_array_equal(found["a"].cube.data, crops[0].cube.data)
    # and once more: the names stay, and the cubes are known to be the same
    export_dataset(study, tmp_path / "again", sets=[back.name], cube_format=cube_format)
    one, again = files(data), files(tmp_path / "again")
    assert all(one[name] == again[name] for name in one if name.startswith("images/"))
    assert export_dataset(study, tmp_path / "both", sets=["shown", back.name]).cubes == 4
