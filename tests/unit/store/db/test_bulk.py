"""Writing many rows: what is switched off meanwhile is switched on again."""

import gc
from collections.abc import Iterator

import pytest

from sentinel_core.store.db.bulk import MANY, gc_paused


@pytest.fixture(autouse=True)
def _collecting() -> Iterator[None]:
    assert gc.isenabled()
    yield
    gc.enable()


def test_no_cycles_are_looked_for_while_many_rows_are_made() -> None:
    with gc_paused(MANY):
        assert not gc.isenabled()
    assert gc.isenabled()


def test_for_few_rows_nothing_changes() -> None:
    with gc_paused(MANY - 1):
        assert gc.isenabled()


def test_cycles_are_looked_for_again_when_writing_fails() -> None:
    with pytest.raises(ValueError, match="full"), gc_paused(MANY):
        raise ValueError("the disk is full")
    assert gc.isenabled()


def test_who_switched_it_off_switches_it_on() -> None:
    with gc_paused(MANY):
        with gc_paused(MANY):
            assert not gc.isenabled()
        assert not gc.isenabled()
    gc.disable()
    with gc_paused(MANY):
        pass
    assert not gc.isenabled()
