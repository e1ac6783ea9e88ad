"""docs/settings.md names every environment variable, with its default where it is a plain value."""

import yaml

from sentinel_core.base.settings import Settings
from tests.support.pages import DOCS, cells

ROWS = {
    row[0].strip("`"): row[1] for row in cells((DOCS / "settings.md").read_text(encoding="utf-8"))
}


def test_every_setting_is_on_the_page_and_nothing_else() -> None:
    assert ROWS.keys() == {f"SENTINEL_{name.upper()}" for name in Settings.model_fields}


def test_defaults_are_those_of_the_code() -> None:
    for name, field in Settings.model_fields.items():
        if isinstance(field.default, (bool, float, int, str)):
            written = ROWS[f"SENTINEL_{name.upper()}"].partition(" (")[0].strip("`")
            assert yaml.safe_load(written) == field.default, name
