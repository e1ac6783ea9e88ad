"""The names of time zones are looked up once, not for each schedule that is read.

Prefect lists the files of the time zone database whenever it reads a schedule: 9 ms of CPU, for
each deployment in an answer of the server, and once more in the process that asked.
"""

from functools import cache

from sentinel_core.patches.patch import Patch, original, replace

_NAMES = "prefect._internal.schemas.validators:get_timezones"


def put_in() -> None:
    """Keep the names; once, whoever asks for it."""
    names = original(_NAMES)
    if not hasattr(names, "cache_info"):
        replace(_NAMES, cache(names))


PATCH = Patch(
    name="timezones",
    costs="9 ms of CPU for each deployment that is read",
    replaces={
        "prefect.types._datetime:get_timezones": "bbfdc8bf110e5305",
        "prefect._internal.schemas.validators:default_timezone": "d70b491508b146dd",
    },
    put_in=put_in,
)
