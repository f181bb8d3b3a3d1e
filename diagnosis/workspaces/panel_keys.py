"""Which diagnoses belong to a panel."""

from uuid import UUID

from django.db.models import Q


def build_panel_filter(key: str, prefix: str = "") -> Q:
    """Return the condition on diagnoses of a panel: the id of one of the workspace, in all versions, or another key."""
    try:
        return (
            Q(**{f"{prefix}panel_version__panel": UUID(key)}) if key.count("-") == 4 else Q(**{f"{prefix}panel": key})
        )
    except ValueError:
        return Q(**{f"{prefix}panel": key})
