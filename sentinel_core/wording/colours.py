"""The colours of importances, the same on the blotter, in messages and in a terminal."""

COLOURS = {"critical": "#d1242f", "high": "#bc4c00", "medium": "#9a6700", "low": "#57606a"}
"""Readable on white, and under white text: a contrast of at least 4.5."""

COLOUR_NAMES = {"critical": "red", "high": "orange", "medium": "yellow", "low": "gray"}
"""The nearest of Streamlit's badge colours."""

BARS = {"critical": "#d1242f", "high": "#e16f24", "medium": "#d4a72c", "low": "#a3abb4"}
BARS_ON_DARK = {"critical": "#f85149", "high": "#db6d28", "medium": "#bb8009", "low": "#656c76"}
"""Colours of bars without text: brighter and further apart."""

STATES = {
    "COMPLETED": "#1a7f37",
    "FAILED": "#d1242f",
    "CRASHED": "#bc4c00",
    "RUNNING": "#0969da",
    "PENDING": "#0969da",
    "CANCELLING": "#57606a",
    "CANCELLED": "#57606a",
    "SCHEDULED": "#57606a",
    "PAUSED": "#57606a",
}
"""Prefect's state types, as legible as the importances."""

TRIGGERED = "#9a6700"
"""A completed run that found something: never the colour of a run that found nothing."""
