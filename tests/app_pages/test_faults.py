"""What went wrong is told whole to ops; viewers are not told what stands where."""

import pytest

from dashboard import visitor
from dashboard.access import Caller, Role
from dashboard.app_pages.faults import told
from dashboard.errors import (
    AccessError,
    KeepError,
    ReadError,
    SalesTrendsError,
    SettingsError,
    StatementError,
    UnreachableError,
)

WITH_PLACES = [
    UnreachableError("What holds revenue does not answer.", "Try again."),
    UnreachableError("minio did not answer about the table: ConnectTimeout."),
    ReadError("The mirror ended by a fault of Sales Trends itself.", "See /srv/sales/.sales-trends/logs/crash.log."),
    ReadError("The mirror cannot be opened.", "See .sales-trends/mirror/local/1.duckdb."),
    ReadError("DuckDB cannot read revenue: Cannot open file '/data/lake/1.parquet'", "Check the table's files."),
    ReadError("DuckDB cannot read revenue: HTTP GET to 's3://lake/1.parquet' failed (HTTP 400)."),
    ReadError("AWS does not let these credentials do glue:GetTable on arn:aws:glue:eu-central-1:123456789012:db/x."),
    ReadError("What answers at login.example.com gives no token.", "Check the address."),
    ReadError("The broker 10.0.0.17 says nothing of itself."),
    SettingsError("Kafka at localhost:9092 refused the user or key.", "Check the user."),
    KeepError("Notes and views cannot be kept in ~/sales/kept.sqlite: disk I/O error.", "Make room there."),
]
WITHOUT = [
    SettingsError(
        "Windows of 1:00:00 cannot be summed by days of Asia/Kolkata: its midnight, 5:30:00 off UTC, falls inside a "
        "window.",
        "Choose UTC or a zone whose offset is a multiple of the window; a smaller window serves every zone.",
    ),
    SettingsError("The link's pin_from is '2026-03-01T12:00:00'.", "Wanted a time such as 2026-03-01T12:00:00.25Z."),
    SettingsError("Line 1, column 12: Referenced column a.b not found.", "Correct the statement."),
    SettingsError("There is no time between 2026-03-01T12:00:05Z and 2026-03-01T12:00:00Z.", "Choose SELECT/SHOW."),
    ReadError("There was no answer within 2.5 s.", "Ask about less time, or give it longer."),
    ReadError("There is no question 'x'.", "Ask one of late_orders, revenue_by_day; each is a file of queries/."),
    ReadError("3 windows are doubled or have no amount, so no sum is right.", "`sales-trends query x` lists them."),
    AccessError("Writing a note is for ops; you are a viewer.", "Whoever runs this dashboard gives roles."),
    AccessError(
        "Seeing the table shiftleft.public.orders is for ops.", "You may ask about revenue_summary, shiftleft.public.x."
    ),
    StatementError('information_schema.tables is no name of a table here, such as "shiftleft.public.orders".'),
    StatementError("Line 1, column 8: Could not convert string '/orders' to INT32.", "Correct the statement."),
    KeepError("Somebody has taken this view away already.", "The list shows what there is now."),
]


def said(fault: SalesTrendsError, role: Role, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(visitor, "caller", lambda: Caller("vera", role))
    return told(fault).replace("\\", "").replace("`", "")


@pytest.mark.parametrize("fault", WITH_PLACES, ids=str)
def test_what_names_a_place_is_told_whole_to_ops_and_viewers_hear_that_ops_see_it(
    fault: SalesTrendsError, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = str(fault).replace("`", "")

    assert said(fault, Role.OPS, monkeypatch) == whole
    plain = said(fault, Role.VIEWER, monkeypatch)
    assert "Ops see w" in plain
    assert not [word for word in whole.split() if set(word[:-1]) & set("./:") and word in plain]


@pytest.mark.parametrize("fault", WITHOUT, ids=str)
def test_what_is_about_the_asking_alone_is_told_whole_to_viewers(
    fault: SalesTrendsError, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert said(fault, Role.VIEWER, monkeypatch) == str(fault).replace("`", "")


def test_text_of_strangers_becomes_no_markdown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitor, "caller", lambda: Caller("otto", Role.OPS))

    assert told(ReadError("![x](http://example.com/a.png)")).startswith("\\!\\[x\\]\\(`http://example.com/a.png)`")


def test_while_nobody_knows_who_looks_no_place_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> Caller:
        raise SettingsError("Unknown setting SALES_COLOUR.")

    monkeypatch.setattr(visitor, "caller", unknown)

    assert "example" not in told(UnreachableError("http://example.com does not answer."))
