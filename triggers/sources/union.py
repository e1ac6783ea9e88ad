"""How a choice of sources looks to those who read a rule's JSON schema. Pure."""

from typing import Any


def any_of(schema: dict[str, Any]) -> None:
    """`oneOf` with a discriminator as plain `anyOf`, which Prefect's forms can show.

    The sources' `kind`s exclude one another, so the two mean the same.
    """
    if "oneOf" in schema:
        schema["anyOf"] = schema.pop("oneOf")
        schema.pop("discriminator", None)
