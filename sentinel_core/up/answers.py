"""Whether a server answers."""

import httpx


def answer(url: str) -> httpx.Response | None:
    """A successful answer to a request; None when there is none."""
    try:
        found = httpx.get(url, timeout=5)
    except (httpx.HTTPError, httpx.InvalidURL):
        return None
    return found if found.is_success else None


def is_healthy(api_url: str) -> bool:
    """True if the Prefect server with this API is healthy."""
    found = answer(f"{api_url}/health")
    return found is not None and found.text.strip() == "true"
