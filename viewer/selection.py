"""The rows that are selected in a table, by their positions: reads them, and sets them anew."""

from collections.abc import Iterable

import streamlit as st


def selected(table: str, rows: int) -> list[int]:
    """The selected positions in the table with this key, which has so many rows."""
    state = st.session_state.get(table)
    return [at for at in state["selection"]["rows"] if at < rows] if state else []


def select(table: str, positions: Iterable[int]) -> None:
    """Select these rows, and no others, of a table that is not drawn yet."""
    chosen = {"rows": list(positions), "columns": [], "cells": []}
    st.session_state[table] = {"selection": chosen}
