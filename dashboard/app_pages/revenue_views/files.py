"""What is on the screen as files to take away."""

from datetime import UTC, datetime
from weakref import WeakKeyDictionary

import streamlit as st

from dashboard.revenue.downloads import FORMATS, Download, download, rows_of, why_not
from dashboard.revenue.manifest import manifest_of
from dashboard.settings import Settings
from dashboard.trends.trend import Trend

_LABELS = {"csv": "CSV", "xlsx": "Excel", "parquet": "Parquet"}
_made: WeakKeyDictionary[Trend, dict[str, Download]] = WeakKeyDictionary()
"""By form; as long as the answer that they are of is shown to anybody, and no longer: a file may be large."""


def downloads_view(trend: Trend, settings: Settings) -> None:
    """A button for each kind of file; what it gives equals the chart, and says what it stands on."""
    rows = len(trend.buckets) if trend.heat is None else len(trend.heat)
    with st.container(horizontal=True):
        for form in FORMATS:
            if why := why_not(form, rows):
                st.button(_LABELS[form], key=f"revenue_file_{form}", disabled=True, help=why)
                continue
            # made here and not when clicked: a refresh would cancel the download of what it makes
            file = _file(form, trend, settings.lake.engine, settings.target, settings.view.currency)
            st.download_button(
                _LABELS[form],
                data=file.content,
                file_name=file.name,
                mime=file.mime,
                key=f"revenue_file_{form}",
                on_click="ignore",
                icon=":material/download:",
            )


def _file(form: str, trend: Trend, engine: str, target: str, currency: str) -> Download:
    """The same one for all who are shown this answer, which is the same object while nothing changes."""
    made = _made.setdefault(trend, {})
    if form not in made:
        manifest = manifest_of(trend, engine=engine, target=target, currency=currency, made_at=datetime.now(UTC))
        made[form] = download(form, rows_of(trend), manifest)
    return made[form]
