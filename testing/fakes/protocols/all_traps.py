"""The traps of all protocols, in the order of the registry."""

from testing.fakes.protocols import chat, dashscope, gemini, kimi, messages, responses
from testing.fakes.protocols.trap import Trap

ALL_TRAPS: list[Trap] = [
    *chat.TRAPS,
    *kimi.TRAPS,
    *responses.TRAPS,
    *messages.TRAPS,
    *dashscope.TRAPS,
    *gemini.TRAPS,
]
