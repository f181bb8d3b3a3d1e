"""A server whose answers take several paid steps: Kimi's loop of two searches, Claude's reply in three parts.

It answers any number of questions at once, since a request itself tells how many steps precede it. Steps from a chosen
depth on are held, so that a fault can be placed between two steps.
"""

import json
import threading
from dataclasses import dataclass, field
from typing import Any

from testing.fakes.protocols import kimi, messages
from testing.fakes.protocols.chat import completion
from testing.fakes.protocols.server import PlatformServer, ReceivedRequest, find_request_problems
from testing.fakes.protocols.trap import Canned
from testing.services import wait_until

STEPS_OF_KIMI, STEPS_OF_CLAUDE = 5, 3
SEARCHES = 2  # of each answer


@dataclass
class LoopServer(PlatformServer):
    """depths: of the paid requests, in order of arrival; 0 is the first step of an answer."""

    responses: list[Canned] = field(default_factory=list)
    depths: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._held_from = STEPS_OF_KIMI
        self._changed = threading.Condition()

    def hold_from(self, depth: int) -> None:
        """Hold the responses to steps of this depth and deeper ones; release the others."""
        with self._changed:
            self._held_from = depth
            self._changed.notify_all()

    def release(self) -> None:
        """Release every step."""
        self.hold_from(STEPS_OF_KIMI)

    def wait_for_steps(self, depth: int, count: int) -> None:
        """Return once so many steps of a depth have arrived."""
        wait_until(lambda: self.depths.count(depth) >= count, f"{count} steps of depth {depth}")

    def respond(self, request: ReceivedRequest) -> Canned:
        """Record a request, and return the response to it once its depth is released."""
        if request.method == "GET":
            return Canned(kimi.TOOLS)
        depth, canned = _build_response(request)
        with self._changed:
            self.requests.append(request)
            self.problems += find_request_problems(request)
            self.depths.append(depth)
            self._changed.wait_for(lambda: depth < self._held_from)
        return canned


def _build_response(request: ReceivedRequest) -> tuple[int, Canned]:
    """Return the depth of a request and the response."""
    body: Any = request.body
    if request.path.endswith("/fibers"):
        number = int(json.loads(body["arguments"])["query"].removeprefix("壶"))
        return 2 * number + 1, Canned(kimi.fiber({"search_results": [{"url": f"https://a.example/{number}"}]}))
    if request.path.endswith("/messages"):
        parts = [block for message in body["messages"][1:] for block in message["content"]]
        depth = sum(block["type"] == "text" for block in parts)
        is_last = depth == STEPS_OF_CLAUDE - 1
        content = [messages.text(f"第 {depth} 段。")]
        if not is_last:
            content += [messages.tool_use("壶"), messages.results("https://a.example/1")]
        stop_reason = "end_turn" if is_last else "pause_turn"
        return depth, Canned(messages.reply(*content, stop_reason=stop_reason, searches=int(not is_last)))
    searches = sum(message["role"] == "tool" for message in body["messages"])
    return 2 * searches, Canned(completion("山岚好。") if searches == SEARCHES else kimi.tool_calls(f"壶{searches}"))
