"""One call outside of any diagnosis, for operators: what was sent, what came back, how it was read, what it cost."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from asgiref.sync import async_to_sync

from diagnosis.choices import CallPurpose, FailureReason
from diagnosis.exceptions import BudgetExhausted, CallFailed
from diagnosis.models import PaidCall, Platform
from diagnosis.platforms.client import PlatformCall
from diagnosis.platforms.endpoint import get_key
from diagnosis.replies import PlatformReply
from diagnosis.spending.ledger import CallRequest, reserve, settle

_KEPT_HEADERS = ("content-type", "retry-after", "retry-after-ms", "x-request-id")


@dataclass(frozen=True)
class SingleCall:
    """The outcome of a call: its reply or its failure. steps: requests with responses, without the key."""

    platform: Platform
    question: str
    reply: PlatformReply | None
    failure: CallFailed | None
    steps: list[dict[str, Any]]
    cost: Decimal

    def to_record(self) -> dict[str, Any]:
        """Return everything that a developer needs to see the shape of a reply."""
        platform = self.platform
        return {
            "platform": platform.pk,
            "protocol": platform.protocol,
            "surface": platform.surface,
            "model": platform.model,
            "question": self.question,
            "steps": self.steps,
            "reading": self.describe_reading(),
        }

    def describe_reading(self) -> dict[str, Any]:
        """Return how the reply was read, without its raw bodies."""
        if self.failure:
            return {"reason": self.failure.reason.value, "detail": self.failure.detail}
        assert self.reply
        reading = asdict(self.reply)
        del reading["raw"]
        return reading


def take_all_steps(
    call: PlatformCall, request: CallRequest, call_ids: list[int], *, max_seconds: float
) -> PlatformReply:
    """Take the steps of a call until its reply; each is reserved before and settled after it, and added to `call_ids`.

    max_seconds: of a step, if the platform's own timeout is longer. Raises BudgetExhausted and CallFailed.
    """
    timeout_seconds = min(call.platform.call_timeout_seconds, max_seconds)
    while True:
        reservation = reserve(request)
        call_ids.append(reservation.call_id)
        try:
            reply = async_to_sync(call.take_step)(seed=1, timeout_seconds=timeout_seconds)
        finally:
            settle(reservation, call.usage)
        if reply is not None:
            return reply


def get_total_cost(call_ids: Sequence[int]) -> Decimal:
    """Return what the calls cost together, in yuan."""
    return sum(PaidCall.objects.filter(pk__in=call_ids).values_list("cost", flat=True), Decimal(0))


def make_single_call(platform: Platform, question: str, *, max_seconds: float = 240.0) -> SingleCall:
    """Make one call now, also to a disabled or paused platform; every step is counted and within the budgets.

    max_seconds: of a step, if the platform's own timeout is longer.
    """
    call, call_ids = PlatformCall(platform, question), list[int]()
    reply, failure = None, None
    try:
        reply = take_all_steps(
            call, CallRequest(platform.pk, CallPurpose.TEST, question), call_ids, max_seconds=max_seconds
        )
    except BudgetExhausted as refusal:
        failure = CallFailed(FailureReason.BUDGET, f"the budget of {refusal.scope} {refusal.key} is exhausted")
    except CallFailed as error:
        failure = error
    return SingleCall(platform, question, reply, failure, _describe_steps(call), get_total_cost(call_ids))


def _describe_steps(call: PlatformCall) -> list[dict[str, Any]]:
    steps = [
        {
            "request": {"method": request.method, "url": request.url, "body": request.body},
            "response": response
            and {
                "status": response.status,
                "headers": {name: value for name, value in response.headers.items() if name in _KEPT_HEADERS},
                "body": response.body,
            },
        }
        for request, response in call.exchanges
    ]
    key = get_key(call.platform)
    text = json.dumps(steps, ensure_ascii=False)
    described: list[dict[str, Any]] = json.loads(text.replace(key, "***") if key else text)
    return described
