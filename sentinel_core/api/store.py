"""The event store, for one request at a time, with connections that are kept between them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine

from sentinel_core.base.errors import StoreRefusedError, StoreUnavailableError
from sentinel_core.base.settings import get_settings
from sentinel_core.flow import opening
from sentinel_core.store.db.engine import masked, open_engine, sqlite_file
from sentinel_core.store.db.failure import explained
from sentinel_core.store.db.schema import identity_of, require_schema


class Store:
    """The event store that the settings name."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: tuple[str, Engine] | None = None

    @contextmanager
    def looked(self) -> Iterator[Engine | None]:
        """The store; None where there is none yet.

        Raises StoreUnavailableError, and StoreRefusedError for another version or another store
        than this process began with; the next request looks anew.
        """
        url = get_settings().database_url
        with explained(url):
            engine = self._engine(url)
            try:
                yield engine
            except StoreRefusedError:
                self.close()
                raise

    @contextmanager
    def opened(self) -> Iterator[Engine]:
        """As `looked`, but raises StoreUnavailableError where there is no store."""
        with self.looked() as engine:
            if engine is None:
                place = masked(get_settings().database_url)
                raise StoreUnavailableError(
                    f"there is no event store at {place} yet: `sentinel db upgrade` creates it"
                )
            yield engine

    @contextmanager
    def writable(self) -> Iterator[Engine]:
        """As `opened`, for changes: another store than the registered one is refused."""
        with self.opened() as engine:
            opening.refuse_other(get_settings(), require_schema(engine))
            yield engine

    def close(self) -> None:
        """Close the connections; those in use when they are given back."""
        with self._lock:
            kept, self._kept = self._kept, None
        if kept is not None:
            kept[1].dispose()

    def _engine(self, url: str) -> Engine | None:
        with self._lock:
            if self._kept is not None and self._kept[0] == url:
                return self._kept[1]
        file = sqlite_file(url)
        if file is not None and not file.exists():
            return None
        engine = open_engine(url, pooled=True, create=False)
        if identity_of(engine) is None:
            engine.dispose()
            return None
        self.close()
        with self._lock:
            self._kept = url, engine
        return engine
