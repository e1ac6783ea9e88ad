"""How a request says who asks: a bearer token, a user and password, a client certificate."""

import base64
import ssl

from pydantic import BaseModel, ConfigDict, Field

from triggers.sources.allowed import allowed_file, file_warning
from triggers.sources.certificates import client_context
from triggers.sources.secret import Reference, reference_warning, value_of


class Basic(BaseModel):
    """A user and where the password is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    user: str = Field(
        min_length=1,
        max_length=500,
        pattern=r"^[^:\x00-\x1f\x7f]+$",
        description="the user's name, without a colon",
    )
    password: Reference = Field(description="block:secret/NAME, or env:NAME")


class ClientCertificate(BaseModel):
    """Files by which the service knows who asks."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    certificate: str = Field(min_length=1, description="a PEM file, with its chain if it has one")
    key: str | None = Field(
        None, min_length=1, description="the private key's PEM file; null: it is in the other file"
    )
    password: Reference | None = Field(
        None, description="the key's password: block:secret/NAME, or env:NAME"
    )

    def context(self, *, verify: bool) -> ssl.SSLContext:
        """TLS that shows this certificate. Raises SourceError, AccessError."""
        certificate = allowed_file(self.certificate)
        key = allowed_file(self.key) if self.key is not None else None
        password = value_of("client_certificate.password", self.password) if self.password else ""
        return client_context(verify, certificate, key, password)

    def refusals(self) -> list[str]:
        """Why the settings here keep rules from these files."""
        files = [self.certificate, *([self.key] if self.key else [])]
        said = [file_warning(file) for file in files]
        said += [reference_warning(self.password)] if self.password else []
        return [sentence for sentence in said if sentence]


def authorization(bearer: str | None, basic: Basic | None) -> dict[str, str]:
    """The header that says who asks, if there is one. Raises SentinelError."""
    if bearer is not None:
        return {"Authorization": f"Bearer {value_of('bearer', bearer).strip()}"}
    if basic is not None:
        password = value_of("basic.password", basic.password).strip("\r\n")
        encoded = base64.b64encode(f"{basic.user}:{password}".encode())
        return {"Authorization": f"Basic {encoded.decode('ascii')}"}
    return {}
