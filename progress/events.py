"""The kinds of events and the data of each, as docs/reference/protocol.md describes them.

The stream of a diagnosis has `progress`, `result`, `error` and `complete`; that of the dashboard `samples` and `alert`.
"""

from typing import Any, Literal, NotRequired, TypedDict

EventKind = Literal["progress", "result", "error", "complete", "samples", "alert"]


class ProgressData(TypedDict):
    """Progress of a diagnosis. percent never decreases; eta_s: estimated seconds left, None while unknown."""

    stage: str
    percent: int
    done: int
    planned: int
    eta_s: int | None


class ResultData(TypedDict):
    """A stored answer, without its text. mentioned: brands in a valid answer; code: error code of any other answer."""

    answer: str
    question: str
    platform: str
    repeat: int
    state: str
    ms: int
    mentioned: NotRequired[list[str]]
    code: NotRequired[str]


class ErrorData(TypedDict):
    """A problem body (RFC 9457) that does not end the diagnosis, with the id of the platform."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    severity: str
    retryable: bool
    retry_after_ms: int | None
    request_id: str
    copy: dict[str, Any]
    fields: NotRequired[dict[str, str]]
    platform: str


class CompleteData(TypedDict):
    """The final status with its counts; always the last event. problem: why the status is not `completed`."""

    status: str
    valid: int
    failed: int
    filtered: int
    problem: NotRequired[dict[str, Any]]


class SamplesData(TypedDict):
    """New metric samples. bucket: start of their interval (ISO 8601)."""

    bucket: str


class AlertData(TypedDict):
    """An alert that fired or was resolved."""

    alert: int
    is_open: bool
    severity: str
    title: str
    title_en: str


DiagnosisEvent = (
    tuple[Literal["progress"], ProgressData]
    | tuple[Literal["result"], ResultData]
    | tuple[Literal["error"], ErrorData]
    | tuple[Literal["complete"], CompleteData]
)
"""(kind, data) of an event of a diagnosis."""
