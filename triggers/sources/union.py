"""The JSON schema of a choice of sources. Pure."""

from typing import Any


def any_of(schema: dict[str, Any]) -> None:
    """`oneOf` with a discriminator as plain `anyOf`, which Prefect's forms can show.

    The sources' `kind`s exclude one another, so the two mean the same.
    """
    if "oneOf" in schema:
        schema["anyOf"] = schema.pop("oneOf")
        schema.pop("discriminator", None)
