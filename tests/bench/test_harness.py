"""The arithmetic of figures, on a clock that is turned by hand."""

from __future__ import annotations

import gc
import json
import math

import numpy as np
import pytest

from napari_hsisynth.bench import Budget, Figure, Times, alternate, timing
from napari_hsisynth.bench.machine import machine, machine_text
from napari_hsisynth.bench.report import Report


class Clock:
    """Tells the time that the work has said it took."""

    def __init__(self) -> None:
        self.now = 100.0
        self.done: list[str] = []

    def __call__(self) -> float:
        return self.now

    def work(self, name: str, seconds: float):
        def do() -> None:
            self.done.append(name)
            self.now += seconds

        return do


def test_work_is_timed_in_turn_and_every_other_round_goes_backwards():
    clock = Clock()
    times = alternate({"a": clock.work("a", 0.5), "b": clock.work("b", 0.25)}, 3, warm_up=2, clock=clock)
    assert "".join(clock.done) == "abab" + "ab" + "ba" + "ab"
    assert times == {"a": Times((0.5,) * 3), "b": Times((0.25,) * 3)}


def test_garbage_is_not_collected_while_the_clock_runs_and_is_again_afterwards():
    assert gc.isenabled()
    seen = []
    alternate({"a": lambda: seen.append(gc.isenabled())}, 2, warm_up=1)
    assert seen == [True, False, False]
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError):
        alternate({"a": lambda: 1 / 0}, 1, warm_up=0)
    assert gc.isenabled()


def test_times_give_what_numpy_gives():
    seconds = tuple(np.random.default_rng(0).random(37))
    times = Times(seconds[:20]) + Times(seconds[20:])
    assert times.n == 37
    assert times.ms("median") == pytest.approx(1e3 * np.median(seconds))
    assert times.ms("p95") == pytest.approx(1e3 * np.quantile(seconds, 0.95))
    assert Times((0.004,)).ms("p95") == pytest.approx(4)
    for wrong in (lambda: Times(()), lambda: alternate({"a": int}, 0)):
        with pytest.raises(ValueError):
            wrong()


def test_a_figure_holds_its_value_beside_the_same_statistic_of_the_baseline():
    own, other = Times((0.001, 0.002, 0.003)), Times((0.010, 0.020, 0.060))
    figure = timing("hover", own, "matplotlib", other, "p95", Budget(most=8))
    assert figure.value == pytest.approx(own.ms("p95"))
    assert figure.baseline_value == pytest.approx(other.ms("p95"))
    assert figure.ratio == pytest.approx(own.ms("p95") / other.ms("p95"))
    assert (figure.median, figure.n, figure.met) == (pytest.approx(2), 3, True)
    assert timing("hover", own, "matplotlib", other).ratio == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("budget", "value", "baseline", "met", "text"),
    [
        (Budget(most=8), 8.0, 1.0, True, "<= 8 ms"),
        (Budget(most=8), 8.1, 100.0, False, "<= 8 ms"),
        (Budget(most_ratio=0.1), 2.0, 20.0, True, "<= 0.1 x baseline"),
        (Budget(most_ratio=0.1), 2.1, 20.0, False, "<= 0.1 x baseline"),
        (Budget(most_beyond=10), 15.0, 5.0, True, "<= baseline + 10 ms"),
        (Budget(most_beyond=10), 15.1, 5.0, False, "<= baseline + 10 ms"),
        (Budget(least=90), 90.0, 100.0, True, ">= 90 ms"),
        (Budget(least=90), 89.0, 1.0, False, ">= 90 ms"),
        (Budget(least_ratio=1.2), 12.0, 10.0, True, ">= 1.2 x baseline"),
        (Budget(least_ratio=1.2), 11.9, 10.0, False, ">= 1.2 x baseline"),
        (Budget(most=8, most_ratio=0.5), 8.0, 10.0, False, "<= 8 ms and <= 0.5 x baseline"),
    ],
)
def test_budgets(budget, value, baseline, met, text):
    figure = Figure("x", value, "ms", "y", baseline, n=1, budget=budget)
    assert figure.met is met
    assert budget.text("ms") == text


def test_a_baseline_of_nothing_has_no_ratio_and_stays_json():
    figure = Figure("x", 1.0, "ms", "y", 0.0, n=1)
    assert math.isnan(figure.ratio)
    found = json.loads(json.dumps(figure.to_json(), allow_nan=False))
    assert (found["ratio"], found["met"], found["budget"]) == (None, None, None)


def test_the_table_marks_what_missed_its_budget_and_says_what_was_left_out():
    report = Report("view", "small", machine())
    report.figures = [
        Figure("kept", 4.0, "ms", "slow thing", 40.0, n=5, budget=Budget(most=8)),
        Figure("missed", 9.0, "ms", "slow thing", 40.0, n=5, budget=Budget(most=8)),
        Figure("told", 9.0, "MB", "another", 18.0, n=5),
    ]
    report.left_out = [("the rest", "no display")]
    lines = report.text().splitlines()
    rows = {line.split()[0]: line for line in lines if line}
    assert "✔ <= 8 ms" in rows["kept"]
    assert "0.1 x" in rows["kept"]
    assert "✖ missed: <= 8 ms" in rows["missed"]
    assert "0.5 x" in rows["told"]
    assert "✔" not in rows["told"]
    assert "    beside 40 ms: slow thing" in lines
    assert "left out: the rest (no display)" in lines
    assert lines[-1] == "1 of 2 budgets kept"
    assert json.loads(json.dumps(report.to_json()))["left_out"] == [{"what": "the rest", "why": "no display"}]


def test_the_machine_is_named():
    found = json.loads(json.dumps(machine(), allow_nan=False))
    assert found["cpu"]
    assert found["cores"] >= 1
    assert found["versions"]["numpy"] == np.__version__
    assert found["cpu"] in machine_text(found)
    assert "OpenGL by somebody" in machine_text({**found, "qt": "6", "qt_platform": "xcb", "gl_renderer": "somebody"})
