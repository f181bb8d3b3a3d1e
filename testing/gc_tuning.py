"""As a pytest plugin, the first: what is loaded and collected stays, so nobody looks for garbage in it.

That would be a third of the time until the first test, and a good part of the time from then on.
"""

import gc

import pytest

gc.disable()


def pytest_collection_finish(session: pytest.Session) -> None:
    """From here on there is garbage to be found."""
    gc.freeze()
    gc.enable()
