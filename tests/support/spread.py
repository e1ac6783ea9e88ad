"""Which tests go to one process together, one after another."""

import re

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# Each starts many processes of its own; besides, reconcile closes overdue runs of the whole server,
# and without the grace that these tests give it, those that another one waits for.
_TOGETHER = re.compile(r"tests/(e2e|integration/worker|integration/test_reconcile)\b")
# A test of these runs once for each database; each of them is a share of its own.
_KIND = re.compile(r"\[(?:.*-)?(sqlite|postgres)\b")


def first(item: pytest.Item) -> bool:
    """Whether a test belongs to the long shares, which are not to be left for the end."""
    return _TOGETHER.match(item.nodeid) is not None


class Spread(LoadScopeScheduling):
    """A share is a file, or half of one; they are handed out in the order of collection."""

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        if together := _TOGETHER.match(nodeid):
            return together[1].replace("test_reconcile", "worker")
        file = nodeid.split("::", 1)[0]
        kind = _KIND.search(nodeid)
        return f"{file} {kind[1]}" if kind else file
