"""The table of traps in docs/reference/platform-traps.md.

.venv/bin/python -m testing.fakes.protocols.table    write it
"""

from pathlib import Path

from diagnosis.choices import FailureReason
from testing.fakes.protocols.all_traps import ALL_TRAPS
from testing.fakes.protocols.trap import Expected, Trap

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "platform-traps.md"
_HEAD = """\
# What platforms send, and what becomes of it

Generated from the traps in `testing/fakes/protocols/` by `.venv/bin/python -m testing.fakes.protocols.table`; do not
edit. `diagnosis/tests/platforms/protocols/` runs every row, also over HTTP. The bodies have the documented shapes with
values of our own; nothing here was recorded from a platform.

requests: how many one attempt makes. searched: whether a search happened. sources: how many, and how many are known to
be cited.

| protocol | surface | trap | requests | result | truncated | searched | queries | sources | cited |
|---|---|---|---|---|---|---|---|---|---|
"""


def render_table() -> str:
    """Return the text of the page."""
    return _HEAD + "".join(f"| {' | '.join(_build_cells(trap))} |\n" for trap in ALL_TRAPS)


def _build_cells(trap: Trap) -> list[str]:
    cells = [trap.protocol, trap.surface.value, trap.name.replace("|", "\\|"), str(trap.calls)]
    if isinstance(trap.expected, FailureReason):
        wait = f", wait {trap.wait_seconds:g} s" if trap.wait_seconds else ""
        return [*cells, f"failed: {trap.expected.value}{wait}", "", "", "", "", ""]
    expected: Expected = trap.expected
    sources, queries = expected.sources, expected.queries
    return [
        *cells,
        "valid",
        "yes" if expected.truncated else "",
        expected.happened.value,
        "" if queries is None else str(len(queries)),
        "" if sources is None else str(len(sources)),
        "" if sources is None else str(sum(cited == "yes" for _url, _origin, cited in sources)),
    ]


if __name__ == "__main__":
    PAGE.write_text(render_table(), encoding="utf-8")
