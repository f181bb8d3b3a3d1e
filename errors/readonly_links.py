"""References in read-only forms link only to pages that the user may open; Django links to every registered model."""

from typing import Any

from django.contrib.admin.helpers import AdminReadonlyField
from django.contrib.auth import get_permission_codename

VIEWER_ATTRIBUTE = "viewer"  # of a form class, which the admin creates for each request

_get_admin_url = AdminReadonlyField.get_admin_url


def _get_permitted_admin_url(field: Any, remote_field: Any, remote_object: Any) -> str:
    viewer = getattr(field.form, VIEWER_ATTRIBUTE, None)
    options = remote_field.model._meta
    names = [f"{options.app_label}.{get_permission_codename(action, options)}" for action in ("view", "change")]
    if viewer is not None and not any(map(viewer.has_perm, names)):
        return str(remote_object)
    return _get_admin_url(field, remote_field, remote_object)


def restrict_readonly_links() -> None:
    """Replace the method that builds the links."""
    AdminReadonlyField.get_admin_url = _get_permitted_admin_url  # type: ignore[method-assign,assignment]
