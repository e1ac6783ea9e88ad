"""Why an HTTP request failed, in words that quote nothing of what was received."""

import errno
import os
import re
import ssl

import httpx

_RECEIVED = re.compile(r":?\s*\(?(?:bytearray\(|b['\"]).*", re.DOTALL)


def reason(error: Exception) -> str:
    """The innermost cause, the most precise: `Connection refused`, not `All attempts failed`."""
    cause: BaseException = error
    while deeper := cause.__cause__ or cause.__context__:
        cause = deeper
        if isinstance(cause, BaseExceptionGroup):  # one for each address; the first will do
            cause = cause.exceptions[0]
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"the TLS certificate was refused: {cause.verify_message}"
    if isinstance(cause, ssl.SSLError):  # its number is not one of the operating system
        return f"TLS failed: {(cause.reason or 'no reason given').lower().replace('_', ' ')}"
    if isinstance(cause, OSError) and cause.errno and cause.errno in errno.errorcode:
        return os.strerror(cause.errno)
    said = getattr(cause, "strerror", None) or str(cause) or str(error) or type(error).__name__
    if isinstance(error, httpx.RemoteProtocolError):  # what is not HTTP is quoted in its text
        said = _RECEIVED.sub("", said) or "the answer is not HTTP"
    return said
