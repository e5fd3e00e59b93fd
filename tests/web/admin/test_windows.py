"""How usage windows are shown to operators."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from codex_pooler.quota.forecast import Outlook
from codex_pooler.quota.windows import ACCOUNT, SPARK, Window
from codex_pooler.web.admin.windows import windows_view

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
STAMP = NOW.timestamp()


def _window(limit_key: str, minutes: int, used: float = 40.0, **more: object) -> Window:
    return Window(limit_key, minutes, used, STAMP - 60, "headers", **more)  # type: ignore[arg-type]


def test_the_accounts_own_windows_come_first_and_the_shortest_of_them() -> None:
    windows = [_window(SPARK, 300), _window(ACCOUNT, 10_080), _window(ACCOUNT, 299)]
    assert [shown["key"] for shown in windows_view(windows, NOW)] == ["account:5h", "account:7d", "codex_spark:5h"]


@pytest.mark.parametrize(
    ("window", "label"),
    [
        (_window(ACCOUNT, 300), "5 h"),
        (_window(ACCOUNT, 10_080), "Weekly"),
        (_window(ACCOUNT, 43_200), "Monthly"),
        (_window(ACCOUNT, 90), "90m"),
        (_window("code_review", 10_080), "Code review, weekly"),
        (_window(SPARK, 300, label="Spark"), "Spark, 5 h"),
    ],
)
def test_windows_have_names_for_people(window: Window, label: str) -> None:
    assert windows_view([window], NOW)[0]["label"] == label


def test_a_running_window_tells_its_use_and_its_reset() -> None:
    [shown] = windows_view([_window(ACCOUNT, 300, 62.5, reset_at=STAMP + 3600)], NOW)
    assert shown["used_percent"] == 62.5
    assert shown["window_seconds"] == 18_000
    assert shown["resets_at"] == datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


def test_a_window_whose_reset_has_passed_is_unused_until_the_backend_says_more() -> None:
    [shown] = windows_view([_window(ACCOUNT, 300, 100.0, reset_at=STAMP - 1)], NOW)
    assert (shown["used_percent"], shown["resets_at"]) == (0.0, None)


def test_a_window_tells_how_fast_it_fills_and_how_old_its_figures_are() -> None:
    window = _window(ACCOUNT, 300, 60.0, reset_at=STAMP + 7200)
    [shown] = windows_view([window], NOW, {(ACCOUNT, "5h"): Outlook(40.004, STAMP + 3600)})
    assert shown["burn_percent_per_hour"] == 40.0
    assert shown["exhausts_at"] == datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
    assert (shown["scope"], shown["freshness"]) == ("account", "fresh")
    [old] = windows_view([replace(window, observed_at=STAMP - 1800)], NOW)
    assert (old["freshness"], old["burn_percent_per_hour"], old["exhausts_at"]) == ("stale", None, None)


@pytest.mark.parametrize(
    ("window", "scope"),
    [
        (_window(ACCOUNT, 300), "account"),
        (_window(SPARK, 300, model="gpt-5.3-codex-spark"), "model"),
        (_window("code_review", 300), "feature"),
    ],
)
def test_a_window_tells_what_it_limits(window: Window, scope: str) -> None:
    assert windows_view([window], NOW)[0]["scope"] == scope
