"""Lists that change while they are read in pages."""

from dataclasses import dataclass
from uuid import UUID

import pytest

from sentinel_core.prefect_io.client import PAGE, each_page


@dataclass(frozen=True)
class Item:
    id: UUID


def items(count: int) -> list[Item]:
    return [Item(UUID(int=number)) for number in range(count)]


@pytest.mark.parametrize("count", [0, 1, PAGE - 1, PAGE, PAGE + 1, 3 * PAGE])
def test_each_row_comes_once_in_order(count: int) -> None:
    rows = items(count)
    pages = list(each_page(lambda offset: rows[offset : offset + PAGE]))
    assert [row for page in pages for row in page] == rows
    assert all(pages)


def test_rows_that_leave_the_list_meanwhile_leave_no_gap() -> None:
    everything = items(3 * PAGE)
    rows = list(everything)
    found = []
    for page in each_page(lambda offset: rows[offset : offset + PAGE]):
        found += page
        del rows[:5]  # what was read no longer belongs to the list
    assert found == everything


def test_rows_that_join_the_list_meanwhile_make_none_come_twice() -> None:
    everything = items(3 * PAGE)
    rows = list(everything)
    found = []
    for number, page in enumerate(each_page(lambda offset: rows[offset : offset + PAGE])):
        found += page
        rows.insert(0, Item(UUID(int=10**6 + number)))
    assert found == everything
