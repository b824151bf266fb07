"""SAM networks as segmenters: real files, real encoder and decoder, random weights."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.segment import EmbedsAhead, Prompts, Segmenter, load_segmenter

pytest.importorskip("transformers")
SHAPE = (68, 91)  # of the cube in conftest
PROMPTS = {
    "one click": Prompts(points=[(30, 45)], labels=[1]),
    "clicks": Prompts(points=[(30, 45), (5, 5), (35, 50), (60, 80)], labels=[1, 0, 1, 0]),
    "neighbours": Prompts(points=[(30, 45), (30, 46)], labels=[1, 0]),
    "corners": Prompts(points=[(0, 0), (67, 90), (0, 90)], labels=[1, 1, 0]),
    "box": Prompts(box=(15, 30, 46, 61)),
    "box and clicks": Prompts(points=[(30, 45), (20, 35)], labels=[1, 0], box=(15, 30, 46, 61)),
}


@pytest.fixture(params=["sam2", "sam", "pth"])
def kind(request, kinds):
    return kinds[request.param]


@pytest.fixture(scope="module")
def loaded(kinds, tmp_path_factory):
    """One segmenter of each kind, for the tests that need no fresh one."""
    folder = str(tmp_path_factory.mktemp("embeddings"))
    return {key: load_segmenter(name, cache=folder, **options) for key, (name, options) in kinds.items()}


@pytest.fixture(params=["sam2", "sam", "pth"])
def segmenter(request, loaded, cube):
    made = loaded[request.param]
    made.set_cube(cube)
    return made


def same_answer(found, expected):
    np.testing.assert_allclose(found.logits, expected.logits, atol=1e-2)  # sums in another order


def encoder_runs(monkeypatch, segmenter):
    """Count from now on how often the encoder runs."""
    runs = []
    embed = segmenter._network.embed
    monkeypatch.setattr(segmenter._network, "embed", lambda image: runs.append(image) or embed(image))
    return runs


def test_every_mask_obeys_every_prompt_and_the_best_comes_first(segmenter):
    assert isinstance(segmenter, Segmenter)
    for prompts in PROMPTS.values():
        found = segmenter.predict(prompts)
        assert 1 <= len(found) <= 3
        assert found.masks.shape[1:] == SHAPE
        assert (np.diff(found.scores) <= 0).all()
        assert ((found.scores >= 0) & (found.scores <= 1)).all()
        np.testing.assert_array_equal(found.logits > 0, found.masks)
        for mask in found.masks:
            assert all(mask[pixel] == bool(label) for pixel, label in prompts.clicks)
            if prompts.box is not None:
                y0, x0, y1, x1 = prompts.box
                assert mask.sum() == mask[y0:y1, x0:x1].sum() > 0


def test_one_click_gets_three_answers(segmenter):
    first, second, third = segmenter.predict(PROMPTS["one click"]).masks
    assert (first != second).any()
    assert (second != third).any()


def test_a_box_may_be_dragged_in_any_direction(segmenter):
    expected = segmenter.predict(Prompts(box=(15, 30, 46, 61)))
    for box in ((46, 61, 15, 30), (46, 30, 15, 61), (15, 61, 46, 30)):
        np.testing.assert_array_equal(segmenter.predict(Prompts(box=box)).masks, expected.masks)


def test_an_inside_click_outside_the_box_still_counts(segmenter):
    found = segmenter.predict(Prompts(points=[(60, 80)], labels=[1], box=(15, 30, 46, 61)))
    assert all(mask[60, 80] for mask in found.masks)


def test_an_answer_is_handed_back_to_the_network_as_it_gave_it(segmenter, monkeypatch):
    asked = []
    decode = segmenter._network.decode
    monkeypatch.setattr(
        segmenter._network, "decode", lambda ready, prompts: asked.append(prompts) or decode(ready, prompts)
    )
    first = segmenter.predict(PROMPTS["clicks"])
    again = Prompts(points=[(30, 45), (50, 50)], labels=[1, 0], logits=first.logits[0])
    found = segmenter.predict(again)
    assert all(mask[30, 45] and not mask[50, 50] for mask in found.masks)
    low, frame = asked[-1].low, segmenter._network.frame(SHAPE)
    assert tuple(low.shape) == (frame.low_px, frame.low_px)
    back = frame.to_pixels(low[None])[0]
    assert np.corrcoef(back.ravel(), first.logits[0].ravel())[0, 1] > 0.8  # noise of random weights, smoothed twice


def test_a_mask_alone_is_returned_as_it_is(segmenter, lesion):
    found = segmenter.predict(Prompts(logits=np.where(lesion, np.float32(1), np.float32(-1))))
    np.testing.assert_array_equal(found.masks, lesion[None])


def test_what_is_proposed_lies_where_a_lesion_is(segmenter, lesion):
    found = segmenter.propose()
    assert len(found) == 1
    ys, xs = np.nonzero(lesion)
    inside = found.masks[0][ys.min() - 3 : ys.max() + 4, xs.min() - 3 : xs.max() + 4]
    assert inside.sum() == found.masks[0].sum() > 0
    less = segmenter.predict(Prompts(points=[(30, 45)], labels=[0]))
    assert not any(mask[30, 45] for mask in less.masks)


def test_even_skin_has_nothing_to_propose(segmenter):
    segmenter.set_cube(Cube(np.full((3, *SHAPE), 0.5, np.float32), [465.0, 550.0, 630.0]))
    assert len(segmenter.propose()) == 0


def test_the_encoder_runs_once_per_cube_and_view(kind, cube, monkeypatch):
    name, options = kind
    first = load_segmenter(name, **options)
    runs = encoder_runs(monkeypatch, first)
    first.set_cube(cube)
    first.set_cube(cube.replace(data=cube.data * 0.9))
    first.set_cube(cube)
    assert len(runs) == 2
    expected = first.predict(PROMPTS["clicks"])

    later = load_segmenter(name, **options)  # as at the next start of the program
    runs = encoder_runs(monkeypatch, later)
    later.set_cube(cube)
    assert not runs
    same_answer(later.predict(PROMPTS["clicks"]), expected)

    other_view = load_segmenter(name, view="band:465", **options)
    runs = encoder_runs(monkeypatch, other_view)
    other_view.set_cube(cube)
    assert len(runs) == 1


def test_without_a_cache_the_masks_are_the_same(kinds, loaded, cube):
    name, options = kinds["sam2"]
    segmenter = loaded["sam2"]
    segmenter.set_cube(cube)
    bare = load_segmenter(name, cache=False, **options)
    bare.set_cube(cube)
    bare.embed_ahead(cube)
    same_answer(bare.predict(PROMPTS["clicks"]), segmenter.predict(PROMPTS["clicks"]))


def test_a_cube_to_come_is_embedded_in_another_thread(segmenter, cube, monkeypatch):
    assert isinstance(segmenter, EmbedsAhead)
    expected = segmenter.predict(PROMPTS["clicks"])
    runs = encoder_runs(monkeypatch, segmenter)
    coming = cube.replace(data=cube.data[:, ::-1])
    ahead = threading.Thread(target=segmenter.embed_ahead, args=(coming,))
    ahead.start()
    while ahead.is_alive():
        same_answer(segmenter.predict(PROMPTS["clicks"]), expected)
    assert len(runs) == 1
    same_answer(segmenter.predict(PROMPTS["clicks"]), expected)
    segmenter.set_cube(coming)
    assert len(runs) == 1


def test_two_threads_at_the_same_cube_embed_it_once(segmenter, cube, monkeypatch):
    runs = encoder_runs(monkeypatch, segmenter)
    coming = cube.replace(data=cube.data[:, :, ::-1])
    threads = [threading.Thread(target=segmenter.embed_ahead, args=(coming,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(runs) == 1


@pytest.mark.parametrize("shape", [(272, 364), (9, 200), (3, 3)])
def test_any_size_of_image(kind, shape):
    name, options = kind
    made = load_segmenter(name, **options)
    made.set_cube(Cube(np.random.default_rng(0).random((4, *shape), np.float32), [465.0, 500.0, 550.0, 630.0]))
    prompts = Prompts(points=[(shape[0] - 1, shape[1] - 1), (0, 0)], labels=[1, 0])
    found = made.predict(prompts)
    assert found.masks.shape[1:] == shape
    assert all(mask[-1, -1] and not mask[0, 0] for mask in found.masks)
    assert len(made.predict(Prompts(box=(0, 0, *shape))))


def test_the_record_says_model_view_and_weights(kinds, sam_pth):
    import hashlib

    name, options = kinds["pth"]
    made = load_segmenter(name, view="rgb", **options)
    assert made.model == "vit_b (own) · rgb"
    assert made.weights_sha256 == hashlib.sha256(sam_pth.read_bytes()).hexdigest()
    assert "own" in made.notes[0]


def test_a_failed_cube_leaves_the_present_one(kinds, cube):
    name, options = kinds["sam2"]
    made = load_segmenter(name, view="band:465", **options)
    with pytest.raises(InputError, match="no cube yet"):
        made.predict(PROMPTS["one click"])
    made.set_cube(cube)
    expected = made.predict(PROMPTS["one click"])
    with pytest.raises(InputError, match="465"):
        made.set_cube(Cube(np.ones((2, 30, 40)), [800.0, 900.0]))
    np.testing.assert_array_equal(made.predict(PROMPTS["one click"]).masks, expected.masks)
    with pytest.raises(InputError, match="outside"):
        made.predict(Prompts(points=[(68, 0)], labels=[1]))


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ({"precision": "half", "device": "cpu"}, "half precision"),
        ({"precision": "double"}, "no precision 'double'"),
        ({"device": "tpu"}, "no device 'tpu'"),
        ({"device": "cpu:1"}, "no device 'cpu:1'"),
        ({"view": "first three bands"}, "no view"),
        ({"view": "band:green"}, "no wavelength"),
        ({"model": "huge"}, "no model 'huge'"),
    ],
)
def test_options_that_cannot_be_are_refused_in_words(kinds, option, words):
    for name, options in kinds.values():
        with pytest.raises(InputError, match=words):
            load_segmenter(name, **{**options, **option})


def test_half_precision_sees_nearly_the_same(kinds, cube):
    """As on a GPU, but on the CPU, where a user is refused because it is no faster."""
    import torch

    for name, options in kinds.values():
        exact = load_segmenter(name, device="cpu", cache=False, **options)
        rough = load_segmenter(name, device="cpu", cache=False, **options)
        rough._network._half = torch.bfloat16
        for segmenter in (exact, rough):
            segmenter.set_cube(cube)
        embeddings = [segmenter._embedding(cube) for segmenter in (exact, rough)]
        for level, values in embeddings[0].items():
            assert values.dtype == embeddings[1][level].dtype == np.float16
            assert (values != embeddings[1][level]).any()
            both = np.stack([values.ravel(), embeddings[1][level].ravel()]).astype(np.float64)
            assert np.corrcoef(both)[0, 1] > 0.99
        assert len(rough.predict(PROMPTS["clicks"]))
