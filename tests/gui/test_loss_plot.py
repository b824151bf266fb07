"""The plot of a run's scalars: which curves it draws of which quantities, and what the run has warned of."""

from __future__ import annotations

import math

import numpy as np
import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QHelpEvent
from qtpy.QtWidgets import QApplication, QToolTip

from napari_hsisynth.widgets.loss_plot import LossPlot
from napari_hsisynth.widgets.quantities import arrange


@pytest.fixture
def losses(qtbot) -> LossPlot:
    plot = LossPlot()
    qtbot.addWidget(plot)
    plot.resize(400, 400)
    plot.show()
    return plot


def choices(losses: LossPlot) -> list[str]:
    return [losses.quantity.itemText(number) for number in range(losses.quantity.count())]


def legend(losses: LossPlot) -> list[str]:
    return [label.text for _, label in losses.plot.getPlotItem().legend.items]


def test_training_and_validation_are_two_curves_of_one_quantity(losses: LossPlot) -> None:
    for images in (100, 200, 300):
        losses.add(images, {"loss": 1000.0 / images, "kl_nats": float(images)})
    losses.add(200, {"val_loss": 6.0, "val_angle_deg": 4.0})
    losses.redraw()
    assert choices(losses) == ["loss", "KL (nats)", "spectral angle (deg)"]
    at, height = losses.curves["loss"].getData()
    assert at.tolist() == [100, 200, 300]
    assert height == pytest.approx([10, 5, 10 / 3])
    at, height = losses.curves["val_loss"].getData()
    assert (at.tolist(), height.tolist()) == ([200], [6.0])
    assert losses.curves["val_loss"].opts["symbol"] == "o"
    assert legend(losses) == ["training", "validation"]
    losses.quantity.setCurrentText("KL (nats)")
    assert list(losses.curves) == ["kl_nats"]
    assert losses.curves["kl_nats"].getData()[1].tolist() == [100, 200, 300]
    assert legend(losses) == ["training"]
    assert losses.plot.getAxis("left").labelText == "KL (nats)"


def test_what_adversaries_report_is_seen_together(losses: LossPlot) -> None:
    """Neither of two opposed losses says anything alone, nor does a score of real images."""
    step = {"loss": 1.0, "generator_loss": -0.5, "real_score": 2.0, "fake_score": 1.0, "gradient_penalty": 0.1}
    losses.add(100, step)
    losses.add(200, {**step, "loss": 0.8})
    losses.add(200, {"val_spectra_sw": 0.02})
    losses.redraw()
    assert choices(losses) == ["losses", "scores by the critic", "gradient penalty", "spectral SW"]
    assert list(losses.curves) == ["loss", "generator_loss"]
    assert legend(losses) == ["critic", "generator"]
    assert losses.curves["loss"].getData()[1].tolist() == [1.0, 0.8]
    colours = {curve.opts["pen"].color().name() for curve in losses.curves.values()}
    assert len(colours) == 2
    losses.quantity.setCurrentText("scores by the critic")
    assert legend(losses) == ["real", "synthetic"]
    assert losses.curves["real_score"].opts["pen"].style() == Qt.PenStyle.SolidLine
    assert losses.curves["fake_score"].opts["pen"].style() == Qt.PenStyle.DashLine


def test_what_conditioned_models_report_has_names_and_few_plots(losses: LossPlot) -> None:
    """Of spade-fastgan and cyclegan at once, which is more than any one model reports."""
    step = {"loss": 1.0, "generator_loss": 1.0, "reconstruction_loss": 0.3, "real_score": 1.0, "fake_score": 0.0}
    losses.add(100, step | {"wrong_mask_loss": 0.5, "cycle_error": 0.2, "rgb_error": 0.1, "rgb_penalty": 0.1})
    losses.add(100, {"val_mask_iou": 0.7, "val_mask_iou_real": 0.8, "val_rgb_error": 0.1})
    losses.redraw()
    assert choices(losses) == [
        "losses",
        "scores by the critic",
        "IoU with the mask asked for",
        "reconstruction loss",
        "wrong mask loss",
        "cycle error",
        "RGB error",
        "RGB penalty",
    ]
    assert list(losses.curves) == ["loss", "generator_loss"]  # what is seen at first stays as it was
    losses.quantity.setCurrentText("IoU with the mask asked for")
    assert legend(losses) == ["real, validation", "synthetic, validation"]
    assert losses.curves["val_mask_iou"].opts["pen"].style() == Qt.PenStyle.DashLine
    losses.quantity.setCurrentText("RGB error")
    assert legend(losses) == ["training", "validation"]


def test_a_choice_stays_when_more_quantities_come(losses: LossPlot) -> None:
    losses.add(100, {"loss": 1.0, "gradient": 2.0})
    losses.quantity.setCurrentText("gradient norm")
    losses.add(200, {"generator_loss": 1.0, "val_loss": 1.0})
    losses.redraw()
    assert choices(losses) == ["losses", "gradient norm"]
    assert losses.quantity.currentText() == "gradient norm"
    losses.clear()
    assert choices(losses) == []
    assert not losses.curves


@pytest.mark.parametrize("names", [[], ["loss"], ["real_score"], ["loss", "generator_loss", "anything_else"]])
def test_every_quantity_is_in_exactly_one_plot(names: list[str]) -> None:
    plotted = [one.name for plot in arrange(names) for one in plot.series]
    assert sorted(plotted) == sorted(names)


def test_what_is_not_a_number_is_a_gap_and_never_zero(losses: LossPlot) -> None:
    losses.add(1, {"loss": 2.0})
    losses.add(2, {"loss": None})
    losses.add(3, {"loss": 3.0})
    assert math.isnan(losses.points("loss")[1][1])
    losses.add(4, {"loss": -1.0})
    losses.logarithmic.setChecked(True)  # -1 has no logarithm; pyqtgraph must not be asked for it
    _, heights = losses.curves["loss"].getData()
    assert np.isfinite(heights).sum() == 2


def test_the_plot_follows_in_time(losses: LossPlot, qtbot) -> None:
    losses.add(10, {"loss": 1.0})
    qtbot.waitUntil(lambda: "loss" in losses.curves, timeout=2_000)


def test_a_resume_takes_back_what_came_after_its_checkpoint(losses: LossPlot) -> None:
    for images in (100, 200, 300, 400):
        losses.add(images, {"loss": 1.0})
    losses.warn("few crops")
    losses.warn("the critic wins", 150)
    losses.warn("the critic wins", 350)
    losses.forget_after(200)
    losses.add(250, {"loss": 0.5})
    assert losses.points("loss")[0].tolist() == [100, 200, 250]
    assert [(one.images, one.text) for one in losses.warnings.warnings] == [
        (None, "few crops"),
        (150, "the critic wins"),
    ]
    assert [mark.value() for mark in losses.warnings.marks.values()] == [150]


def test_warnings_are_listed_and_marked(losses: LossPlot, qtbot) -> None:
    assert not losses.warnings.isVisible()
    losses.add(0, {"loss": 1.0})
    losses.add(1000, {"loss": 0.5})
    losses.redraw()
    losses.warn("only 3 crops")
    for _ in range(2):  # as when a run is read again
        losses.warn("the critic wins", 500)
    listed = losses.warnings
    assert listed.isVisible()
    assert [listed.item(row).text() for row in range(listed.count())] == [
        "⚠ only 3 crops",
        "⚠ 500 images: the critic wins",
    ]
    (mark,) = listed.marks.values()
    thin = mark.pen.widthF()
    qtbot.mouseClick(listed.viewport(), Qt.MouseButton.LeftButton, pos=listed.visualItemRect(listed.item(1)).center())
    assert mark.pen.widthF() > thin
    qtbot.keyClick(listed, Qt.Key.Key_Up)
    assert mark.pen.widthF() == thin


def test_a_mark_says_what_it_is_under_the_cursor(losses: LossPlot, qtbot) -> None:
    losses.add(0, {"loss": 1.0})
    losses.add(1000, {"loss": 0.5})
    losses.warn("the critic wins", 500)
    losses.redraw()
    box = losses.plot.getPlotItem().vb
    qtbot.waitUntil(lambda: box.viewRange()[0][1] > 900)
    place = losses.plot.mapFromScene(box.mapViewToScene(QPointF(500, 0.75)))
    viewport = losses.plot.viewport()
    QApplication.sendEvent(viewport, QHelpEvent(QHelpEvent.Type.ToolTip, place, viewport.mapToGlobal(place)))
    assert QToolTip.text() == "500 images: the critic wins"
    aside = place + QPoint(40, 0)
    QApplication.sendEvent(viewport, QHelpEvent(QHelpEvent.Type.ToolTip, aside, viewport.mapToGlobal(aside)))
    qtbot.waitUntil(lambda: QToolTip.text() == "")
