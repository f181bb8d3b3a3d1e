"""What a check says, and how many of them are run."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

OK, WARNING, FAILED = "ok", "warning", "failed"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. what: which of several, where a check looks at several."""

    level: str
    detail: str
    what: str = ""


@dataclass(frozen=True)
class Result:
    """A finding with the name of its check and how long that took, in milliseconds."""

    name: str
    level: str
    detail: str
    ms: float

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self)


Check = Callable[[], Iterable[Finding]]


def run_checks(checks: dict[str, Check], needs: Mapping[str, str] | None = None) -> list[Result]:
    """Run them one after another; whatever one raises is its finding, and the others go on.

    needs: {check: the check without which it would only wait}.
    """
    results: list[Result] = []
    for name, check in checks.items():
        needed = (needs or {}).get(name)
        if any(result.name == needed and result.level == FAILED for result in results):
            results.append(Result(name, FAILED, f"not looked at: see {needed}", 0.0))
        else:
            results += _run(name, check)
    return results


def _run(name: str, check: Check) -> Iterator[Result]:
    began = time.perf_counter()
    try:
        findings = list(check())
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what the check has found
        reason = (str(error).strip().splitlines() or [""])[0]
        findings = [Finding(FAILED, f"{type(error).__name__}: {reason}")]
    ms = round((time.perf_counter() - began) * 1000, 1)
    for finding in findings:
        yield Result(f"{name} {finding.what}".strip(), finding.level, finding.detail, ms)


def exit_code(results: Iterable[Result], *, strict: bool) -> int:
    """1 when something failed, or, strictly, when anything is not in order."""
    levels = {result.level for result in results}
    return int(FAILED in levels or (strict and WARNING in levels))
