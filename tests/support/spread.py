"""Which tests go to one process together, one after another."""

import re

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# Each starts many processes of its own; besides, reconcile records, closes and notifies of the runs
# of its whole server, so that two that reconcile disturb each other.
_RECONCILING = (
    r"worker|hooks/test_(lost_hooks|hook_surroundings|causes)"
    r"|test_(reconcile|store_restart|store_identity|lifecycle_scenarios|overlap|stuck|removed_rule)"
)
_TOGETHER = re.compile(rf"tests/(e2e|acceptance|integration/({_RECONCILING}))\b")
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
            whole = together[1] in ("e2e", "acceptance")
            return f"tests/{together[1]}" if whole else "those that reconcile"
        file = nodeid.split("::", 1)[0]
        kind = _KIND.search(nodeid)
        return f"{file} {kind[1]}" if kind else file
