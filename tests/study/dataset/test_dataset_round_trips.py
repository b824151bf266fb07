"""What goes out as a data set comes back as it was: cubes to the bit, masks, seeds, runs, conditions, wavelengths."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from napari_hsisynth.study import Study, dataset, load_collection
from napari_hsisynth.study.dataset import import_dataset

export_dataset = partial(dataset.export_dataset, masks="stored")  # the default needs a segmenter
FORMATS = ["mat", "envi"]


def assert_same(one, other, *, renamed=""):
    assert one.cube.data.tobytes() == other.cube.data.tobytes()
    np.testing.assert_array_equal(one.cube.wavelengths_nm, other.cube.wavelengths_nm)
    np.testing.assert_array_equal(one.mask, other.mask)
    expected = one.record
    if renamed:
        expected = replace(expected, crop_id=renamed, cube_id=renamed, file=f"{renamed}.npz")
    assert other.record == expected


@pytest.mark.parametrize("cube_format", FORMATS)
def test_merged_sets_come_back_whole_into_the_study_and_into_a_new_one(study, make, synthetic, tmp_path, cube_format):
    made = export_dataset(study, tmp_path / "data", cube_format=cube_format)
    assert made.cubes == 5
    assert made.by_mask_source == {"conditioning": 1, "none": 4}
    first, second = synthetic(study, make.first), synthetic(study, make.second)
    for target in (study.root, tmp_path / "new"):
        back = import_dataset(tmp_path / "data", target)
        assert (back.name, back.cubes, back.new) == ("data", 5, True)
        found = synthetic(back.study, "data")
        for name, one in first.items():
            assert_same(one, found[name])
        # names that a file system without upper and lower case would take for one got a number
        assert_same(second["syn-0"], found["syn-0-2"], renamed="syn-0-2")
        assert_same(second["SYN-1"], found["SYN-1-2"], renamed="SYN-1-2")
        assert load_collection(back.folder).kind == "synthetic"
        assert not back.study.entries
        assert not back.study.crops()
    assert "SYNTHETIC" in Study.open(tmp_path / "new").notes
    assert "PHANTOM" in Study.open(tmp_path / "new").notes


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), cube_format=st.sampled_from(FORMATS))
def test_any_values_and_sides_come_back_to_the_bit(data, cube_format, make, tmp_path_factory, synthetic):
    root = tmp_path_factory.mktemp("any")
    bands = data.draw(st.integers(1, 4))
    shape = data.draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    floats = st.floats(width=32, allow_nan=True, allow_infinity=True)
    values = data.draw(npst.arrays(np.float32, (bands, *shape), elements=floats))
    mask = data.draw(npst.arrays(bool, shape))
    nm = np.array(data.draw(st.lists(st.floats(100, 3000), min_size=bands, max_size=bands, unique=True)))
    seed = data.draw(st.none() | st.integers(0, 2**63))
    study = Study.create(root / "s", wavelengths_nm=nm)
    one = make.crop(
        "a", "other", values, run="r", mask=mask, mask_source="conditioning", seed=seed, condition="DN_1", nm=nm
    )
    make.put_set(study, "set", [one])
    export_dataset(study, root / "data", cube_format=cube_format)
    back = import_dataset(root / "data", root / "new")
    assert_same(one, synthetic(back.study, "data")["a"])


def test_automatic_masks_are_said_to_be_so_and_stored_ones_stay(study, make, synthetic, tmp_path):
    def bright(cube):
        return cube.data[0] > 0.5

    made = export_dataset(study, tmp_path / "data", masks="complete", propose=bright)
    assert made.by_mask_source == {"automatic": 4, "conditioning": 1}
    found = synthetic(import_dataset(tmp_path / "data", tmp_path / "new").study, "data")
    for crop_id, original in synthetic(study, make.first).items():
        assert found[crop_id].record.mask_source == "automatic"
        np.testing.assert_array_equal(found[crop_id].mask, bright(original.cube))
    assert_same(synthetic(study, make.second)["syn-0"], found["syn-0-2"], renamed="syn-0-2")
    made = export_dataset(study, tmp_path / "all", masks="automatic", propose=bright)
    assert made.by_mask_source == {"automatic": 5}
    made = export_dataset(study, tmp_path / "none", masks="none")
    assert made.by_mask_source == {"none": 5}
    assert not (tmp_path / "none" / "masks").exists()


def test_exported_again_from_where_it_came_to_the_cubes_are_the_same_files(evaluated, tmp_path, files):
    export_dataset(evaluated, tmp_path / "data", licence="CC BY 4.0")
    back = import_dataset(tmp_path / "data", tmp_path / "new")
    export_dataset(back.study, tmp_path / "again")
    one, again = files(tmp_path / "data"), files(tmp_path / "again")
    assert one.keys() == again.keys()
    differing = {name for name in one if one[name] != again[name]}
    assert differing == {"README.md", "SHA256SUMS", "datacard.json", "dataset.csv"}  # these name the sets
    for known in (b"Licence: CC BY 4.0.", b"Fingerprint of the training crops: `fp`", b"Angle (rad)", b"PHANTOM"):
        assert known in again["README.md"]


def test_a_cube_in_two_sets_is_exported_once(study, tmp_path, make):
    export_dataset(study, tmp_path / "data")
    import_dataset(tmp_path / "data", study.root)
    made = export_dataset(study, tmp_path / "more")
    assert made.cubes == 5
    assert made.notes[-1] == "5 cubes are in several sets and were written once"
    # the first of each diagnosis of every set, and not the next ones in place of those that are there already
    assert export_dataset(study, tmp_path / "few", n=1).cubes == 4


def test_importing_again_changes_nothing_and_another_set_of_the_name_is_kept(study, tmp_path, files, make):
    export_dataset(study, tmp_path / "data", sets=[make.first])
    import_dataset(tmp_path / "data", study.root)
    before = files(study.synthetic_dir("data"))
    assert not import_dataset(tmp_path / "data", study.root).new
    export_dataset(study, tmp_path / "data", sets=[make.second], force=True)
    with pytest.raises(ValueError, match=r"another synthetic set of this name.*--name"):
        import_dataset(tmp_path / "data", study.root)
    assert files(study.synthetic_dir("data")) == before
    assert import_dataset(tmp_path / "data", study.root, name="other").cubes == 2
