"""A small OpenID Connect provider on loopback: whoever logs in picks who they are."""

import contextlib
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any
from urllib.parse import urlencode

import uvicorn
from fastapi import FastAPI, Form
from fastapi.responses import HTMLResponse, RedirectResponse
from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.support.processes import answers, free_port, wait_for

CLIENT, SECRET = "sentinel", "only-for-tests"


@dataclass
class Provider:
    """The provider: its address, its people by name, and the codes it has given out."""

    url: str
    people: Mapping[str, Mapping[str, Any]]
    codes: dict[str, dict[str, Any]] = field(default_factory=dict)
    key: RSAKey = field(
        default_factory=lambda: RSAKey.generate_key(2048, parameters={"kid": "1", "use": "sig"})
    )

    def app(self) -> FastAPI:
        app = FastAPI()
        app.get("/.well-known/openid-configuration")(self.metadata)
        app.get("/authorize")(self.choose)
        app.get("/chosen")(self.chosen)
        app.post("/token")(self.token)
        app.get("/jwks")(self.jwks)
        return app

    def metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def jwks(self) -> dict[str, Any]:
        return {"keys": [self.key.as_dict(private=False)]}

    def choose(self, redirect_uri: str, state: str, nonce: str = "") -> HTMLResponse:
        query = {"redirect_uri": redirect_uri, "state": state, "nonce": nonce}
        links = [
            f'<a href="/chosen?{urlencode({**query, "who": who})}">{who}</a>' for who in self.people
        ]
        return HTMLResponse("<h1>Who are you?</h1>" + "<br>".join(links))

    def chosen(self, who: str, redirect_uri: str, state: str, nonce: str) -> RedirectResponse:
        code = secrets.token_urlsafe()
        self.codes[code] = {**self.people[who], "nonce": nonce}
        return RedirectResponse(f"{redirect_uri}?{urlencode({'code': code, 'state': state})}")

    def token(self, code: Annotated[str, Form()]) -> dict[str, Any]:
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT, "iat": now, "exp": now + 300}
        signed = jwt.encode(
            {"alg": "RS256", "kid": "1"}, {**claims, **self.codes.pop(code)}, self.key
        )
        return {"access_token": secrets.token_urlsafe(), "token_type": "Bearer", "id_token": signed}

    def secrets_toml(self) -> str:
        """The file that makes a viewer log people in here; Streamlit fills in its own port."""
        return "\n".join(
            [
                "[auth]",
                'redirect_uri = "http://127.0.0.1:{port}/oauth2callback"',
                f'cookie_secret = "{secrets.token_hex(32)}"',
                f'client_id = "{CLIENT}"',
                f'client_secret = "{SECRET}"',
                f'server_metadata_url = "{self.url}/.well-known/openid-configuration"',
            ]
        )


@contextlib.contextmanager
def provider(people: Mapping[str, Mapping[str, Any]]) -> Iterator[Provider]:
    """A running provider that knows these people, by name with their claims."""
    port = free_port()
    found = Provider(f"http://127.0.0.1:{port}", people)
    server = uvicorn.Server(
        uvicorn.Config(found.app(), host="127.0.0.1", port=port, log_level="warning")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_for(lambda: answers(f"{found.url}/jwks"), what="the provider")
    yield found
    server.should_exit = True
    thread.join()
