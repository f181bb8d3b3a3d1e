"""The admin pages of diagnoses and what belongs to them."""

from diagnosis.admin import diagnoses, platforms, repair, schedules, share_links, sources, spending, workspaces

__all__ = ["diagnoses", "platforms", "repair", "schedules", "share_links", "sources", "spending", "workspaces"]
