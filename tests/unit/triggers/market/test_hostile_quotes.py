"""Small files that real feeds send, each with its right verdict for each ticker.

The check is the same everywhere: every ticker of the file, a last close above 100, on 2 March 2013.
A verdict is True (triggered), False (ok), or the start of the reason for which it was not checked.
A file that fails the check as a whole has one reason alone.
"""

import gzip
from pathlib import Path

import pytest

from tests.support.quote_files import BOTH, HEADER, A, B, Verdicts, price, require_verdicts, time

B_OK: Verdicts = {"B": False}
S, MS = 1362096000, 1362096000000  # 2013-03-01T00:00Z
NOT_A_TIME = "which is not an ISO 8601 time nor an epoch time between 1990 and 2100: write 2026-01"

FILES: dict[str, tuple[str | bytes, Verdicts | str]] = {
    # separators, encodings, line ends
    "commas": (HEADER + A + B, BOTH),
    "semicolons": ((HEADER + A + B).replace(",", ";"), BOTH),
    "tabs": ((HEADER + A + B).replace(",", "\t"), BOTH),
    "pipes": ((HEADER + A + B).replace(",", "|"), BOTH),
    "Windows line ends": ((HEADER + A + B).replace("\n", "\r\n"), BOTH),
    "no line end at the end": ((HEADER + A + B).rstrip(), BOTH),
    "UTF-8 with a byte order mark": ((HEADER + A + B).encode("utf-8-sig"), BOTH),
    "UTF-16": ((HEADER + A + B).encode("utf-16"), BOTH),
    "UTF-16, big endian": (b"\xfe\xff" + (HEADER + A + B).encode("utf-16-be"), BOTH),
    "Latin-1 without umlauts": ((HEADER + A + B).encode("latin-1"), BOTH),
    "Latin-1": ((HEADER + "MÜV2,2013-03-01,101\n").encode("latin-1"), "line 2 is not UTF-8: save"),
    "gzip": (gzip.compress((HEADER + A + B).encode()), BOTH),
    "gzip, cut off": (gzip.compress((HEADER + A + B).encode())[:-6], "is not a complete gzip file"),
    "a ticker with an umlaut": (HEADER + "MÜV2,2013-03-01,101\n", {"MÜV2": True}),
    # nothing there
    "zero bytes": (b"", "is empty"),
    "only blanks": (b" \n\n \n", "is empty"),
    "header only": (HEADER, "holds no rows"),
    "header and empty rows": (HEADER + ",,\n,,\n", "holds no rows"),
    "another header": ("symbol,date,price\n" + A, "has no column 'ticker', 'time', 'close'"),
    "no header": (A + B, "has no column"),
    "a login page": ("<html><body>Log in</body></html>", "has no column"),
    # rows that are none, and rows that are nobody's
    "trailing empty rows": (HEADER + A + B + ",,\n,,\n", BOTH),
    "trailing surplus commas": (HEADER + A + B + ",,,,,\n", BOTH),
    "empty lines between": (HEADER + "\n" + A + "\n\n" + B + "\n", BOTH),
    "an empty line first": ("\n" + HEADER + A + B, BOTH),
    "a comma at the end of each row": (HEADER + "A,2013-03-01,101,\nB,2013-03-01,99,\n", BOTH),
    "a row without a ticker": (
        HEADER + A + ",2013-03-01,5\n" + B,
        {**BOTH, "": "line 3 has data but no 'ticker'"},
    ),
    "two rows without a ticker": (
        HEADER + A + ",2013-03-01,5\n ,2013-03-01,6\n" + B,
        {**BOTH, "": "line 3 has data but no 'ticker' (and 1 more row)"},
    ),
    "a footer in the last column": (
        HEADER + A + B + ",,2 rows\n",
        {**BOTH, "": "line 4 has data but no 'ticker'"},
    ),
    "a footer in the first column": (
        HEADER + A + B + "Total: 2 rows,,\n",
        {**BOTH, "Total: 2 rows": "line 4 has no 'time'"},
    ),
    "a short footer": (HEADER + A + B + "END\n", {**BOTH, "END": "line 4 has no 'time'"}),
    "the header once more": (
        HEADER + A + B + HEADER,
        {**BOTH, "ticker": f"line 4 holds 'time' for 'time', {NOT_A_TIME}"},
    ),
    # prices
    "a dash": (HEADER + "A,2013-03-01,-\n" + B, price("holds '-', which is not a number")),
    "n/a in words": (HEADER + "A,2013-03-01,n.a.\n" + B, price("holds 'n.a.', which is not a")),
    "an empty price": (HEADER + "A,2013-03-01,\n" + B, {"A": "the last close is nan", "B": False}),
    "NaN": (HEADER + "A,2013-03-01,NaN\n" + B, {"A": "the last close is nan", "B": False}),
    "null": (HEADER + "A,2013-03-01,null\n" + B, {"A": "the last close is nan", "B": False}),
    "infinite": (HEADER + "A,2013-03-01,inf\n" + B, {"A": "the last close is inf", "B": False}),
    "beyond every float": (
        HEADER + "A,2013-03-01,1e999\n" + B,
        {"A": "the last close is inf"} | B_OK,
    ),
    "negative": (HEADER + "A,2013-03-01,-37.63\n" + B, {"A": False, "B": False}),
    "zero": (HEADER + "A,2013-03-01,0\n" + B, {"A": False, "B": False}),
    "an exponent": (HEADER + "A,2013-03-01,1.01e2\n" + B, BOTH),
    "blanks around": (HEADER + " A , 2013-03-01 , 101 \n" + B, BOTH),
    "a currency": (
        HEADER + "A,2013-03-01,$101\n" + B,
        price("holds '$101', which is not a number"),
    ),
    "thousands": (
        HEADER + 'A,2013-03-01,"1,234"\n' + B,
        price("holds '1,234', which is not a number: write 1234.5, with a point"),
    ),
    "thousands without quotes": (
        HEADER + "A,2013-03-01,1,234\n" + B,
        price("belongs to a row of 4 fields under a header of 3: quote fields that hold ','"),
    ),
    "a decimal comma": (
        HEADER.replace(",", ";") + "A;2013-03-01;101,5\nB;2013-03-01;99\n",
        price("holds '101,5', which is not a number: write 1234.5"),
    ),
    "a point for thousands beside decimal commas": (
        HEADER.replace(",", ";") + "A;2013-03-01;1.234\nB;2013-03-01;99\nC;2013-03-01;1,5\n",
        {
            **price("holds '1.234', while other rows have a comma for the decimal sign"),
            "C": "line 4, column 'close', holds '1,5', which is not a number",
        },
    ),
    "underscores": (HEADER + "A,2013-03-01,1_000\n" + B, price("holds '1_000', which is not a")),
    "hexadecimal": (HEADER + "A,2013-03-01,0x65\n" + B, price("holds '0x65', which is not a num")),
    "a long text": (
        HEADER + f"A,2013-03-01,{'x' * 999}\n" + B,
        price(f"holds '{'x' * 40}', which"),
    ),
    "a bad price further back": (HEADER + "A,2013-02-28,-\n" + A + B, BOTH),
    "a bad price further down, but older": (HEADER + A + "A,2013-02-28,-\n" + B, BOTH),
    # times
    "no time": (HEADER + "A,,101\n" + B, time("has no 'time'")),
    "no time further back": (HEADER + "A,,90\n" + A + B, time("has no 'time'")),
    "an American date": (
        HEADER + "A,03/01/2013,101\n" + B,
        time(f"holds '03/01/2013' for 'time', {NOT_A_TIME}"),
    ),
    "a German date": (HEADER + "A,01.03.2013,101\n" + B, time("holds '01.03.2013' for 'time'")),
    "the word now": (HEADER + "A,now,101\n" + B, time("holds 'now' for 'time'")),
    "the 30th of February": (HEADER + "A,2013-02-30,101\n" + B, time("holds '2013-02-30' for")),
    "the year 99999": (HEADER + "A,99999-01-01,101\n" + B, time("holds '99999-01-01' for 'time'")),
    "a time with a zone": (HEADER + "A,2013-03-01T16:00:00-05:00,101\n" + B, BOTH),
    "a time without a zone is UTC": (HEADER + "A,2013-03-01 16:00,101\n" + B, BOTH),
    "a date without dashes": (HEADER + "A,20130301,101\nB,20130301,99\n", BOTH),
    "a date without dashes that is none": (
        HEADER + "A,20131301,101\n" + B,
        time("holds '20131301' for 'time'"),
    ),
    "a date and time without dashes": (
        HEADER + "A,20130301160000,101\n" + B,
        time("holds '20130301160000' for 'time'"),
    ),
    "epoch seconds": (HEADER + f"A,{S},101\nB,{S},99\n", BOTH),
    "epoch seconds with a fraction": (HEADER + f"A,{S}.5,101\nB,{S}.5,99\n", BOTH),
    "epoch milliseconds": (HEADER + f"A,{MS},101\nB,{MS},99\n", BOTH),
    "epoch microseconds": (HEADER + f"A,{MS}000,101\nB,{MS}000,99\n", BOTH),
    "epoch nanoseconds": (HEADER + f"A,{MS}000000,101\nB,{MS}000000,99\n", BOTH),
    "one microsecond row among milliseconds": (
        HEADER + f"A,{MS}000,101\nB,{MS - 1},98\nB,{MS},99\n",
        time(f"holds '{MS}000' for 'time', an epoch time in microseconds unlike other rows"),
    ),
    "an epoch time of the year 2000": (
        HEADER + f"A,951868800,50\nA,{S},101\nB,{S},99\n",
        BOTH,
    ),
    "an epoch time of 1970": (HEADER + "A,20000,101\n" + B, time("holds '20000' for 'time'")),
    "a spreadsheet's day number": (HEADER + "A,41334,101\n" + B, time("holds '41334' for 'time'")),
    "only a year": (HEADER + "A,2013,101\n" + B, time("holds '2013' for 'time'")),
    "a row of the year 2062": (
        HEADER + A + "A,2062-01-01,1\n" + B,
        {"A": "the last row, 2062-01-01T00:00:00+00:00, lies in the future", "B": False},
    ),
    "a delisted ticker": (
        HEADER + "A,2009-03-01,101\n" + B,
        {"A": "the last row, 2009-03-01T00:00:00+00:00, is 1,461 days behind", "B": False},
    ),
    # order, duplicates, quotes
    "newest first": (HEADER + A + "A,2013-02-28,50\n" + B, BOTH),
    "the same row twice": (HEADER + A + A + B, BOTH),
    "two prices of one time: the later row counts": (HEADER + "A,2013-03-01,50\n" + A + B, BOTH),
    "the day of a split": (HEADER + "A,2013-02-28,202\n" + A + B, BOTH),
    "quoted fields": (HEADER + '"A","2013-03-01","101"\n' + B, BOTH),
    "a comma in a quoted ticker": (HEADER + '"A, Inc.",2013-03-01,101\n', {"A, Inc.": True}),
    "quotes in a quoted ticker": (HEADER + '"A ""x""",2013-03-01,101\n', {'A "x"': True}),
    "a line end in a quoted ticker": (HEADER + '"A\nB",2013-03-01,101\n', {"A B": True}),
    "a quote that is never closed": (HEADER + A + 'B,2013-03-01,"99\n', "is not a CSV, Parquet or"),
    # ragged rows
    "a row too short": (HEADER + "A,2013-03-01\n" + B, {"A": "the last close is nan", "B": False}),
    "a row too long": (HEADER + "A,2013-03-01,101,7\n" + B, price("belongs to a row of 4 fields")),
    "a row too long whose ticker is not first": (
        "time,ticker,close\n2013-03-01,B,99\n2013-03-01,A,1,234\n",
        {"B": False, "": "line 3 has data but no 'ticker'"},
    ),
    "the same column twice": (
        "ticker,time,close,close\nA,2013-03-01,1,2\n",
        "has more than one col",
    ),
    # JSON
    "a price of true": (
        '[{"ticker":"A","time":"2013-03-01","close":true},'
        '{"ticker":"B","time":"2013-03-01","close":99}]',
        {"A": "row 1, column 'close', holds 'True', which is not a number", "B": False},
    ),
    "a nested price": (
        '[{"ticker":"A","time":"2013-03-01","close":[101]},'
        '{"ticker":"B","time":"2013-03-01","close":99}]',
        {"A": "row 1, column 'close', holds '[101]', which is nested", "B": False},
    ),
    "dates as whole numbers": (
        '[{"ticker":"A","time":20130301,"close":101},{"ticker":"B","time":20130301,"close":99}]',
        BOTH,
    ),
    "a missing field": (
        '[{"ticker":"A","time":"2013-03-01"},{"ticker":"B","time":"2013-03-01","close":99}]',
        {"A": "the last close is nan", "B": False},
    ),
    "JSON lines with a null row": (
        '{"ticker":"A","time":"2013-03-01","close":101}\n'
        '{"ticker":null,"time":null,"close":null}\n'
        '{"ticker":"B","time":"2013-03-01","close":99}\n',
        BOTH,
    ),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_file_gets_its_verdict_for_each_ticker(kind: str, tmp_path: Path) -> None:
    content, verdicts = FILES[kind]
    require_verdicts(tmp_path / "quotes", content, {}, verdicts)
