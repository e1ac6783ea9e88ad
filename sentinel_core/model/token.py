"""A token of the HTTP API, as people make it and as it is kept."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

TokenName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class Role(StrEnum):
    """What the holder of a token may do."""

    READ = "read"
    OPERATE = "operate"  # and read


class Token(BaseModel):
    """A token without its secret, of which only a hash is kept."""

    model_config = ConfigDict(frozen=True)

    name: TokenName
    role: Role
    expires_at: AwareDatetime | None = None
    created_at: AwareDatetime
    created_by: str
    revoked_at: AwareDatetime | None = None
    revoked_by: str | None = None

    def usable(self, now: datetime) -> bool:
        """True unless it was revoked or has expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)
