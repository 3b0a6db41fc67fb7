"""How the columns of rows that nobody knows beforehand are shown."""

from typing import Any

import pyarrow as pa
import streamlit as st


def number_columns(rows: pa.Table) -> dict[str, Any]:
    """Amounts with all of their digits behind the point: 1.10, not 1.1."""
    return {
        field.name: st.column_config.NumberColumn(format=f"%,.{field.type.scale}f")
        for field in rows.schema
        if pa.types.is_decimal(field.type)
    }
