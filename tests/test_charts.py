import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import plotly.graph_objects as go

from dashboard.charts import SharedFigure, describe_live, live_bars
from dashboard.readers.order_counts import Second


def test_charts_do_not_need_streamlit() -> None:
    program = "import sys, dashboard.charts; print('streamlit' in sys.modules)"

    assert (
        subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout == "False\n"
    )


def test_a_shared_figure_is_copied_for_the_first_who_sees_it_and_says_what_plotlys_own_does() -> None:
    trace = {"type": "bar", "x": ["2026-11-22"], "y": np.array([1.5]), "customdata": [["1.50", "a day"]]}
    figure = SharedFigure(trace, {"height": 340})
    figure.update_layout(barmode="relative")

    assert figure.to_dict() is figure.to_dict()
    plotlys = go.Figure(trace, {"height": 340, "barmode": "relative"})
    assert json.loads(figure.to_json()) == json.loads(plotlys.to_json())


def live_seconds(*amounts: str | None) -> list[Second]:
    start = datetime(2026, 11, 22, 13, tzinfo=UTC)
    return [
        Second(start + timedelta(seconds=2 * place), place + 1, None if amount is None else Decimal(amount))
        for place, amount in enumerate(amounts)
    ]


def test_live_bars_stand_in_the_readers_time_and_the_last_is_hatched_while_it_fills() -> None:
    buckets = live_seconds("10.00", "0.00", "2.50")
    figure = live_bars(buckets, until=buckets[-1].start, bucket=timedelta(seconds=2), zone=ZoneInfo("Europe/Berlin"))
    [bars] = figure.data
    assert [f"{at:%H:%M:%S}" for at in bars.x] == ["14:00:00", "14:00:02", "14:00:04"]
    assert list(bars.y) == [10.0, 0.0, 2.5]
    assert list(bars.marker.pattern.shape) == ["", "", "/"]
    assert list(bars.customdata[0]) == ["10.00", "1 order, 14:00:00 to 14:00:02"]
    assert "6 records from 14:00:00" in describe_live(buckets, zone=ZoneInfo("Europe/Berlin"))


def test_live_bars_of_records_without_money_are_counts() -> None:
    figure = live_bars(
        live_seconds(None, None),
        until=datetime(2027, 1, 1, tzinfo=UTC),
        bucket=timedelta(seconds=2),
        zone=ZoneInfo("UTC"),
    )
    assert list(figure.data[0].y) == [1.0, 2.0]
    assert figure.data[0].customdata[1][0] == "2 records"
    assert describe_live([], zone=ZoneInfo("UTC")) == "Bar chart without a bar"
