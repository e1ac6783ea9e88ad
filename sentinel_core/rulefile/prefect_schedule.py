"""A schedule as the file writes it, as Prefect's own."""

from datetime import timedelta
from typing import Any

from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule, RRuleSchedule
from pydantic import TypeAdapter


def prefect_schedule(raw: dict[str, Any]) -> CronSchedule | IntervalSchedule | RRuleSchedule:
    """The schedule that Prefect makes of an entry of `schedules:`.

    Raises ValidationError, ValueError, TypeError or KeyError for one that `rules check` refuses.
    """
    zone = raw.get("timezone")
    if raw.get("cron") is not None:
        day_or = raw.get("day_or")
        return CronSchedule(
            cron=raw["cron"], timezone=zone, day_or=True if day_or is None else day_or
        )
    if raw.get("interval") is not None:
        interval = TypeAdapter(timedelta).validate_python(raw["interval"])
        anchor = {"anchor_date": raw["anchor_date"]} if raw.get("anchor_date") else {}
        return IntervalSchedule(interval=interval, timezone=zone, **anchor)
    return RRuleSchedule(rrule=raw["rrule"], timezone=zone or "UTC")
