"""The price of a call: an upper bound before it, the actual price after it."""

from decimal import ROUND_UP, Decimal

from diagnosis.models import Platform
from diagnosis.replies import Usage

PRICE_STEP = Decimal("0.000001")
TOKENS_PER_MILLION = Decimal(1_000_000)
# Message framing and the instructions of a protocol; a token is at least a byte of the text.
MAX_EXTRA_INPUT_TOKENS = 500


def get_max_cost(platform: Platform, text: str) -> Decimal:
    """Return the most that a call with this text can cost, with the limits of the platform's row."""
    max_input_tokens = platform.max_input_tokens
    if max_input_tokens is None:
        max_input_tokens = len(text.encode()) + MAX_EXTRA_INPUT_TOKENS
    return get_cost(platform, Usage(max_input_tokens, platform.max_output_tokens, None, platform.max_searches))


def get_cost(platform: Platform, usage: Usage) -> Decimal:
    """Return the price of a call that consumed this, rounded up; what was not reported is free."""
    cost = (
        platform.price_per_call
        + platform.price_per_million_input_tokens * (usage.prompt_tokens or 0) / TOKENS_PER_MILLION
        + platform.price_per_million_output_tokens * (usage.completion_tokens or 0) / TOKENS_PER_MILLION
        + platform.price_per_search * (usage.searches or 0)
    )
    return cost.quantize(PRICE_STEP, ROUND_UP)


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
