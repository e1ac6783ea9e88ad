"""Which deployments a watcher looks at: globs, lists and exclusions. Pure."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from sentinel_core import AlertOutput
from sentinel_core.wording.text import flat
from triggers.sources.readings import fitting_ticker

_MOST_NAMED = 10
_NOBODY = UUID(int=0)

Pattern = Annotated[str, Field(min_length=1)]
Patterns = list[Pattern]


@dataclass(frozen=True)
class Pipeline:
    """A deployment of somebody's flow. `own`: it is a rule, or a housekeeping flow of Sentinel."""

    id: UUID
    flow_id: UUID
    flow: str
    deployment: str
    tags: tuple[str, ...] = ()
    work_pool: str | None = None
    own: bool = False
    work_queue: str | None = None

    @property
    def name(self) -> str:
        """`flow/deployment`, as Prefect spells it."""
        return f"{self.flow}/{self.deployment}"

    @property
    def ticker(self) -> str:
        """The name of its series."""
        return fitting_ticker(self.name)


@dataclass(frozen=True)
class Selected:
    """The chosen pipelines, and the reason why some of what was asked for is not among them."""

    pipelines: tuple[Pipeline, ...]
    unmatched: str = ""

    @property
    def problem(self) -> AlertOutput | None:
        """Not checked: a filter that matches nothing; None when each one matches."""
        if not self.unmatched:
            return None
        return AlertOutput(
            triggered=False,
            problem="no_data",
            message=f"Not checked: {self.unmatched}",
            metadata={"code": "filter_matches_nothing"},
        )


class Selection(BaseModel):
    """Filters for deployments: one must match a pattern of each list that is not empty.

    Patterns are names or globs (`*`, `?`, `[ab]`), in the case in which Prefect has them.
    Sentinel's own rules and housekeeping flows are never selected.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    flows: Patterns = Field([], description="names of flows")
    deployments: Patterns = Field([], description="deployments, as `name` or `flow/name`")
    tags: Patterns = Field([], description="tags of deployments; one is enough")
    work_pools: Patterns = Field([], description="names of work pools")
    exclude_flows: Patterns = Field([], description="flows that are left out")
    exclude_deployments: Patterns = Field([], description="deployments that are left out")
    exclude_tags: Patterns = Field([], description="deployments with such a tag are left out")
    exclude_work_pools: Patterns = Field([], description="work pools that are left out")

    def select(self, pipelines: Iterable[Pipeline], flows: Collection[str] = ()) -> Selected:
        """The pipelines that the filters take, by name.

        `flows` are the names of flows whose runs without a deployment are looked at as well.
        """
        foreign = sorted((one for one in pipelines if not one.own), key=lambda one: one.name)
        if not foreign and not flows:
            return Selected((), "Prefect has no deployments beside Sentinel's own")
        chosen = tuple(one for one in foreign if self._takes(one))
        return Selected(chosen, self._unmatched(foreign, chosen, flows))

    def takes_run(self, flow: str, tags: Sequence[str]) -> bool:
        """True if the filters take a run without a deployment: by its flow and its own tags."""
        if self.deployments or self.work_pools:
            return False
        run = Pipeline(_NOBODY, _NOBODY, flow, "", tuple(tags))
        return self.model_copy(update={"exclude_deployments": []})._takes(run)

    def _takes(self, one: Pipeline) -> bool:
        return all(
            (not wanted or matches(wanted, names(one))) and not matches(unwanted, names(one))
            for _, wanted, unwanted, names in self._filters()
        )

    def _filters(self) -> list[tuple[str, Patterns, Patterns, "Names"]]:
        """Each filter: its name, what it includes, what it excludes, the names it compares."""
        return [
            ("flows", self.flows, self.exclude_flows, lambda one: (one.flow,)),
            (
                "deployments",
                self.deployments,
                self.exclude_deployments,
                lambda one: (one.deployment, one.name),
            ),
            ("tags", self.tags, self.exclude_tags, lambda one: one.tags),
            (
                "work_pools",
                self.work_pools,
                self.exclude_work_pools,
                lambda one: (one.work_pool,) if one.work_pool else (),
            ),
        ]

    def _unmatched(
        self, foreign: Sequence[Pipeline], chosen: Sequence[Pipeline], flows: Collection[str]
    ) -> str:
        alone = [
            f"{field}: {flat(pattern, 80)!r}"
            for field, wanted, _, names in self._filters()
            for pattern in wanted
            if not any(matches([pattern], names(one)) for one in foreign)
            and not (field == "flows" and matches([pattern], list(flows)))
        ]
        if alone:
            more = f" and {len(alone) - _MOST_NAMED} more" if len(alone) > _MOST_NAMED else ""
            return (
                f"no deployment in Prefect matches {', '.join(alone[:_MOST_NAMED])}{more}; "
                "correct the filter, or deploy what it names"
            )
        if not chosen and not any(self.takes_run(flow, self.tags) for flow in flows):
            return "no deployment in Prefect matches all of the filters together; widen them"
        return ""


Names = Callable[[Pipeline], Sequence[str]]


def matches(patterns: Iterable[str], names: Sequence[str]) -> bool:
    """True if a pattern is one of the names, or a glob of one."""
    return any(
        name == pattern or fnmatchcase(name, pattern) for pattern in patterns for name in names
    )
