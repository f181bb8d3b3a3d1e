"""The results of checks, and running them."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from errors.terminal import gettext as _

OK, WARNING, FAILED = "ok", "warning", "failed"


@dataclass(frozen=True)
class CheckFinding:
    """The result of one check. subject: which of several items was checked."""

    level: str
    detail: str
    subject: str = ""


@dataclass(frozen=True)
class CheckResult:
    """A finding with the name and the duration of its check."""

    name: str
    level: str
    detail: str
    ms: float

    def to_dict(self) -> dict[str, Any]:
        """Return the fields for JSON output."""
        return asdict(self)


CheckFunction = Callable[[], Iterable[CheckFinding]]


def run_checks(checks: dict[str, CheckFunction], dependencies: Mapping[str, str] | None = None) -> list[CheckResult]:
    """Run the checks one after another; an exception becomes a finding.

    dependencies: {check: another check without which it cannot pass}.
    """
    results: list[CheckResult] = []
    for name, check in checks.items():
        dependency = (dependencies or {}).get(name)
        if any(result.name == dependency and result.level == FAILED for result in results):
            results.append(CheckResult(name, FAILED, _("已跳过，见 %(check)s") % {"check": dependency}, 0.0))
            continue
        started_at = time.perf_counter()
        try:
            findings = list(check())
        except Exception as error:  # noqa: BLE001 - any exception is the check's finding
            reason = (str(error).strip().splitlines() or [""])[0]
            findings = [CheckFinding(FAILED, f"{type(error).__name__}: {reason}")]
        ms = round((time.perf_counter() - started_at) * 1000, 1)
        results += [
            CheckResult(f"{name} {finding.subject}".strip(), finding.level, finding.detail, ms) for finding in findings
        ]
    return results


def get_exit_code(results: Iterable[CheckResult], *, strict: bool) -> int:
    """Return 1 if a check failed, or if strict, on a warning."""
    levels = {result.level for result in results}
    return int(FAILED in levels or (strict and WARNING in levels))
