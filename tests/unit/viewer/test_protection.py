"""Which pages are the blotter's own."""

import pytest

from viewer.protection import is_own

SERVED = "http://127.0.0.1:8501"


@pytest.mark.parametrize(
    ("origin", "addresses", "own"),
    [
        (SERVED, [SERVED], True),
        ("http://localhost:8501", [SERVED], True),
        ("http://[::1]:8501", [SERVED], True),
        ("http://127.0.0.1:8502", [SERVED], False),
        ("https://127.0.0.1:8501", [SERVED], False),
        ("http://localhost:8501.evil.example", [SERVED], False),
        ("http://evil.example:8501", [SERVED], False),
        ("http://localhost.evil.example:8501", [SERVED], False),
        ("https://blotter.example", [SERVED, "https://blotter.example/alerts"], True),
        ("https://blotter.example:443", [SERVED, "https://blotter.example"], True),
        ("https://BLOTTER.example", [SERVED, "https://blotter.example"], True),
        ("http://blotter.example", [SERVED, "https://blotter.example"], False),
        ("https://blotter.example.evil", [SERVED, "https://blotter.example"], False),
        ("https://blotter.example@evil.example", [SERVED, "https://blotter.example"], False),
        ("null", [SERVED, "null"], False),
        ("", [SERVED, ""], False),
        ("http://[", [SERVED, "http://["], False),
        ("http://127.0.0.1:port", [SERVED], False),
        ("file://", [SERVED, "file://"], False),
    ],
)
def test_only_a_page_of_the_blotters_own_address_is_its_own(origin, addresses, own):
    assert is_own(origin, addresses) == own
