"""The price of a call: an upper bound before it, the actual price after it."""

from dataclasses import replace
from decimal import ROUND_UP, Decimal

from diagnosis.choices import FailureReason, Ternary
from diagnosis.exceptions import CallFailed
from diagnosis.models import Platform
from diagnosis.replies import PlatformReply, Usage

PRICE_STEP = Decimal("0.000001")
TOKENS_PER_MILLION = Decimal(1_000_000)
# Message framing and the instructions of a protocol; a token is at least a byte of the text.
MAX_EXTRA_INPUT_TOKENS = 500
NOTHING = Usage(0, 0, 0, 0)
REASONS_OF_UNKNOWN_USAGE = {
    FailureReason.TIMEOUT,
    FailureReason.CONNECTION,
    FailureReason.UNREADABLE,
    FailureReason.BUG,
}


def get_max_usage(platform: Platform, text: str) -> Usage:
    """Return the most that a call with this text can consume, with the limits of the platform's row."""
    max_input_tokens = platform.max_input_tokens
    if max_input_tokens is None:
        max_input_tokens = len(text.encode()) + MAX_EXTRA_INPUT_TOKENS
    return Usage(max_input_tokens, platform.max_output_tokens, None, platform.max_searches)


def get_cost(platform: Platform, usage: Usage, max_usage: Usage) -> Decimal:
    """Return the price of a call, rounded up. What the platform did not report is charged at its maximum."""
    input_tokens, output_tokens, searches = (
        maximum if reported is None else reported
        for reported, maximum in (
            (usage.prompt_tokens, max_usage.prompt_tokens),
            (usage.completion_tokens, max_usage.completion_tokens),
            (usage.searches, max_usage.searches),
        )
    )
    cost = (
        platform.price_per_call
        + platform.price_per_million_input_tokens * (input_tokens or 0) / TOKENS_PER_MILLION
        + platform.price_per_million_output_tokens * (output_tokens or 0) / TOKENS_PER_MILLION
        + platform.price_per_search * (searches or 0)
    )
    return cost.quantize(PRICE_STEP, ROUND_UP)


def get_usage(outcome: PlatformReply | BaseException) -> Usage | None:
    """Return what a call consumed by its outcome; None if that is unknown.

    A response that refuses the request consumes nothing. A call without a readable response may have been answered.
    """
    if isinstance(outcome, PlatformReply):
        usage, search = outcome.usage, outcome.search
        is_known = usage.searches is not None or (search.requested and search.happened != Ternary.NO)
        return usage if is_known else replace(usage, searches=search.count or 0)
    if not isinstance(outcome, CallFailed):
        return None
    return outcome.usage or (None if outcome.reason in REASONS_OF_UNKNOWN_USAGE else NOTHING)


def is_priced(platform: Platform) -> bool:
    """Whether the platform has a price. A real platform without one has not been given it yet."""
    return platform.is_demo or any(
        (
            platform.price_per_call,
            platform.price_per_million_input_tokens,
            platform.price_per_million_output_tokens,
            platform.price_per_search,
        )
    )
