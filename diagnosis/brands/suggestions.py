"""Suggested competitors of a brand: those in the user's earlier diagnoses of it."""

from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import Max

from diagnosis.models import Brand

MAX_SUGGESTIONS = 10


def suggest_competitors(user: AbstractBaseUser, brand: str) -> list[dict[str, Any]]:
    """Return {name, aliases} of the competitors, most recent first, with their most recent aliases."""
    competitors = Brand.objects.filter(
        diagnosis__owner_id=user.pk, diagnosis__brand__iexact=brand.strip(), is_own=False
    )
    names = competitors.values("name").annotate(last=Max("pk")).order_by("-last")[:MAX_SUGGESTIONS]
    newest = Brand.objects.in_bulk([row["last"] for row in names])
    return [{"name": newest[row["last"]].name, "aliases": newest[row["last"]].aliases} for row in names]
