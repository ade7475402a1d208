"""What the linter finds out about a chat template."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

__all__ = ["Finding", "Verdict"]

State = Literal["pass", "warn", "fail"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The answer to one question."""

    check: str
    state: State
    """`fail`: the template is not used; `warn`: rows of some kind are refused, or learn something else."""
    found: str
    mend: str = ""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What is known of a template with a tokenizer."""

    template: str
    """Fingerprint of the template's text."""
    findings: tuple[Finding, ...]
    stops: tuple[int, ...]
    """Tokens that end an answer."""

    @property
    def state(self) -> State:
        """The worst of the findings."""
        states = {finding.state for finding in self.findings}
        return "fail" if "fail" in states else "warn" if "warn" in states else "pass"

    def to_json(self) -> dict[str, Any]:
        """For manifests and `--json`."""
        return {
            "state": self.state,
            "template": self.template,
            "stops": list(self.stops),
            "findings": [asdict(finding) for finding in self.findings],
        }
