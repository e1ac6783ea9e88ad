"""Bytes are text in the encoding that they or their server name, or an error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triggers.sources.decoding import UndecodableError, decode

TEXT = "größer als 5 €\nzweite Zeile"


@pytest.mark.parametrize(
    ("encoding", "content_type"),
    [
        ("utf-8", ""),
        ("utf-8", "text/html"),
        ("utf-8", "text/html; charset=us-ascii"),
        ("utf-8-sig", ""),
        ("utf-8-sig", "text/html; charset=ISO-8859-1"),  # the mark comes first
        ("utf-16", ""),
        ("utf-16", "application/json; charset=utf-8"),
        ("utf-32", ""),
        ("utf-16-le", "text/plain; charset=UTF-16LE"),
        ("utf-16-be", "text/plain; charset=utf-16be"),
        ("iso8859-15", "text/html; charset=ISO-8859-15"),
        ("cp1252", 'text/html; charset="windows-1252"'),
        ("cp1252", "text/html; Charset=ISO-8859-1"),  # what browsers mean by it
    ],
)
def test_text_is_read_in_its_encoding(encoding: str, content_type: str) -> None:
    assert decode(TEXT.encode(encoding), content_type) == TEXT


@pytest.mark.parametrize(
    ("content", "content_type", "said"),
    [
        (TEXT.encode("latin-1", "replace"), "", "line 1 is not UTF-8"),
        (b"a\nb\n\xe9", "text/html; charset=utf-8", "line 3 is not UTF-8, as its content type"),
        (b"\xff\xfea", "", "line 1 is not UTF-16-LE, as its byte order mark says"),
        (b"a", "text/html; charset=klingon", "the charset 'klingon' of its content type is not"),
        (b"a", "text/html; charset=hex", "the charset 'hex' of its content type is not known"),
        (b"a", "text/html; charset=undefined", "of its content type is not known"),
        ("a".encode("utf-16-le"), "", "zero bytes, like UTF-16 without a byte order mark"),
        ("a".encode("utf-16-be"), "", "zero bytes, like UTF-16 without a byte order mark"),
    ],
)
def test_what_is_no_text_in_its_encoding_is_an_error(
    content: bytes, content_type: str, said: str
) -> None:
    with pytest.raises(UndecodableError) as caught:
        decode(content, content_type)
    assert said in str(caught.value)


def test_only_what_was_cut_may_end_within_a_character() -> None:
    content = "5 €".encode()[:-1]
    assert decode(content, cut=True) == "5 "
    with pytest.raises(UndecodableError):
        decode(content)


@given(st.binary(max_size=50), st.text(max_size=30), st.booleans())
def test_no_bytes_and_no_charset_are_more_than_an_error(
    content: bytes, charset: str, cut: bool
) -> None:
    try:
        decode(content, f"text/html; charset={charset}", cut=cut)
    except UndecodableError as error:
        assert len(str(error)) < 200
