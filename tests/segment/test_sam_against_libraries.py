"""The whole way from image and prompts to masks, against what the networks' own libraries make of the same."""

from __future__ import annotations

import numpy as np
import pytest

from napari_hsisynth.composite import segmenter_view
from napari_hsisynth.segment import Prompts, load_segmenter

transformers = pytest.importorskip("transformers")
torch = pytest.importorskip("torch")

CLICKS = [(30, 45), (50, 20), (8, 70)]
LABELS = [1, 1, 0]


def close_to_the_outline(ours: np.ndarray, theirs: np.ndarray) -> None:
    """Half precision of the kept embedding may move a pixel of the outline, but no more."""
    assert ours.shape == theirs.shape
    assert (ours != theirs).mean() < 2e-3


def in_their_count(shape, used) -> list[list[float]]:
    """Clicks (x, y) such that their scaling, which leaves pixels by their corner, ends at the centres that we mean."""
    scale_y, scale_x = used[0] / shape[0], used[1] / shape[1]
    return [[(x + 0.5) - 0.5 / scale_x, (y + 0.5) - 0.5 / scale_y] for y, x in CLICKS]


def answers(segmenter, prompts):
    """All candidates before they are held to the prompts and sorted."""
    logits, scores = segmenter._ask(prompts, segmenter._present())
    return logits > 0, scores


@pytest.mark.parametrize("kind", ["sam2", "sam"])
def test_transformers(kind, kinds, cube, sam2_folder, sam_folder):
    name, options = kinds[kind]
    segmenter = load_segmenter(name, view="pca3", **options)
    segmenter.set_cube(cube)
    masks, scores = answers(segmenter, Prompts(points=CLICKS, labels=LABELS))

    image = segmenter_view(cube, "pca3")
    frame = segmenter._network.frame(cube.shape_yx)
    side = frame.side_px
    if kind == "sam2":
        model = transformers.Sam2Model.from_pretrained(sam2_folder)
        images = transformers.Sam2ImageProcessor(size={"height": side, "width": side})
        processor = transformers.Sam2Processor(images)
    else:
        model = transformers.SamModel.from_pretrained(sam_folder)
        square = {"height": side, "width": side}
        images = transformers.SamImageProcessor(size={"longest_edge": side}, pad_size=square)
        processor = transformers.SamProcessor(images)
    points = in_their_count(cube.shape_yx, frame.used_yx)
    inputs = processor(images=image, input_points=[[points]], input_labels=[[LABELS]], return_tensors="pt")
    sizes = [inputs["original_sizes"]] + ([inputs["reshaped_input_sizes"]] if kind == "sam" else [])
    known = {name: inputs[name] for name in ("pixel_values", "input_points", "input_labels")}
    for several, ours, our_scores in ((False, masks[:1], scores[:1]), (True, masks[1:], scores[1:])):
        with torch.no_grad():
            found = model(**known, multimask_output=several)
        theirs = processor.post_process_masks(found.pred_masks, *sizes)[0][0].numpy()
        close_to_the_outline(ours, theirs)
        np.testing.assert_allclose(our_scores, np.clip(found.iou_scores[0, 0].numpy(), 0, 1), atol=1e-3)


def test_segment_anything(kinds, cube, sam_pth):
    from segment_anything import SamPredictor
    from tiny_sams import segment_anything_model

    name, options = kinds["pth"]
    segmenter = load_segmenter(name, view="pca3", **options)
    segmenter.set_cube(cube)
    frame = segmenter._network.frame(cube.shape_yx)
    sam = segment_anything_model()
    sam.load_state_dict(torch.load(sam_pth, weights_only=True))
    predictor = SamPredictor(sam)
    predictor.set_image(segmenter_view(cube, "pca3"))
    points = np.array(in_their_count(cube.shape_yx, frame.used_yx))
    box = (15, 30, 46, 61)
    y0, x0, y1, x1 = box
    end_y, end_x = (1 / (used / side) for used, side in zip(frame.used_yx, cube.shape_yx, strict=True))
    their_box = np.array([x0, y0, x1 - end_x, y1 - end_y])  # the last pixel of the scaled image belongs to the box
    masks, scores = answers(segmenter, Prompts(points=CLICKS, labels=LABELS, box=box))
    for several, ours, our_scores in ((False, masks[:1], scores[:1]), (True, masks[1:], scores[1:])):
        theirs, their_scores, _ = predictor.predict(points, np.array(LABELS), their_box, multimask_output=several)
        close_to_the_outline(ours, theirs)
        np.testing.assert_allclose(our_scores, np.clip(their_scores, 0, 1), atol=1e-3)
