"""Small files in every notation of numbers and times, each with its right verdict per ticker."""

import gzip
from pathlib import Path

import pytest

from tests.support.quote_files import BOTH, HEADER, A, B, Verdicts, price, require_verdicts, time

GERMAN = HEADER.replace(",", ";")
NEW_YORK = {"timezone": "America/New_York"}
S, MS = 1362096000, 1362096000000  # 2013-03-01T00:00Z
COMMA = {"decimal": ","}
POINTS = {"decimal": ",", "thousands": "."}
UNLIKE = "unlike other rows: write all of them in one notation"


def close(cell: str) -> str:
    """A file with a semicolon between fields, and this price for A."""
    return f"{GERMAN}A;2013-03-01;{cell}\nB;2013-03-01;99\n"


def at(*times: str | int) -> str:
    """A file with these times for A, the last one above 100, and the first for B as well."""
    rows = [f"A,{when},{100 + number}\n" for number, when in enumerate(times)]
    return HEADER + "".join(rows) + f"B,{times[0]},99\n"


JSON = (
    '[{"ticker":"A","time":"2013-03-01","close":101},{"ticker":"B","time":"2013-03-01","close":99}]'
)
UMLAUT = HEADER + "MÜV2,2013-03-01,101\n"

FILES: dict[str, tuple[str | bytes, dict[str, str], Verdicts | str]] = {
    # encodings
    "JSON with a byte order mark": (JSON.encode("utf-8-sig"), {}, BOTH),
    "JSON lines with a byte order mark": (
        JSON[1:-1].replace("},{", "}\n{").encode("utf-8-sig"),
        {},
        BOTH,
    ),
    "JSON in UTF-16": (JSON.encode("utf-16"), {}, BOTH),
    "JSON lines with a line separator in a ticker": (
        '{"ticker":"A\u2028B","time":"2013-03-01","close":101}\n'
        '{"ticker":"B","time":"2013-03-01","close":99}\n',
        {},
        {"A B": True, "B": False},
    ),
    "JSON in UTF-16, gzipped": (gzip.compress(JSON.encode("utf-16")), {}, BOTH),
    "UTF-32": ((HEADER + A + B).encode("utf-32"), {}, BOTH),
    "an umlaut in UTF-16": (UMLAUT.encode("utf-16"), {}, {"MÜV2": True}),
    "an umlaut behind a byte order mark": (UMLAUT.encode("utf-8-sig"), {}, {"MÜV2": True}),
    "UTF-16 without a byte order mark": (
        UMLAUT.encode("utf-16-le"),
        {},
        "line 1 has zero bytes, like UTF-16 without a byte order mark: save the file as UTF-8",
    ),
    "UTF-16, cut off": (
        UMLAUT.encode("utf-16")[:-1],
        {},
        "is not UTF-16-LE, as its byte order mark says",
    ),
    "a Windows code page": (UMLAUT.encode("cp1252"), {}, "line 2 is not UTF-8: save the file as"),
    "JSON in a Windows code page": (
        JSON.replace("A", "Ä").encode("cp1252"),
        {},
        "line 1 is not UTF-8: save the file as UTF-8",
    ),
    "all at once": (
        (GERMAN + "MÜV2;01.03.2013 17:30;1.234,56\n").encode("utf-16"),
        {**POINTS, "time_format": "%d.%m.%Y %H:%M", "timezone": "Europe/Berlin"},
        {"MÜV2": True},
    ),
    # the decimal sign
    "decimal commas": (close("101,5"), COMMA, BOTH),
    "a whole number among decimal commas": (close("101"), COMMA, BOTH),
    "a decimal comma and an exponent": (close("1,015e2"), COMMA, BOTH),
    "a point among decimal commas": (
        close("101.5"),
        COMMA,
        price("holds '101.5', which is not a number with ',' for the decimal sign and nothing"),
    ),
    "points between thousands that nobody announced": (
        close("1.234,56"),
        COMMA,
        price("holds '1.234,56', which is not a number with ',' for the decimal sign and nothing"),
    ),
    "neither sign announced": (
        close("1.234,56"),
        {},
        price(
            "holds '1.234,56', which is not a number: write 1234.5, with a point and nothing "
            "between thousands, or give columns.decimal and columns.thousands"
        ),
    ),
    "a decimal point that is announced": (
        close("1.234") + "C;2013-03-01;1,5\n",
        {"decimal": "."},
        {"A": False, "B": False, "C": "line 4, column 'close', holds '1,5', which is not"},
    ),
    "a decimal comma, not announced, beside what may be thousands": (
        close("1.234") + "C;2013-03-01;1,5\n",
        {},
        {
            **price("holds '1.234', while other rows have a comma for the decimal sign"),
            "C": "line 4, column 'close', holds '1,5', which is not a number",
        },
    ),
    "decimal commas in JSON text, and a real number": (
        '[{"ticker":"A","time":"2013-03-01","close":"101,5"},'
        '{"ticker":"B","time":"2013-03-01","close":99.5}]',
        COMMA,
        BOTH,
    ),
    # between thousands
    "points between thousands, decimal commas": (close("1.234,56"), POINTS, BOTH),
    "points between thousands, no decimals": (close("1.234"), POINTS, BOTH),
    "millions": (close("1.234.567,89"), POINTS, BOTH),
    "below zero": (close("-1.234,56"), POINTS, {"A": False, "B": False}),
    "thousands that are not groups of three": (
        close("1.23"),
        POINTS,
        price("holds '1.23', which is not a number with ',' for the decimal sign and '.' between"),
    ),
    "a group of four": (close("1.2345,6"), POINTS, price("holds '1.2345,6', which is not")),
    "a separator behind the decimal sign": (
        close("1,234.5"),
        POINTS,
        price("holds '1,234.5', which is not a number"),
    ),
    "American thousands": (close("1,234.56"), {"thousands": ","}, BOTH),
    "Indian groups": (close("12,34,567"), {"thousands": ","}, price("holds '12,34,567', which")),
    "Swiss thousands": (close("1'234.50"), {"thousands": "'"}, BOTH),
    "a typographic apostrophe": (close("1\u2019234.50"), {"thousands": "'"}, BOTH),
    "blanks between thousands": (close("1 234,5"), {**COMMA, "thousands": " "}, BOTH),
    "no-break spaces": (close("1\u00a0234,5"), {**COMMA, "thousands": " "}, BOTH),
    "narrow no-break spaces": (close("1\u202f234,5"), {**COMMA, "thousands": " "}, BOTH),
    "no-break spaces that nobody announced": (
        close("1\u00a0234"),
        {},
        price("holds '1\\xa0234', which is not a number: write 1234.5"),
    ),
    "underscores between thousands": (close("1_234"), {"thousands": "_"}, BOTH),
    # epoch numbers
    "an epoch time of 1985 with its unit": (at(473385600, 473385660), {"time_unit": "s"}, BOTH),
    "an epoch time of 1985 without": (
        at(473385600) + f"C,{S},99\n",
        {},
        {
            "A": "line 2 holds '473385600' for 'time', which is not an ISO 8601 time nor an epoch",
            "B": "line 3 holds '473385600'",
            "C": False,
        },
    ),
    "an epoch time before 1970 with its unit": (at("-86400", "-1.5"), {"time_unit": "s"}, BOTH),
    "a microsecond row where milliseconds are announced": (
        at(MS * 1000) + f"C,{MS},99\n",
        {"time_unit": "ms"},
        {
            "A": f"line 2 holds '{MS * 1000}' for 'time', which is not an epoch time in millisec",
            "B": "line 3 holds",
            "C": False,
        },
    ),
    "a date where seconds are announced": (
        HEADER + f"A,2013-03-01,101\nB,{S},99\n",
        {"time_unit": "s"},
        time("holds '2013-03-01' for 'time', which is not an epoch time in seconds, as time_unit"),
    ),
    "a second row among milliseconds": (
        at(MS, MS + 1) + f"C,{S},99\n",
        {},
        BOTH | {"C": f"line 5 holds '{S}' for 'time', an epoch time in seconds {UNLIKE}"},
    ),
    "as many seconds as milliseconds": (
        HEADER + f"A,{S},101\nB,{MS},99\n",
        {},
        "none of the 2 tickers could be checked: A: line 2 holds '1362096000' for 'time', an epoch",
    ),
    "an epoch time among dates": (
        at("2013-02-28", "2013-03-01") + f"C,{S},99\n",
        {},
        BOTH | {"C": f"line 5 holds '{S}' for 'time', an epoch time in seconds {UNLIKE}"},
    ),
    "a date among epoch times": (
        at(S, S + 60) + "C,2013-03-01,99\n",
        {},
        BOTH | {"C": f"line 5 holds '2013-03-01' for 'time', an ISO 8601 time {UNLIKE}"},
    ),
    "a date without dashes among epoch times": (
        at(S, S + 60) + "C,20130301,99\n",
        {},
        BOTH | {"C": f"line 5 holds '20130301' for 'time', a date as YYYYMMDD {UNLIKE}"},
    ),
    "a date without dashes among dates": (
        at("2013-02-28", "2013-03-01") + "C,20130301,99\n",
        {},
        BOTH | {"C": f"line 5 holds '20130301' for 'time', a date as YYYYMMDD {UNLIKE}"},
    ),
    "ticks of .NET": (
        at("634976928000000000") + A.replace("A", "C"),
        {},
        {
            "A": "line 2 holds '634976928000000000' for 'time', which is not",
            "B": "line 3 holds '634976928000000000' for 'time', which is not",
            "C": True,
        },
    ),
    "a FILETIME of Windows": (
        HEADER + "A,130065696000000000,101\n" + B,
        {},
        time("holds '130065696000000000' for 'time', which is not an ISO 8601 time nor an epoch"),
    ),
    "minutes without dashes": (
        HEADER + "A,201303011600,101\n" + B,
        {},
        time("holds '201303011600' for 'time', which is not an ISO 8601 time nor an epoch time"),
    ),
    # formats
    "German dates": (at("28.02.2013", "01.03.2013"), {"time_format": "%d.%m.%Y"}, BOTH),
    "American dates and times": (
        at("02/28/2013 4:00 PM", "03/01/2013 4:00 PM"),
        {"time_format": "%m/%d/%Y %I:%M %p"},
        BOTH,
    ),
    "dates and times without dashes": (
        at(20130228160000, 20130301160000),
        {"time_format": "%Y%m%d%H%M%S"},
        BOTH,
    ),
    "dates as whole numbers in JSON, with a format": (
        '[{"ticker":"A","time":20130301,"close":101},{"ticker":"B","time":20130301.0,"close":99},'
        '{"ticker":"C","time":null,"close":99}]',
        {"time_format": "%Y%m%d"},
        BOTH | {"C": "row 3 has no 'time'"},
    ),
    "a date in another order than announced": (
        HEADER + "A,03/31/2013,101\nB,01/03/2013,99\n",
        {"time_format": "%d/%m/%Y"},
        time("holds '03/31/2013' for 'time', which is not written as time_format says: %d/%m/%Y"),
    ),
    "an ISO 8601 time where another format is announced": (
        HEADER + "A,2013-03-01,101\nB,01/03/2013,99\n",
        {"time_format": "%d/%m/%Y"},
        time("holds '2013-03-01' for 'time', which is not written as time_format says"),
    ),
    "the word now where a format is announced": (
        HEADER + "A,now,101\nB,01/03/2013,99\n",
        {"time_format": "%d/%m/%Y"},
        time("holds 'now' for 'time', which is not written as time_format says"),
    ),
    "offsets in a format": (
        at("28.02.2013 16:00 -0500", "01.03.2013 16:00 -0500"),
        {"time_format": "%d.%m.%Y %H:%M %z"},
        BOTH,
    ),
    # zones
    "New York before the close": (at("2013-02-28 16:00", "2013-03-01 16:00"), NEW_YORK, BOTH),
    "a time that New York has not reached": (
        HEADER + "A,2013-03-01 23:00,101\nB,2013-03-01 16:00,99\n",
        NEW_YORK,
        {
            "A": "the last row, 2013-03-02T04:00:00+00:00, lies in the future: times without a "
            "zone are read as America/New_York",
            "B": False,
        },
    ),
    "a time of another zone in New York": (at("2013-02-28", "2013-03-01T23:59Z"), NEW_YORK, BOTH),
    "New York's hour that comes twice": (
        HEADER + "A,2012-11-04 01:30,101\nB,2012-11-04 02:00,99\n",
        NEW_YORK,
        time(
            "holds '2012-11-04 01:30' for 'time', a time that the clocks of America/New_York have "
            "twice or never on that day: write it with its offset"
        ),
    ),
    "New York's hour that comes twice, and a later row": (
        at("2012-11-04 01:30", "2012-11-04 02:00") + "B,2012-11-04 02:00,99\n",
        NEW_YORK,
        BOTH,
    ),
    "New York's hour that comes twice, with offsets": (
        at("2012-11-04 01:50-04:00", "2012-11-04 01:30-05:00"),
        NEW_YORK,
        BOTH,
    ),
    "New York's hour that is left out": (
        HEADER + "A,2012-03-11 02:30,101\nB,2012-03-11 03:00,99\n",
        NEW_YORK,
        time("holds '2012-03-11 02:30' for 'time', a time that the clocks of America/New_York"),
    ),
    "New York's hour that is left out, and a later row": (
        at("2012-03-11 02:30", "2012-03-11 04:00") + "B,2012-03-11 04:00,99\n",
        NEW_YORK,
        BOTH,
    ),
    "the minutes around both changes": (
        at("2012-03-11 01:59", "2012-03-11 03:00", "2012-11-04 00:59", "2012-11-04 02:00")
        + "B,2012-11-04 02:00,99\n",
        NEW_YORK,
        BOTH,
    ),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_file_in_a_notation_gets_its_verdict_for_each_ticker(kind: str, tmp_path: Path) -> None:
    content, columns, verdicts = FILES[kind]
    require_verdicts(tmp_path / "quotes", content, columns, verdicts)
