"""Where keys lead in a table."""

import pytest

from viewer.keys import MEANINGS, Walk, walk


@pytest.mark.parametrize(
    ("pressed", "at", "selected", "led"),
    [
        ("", None, (), Walk(None, ())),
        ("j", None, (), Walk(0, ())),
        ("k", None, (), Walk(0, ())),
        ("jj", None, (), Walk(1, ())),
        ("jjjjj", None, (), Walk(2, ())),
        ("kkk", 1, (), Walk(0, ())),
        ("x", None, (), Walk(None, ())),
        ("jxjjx", None, (), Walk(2, (0, 2))),
        ("x", 1, (1, 2), Walk(1, (2,))),
        ("jxa", None, (), Walk(0, (0,), "a")),
        ("jsjx", None, (), Walk(0, (), "s")),
        ("z", 1, (2,), Walk(1, (2,), "z")),
        ("?", None, (), Walk(None, (), "?")),
    ],
)
def test_keys_lead_to_a_row_a_selection_and_an_action(
    pressed: str, at: int | None, selected: tuple[int, ...], led: Walk
) -> None:
    assert walk(pressed, at, selected, 3) == led


def test_in_an_empty_table_no_row_has_the_cursor() -> None:
    assert walk("jxk", None, (), 0) == Walk(None, ())
    assert walk(["j", "Enter"], None, (), 0) == Walk(None, (), "Enter")


def test_each_key_is_explained() -> None:
    assert "".join(MEANINGS) == "jkxazsEnter?"
