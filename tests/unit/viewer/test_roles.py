"""Roles by the claims of a login, also by claims that somebody made up."""

from typing import Any

import pytest

from sentinel_core.base.settings import Settings
from viewer.roles import Action, Role, may, name_of, role_of

SETTINGS = {
    "role_claim": "groups",
    "admins": ("Ana@Example.org", "sentinel-admins"),
    "operators": ("bo@example.org", "ops"),
    "viewers": ("kim@example.org",),
}


def settings(**given: Any) -> Settings:
    return Settings(**{**SETTINGS, **given})


def login(email: Any = None, *, verified: Any = True, **claims: Any) -> dict[str, Any]:
    return {"sub": "u-1", "email": email, "email_verified": verified, **claims}


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        (login("ana@example.org"), Role.ADMIN),
        (login(" ANA@example.ORG "), Role.ADMIN),
        (login("bo@example.org", verified="true"), Role.OPERATOR),
        (login("kim@example.org"), Role.VIEWER),
        (login("kim@example.org", groups=["staff", "ops"]), Role.OPERATOR),
        (login(groups="sentinel-admins"), Role.ADMIN),
        (login(groups=["ops", "sentinel-admins"]), Role.ADMIN),
    ],
)
def test_the_highest_role_by_address_or_by_group(claims: dict[str, Any], role: Role) -> None:
    assert role_of(claims, settings()) is role


@pytest.mark.parametrize(
    "claims",
    [
        {},
        login(None),
        login("someone@example.org"),
        login("ana@example.org", verified=False),
        login("ana@example.org", verified=None),
        login("ana@example.org", verified=1.5),
        login("ana@example.org", verified="yes"),
        login(["ana@example.org"]),
        login({"email": "ana@example.org"}),
        login("ana@example.org.evil.example"),
        login("ana@example.org,x@example.org"),
        login("\N{CYRILLIC SMALL LETTER A}na@example.org"),
        login("\N{KELVIN SIGN}im@example.org"),  # its small letter is k
        login("a\N{ZERO WIDTH SPACE}na@example.org"),
        login(f"{'a' * 500}@example.org"),
        login(name="ana@example.org", preferred_username="ana@example.org"),
        login(groups="Sentinel-Admins"),
        login(groups="ops,sentinel-admins"),
        login(groups="ops sentinel-admins"),
        login(groups={"ops": True}),
        login(groups=[["ops"], None, 7, True, {"ops": 1}]),
        login(groups="ana@example.org"),  # the provider has not verified it
        login(groups=["*"]),
        login(roles=["ops"]),
        {"groups": ["ops"], "name": "Bo"},  # nobody: no id and no address
        {"sub": "  ", "groups": ["ops"]},
        {"sub": 7, "groups": ["ops"]},
    ],
)
def test_whatever_else_is_claimed_gives_no_role(claims: dict[str, Any]) -> None:
    assert role_of(claims, settings()) is None


def test_a_star_lets_in_everybody_who_has_an_identity() -> None:
    anybody = settings(viewers=("*",))
    assert role_of(login("someone@example.org"), anybody) is Role.VIEWER
    assert role_of({"sub": "u-9"}, anybody) is Role.VIEWER
    assert role_of({}, anybody) is None
    with pytest.raises(ValueError, match="everybody an administrator"):
        settings(admins=("*",))


def test_a_claim_may_lie_deeper_and_one_with_dots_in_its_name_is_found_first() -> None:
    deep = settings(role_claim="realm_access.roles")
    assert role_of(login(realm_access={"roles": ["ops"]}), deep) is Role.OPERATOR
    assert role_of(login(realm_access=["ops"]), deep) is None
    url = settings(role_claim="https://example.org/roles")
    assert role_of(login(**{"https://example.org/roles": ["ops"]}), url) is Role.OPERATOR
    assert role_of(login(groups=["ops"]), settings(role_claim=None)) is None


def test_people_act_under_what_they_cannot_choose_themselves() -> None:
    assert name_of(login("Bo@example.org", name="Ana")) == "bo@example.org"
    assert name_of(login("bo@example.org", verified=False, name="Ana")) == "Ana (u-1)"
    assert name_of({"sub": "u-1", "name": ["Ana"]}) == "u-1"
    assert name_of({"sub": "u-1", "name": "A\nB"}) == "A B (u-1)"
    assert name_of({"name": "Ana"}) is None


def test_each_action_needs_its_role() -> None:
    assert [one for one in Action if may(Role.VIEWER, one)] == []
    assert {one for one in Action if not may(Role.OPERATOR, one)} == {Action.CONFIGURATION}
    assert all(may(Role.ADMIN, one) for one in Action)
    assert not any(may(None, one) for one in Action)
