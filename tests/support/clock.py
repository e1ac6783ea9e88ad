"""A clock that stands still until a test moves it, in the delivery's place."""

from datetime import UTC, datetime, tzinfo

import pytest

from sentinel_core.notify import deliver as delivery


class Clock:
    """What time the delivery takes it to be."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def now(self, zone: tzinfo | None = UTC) -> datetime:
        """In the place of `datetime.now`."""
        return self.moment.astimezone(zone)


def delivery_clock(patch: pytest.MonkeyPatch, moment: datetime) -> Clock:
    """From now on the delivery lives at this moment; everything else has the real time."""
    clock = Clock(moment)
    patch.setattr(delivery, "datetime", clock)
    return clock
