"""What counts as an IP address in the header Host."""

import pytest

from sentinel_core.api.hosts import is_address

ADDRESSES = ("10.1.2.3", "10.1.2.3:8502", "[fd00::7]", "[FD00::7]:8502", "[::ffff:10.1.2.3]")
NAMES = (
    "",
    "attacker.example",
    "10.1.2.3.attacker.example",
    "10.1.2.3.nip.io:8502",
    "10-1-2-3.attacker.example",
    "10.1.2.3@attacker.example",
    "attacker.example:80@10.1.2.3",
    "10.1.2.3, attacker.example",
    "10.1.2.3 attacker.example",
    "10.1.2.3\tx",
    "10.1.2.3:port",
    "10.1.2.3:1:2",
    "10.1.2.3.",
    "10.1.2",
    "10.1.2.300",
    "010.1.2.3",
    "0x0a010203",
    "167838211",
    "[10.1.2.3]",
    "fd00::7",
    "[fd00::7",
    "[fd00::7].attacker.example",
    "[fd00::7%attacker.example]",
    "[v1.attacker]",
    "\N{FULLWIDTH DIGIT ONE}0.1.2.3",
    "10.1.2.3\n",
)


@pytest.mark.parametrize("host", ADDRESSES)
def test_an_address_is_one_with_and_without_a_port(host: str) -> None:
    assert is_address(host)


@pytest.mark.parametrize("host", NAMES)
def test_whatever_could_be_a_name_is_no_address(host: str) -> None:
    assert not is_address(host)
