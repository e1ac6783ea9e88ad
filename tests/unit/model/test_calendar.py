"""Holidays and time zones by name."""

from datetime import date

import pytest

from sentinel_core.model.calendar import holidays_of, time_zones


def test_the_holidays_of_an_exchange_a_country_and_a_part_of_it() -> None:
    thanksgiving, unity_day = date(2026, 11, 26), date(2026, 10, 3)
    assert thanksgiving in holidays_of("NYSE", 2026)
    assert thanksgiving in holidays_of("nyse", 2026)
    assert unity_day in holidays_of("DE", 2026)
    epiphany = date(2026, 1, 6)
    assert epiphany not in holidays_of("DE", 2026)
    assert epiphany in holidays_of("DE-BY", 2026)


@pytest.mark.parametrize("unknown", ["XXXX", "DE-XX", ""])
def test_an_unknown_calendar_is_refused_with_those_there_are(unknown: str) -> None:
    with pytest.raises(ValueError, match=r"an exchange \(.*NYSE.*\) or a country's code"):
        holidays_of(unknown, 2026)


def test_time_zones_have_the_names_of_the_iana_database() -> None:
    assert {"UTC", "Europe/Berlin", "America/New_York"} <= time_zones()
    assert "Middle-earth/Shire" not in time_zones()
