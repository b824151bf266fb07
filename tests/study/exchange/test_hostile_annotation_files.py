"""Whatever a file holds: annotations, skipped cubes with reasons, or one clear error; never anything else."""

import contextlib
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_hsisynth.errors import InputError
from napari_hsisynth.study import Study
from napari_hsisynth.study.exchange import export_annotations, import_annotations

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 900),
    st.sampled_from([10**30, -(10**400), 2**63]),
    st.floats(allow_nan=True),
    st.text(max_size=6),
    st.sampled_from(["../../x", "DN_1", "brushlabels", "polygon", "mask", "22", "\ud800", "a" * 300]),
)
VALUES = st.recursive(
    ODD,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def places(value, way=()):
    """Return the way to every value in nested lists and objects, but not to every number of a long list."""
    yield way
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in list(inner)[:12]:
        yield from places(item, (*way, key))


def changed(value, way, new):
    """Return a copy in which the value at the end of `way` is another one."""
    if not way:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[way[0]] = changed(copy[way[0]], way[1:], new)
    return copy


def files(root, kind):
    return (
        root / "coco.json" if kind == "coco" else root / kind / ("tasks.json" if kind == "labelstudio" else "DN_1.json")
    )


@pytest.mark.parametrize("kind", ["coco", "labelstudio", "labelme"])
def test_a_file_with_anything_in_any_place(marked, bare, tmp_path, kind):
    target = tmp_path / ("coco.json" if kind == "coco" else kind)
    export_annotations(kind, marked, target, status="all")
    good = json.loads(files(tmp_path, kind).read_text())
    ways = list(places(good))
    outside = set(tmp_path.iterdir())

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(data=st.data())
    def check(data):
        value = good
        for way in data.draw(st.lists(st.sampled_from(ways), min_size=1, max_size=2)):
            with contextlib.suppress(KeyError, IndexError, TypeError):  # an earlier change took this place away
                value = changed(value, way, data.draw(VALUES))
        path = tmp_path / "changed.json"
        path.write_text(json.dumps(value))
        with contextlib.suppress(InputError):
            report = import_annotations(kind, path, bare, if_marked="replace")
            assert all(isinstance(text, str) for pair in report.skipped for text in pair)
            json.dumps([report.notes, report.skipped], ensure_ascii=False).encode("utf-8")  # as --json prints them
        again = Study.open(bare.root)
        for entry in again.entries:
            again.annotation(entry.id)  # whatever came in can be read

    check()
    assert set(tmp_path.iterdir()) - outside <= {tmp_path / "changed.json"}


@pytest.mark.parametrize("kind", ["coco", "labelstudio", "labelme"])
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.one_of(st.binary(max_size=60), st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace")))
)
def test_a_file_of_any_bytes(bare, tmp_path, kind, content):
    (tmp_path / "any.json").write_bytes(content)
    with pytest.raises(InputError):
        import_annotations(kind, tmp_path / "any.json", bare)


def test_many_lesions_that_cover_the_image_take_the_memory_of_one(bare, tmp_path, make):
    import tracemalloc

    height, width = make.shape
    everything = {
        "image_id": 1,
        "category_id": 1,
        "segmentation": {"size": [height, width], "counts": [0, height * width]},
    }
    value = {"images": [{"id": 1, "file_name": "DN_1"}], "categories": [], "annotations": [everything] * 3000}
    (tmp_path / "bomb.json").write_text(json.dumps(value))
    tracemalloc.start()
    report = import_annotations("coco", tmp_path / "bomb.json", bare)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert report.lesions == 1
    assert peak < 3000 * height * width  # bytes of all masks; most of what is taken is the JSON itself
