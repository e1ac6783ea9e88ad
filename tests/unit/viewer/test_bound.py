"""What a page's address holds and its controls do not understand."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine

from tests.support.app_pages import RunPage
from tests.support.recorded import a_rule, fire


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("history", {"importance": "critcal", "size": "7"}),
        ("activity", {"level": "eror", "by": "persn"}),
        ("rules", {"importance": "critcal", "sort": "by luck"}),
    ],
)
def test_what_is_not_understood_is_named_until_a_control_is_used(
    page: RunPage, store: Engine, name: str, wrong: dict[str, str]
) -> None:
    fire(store, a_rule("disk", "low"), datetime.now(UTC))
    app = page(name, **wrong)
    [warning] = [element.value for element in app.warning]
    assert all(value in warning for value in wrong.values())
    app.text_input(key="q").set_value("disk").run()
    assert not app.warning
