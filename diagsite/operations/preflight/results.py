"""What a check says, and how many of them are run."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

OK, WARNING, FAILED = "ok", "warning", "failed"


@dataclass(frozen=True)
class CheckFinding:
    """One thing that was looked at. what: which of several, where a check looks at several."""

    level: str
    detail: str
    subject: str = ""


@dataclass(frozen=True)
class CheckResult:
    """A finding with the name of its check and how long that took, in milliseconds."""

    name: str
    level: str
    detail: str
    ms: float

    def to_dict(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self)


CheckFunction = Callable[[], Iterable[CheckFinding]]


def run_checks(checks: dict[str, CheckFunction], dependencies: Mapping[str, str] | None = None) -> list[CheckResult]:
    """Run them one after another; whatever one raises is its finding, and the others go on.

    needs: {check: the check without which it would only wait}.
    """
    results: list[CheckResult] = []
    for name, check in checks.items():
        dependency = (dependencies or {}).get(name)
        if any(result.name == dependency and result.level == FAILED for result in results):
            results.append(CheckResult(name, FAILED, f"not looked at: see {dependency}", 0.0))
        else:
            results += _run_check(name, check)
    return results


def _run_check(name: str, check: CheckFunction) -> Iterator[CheckResult]:
    started_at = time.perf_counter()
    try:
        findings = list(check())
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what the check has found
        reason = (str(error).strip().splitlines() or [""])[0]
        findings = [CheckFinding(FAILED, f"{type(error).__name__}: {reason}")]
    ms = round((time.perf_counter() - started_at) * 1000, 1)
    for finding in findings:
        yield CheckResult(f"{name} {finding.subject}".strip(), finding.level, finding.detail, ms)


def get_exit_code(results: Iterable[CheckResult], *, strict: bool) -> int:
    """1 when something failed, or, strictly, when anything is not in order."""
    levels = {result.level for result in results}
    return int(FAILED in levels or (strict and WARNING in levels))
