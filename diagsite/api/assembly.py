"""The HTTP API as a whole: the routers of all features, authentication, and error handlers."""

from diagnosis.api.corrections import router as corrections_router
from diagnosis.api.diagnoses import router as diagnosis_router
from diagnosis.api.exports import router as export_router
from diagnosis.api.questions import router as questions_router
from diagnosis.api.schedules import router as schedules_router
from diagnosis.api.share_links import router as sharing_router
from diagnosis.api.sources import router as sources_router
from diagnosis.api.suggestions import router as suggestions_router
from diagnosis.api.trends import router as trends_router
from diagnosis.api.workspace_findings import router as workspace_findings_router
from diagnosis.api.workspace_members import router as workspace_members_router
from diagnosis.api.workspace_names import router as workspace_names_router
from diagnosis.api.workspace_questions import router as workspace_questions_router
from diagnosis.api.workspace_schedules import router as workspace_schedules_router
from diagnosis.api.workspaces import router as workspaces_router
from diagsite.accounts.api import router as accounts_router
from diagsite.accounts.authentication import PageAuth, TokenAuth
from diagsite.api.error_catalogue import router as error_catalogue_router
from diagsite.api.error_handlers import add_error_handlers
from diagsite.api.openapi import SiteApi
from diagsite.feedback.api import router as feedback_router
from diagsite.legal.api import router as legal_router
from diagsite.notifications.api import router as notifications_router
from diagsite.notifications.digest_api import router as digests_router
from progress.api import router as progress_router

api = SiteApi(
    title="Brand diagnosis",
    version="1",
    description="The visibility of brands in answers of AI platforms. The WebSocket: docs/reference/protocol.md.",
    auth=[TokenAuth(), PageAuth()],
    urls_namespace="api",
)
for router in (
    diagnosis_router,
    corrections_router,
    trends_router,
    schedules_router,
    workspaces_router,
    suggestions_router,  # before questions/{question_id}
    workspace_questions_router,
    workspace_names_router,
    workspace_findings_router,
    workspace_members_router,
    workspace_schedules_router,
    digests_router,
    notifications_router,
    export_router,
    sharing_router,
    sources_router,
    questions_router,
    progress_router,
    accounts_router,
    legal_router,
    feedback_router,
    error_catalogue_router,
):
    api.add_router("", router)
add_error_handlers(api)
