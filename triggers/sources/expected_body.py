"""Compares the body of an answer with expectations. Pure."""

from dataclasses import dataclass

from triggers.sources.document import JsonField, json_difference
from triggers.sources.request import BODY_LIMIT, Probe


@dataclass(frozen=True, slots=True)
class BodyExpectation:
    """What a body must hold and must not hold; None where nothing is expected."""

    contains: str | None
    must_not_contain: str | None
    json_field: JsonField | None

    def unmet(self, probe: Probe) -> list[str]:
        """The expectations that the body certainly does not meet."""
        unmet = []
        body, missing_is_certain = probe.body, not probe.body_fault
        if self.contains and self.contains not in body and missing_is_certain:
            where = f"first {BODY_LIMIT:,} bytes of the body" if probe.body_cut else "body"
            unmet.append(f"{self.contains!r} is not in the {where}")
        if self.must_not_contain and self.must_not_contain in body:
            unmet.append(f"{self.must_not_contain!r} is in the body")
        elif self.must_not_contain and probe.body_cut:
            unmet.append(
                f"the body is longer than {BODY_LIMIT:,} bytes: whether it holds "
                f"{self.must_not_contain!r} can't be said"
            )
        if self.json_field and probe.body_cut:
            unmet.append(f"the body is longer than {BODY_LIMIT:,} bytes: its JSON can't be read")
        elif self.json_field and missing_is_certain:
            difference = json_difference(body, self.json_field)
            unmet += [difference] if difference else []
        return unmet

    def not_checked(self, probe: Probe) -> str:
        """Why an expectation can't be compared with a body that is no text; else nothing.

        Text that is there although other parts can't be read is there.
        """
        if not probe.body_fault:
            return ""
        open_ends = (
            self.contains and self.contains not in probe.body,
            self.must_not_contain and self.must_not_contain not in probe.body,
            self.json_field,
        )
        return f"the body can't be read: {probe.body_fault}" if any(open_ends) else ""
