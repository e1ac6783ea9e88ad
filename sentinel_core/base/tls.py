"""The authorities whose certificates are trusted, read once: that takes 20 ms for each client.

Nothing about a request is decided here: who asks chooses whether certificates are verified.
"""

import os
import ssl
from functools import lru_cache

import httpx


def trusted_authorities() -> ssl.SSLContext:
    """httpx's default context, shared by all clients of this process. Not to be changed.

    `SSL_CERT_FILE` and `SSL_CERT_DIR` name other authorities, as they do for httpx.
    """
    return _read(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@lru_cache(maxsize=4)
def _read(_file: str | None, _folder: str | None) -> ssl.SSLContext:
    return httpx.create_ssl_context()
