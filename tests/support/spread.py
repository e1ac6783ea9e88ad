"""Which tests go to one process together: those of a file, halved where the file is a long one."""

import re

from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# A test of these runs once for each database or worker type; each of them is a share of its own.
_KIND = re.compile(r"\[(?:.*-)?(sqlite|postgres|process|sentinel)\b")


class ByFile(LoadScopeScheduling):
    """Hands out files, the longest first."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", 1)[0]
        kind = _KIND.search(nodeid)
        return f"{file} {kind[1]}" if kind else file


__all__ = ["ByFile", "Producer"]
