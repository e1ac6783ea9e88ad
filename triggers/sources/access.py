"""What a rule's parameters may make the worker read: environment variables, files, hosts. Pure.

Each function returns the sentence that refuses, or None. Apart from following links no I/O.
"""

from collections.abc import Collection, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path

PREFIX = "SENTINEL_RULE_"
"""Variables whose names begin like this are there for rules to read."""
PRIVATE = "private"
"""In a list of hosts: loopback and every other address that is not a public one."""
ALWAYS_DENIED = (
    "169.254.0.0/16",  # link-local: the metadata service of most clouds
    "fe80::/10",
    "fd00:ec2::254",  # the metadata services with addresses of their own
    "fd20:ce::254",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
)
_NAT64 = ip_network("64:ff9b::/96")

Address = IPv4Address | IPv6Address


def environment_refusal(name: str, listed: Collection[str]) -> str | None:
    """Why the variable `name` may not be read; `listed` are names, and prefixes ending in `*`."""
    if name.startswith(PREFIX) or name in listed:
        return None
    if any(item.endswith("*") and name.startswith(item[:-1]) for item in listed):
        return None
    return (
        f"the environment variable {name} may not be read by rules: call it {PREFIX}… where the "
        "check runs, or list it there in SENTINEL_ENV_ALLOW"
    )


def file_refusal(path: Path, named: Sequence[Path], folder: Path) -> str | None:
    """Why `path` may not be read: links followed, it is in no folder that may.

    `folder` is the working directory. The root of the file system is not taken for a project.
    """
    roots = [*named, *([folder] if folder != folder.parent else [])]
    try:
        real = (folder / path).resolve()
        if any(real.is_relative_to(root.resolve()) for root in roots):
            return None
    except (OSError, RuntimeError, ValueError) as error:  # a circle of links; a zero byte
        return f"{path} can't be followed to a file: {type(error).__name__}"
    return (
        f"{path} may not be read by rules: it is, or its links lead, outside of the project "
        f"folder {folder}; add its folder to SENTINEL_SOURCE_ROOTS where the check runs"
    )


def host_refusal(
    host: str, address: Address | None, deny: Collection[str], allow: Collection[str]
) -> str | None:
    """Why nothing may be sent to `host`, or to the address that it was found at."""
    host = host.lower().rstrip(".")
    address = _plain(address if address is not None else literal(host))
    if any(_matches(item, host, address) for item in allow):
        return None
    for item in (*ALWAYS_DENIED, *deny):
        if _matches(item, host, address):
            at = f" (found at {address})" if address is not None and str(address) != host else ""
            by = "SENTINEL_HOSTS_DENY" if item in deny else "the addresses that are always denied"
            return (
                f"{host}{at} may not be asked by rules: {item} is among {by}; to allow it, list "
                "it in SENTINEL_HOSTS_ALLOW where the check runs"
            )
    return None


def literal(host: str) -> Address | None:
    """The address that `host` is itself; None for a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def _matches(item: str, host: str, address: Address | None) -> bool:
    if item == PRIVATE:
        return address is not None and not address.is_global
    if item.startswith("*."):
        return host.endswith(item[1:].lower())
    try:
        network = ip_network(item, strict=False)
    except ValueError:
        return host == item.lower()
    return address is not None and address in network


def _plain(address: Address | None) -> Address | None:
    """The IPv4 address that an IPv6 one stands for, otherwise itself."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return address.ipv4_mapped
        if address.sixtofour:
            return address.sixtofour
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address
