"""Time zones and holidays by name."""

from datetime import date
from functools import lru_cache
from zoneinfo import available_timezones


@lru_cache(maxsize=1)
def time_zones() -> frozenset[str]:
    """The names of all IANA time zones on this machine."""
    return frozenset(available_timezones())


@lru_cache(maxsize=256)
def holidays_of(calendar: str, year: int) -> frozenset[date]:
    """The holidays of an exchange (NYSE), a country (DE) or a part of it (DE-BY).

    Raises ValueError for an unknown calendar.
    """
    import holidays

    name = calendar.upper()
    try:
        if name in holidays.list_supported_financial():
            return frozenset(holidays.financial_holidays(name, years=year))
        country, _, part = name.partition("-")
        return frozenset(holidays.country_holidays(country, subdiv=part or None, years=year))
    except (NotImplementedError, KeyError) as error:
        exchanges = ", ".join(sorted(holidays.list_supported_financial()))
        raise ValueError(
            f"there is no calendar {calendar!r}: an exchange ({exchanges}) or a country's code "
            "(US, DE, DE-BY, …)"
        ) from error
