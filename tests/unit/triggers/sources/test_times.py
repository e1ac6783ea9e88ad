"""A time written in any notation is read back; notations that are mixed are never misread."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triggers.sources.columns import Columns
from triggers.sources.errors import SourceError
from triggers.sources.times import Times, read_times

NEW_YORK = ZoneInfo("America/New_York")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def column(*cells: object) -> pd.Series:
    return pd.Series(cells, name="time", dtype=object)


def read(*cells: object, **options: str) -> Times:
    return read_times(column(*cells), Columns.model_validate(options))


def epoch(at: datetime, per_second: int) -> str:
    """Whole units since 1970, exactly."""
    return str((at - EPOCH) // MICROSECOND * per_second // 1_000_000)


def to_the(**parts: int) -> Callable[[datetime], datetime]:
    return lambda at: at.replace(**parts)  # type: ignore[arg-type]


MICROSECONDS, SECONDS = to_the(), to_the(microsecond=0)
MINUTES, DAYS = to_the(second=0, microsecond=0), to_the(hour=0, minute=0, second=0, microsecond=0)

# how a time is written, and what of it is written
NOTATIONS: dict[str, tuple[Callable[[datetime], object], Callable[[datetime], datetime]]] = {
    "iso": (lambda at: at.isoformat(), MICROSECONDS),
    "date": (lambda at: f"{at:%Y%m%d}", DAYS),
    "s": (lambda at: epoch(at, 1), SECONDS),
    "ms": (lambda at: epoch(at, 10**3), lambda at: at - at.microsecond % 1_000 * MICROSECOND),
    "us": (lambda at: epoch(at, 10**6), MICROSECONDS),
    "ns": (lambda at: epoch(at, 10**9), MICROSECONDS),
}
ALIKE: dict[str, Callable[[datetime], object]] = {
    "iso": lambda at: f"{at.astimezone(ZoneInfo('Asia/Kolkata')):%Y-%m-%d %H:%M:%S.%f%z}",
    "date": lambda at: int(f"{at:%Y%m%d}"),
    "s": lambda at: int(epoch(at, 1)),
    "ms": lambda at: int(epoch(at, 10**3)),
    "us": lambda at: float(epoch(at, 10**6)),
    "ns": lambda at: int(epoch(at, 10**9)),
}
FORMATS = {
    "%d.%m.%Y %H:%M": MINUTES,
    "%m/%d/%Y %I:%M:%S %p": SECONDS,
    "%Y%m%d%H%M%S": SECONDS,
    "%Y%m%d": DAYS,
    "%Y %j": DAYS,
    "%d%m%Y": DAYS,
    "%Y-%m-%d %H.%M.%S.%f": MICROSECONDS,
}
PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def moments(first: int, last: int) -> st.SearchStrategy[datetime]:
    years = (datetime(first, 1, 1, tzinfo=UTC), datetime(last, 1, 1, tzinfo=UTC))
    microseconds = st.integers(*((year - EPOCH) // MICROSECOND for year in years))
    return microseconds.map(lambda count: EPOCH + count * MICROSECOND)


plausible, of_any_year = moments(1992, 2099), moments(1700, 2250)


@given(plausible, st.sampled_from(sorted(NOTATIONS)))
def test_a_time_in_any_notation_is_read_back(at: datetime, notation: str) -> None:
    write, rounded = NOTATIONS[notation]
    times = read(write(at), ALIKE[notation](at))
    assert not times.faults
    assert list(times.at) == [rounded(at)] * 2


@given(of_any_year, st.sampled_from(sorted(PER_SECOND)))
def test_an_epoch_time_of_any_year_is_read_in_the_unit_that_is_given(
    at: datetime, unit: str
) -> None:
    write, rounded = NOTATIONS[unit]
    times = read(write(at), time_unit=unit)
    assert list(times.at) == [rounded(at)]


@given(of_any_year, st.sampled_from(sorted(FORMATS)))
def test_a_time_is_read_in_the_format_that_is_given(at: datetime, form: str) -> None:
    assert list(read(at.strftime(form), time_format=form).at) == [FORMATS[form](at)]


@given(plausible, st.sampled_from(["%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%dT%H:%M:%S.%f"]))
def test_a_local_time_is_read_in_its_zone_or_known_to_be_uncertain(at: datetime, form: str) -> None:
    local = at.astimezone(NEW_YORK)
    times = read(local.strftime(form), timezone="America/New_York")
    twice = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
    assert bool(times.uncertain) == twice
    later = local.replace(fold=1).astimezone(UTC)
    assert list(times.at) == [later if twice else at]


@given(
    st.lists(plausible, min_size=1, max_size=6),
    st.lists(plausible, min_size=1, max_size=6),
    st.permutations(sorted(NOTATIONS)),
)
def test_of_two_notations_the_rarer_is_refused_and_neither_is_misread(
    many: list[datetime], few: list[datetime], notations: list[str]
) -> None:
    written = [(at, *NOTATIONS[notations[0]]) for at in many]
    written += [(at, *NOTATIONS[notations[1]]) for at in few]
    times = read(*(write(at) for at, write, _ in written))
    rarest = min(len(many), len(few))
    for row, (at, _, rounded) in enumerate(written):
        rare = len(many if row < len(many) else few) == rarest
        assert (row in times.faults) == rare
        if rare:
            assert "unlike other rows" in times.faults[row]
            assert times.at[row] is pd.NaT
        else:
            assert times.at[row] == rounded(at)


@given(plausible, st.sampled_from(sorted(NOTATIONS)), st.sampled_from(sorted(PER_SECOND)))
def test_with_a_unit_given_no_other_notation_but_numbers_is_read(
    at: datetime, notation: str, unit: str
) -> None:
    times = read(NOTATIONS[notation][0](at), time_unit=unit)
    if notation == "iso":
        assert times.faults
    elif not times.faults:
        units = int(str(NOTATIONS[notation][0](at)))
        assert list(times.at) == [EPOCH + units * 1_000_000 // PER_SECOND[unit] * MICROSECOND]


@pytest.mark.parametrize(
    ("local", "zone", "at", "uncertain"),
    [
        ("2013-03-10 01:59:59", "America/New_York", "2013-03-10T06:59:59Z", False),
        ("2013-03-10 02:30", "America/New_York", "2013-03-10T07:30:00Z", True),
        ("2013-03-10 03:00", "America/New_York", "2013-03-10T07:00:00Z", False),
        ("2013-11-03 00:59:59", "America/New_York", "2013-11-03T04:59:59Z", False),
        ("2013-11-03 01:30", "America/New_York", "2013-11-03T06:30:00Z", True),
        ("2013-11-03 02:00", "America/New_York", "2013-11-03T07:00:00Z", False),
        ("2013-11-03 01:30-04:00", "America/New_York", "2013-11-03T05:30:00Z", False),
        ("20130301", "America/New_York", "2013-03-01T05:00:00Z", False),
        ("2013-10-27 02:30", "Europe/Berlin", "2013-10-27T01:30:00Z", True),
        ("2013-10-27 01:30", "Europe/Dublin", "2013-10-27T01:30:00Z", True),  # winter is "summer"
        ("2011-12-30 12:00", "Pacific/Apia", "2011-12-30T22:00:00Z", True),  # a day left out
    ],
)
def test_a_local_time_around_a_change_of_the_clocks(
    local: str, zone: str, at: str, uncertain: bool
) -> None:
    times = read(local, timezone=zone)
    assert times.at[0] == pd.Timestamp(at)
    assert bool(times.uncertain) is uncertain


def test_the_zone_moves_no_epoch_number() -> None:
    assert list(read("1362096000", timezone="America/New_York").at) == [
        datetime(2013, 3, 1, tzinfo=UTC)
    ]


def test_a_type_for_times_is_read_in_the_zone_and_takes_no_format() -> None:
    plain = pd.Series(pd.to_datetime(["2013-03-01 16:00"]), name="time")
    zoned = plain.dt.tz_localize("UTC")
    options = Columns(timezone="America/New_York")
    assert read_times(plain, options).at[0] == datetime(2013, 3, 1, 21, tzinfo=UTC)
    assert read_times(zoned, options).at[0] == datetime(2013, 3, 1, 16, tzinfo=UTC)
    for given_option in ({"time_unit": "s"}, {"time_format": "%Y%m%d"}):
        with pytest.raises(SourceError, match="has a type for times: leave out time_"):
            read_times(plain, Columns.model_validate(given_option))


@pytest.mark.parametrize("unit", ["", "s", "ms", "us", "ns"])
@given(st.one_of(st.text(max_size=30), st.from_regex(r"[-+]?[0-9]{1,30}(\.[0-9]*)?(e[0-9]{1,3})?")))
def test_no_text_whatsoever_is_more_than_a_fault(unit: str, cell: str) -> None:
    times = read(cell, **({"time_unit": unit} if unit else {}))
    assert (0 in times.faults) == (times.at[0] is pd.NaT)
