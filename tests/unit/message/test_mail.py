"""The email: a subject on one line, two halves that say the same, and the chart inside."""

from datetime import timedelta
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sentinel_core.message.charts import SERIES_HEIGHT, WIDTH, series_chart
from sentinel_core.message.content import About, Medium
from tests.support.runs import T0
from tests.unit.message.given import BLOTTER, HISTORY, REPORT, item, told, told_of

LINE, LIMIT = (47, 129, 247), (209, 72, 72)


def picture(data: bytes | None) -> Image.Image:
    assert data is not None
    opened = Image.open(BytesIO(data))
    assert opened.format == "PNG"
    return opened.convert("RGBA")


def rows_of(image: Image.Image, colour: tuple[int, int, int], upto: int) -> set[int]:
    """The rows of pixels, left of `upto`, that have this colour in full."""
    found = set()
    for y in range(image.height):
        for x in range(upto):
            pixel = image.getpixel((x, y))
            if pixel == (*colour, 255):
                found.add(y)
                break
    return found


def test_the_subject_says_what_happened() -> None:
    assert told(Medium.EMAIL).subject == "[HIGH] aapl-price-surge · AAPL"
    assert told(Medium.EMAIL, item("step-2")).subject == (
        "[HIGH] aapl-price-surge · AAPL · step 2: nobody has acknowledged"
    )


def test_the_html_shows_the_chart_that_comes_along() -> None:
    message = told(Medium.EMAIL)
    assert message.html is not None
    assert 'src="cid:chart"' in message.html
    assert list(message.images) == ["chart"]
    assert picture(message.images["chart"]).size == (2 * WIDTH, 2 * SERIES_HEIGHT)


def test_an_event_without_history_has_no_chart() -> None:
    for history in ((), HISTORY[:1]):
        message = told(Medium.EMAIL, item(history=history))
        assert message.images == {}
        assert "<img" not in (message.html or "")


def test_a_report_brings_its_own_chart() -> None:
    drawn = series_chart(HISTORY)
    message = told_of(
        About.REPORT, {**REPORT, "chart": drawn, "chart_text": "by hour"}, Medium.EMAIL
    )
    assert message.images == {"chart": drawn}
    assert 'alt="by hour"' in (message.html or "")


def test_light_and_dark_readers_have_their_colours() -> None:
    html = told(Medium.EMAIL).html or ""
    assert '<meta name="color-scheme" content="light dark">' in html
    assert "prefers-color-scheme: dark" in html
    assert "background:#ffffff" in html


def test_both_halves_link_to_the_event() -> None:
    message = told(Medium.EMAIL)
    assert BLOTTER in message.body
    assert f'href="{BLOTTER}"' in (message.html or "")


def test_the_line_is_under_the_threshold_until_it_crosses_it() -> None:
    image = picture(series_chart(HISTORY, threshold=150.0))
    plot = int(0.8 * image.width)
    [limit] = [rows_of(image, LIMIT, plot)]
    line = rows_of(image, LINE, plot)
    assert limit
    assert min(line) < min(limit) < max(limit) < max(line)


def test_a_chart_without_a_threshold_has_no_such_line() -> None:
    assert not rows_of(picture(series_chart(HISTORY)), LIMIT, 2 * WIDTH)


def test_a_threshold_far_off_is_still_inside_the_picture() -> None:
    image = picture(series_chart(HISTORY, threshold=10_000.0))
    assert rows_of(image, LIMIT, int(0.8 * image.width))


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_values_are_no_chart(count: int) -> None:
    assert series_chart(HISTORY[:count]) is None


@settings(max_examples=25, deadline=None)
@given(
    values=st.lists(st.floats(), min_size=2, max_size=30),
    threshold=st.one_of(st.none(), st.floats()),
)
def test_any_numbers_can_be_drawn(values: list[float], threshold: float | None) -> None:
    history = [(T0 + timedelta(minutes=n), value) for n, value in enumerate(values)]
    drawn = series_chart(history, threshold, unit="%")
    finite = [value for value in values if value - value == 0]
    assert (drawn is None) == (len(finite) < 2)


def test_values_of_one_moment_can_be_drawn() -> None:
    assert series_chart([(T0, 1.0), (T0, 2.0)]) is not None


def test_a_long_history_stays_small() -> None:
    history = [(T0 + timedelta(minutes=n), float(n * n % 97)) for n in range(20_000)]
    drawn = series_chart(history)
    assert drawn is not None
    assert len(drawn) < 400_000
