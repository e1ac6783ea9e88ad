"""How a source of numbers describes them to a threshold, unless it knows better. Pure."""

from pydantic import BaseModel, ConfigDict


class Described(BaseModel):
    """A number without unit and without a name of its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @property
    def unit(self) -> str:
        """What it is counted in."""
        return ""

    @property
    def own_ticker(self) -> str:
        """Its name where neither the rule nor the answer gives one."""
        return ""

    @property
    def several(self) -> bool:
        """Do series bring their tickers?"""
        return False
