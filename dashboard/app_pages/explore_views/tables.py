"""The tables of the namespace: how many rows, how new, and of the chosen one rows, columns, snapshots and files."""

import sys
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pyarrow as pa
import streamlit as st

from dashboard import visitor
from dashboard.app_pages.explore_views.numbers import number_columns
from dashboard.app_pages.faults import faults_shown
from dashboard.app_pages.reader_zone import reader_zone
from dashboard.desks.explore import SHOWN_FILES, ExploreDesk
from dashboard.desks.lake import TableFacts
from dashboard.readers.history import Commit
from dashboard.readers.lake import REVENUE_TABLE
from dashboard.wording import counted, length, moment

_ROWS, _COLUMNS, _SNAPSHOTS, _FILES = "Rows", "Columns", "Snapshots", "Files"
_PREVIEWED = 50


def tables_view(desk: ExploreDesk) -> None:
    with st.skeleton(height=240):
        tables = desk.lake.tables(visitor.caller())
    if not tables:
        st.info(
            "There is no table yet. Each topic of the pipeline appears here as a table, about a minute after "
            "`sales-trends up`. Still nothing? `sales-trends status` tells what runs.",
            icon=":material/hourglass_empty:",
        )
        return
    zone = reader_zone()
    _list(tables, zone)
    names = [one.name for one in tables]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox(
            "Table",
            names,
            names.index(REVENUE_TABLE) if REVENUE_TABLE in names else 0,
            key="explore_table",
            bind="query-params",
            width=260,
        )
        part = st.segmented_control(
            "Of it",
            [_ROWS, _COLUMNS, _SNAPSHOTS, _FILES],
            default=_ROWS,
            required=True,
            key="explore_part",
            bind="query-params",
        )
    chosen = next(one for one in tables if one.name == name)
    with faults_shown():
        if part == _COLUMNS:
            _columns(chosen)
        elif part == _SNAPSHOTS:
            _snapshots(desk, chosen.name, zone)
        elif part == _FILES:
            _files(desk, chosen.name)
        else:
            _preview(desk, chosen.name)


def _list(tables: list[TableFacts], zone: ZoneInfo) -> None:
    now = datetime.now(UTC)
    st.dataframe(
        pa.table(
            {
                "table": [one.name for one in tables],
                "rows": ["not known" if one.rows is None else f"{one.rows:,}" for one in tables],
                "newest": [_age(one, now) for one in tables],
                "committed": [moment(one.newest.committed_at, zone, now) if one.newest else "" for one in tables],
                # text: a browser rounds a number of so many digits
                "snapshot": [str(one.newest.id) if one.newest else "" for one in tables],
            }
        ),
        hide_index=True,
        key="explore_tables",
        column_config={"committed": st.column_config.TextColumn(f"committed ({zone.key})")},
        alt="The tables, with rows and newest snapshot",
    )


def _age(table: TableFacts, now: datetime) -> str:
    return f"{length(now - table.newest.committed_at)} ago" if table.newest else "nothing yet"


def _preview(desk: ExploreDesk, table: str) -> None:
    rows = desk.lake.preview(visitor.caller(), table, _PREVIEWED)
    if not len(rows):
        st.info(f"`{table}` holds no row yet. Its newest rows appear here.", icon=":material/hourglass_empty:")
        return
    st.dataframe(
        rows,
        hide_index=True,
        key=f"explore_preview_{table}",
        column_config=number_columns(rows),
        alt=f"The newest rows of {table}",
    )
    st.caption(f"The newest {len(rows):,} rows, times in UTC. Card numbers are hidden.")


def _columns(table: TableFacts) -> None:
    names, types = zip(*table.columns, strict=True) if table.columns else ((), ())
    st.dataframe(
        pa.table({"column": list(names), "type": list(types)}),
        hide_index=True,
        key=f"explore_columns_{table.name}",
        alt=f"The columns of {table.name}",
    )
    if table.withheld:
        st.caption(f"{table.withheld} more are left out: they are secret, or hold whole records.")


def _snapshots(desk: ExploreDesk, table: str, zone: ZoneInfo) -> None:
    last = desk.lake.history(visitor.caller(), table, sys.maxsize)
    if not last.total:
        st.info(f"Nothing was committed to `{table}` yet.", icon=":material/hourglass_empty:")
        return
    found = last
    if last.pages > 1:
        number = st.pagination(last.pages, key=f"explore_snapshots_{table}")
        found = desk.lake.history(visitor.caller(), table, number)
    now = datetime.now(UTC)
    commits = found.commits
    st.dataframe(
        pa.table(
            {
                "committed": [moment(one.snapshot.committed_at, zone, now) for one in commits],
                "operation": [one.operation for one in commits],
                "rows": [_change(one.rows_added, one.rows_removed) for one in commits],
                "files": [_change(one.files_added, one.files_removed) for one in commits],
                "rows after": ["" if one.snapshot.rows is None else f"{one.snapshot.rows:,}" for one in commits],
                "state": [_state(one) for one in commits],
                "snapshot": [str(one.snapshot.id) for one in commits],
            }
        ),
        hide_index=True,
        key=f"explore_commits_{table}",
        column_config={"committed": st.column_config.TextColumn(f"committed ({zone.key})")},
        alt=f"Snapshots of {table}, newest first",
    )
    is_whole = last.commits[-1].is_first
    st.caption(
        f"{counted(found.total, 'snapshot')}, the newest first." + ("" if is_whole else " Older ones have expired.")
    )


def _change(added: int | None, removed: int | None) -> str:
    told = [f"+{added:,}" if added else "" if added == 0 else "+?", f"-{removed:,}" if removed else ""]
    return " ".join(filter(None, [*told, "-?" if removed is None else ""])) or "none"


def _state(commit: Commit) -> str:
    return "" if commit.is_current else commit.branch or "rolled back"


def _files(desk: ExploreDesk, table: str) -> None:
    found = desk.files(visitor.caller(), table)
    if not found.count:
        st.info(f"`{table}` holds no file yet.", icon=":material/hourglass_empty:")
        return
    st.dataframe(
        pa.table(
            {
                "file": [one.name for one in found.largest],
                "rows": [one.rows for one in found.largest],
                "bytes": [one.bytes for one in found.largest],
                "partition": [one.partition for one in found.largest],
                "deletes": [one.deletes for one in found.largest],
            }
        ),
        hide_index=True,
        key=f"explore_files_{table}",
        column_config={
            "rows": st.column_config.NumberColumn(format="localized"),
            "bytes": st.column_config.NumberColumn(format="bytes"),
            "deletes": st.column_config.NumberColumn("delete files"),
        },
        alt=f"Files of the newest snapshot of {table}, largest first",
    )
    shown = f", the largest {SHOWN_FILES} shown" if found.count > SHOWN_FILES else ""
    st.caption(f"{found.count:,} files of the newest snapshot, {found.bytes:,} bytes{shown}.")
