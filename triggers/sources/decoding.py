"""Bytes as text, by one rule at every boundary where bytes come in. Pure."""

import codecs
from email.message import Message

from triggers.sources.errors import SourceError

# UTF-32 first: its little-endian mark begins like that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_AS_BROWSERS_READ = {"iso8859-1": "cp1252", "ascii": "utf-8"}  # a superset of each


class UndecodableError(SourceError):
    """Bytes are no text in their encoding. The message completes `the body: …`."""


def decode(content: bytes, content_type: str = "", *, cut: bool = False) -> str:
    """The text of a file, of an answer or of what a program printed, without a byte order mark.

    A byte order mark names the encoding; without one the charset of the content type does; without
    either it is UTF-8. `cut` says that the last character may be incomplete. Raises
    UndecodableError; no character is ever replaced.
    """
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            says = f"{encoding.upper()}, as its byte order mark says"
            return _decoded(content[len(mark) :], encoding, says, cut)
    charset = _charset(content_type)
    if charset:
        says = f"{charset.upper()}, as its content type says"
        return _decoded(content, _codec(charset), says, cut)
    if 0 in content[:4]:
        raise UndecodableError("line 1 has zero bytes, like UTF-16 without a byte order mark")
    return _decoded(content, "utf-8", "UTF-8", cut)


def _charset(content_type: str) -> str:
    message = Message()
    message["content-type"] = content_type
    return message.get_content_charset() or ""


def _codec(charset: str) -> str:
    """The codec of a charset. Raises UndecodableError for a name that is none."""
    try:
        b"a".decode(charset, "ignore")  # refuses codecs that make something else than text
        name = codecs.lookup(charset).name
    except (LookupError, ValueError) as error:
        raise UndecodableError(
            f"the charset {charset[:40]!r} of its content type is not known"
        ) from error
    return _AS_BROWSERS_READ.get(name, name)


def _decoded(content: bytes, encoding: str, expected: str, cut: bool) -> str:
    try:
        return codecs.getincrementaldecoder(encoding)().decode(content, final=not cut)
    except UnicodeError as error:
        start = error.start if isinstance(error, UnicodeDecodeError) else 0
        line = content.count(b"\n", 0, start) + 1
        raise UndecodableError(f"line {line} is not {expected}") from error
