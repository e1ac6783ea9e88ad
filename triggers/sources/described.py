"""The default description of a source's numbers. Pure."""

from pydantic import BaseModel, ConfigDict


class Described(BaseModel):
    """A number without unit and without a name of its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @property
    def unit(self) -> str:
        """Its unit."""
        return ""

    @property
    def own_ticker(self) -> str:
        """Its ticker if neither the rule nor the answer gives one."""
        return ""

    @property
    def several(self) -> bool:
        """True if the series have tickers of their own."""
        return False
