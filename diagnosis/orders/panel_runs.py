"""Order a diagnosis of a panel, with the names of its workspace."""

from collections.abc import Sequence
from dataclasses import replace

from django.utils.translation import gettext as _

from diagnosis.models import Diagnosis, Panel, PanelVersion
from diagnosis.orders.services import DiagnosisRequest, RequestContext, RequestedBrand, create_diagnosis
from diagnosis.workspaces.names import BrandNames, load_names
from diagnosis.workspaces.panels import get_current_version, list_texts
from errors.exceptions import Conflict


def run_panel(panel: Panel, context: RequestContext) -> tuple[Diagnosis, bool]:
    """Create a diagnosis of the current version; returns and raises what `create_diagnosis` does.

    Raises Conflict if the workspace has no own brand yet.
    """
    version = get_current_version(panel)
    context = replace(context, workspace=panel.workspace_id, panel_version=version.pk)
    return create_diagnosis(build_panel_request(version, load_names(panel.workspace)), context)


def build_panel_request(version: PanelVersion, names: Sequence[BrandNames]) -> DiagnosisRequest:
    """Return the request of a version with these names."""
    brands = [RequestedBrand(brand.name, brand.aliases, brand.sites) for brand in names]
    if not brands:
        raise Conflict(fields={"brands": _("请先填写本品牌的名称。")})
    return DiagnosisRequest(brands[0], list_texts(version), version.platforms, brands[1:], version.repeats)
