"""The settings of this process, as the page System shows them."""

from typing import Any

from fastapi import APIRouter

from sentinel_core.health import configuration as settings
from sentinel_core.health.finding import State

configuration = APIRouter()


@configuration.get("/configuration")
def read_configuration() -> Any:
    """Each setting with its value, secrets masked, and where it comes from; and what is wrong."""
    found = settings.look()
    return {
        "settings": [
            {"name": one.name, "value": one.data["value"], "source": one.data["source"]}
            for one in found
            if "value" in one.data
        ],
        "problems": [
            {"name": one.name, "sentence": one.sentence, "advice": one.advice}
            for one in found
            if one.state is not State.OK
        ],
    }
