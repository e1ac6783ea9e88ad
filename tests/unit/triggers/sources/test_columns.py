"""Which options of columns are accepted, and what is said of the others."""

import pytest
from pydantic import ValidationError

from triggers.sources.columns import Columns

FAULTS: dict[str, tuple[dict[str, object], str]] = {
    "a unit that is none": ({"time_unit": "minutes"}, "'s', 'ms', 'us' or 'ns'"),
    "a unit and a format": (
        {"time_unit": "s", "time_format": "%Y%m%d"},
        "give time_format or time_unit, not both",
    ),
    "a format without codes": (
        {"time_format": "DD.MM.YYYY"},
        "does not say the year, month and day",
    ),
    "a format that pandas would guess by": ({"time_format": "mixed"}, "does not say the year"),
    "a format without the year": ({"time_format": "%d.%m. %H:%M"}, "does not say the year"),
    "a format of hours alone": ({"time_format": "%H:%M"}, "does not say the year, month and day"),
    "half a day": ({"time_format": "%Y-%m-%d %I:%M"}, "says the hour without %p"),
    "an unknown code": ({"time_format": "%Y-%m-%d %Q"}, "is not a format of strptime"),
    "a percent sign at the end": ({"time_format": "%Y-%m-%d %"}, "is not a format of strptime"),
    "names of zones in a format": ({"time_format": "%Y-%m-%d %Z"}, "names such as EST are ambig"),
    "no format": ({"time_format": ""}, "at least 1 character"),
    "a zone that is none": (
        {"timezone": "New York"},
        "there is no time zone 'New York': give an IANA name",
    ),
    "no zone": ({"timezone": ""}, "there is no time zone ''"),
    "a zone for epoch numbers": (
        {"timezone": "Europe/Berlin", "time_unit": "s"},
        "an epoch number has no zone",
    ),
    "a zone beside offsets": (
        {"timezone": "Europe/Berlin", "time_format": "%Y-%m-%d %z"},
        "times in this time_format name one",
    ),
    "a unit without times": ({"time": None, "time_unit": "s"}, "time_unit: needs a time column"),
    "a zone without times": (
        {"time": None, "timezone": "Europe/Berlin"},
        "timezone: needs a time column",
    ),
    "a decimal sign that is none": ({"decimal": ";"}, "Input should be '.' or ','"),
    "a sign between thousands that is none": ({"thousands": "x"}, "Input should be ',', '.'"),
    "commas twice": ({"decimal": ",", "thousands": ","}, "are both ',': they must differ"),
    "points twice": ({"thousands": "."}, "the decimal sign is the point unless decimal says"),
    "an option that there is not": ({"time_zone": "UTC"}, "Extra inputs are not permitted"),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_an_option_that_can_not_work_is_refused_with_the_reason(kind: str) -> None:
    given, said = FAULTS[kind]
    with pytest.raises(ValidationError) as caught:
        Columns.model_validate(given)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "form",
    [
        "%Y-%m-%d",
        "%d.%m.%Y %H:%M",
        "%m/%d/%y %I:%M %p",
        "%Y%m%d%H%M%S",
        "%Y%m%d-%H:%M:%S.%f",
        "%d %b %Y",
        "%Y %j",
        "%Y-%m-%dT%H:%M:%S%z",
        "%Y-%m-%d 100%%",
    ],
)
def test_formats_that_name_a_day_are_accepted(form: str) -> None:
    assert Columns(time_format=form).time_format == form


def test_each_option_is_described_for_the_form() -> None:
    fields = Columns.model_json_schema()["properties"]
    assert {"time_format", "time_unit", "timezone", "decimal", "thousands"} <= fields.keys()
    assert all(field["description"] for field in fields.values())
