"""The `SENTINEL_*` environment variables. Rules are in prefect.yaml."""

import getpass
import os
import re
from functools import lru_cache
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

import platformdirs
from pydantic import BeforeValidator, Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


def _default_database_url() -> str:
    folder = Path(platformdirs.user_data_dir("sentinel", appauthor=False))
    return f"sqlite:///{folder / 'sentinel.db'}"


def _default_prefect_ui_url() -> str:
    """The UI's address by Prefect's own environment variables."""
    if url := os.environ.get("PREFECT_UI_URL"):
        return url
    api = os.environ.get("PREFECT_API_URL") or "http://127.0.0.1:4200/api"
    return api.rstrip("/").removesuffix("/api")


def _default_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "unknown"


def _database_file(rest: str) -> str:
    """The absolute path after `sqlite://`. Runs, viewer and command line start in other folders."""
    path, mark, options = rest.removeprefix("/").partition("?")
    file = Path(path).expanduser()
    if not rest.startswith("/") or not file.is_absolute():
        raise ValueError(
            f"expected sqlite:////absolute/path or sqlite:///~/path, got {'sqlite://' + rest!r}: "
            "the worker and the blotter run in folders of their own and must find the same file"
        )
    return f"{file}{mark}{options}"


def _split(text: object, separator: str) -> object:
    if not isinstance(text, str):
        return text
    return tuple(part.strip() for part in text.split(separator) if part.strip())


Listed = Annotated[tuple[str, ...], NoDecode, BeforeValidator(lambda text: _split(text, ","))]
"""Values separated by commas."""
Folders = Annotated[
    tuple[Path, ...], NoDecode, BeforeValidator(lambda text: _split(text, os.pathsep))
]
"""Folders, separated as in PATH."""
Days = Annotated[int, Field(ge=0, le=36_500)]
"""A period of at most a century."""
EVERYBODY = "*"
"""In a list of people: everybody who can log in."""
_VARIABLES = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\*?|\*")


class Settings(BaseSettings):
    """Read from `SENTINEL_DATABASE_URL`, `SENTINEL_VIEWER_URL` and so on."""

    model_config = SettingsConfigDict(
        env_prefix="SENTINEL_",
        env_ignore_empty=True,
        hide_input_in_errors=True,  # a database URL holds a password
    )

    database_url: str = Field(
        default_factory=_default_database_url,
        description="sqlite:///path or postgresql://user:password@host/database",
    )
    store_variable: str = Field(
        "sentinel_store",
        pattern=r"^[a-z0-9_]+$",
        max_length=255,
        description="Name of the Prefect variable in which the event store is registered.",
    )
    viewer_url: str = Field(
        "http://127.0.0.1:8501", description="Address of the blotter, for links to events."
    )
    prefect_ui_url: str = Field(
        default_factory=_default_prefect_ui_url,
        description="Address of Prefect's UI, for links to runs.",
    )
    record_timeout_seconds: float = Field(
        10, gt=0, description="How long a hook tries to reach the event store."
    )
    notify_timeout_seconds: float = Field(
        10,
        gt=0,
        le=60,  # well within the outbox's lease, or two deliverers would send the same message
        description="How long sending a message may take before its outcome counts as unknown.",
    )
    notify_lease_seconds: float = Field(
        120,
        gt=0,
        description="Time after which a message with an unknown outcome is sent again.",
    )
    prefect_events: bool = Field(
        True, description="Emit each change of an event as a Prefect event, for automations."
    )
    env_allow: Listed = Field(
        (),
        description="Environment variables that rules may read by env:NAME, besides SENTINEL_RULE_…"
        ": names, or beginnings of names followed by *, separated by commas.",
    )
    source_roots: Folders = Field(
        (),
        description="Folders that rules may read files from, besides the project folder.",
    )
    hosts_deny: Listed = Field(
        (),
        description="Hosts that rules may not ask: names, *.domain, addresses, networks, or "
        "`private`; separated by commas.",
    )
    hosts_allow: Listed = Field(
        (), description="Hosts that rules may ask although they are denied; written alike."
    )
    stuck_grace_seconds: float = Field(
        60, ge=0, description="How long past its timeout a run may stay before it is closed."
    )
    stock_prefect: Listed = Field(
        (),
        description="Patches of Prefect to leave out, by name, or `all`; separated by commas.",
    )
    worker_engine_logs: bool = Field(
        False,
        description="Send what Prefect's engine says of each run, such as that it began and "
        "ended, to Prefect's UI.",
    )
    worker_spread_seconds: float = Field(
        5,
        ge=0,
        le=60,
        description="Time over which a sentinel worker spreads runs that are due at once, "
        "unless their rule or its pool says otherwise.",
    )
    worker_overrun_seconds: float = Field(
        15,
        ge=1,
        description="How long past its timeout a run may hang in a sentinel worker's process "
        "before it is killed.",
    )
    worker_stop_seconds: float = Field(
        15,
        ge=0,
        description="How long a stopping sentinel worker waits for its runs before it hands "
        "them back.",
    )
    retention_evaluation_days: Days = Field(
        30,
        description="Days for which evaluations are kept; after that one row an hour; 0: for ever.",
    )
    retention_hourly_days: Days = Field(
        365, description="Days for which those rows are kept; 0: for ever."
    )
    retention_event_days: Days = Field(
        365,
        description="Days for which events are kept after their end; 0: for ever.",
    )
    retention_series_days: Days = Field(
        90,
        description="Days after which a series that no run has reported is forgotten; 0: never.",
    )
    user: str = Field(
        default_factory=_default_user,
        description="Name of the person who acknowledges, unless the viewer knows it.",
    )
    viewer_read_only: bool = Field(
        False, description="Let nobody change anything from the viewer, as on a wall display."
    )
    role_claim: str | None = Field(
        None,
        description="Claim of the viewer's login that holds groups or roles, such as groups or "
        "realm_access.roles.",
    )
    admins: Listed = Field(
        (),
        description="Who may do everything in the viewer: verified e-mail addresses, or values of "
        "the role claim; separated by commas.",
    )
    operators: Listed = Field(
        (),
        description="Who may act on events, rules and silences in the viewer; written alike, or * "
        "for everybody who can log in.",
    )
    viewers: Listed = Field((), description="Who may look at the viewer's pages; written alike.")
    log_format: Literal["text", "json"] = Field(
        "text", description="Whether processes log text for people or a JSON object a line."
    )
    slack_api_url: str = Field(
        "https://slack.com/api", description="Address of Slack's Web API, for bot tokens."
    )
    pagerduty_url: str | None = Field(
        None, description="Address of PagerDuty's events API; empty: by the region of the block."
    )
    email_from: str | None = Field(
        None, description="Sender of emails; empty: the block's user name."
    )

    @model_validator(mode="after")
    def _lease_outlasts_an_attempt(self) -> Self:
        if self.notify_lease_seconds <= self.notify_timeout_seconds:
            raise ValueError(
                "notify_lease_seconds must be longer than notify_timeout_seconds: "
                "a message would be sent again while it is being sent"
            )
        return self

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, url: str) -> str:
        scheme, separator, rest = url.partition("://")
        if scheme == "sqlite" and separator:
            return f"sqlite:///{_database_file(rest)}"
        if scheme in ("postgresql", "postgres", "postgresql+psycopg") and separator:
            try:
                _ = urlsplit(f"postgresql://{rest}").port
            except ValueError as error:
                raise ValueError("the port in the database URL is not a number") from error
            return f"postgresql+psycopg://{rest}"
        raise ValueError(
            "expected sqlite:///path or postgresql://user:password@host/database, "
            f"got something that starts with {scheme[:20]!r}"
        )

    @field_validator("env_allow")
    @classmethod
    def _variables(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := [name for name in names if not _VARIABLES.fullmatch(name)]:
            raise ValueError(f"expected names of variables, * only at their ends, got {wrong}")
        return names

    @field_validator("admins", "operators", "viewers")
    @classmethod
    def _people(cls, people: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := [one for one in people if "@" in one and not one.isascii()]:
            raise ValueError(f"expected e-mail addresses in ASCII, got {wrong}")
        return tuple(one.lower() if "@" in one else one for one in people)

    @field_validator("admins")
    @classmethod
    def _not_everybody(cls, people: tuple[str, ...]) -> tuple[str, ...]:
        if EVERYBODY in people:
            raise ValueError(f"{EVERYBODY} would make everybody an administrator: name them")
        return people

    @field_validator("source_roots")
    @classmethod
    def _absolute_folders(cls, folders: tuple[Path, ...]) -> tuple[Path, ...]:
        found = tuple(folder.expanduser() for folder in folders)
        if wrong := [str(folder) for folder in found if not folder.is_absolute()]:
            raise ValueError(
                f"expected absolute paths, or ones that start with ~, separated by {os.pathsep!r}, "
                f"got {wrong}"
            )
        return found

    @field_validator("hosts_deny", "hosts_allow")
    @classmethod
    def _hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        for host in hosts:
            if "://" in host:
                raise ValueError(f"expected a host, not a URL: {host!r}")
            if "/" in host:
                ip_network(host, strict=False)
        return hosts

    @field_validator("viewer_url", "prefect_ui_url", "slack_api_url")
    @classmethod
    def _without_slash(cls, url: str) -> str:
        return url.rstrip("/")

    def flow_run_url(self, flow_run_id: object) -> str:
        """The flow run's page in the Prefect UI."""
        return f"{self.prefect_ui_url}/runs/flow-run/{flow_run_id}"

    def deployment_url(self, deployment_id: object) -> str:
        """The rule's page in the Prefect UI."""
        return f"{self.prefect_ui_url}/deployments/deployment/{deployment_id}"

    def event_url(self, event_id: int) -> str:
        """The event's page in the blotter."""
        return f"{self.viewer_url}/?event={event_id}"


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process; read once. Raises pydantic's ValidationError."""
    return Settings()
