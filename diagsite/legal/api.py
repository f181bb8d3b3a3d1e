"""The HTTP API of the legal documents and of the consent to them."""

from typing import Annotated

from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema
from pydantic import StringConstraints

from diagsite.legal.consent import ConsentState, accept_documents, get_consent_state
from diagsite.legal.documents import Document, DocumentName, load_document
from diagsite.models import User

router = Router(tags=["legal"])


class SectionOut(Schema):
    """A section of a document."""

    heading: str
    paragraphs: list[str]


class DocumentOut(Schema):
    """A document in the caller's language. version: of both documents."""

    name: str
    title: str
    version: str
    sections: list[SectionOut]


class ConsentOut(Schema):
    """version: of the current documents. is_required: whether they must be accepted before the next diagnosis."""

    version: str
    is_required: bool


class ConsentIn(Schema):
    """The version that the user has accepted."""

    version: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=32)]


@router.get(
    "/legal/{name}",
    auth=None,
    response=DocumentOut,
    summary="Get the user agreement or the privacy policy",
    operation_id="diagsite_api_get_legal_document",
)
def get_legal_document(request: HttpRequest, name: DocumentName, response: HttpResponse) -> Document:
    """Return `agreement` or `privacy`, without sign-in."""
    response["Cache-Control"] = "public, no-cache"
    response["Vary"] = "Accept-Language"
    return load_document(name)


@router.get(
    "/consent", response=ConsentOut, summary="Get the state of the consent", operation_id="diagsite_api_get_consent"
)
def get_consent(request: HttpRequest) -> ConsentState:
    """Return whether the caller still has to accept the current documents."""
    return get_consent_state(_get_user(request))


@router.post(
    "/consent", response=ConsentOut, summary="Accept the documents", operation_id="diagsite_api_accept_documents"
)
def accept(request: HttpRequest, body: ConsentIn) -> ConsentState:
    """Record the consent with its version and time. 409 if the documents have changed meanwhile."""
    user = _get_user(request)
    accept_documents(user, body.version)
    return get_consent_state(user)


def _get_user(request: HttpRequest) -> User:
    user: User = request.auth  # type: ignore[attr-defined]
    return user
