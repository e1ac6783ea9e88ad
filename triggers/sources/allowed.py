"""The limits on what rules may read, as the settings of this process say. Raises or warns."""

import socket
from collections.abc import Iterable
from pathlib import Path

from sentinel_core.base.settings import get_settings
from triggers.sources.access import (
    Address,
    environment_refusal,
    file_refusal,
    host_refusal,
    literal,
)
from triggers.sources.errors import AccessError


def variable_warning(name: str, always: Iterable[str] = ()) -> str | None:
    """Why the settings here keep rules from the variable `name`; None if they do not.

    `always` are names that this kind of parameter may read without being listed.
    """
    return environment_refusal(name, {*get_settings().env_allow, *always})


def file_warning(path: str | Path) -> str | None:
    """Why the settings here keep rules from this file or folder; None if they do not."""
    return file_refusal(Path(path).expanduser(), get_settings().source_roots, Path.cwd())


def host_warning(host: str, address: Address | None = None) -> str | None:
    """Why the settings here keep rules from this host; None if they do not."""
    settings = get_settings()
    return host_refusal(host, address, settings.hosts_deny, settings.hosts_allow)


def allowed_file(path: str | Path) -> Path:
    """The file itself, links followed, so that what is opened is what was judged.

    A path is relative to the working directory. Raises AccessError for one outside of the folders
    that may be read, whether it exists or not.
    """
    if refusal := file_warning(path):
        raise AccessError(refusal)
    return Path(path).expanduser().resolve()


def require_host(host: str, address: Address | None = None) -> None:
    """Raises AccessError if nothing may be sent to this host, or to it at this address."""
    if refusal := host_warning(host, address):
        raise AccessError(refusal)


def require_resolved(host: str) -> None:
    """Raises AccessError if any address of the host is denied; a name without one is left alone."""
    require_host(host)
    try:
        found = socket.getaddrinfo(host, None)
    except OSError:
        return  # whoever connects says it
    for *_, place in found:
        require_host(host, literal(str(place[0])))
