"""The certificates of a TLS connection: when the first of a chain ends, and a client's own."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from triggers.sources.errors import SourceError

_DER = 2  # what `_ssl` calls ENCODING_DER


@dataclass(frozen=True, slots=True)
class Ending:
    """The certificate of a chain that ends first, in days; negative: it has ended.

    `of` names it, unless it is the service's own.
    """

    days: float
    of: str = ""


def earliest_end(response: httpx.Response) -> Ending | None:
    """The first end in the chain that a response came over; None without TLS.

    Certificates are read from their bytes, so unverified ones count too.
    """
    stream = response.extensions.get("network_stream")
    tls = stream.get_extra_info("ssl_object") if stream is not None else None
    if not isinstance(tls, ssl.SSLObject | ssl.SSLSocket):
        return None
    from cryptography import x509  # importing it takes longer than all rules that use no TLS

    now = datetime.now(UTC)
    found = []
    for number, encoded in enumerate(_chain(tls)):
        certificate = x509.load_der_x509_certificate(encoded)
        days = (certificate.not_valid_after_utc - now).total_seconds() / 86_400
        found.append(Ending(days, certificate.subject.rfc4514_string() if number else ""))
    return min(found, key=lambda ending: ending.days, default=None)


def _chain(tls: ssl.SSLObject | ssl.SSLSocket) -> list[bytes]:
    """The certificates, the service's own first, up to the authority that is trusted.

    Where nothing is verified it is what the service presents. Up to Python 3.12 the chain is to be
    had from a private attribute only; where that is gone, the service's own certificate is left.
    """
    verified = tls.context.verify_mode != ssl.CERT_NONE
    name = "get_verified_chain" if verified else "get_unverified_chain"
    read: Callable[[], list[Any]] | None = getattr(tls, name, None)
    if read is None:
        read = getattr(getattr(tls, "_sslobj", None), name, None)
    chain = (read() if read is not None else None) or []
    encoded = [item if isinstance(item, bytes) else item.public_bytes(_DER) for item in chain]
    own = tls.getpeercert(binary_form=True)
    return encoded or ([own] if own is not None else [])


def client_context(
    verify: bool, certificate: Path, key: Path | None, password: str
) -> ssl.SSLContext:
    """TLS in which the client shows a certificate of its own. Raises SourceError."""
    context = httpx.create_ssl_context(verify=verify)
    try:
        # Always with a password: without one OpenSSL asks for it on the terminal.
        context.load_cert_chain(certificate, key, password)
    except FileNotFoundError as error:
        raise SourceError(
            f"client_certificate: there is no file {certificate}" + (f" or {key}" if key else "")
        ) from error
    except (ssl.SSLError, OSError, ValueError) as error:
        raise SourceError(
            f"client_certificate: {certificate} and its key can't be used: PEM files of a "
            "certificate and its own private key are needed, and the key's password if it has one"
        ) from error
    return context
