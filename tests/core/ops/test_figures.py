"""Figures of many processes are added up, and shares of durations estimated from them."""

import pytest

from src.core.ops.figures import Figures, add, merged, percentile_ms, subtract

pytestmark = pytest.mark.unit

BOUNDS = [0.1, 0.2, 1.0]


@pytest.mark.parametrize(
    ("durations", "share", "expected"),
    [
        ([10, 0, 0, 0], 0.5, 50),
        ([10, 10, 0, 0], 0.75, 150),
        ([0, 0, 10, 0], 0.5, 600),
        ([0, 0, 0, 10], 0.5, 1000),
        ([99, 0, 0, 1], 0.5, 50.5),
        ([0, 0, 0, 0], 0.5, None),
        ([], 0.5, None),
    ],
)
def test_shares_are_interpolated(durations: list[int], share: float, expected: float | None) -> None:
    assert percentile_ms([sum(durations), 0, 0, *durations], BOUNDS, share) == expected


def test_figures_of_another_version_are_left_out() -> None:
    figures = [Figures(bounds=BOUNDS, series={"a": [1, 0, 0, 1]}), Figures(bounds=[5.0], series={"a": [9, 9, 9, 9]})]
    assert add(figures).series == {"a": [1, 0, 0, 1]}


def test_sums_are_those_of_all_series() -> None:
    figures = Figures(bounds=BOUNDS, series={"a": [1, 0, 1, 1], "b": [2, 1, 0, 0, 2]})
    assert merged(add([figures, figures])) == [6, 2, 2, 2, 4]
    assert merged(Figures()) == [0, 0, 0]


def test_only_what_has_changed_is_kept() -> None:
    before = {"requests": Figures(bounds=BOUNDS, series={"a": [1, 0, 0, 1], "b": [1, 0, 0, 1]})}
    now = {"requests": Figures(bounds=BOUNDS, series={"a": [3, 1, 0, 3], "b": [1, 0, 0, 1], "c": [1, 0, 0, 1]})}
    assert subtract(now, before)["requests"].series == {"a": [2, 1, 0, 2], "c": [1, 0, 0, 1]}
    assert subtract(now, now) == {}
