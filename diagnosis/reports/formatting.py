"""Figures as text, the same on printed pages, in sentences and in the terminal."""


def format_percent(share: float | None) -> str:
    """Format 0.4167 as "42%", rounded as on the page; a missing share is a dash."""
    return "–" if share is None else f"{int(share * 100 + 0.5)}%"
