"""The authorities whose certificates are trusted, read once: that takes 20 ms for each client.

Nothing about a request is decided here: who asks chooses whether certificates are verified.
"""

import os
import ssl
from functools import lru_cache
from pathlib import Path

import certifi
import httpx


def trusted_authorities() -> ssl.SSLContext:
    """httpx's default context, shared by all clients of this process. Not to be changed.

    `SSL_CERT_FILE` and `SSL_CERT_DIR` name other authorities, as they do for httpx. A file that has
    changed is read again. Raises OSError and ssl.SSLError where they can't be read.
    """
    place = os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR") or certifi.where()
    return _read(place, Path(place).stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _read(_place: str, _changed: int) -> ssl.SSLContext:
    return httpx.create_ssl_context()
