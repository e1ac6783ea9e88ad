"""The settings of the viewer's server, and that they still mean something."""

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from streamlit import config

from sentinel_core.wording.colours import COLOURS, STATES, TRIGGERED
from tests.support.processes import ROOT

CONFIG: dict[str, Any] = tomllib.loads((ROOT / "viewer" / "streamlit.toml").read_text())
READABLE = 4.5  # WCAG AA for normal text


def luminance(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_the_collection_after_each_refresh_is_off_and_the_option_still_exists() -> None:
    assert CONFIG["runner"]["postScriptGC"] is False
    assert "runner.postScriptGC" in config.get_config_options()


def options(section: dict[str, Any], prefix: str = "") -> list[str]:
    found: list[str] = []
    for name, value in section.items():
        dotted = f"{prefix}{name}"
        found += options(value, f"{dotted}.") if isinstance(value, dict) else [dotted]
    return found


@pytest.mark.parametrize("name", options(CONFIG))
def test_every_setting_is_one_streamlit_knows(name: str) -> None:
    assert name in config.get_config_options()


def test_colours_are_set_for_light_and_dark_and_never_for_both_at_once() -> None:
    shared = {k: v for k, v in CONFIG["theme"].items() if not isinstance(v, dict)}
    assert not [name for name in shared if name.lower().endswith("color") or name == "base"]
    assert set(CONFIG["theme"]["light"]) == set(CONFIG["theme"]["dark"])


def test_the_blotter_listens_on_this_machine_unless_told_otherwise() -> None:
    assert CONFIG["server"]["address"] == "127.0.0.1"
    assert CONFIG["browser"]["gatherUsageStats"] is False


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("hue", ["red", "orange", "yellow", "green", "gray", "blue"])
def test_badges_can_be_read(theme: str, hue: str) -> None:
    colours = CONFIG["theme"][theme]
    for background in (f"{hue}BackgroundColor", "backgroundColor"):
        assert contrast(colours[f"{hue}TextColor"], colours[background]) >= READABLE


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_label_of_a_primary_button_can_be_read(theme: str) -> None:
    assert contrast(CONFIG["theme"][theme]["primaryColor"], "#ffffff") >= READABLE


@pytest.mark.parametrize("colour", [*COLOURS.values(), *STATES.values(), TRIGGERED])
def test_white_text_on_a_table_badge_can_be_read(colour: str) -> None:
    assert contrast(colour, "#ffffff") >= READABLE


def test_no_file_of_the_viewer_hides_a_standard_module() -> None:
    """Streamlit puts this folder first on the path."""
    names = {path.stem for path in (ROOT / "viewer").glob("*.py")} - {"__init__"}
    assert not names & set(sys.stdlib_module_names)


def test_nothing_of_the_viewer_is_fetched_from_elsewhere() -> None:
    for path in Path(ROOT / "viewer").rglob("*.py"):
        text = path.read_text()
        assert not re.search(r"page_icon=[\"']:", text), f"{path.name}: icons by name are fetched"
        assert "https://" not in text.replace('("https://", "http://")', ""), path.name
