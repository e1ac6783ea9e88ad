"""What a job outside Prefect calls itself when it says that it ran."""

from typing import Annotated

from pydantic import Field

Key = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
"""Up to 100 letters, digits, `.`, `_` and `-`: it stands in an address."""
