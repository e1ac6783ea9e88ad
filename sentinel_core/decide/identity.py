"""Whether a process may use the store that it finds, by what Prefect knows of the team's store."""

from enum import StrEnum
from uuid import UUID


class Known(StrEnum):
    """What a process knows of the store that is registered in Prefect."""

    REGISTERED = "registered"
    NONE = "none"
    UNREADABLE = "unreadable"
    UNREACHABLE = "unreachable"
    NO_PREFECT = "no-prefect"


class Verdict(StrEnum):
    """What the process does: the first three go on, the others refuse."""

    USE = "use"
    REGISTER = "register"
    CREATE = "create"
    MISSING = "missing"
    OTHER = "other"
    UNREADABLE = "unreadable"
    UNREACHABLE = "unreachable"


_WITHOUT_STORE = {
    Known.REGISTERED: Verdict.MISSING,
    Known.NONE: Verdict.CREATE,
    Known.UNREADABLE: Verdict.UNREADABLE,
    Known.UNREACHABLE: Verdict.UNREACHABLE,
    Known.NO_PREFECT: Verdict.CREATE,
}
_WITH_STORE = {
    Known.NONE: Verdict.REGISTER,
    Known.UNREADABLE: Verdict.UNREADABLE,
    Known.UNREACHABLE: Verdict.USE,
    Known.NO_PREFECT: Verdict.USE,
}


def judge_store(known: Known, registered: UUID | None, found: UUID | None) -> Verdict:
    """The verdict for the store that was found; `found` is None when there is none.

    Prefect that does not answer says nothing against a store that exists, but a new one is made
    only where it is certain that none is registered.
    """
    if found is None:
        return _WITHOUT_STORE[known]
    if known is Known.REGISTERED:
        return Verdict.USE if found == registered else Verdict.OTHER
    return _WITH_STORE[known]
