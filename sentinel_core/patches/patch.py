"""A patch of Prefect: what it replaces, how that is recognised, and whether it is put in.

Knows no patch; changes nothing of Prefect itself.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from importlib import import_module
from typing import Any

import prefect
from prefect.logging import get_logger

from sentinel_core.base.settings import get_settings

TESTED = ("3.8.8",)
"""The versions of Prefect that the whole test suite has run with, patched and stock."""
ALL = "all"


@dataclass(frozen=True, slots=True)
class Patch:
    """One place of Prefect's that is replaced.

    `replaces` has each function as "module:name" with the fingerprint of its source, of the
    versions TESTED. `put_in` replaces it. `costs` says what its absence costs, in a few words.
    """

    name: str
    costs: str
    replaces: Mapping[str, str]
    put_in: Callable[[], None]

    def differences(self) -> list[str]:
        """The functions whose source is no longer what the patch was written for."""
        return [place for place, known in self.replaces.items() if fingerprint(place) != known]


def apply(patches: Iterable[Patch]) -> list[str]:
    """Put in each patch that is wanted and fits; the names of those that were put in.

    One that no longer fits is left out with a line in the log: Prefect then does as it always does.
    """
    unwanted = set(get_settings().stock_prefect)
    done = []
    for patch in patches:
        if unwanted & {ALL, patch.name}:
            continue
        if changed := patch.differences():
            get_logger("sentinel.patches").warning(
                "Prefect %s differs from %s at %s: the patch %s is left out (%s).",
                prefect.__version__,
                ", ".join(TESTED),
                ", ".join(changed),
                patch.name,
                patch.costs,
            )
            continue
        patch.put_in()
        done.append(patch.name)
    return done


def fingerprint(place: str) -> str:
    """A short digest of a function's source, "module:name"; empty where there is none to read."""
    try:
        source = inspect.getsource(inspect.unwrap(original(place)))
    except (ImportError, AttributeError, OSError, TypeError):
        return ""
    return blake2b(source.encode(), digest_size=8).hexdigest()


def original(place: str) -> Any:
    """The function or class at "module:name". Raises ImportError, AttributeError."""
    module, _, name = place.partition(":")
    found: Any = import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


def replace(place: str, by: object) -> None:
    """Put something else at "module:name"."""
    above, _, name = place.rpartition("." if "." in place.partition(":")[2] else ":")
    setattr(original(above) if ":" in above else import_module(above), name, by)
