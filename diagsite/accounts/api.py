"""The HTTP API of accounts: sign in, sign out, delete the account."""

import uuid
from datetime import datetime
from typing import Annotated, Any, Literal

from django.conf import settings
from django.http import HttpRequest
from ninja import Router, Schema, Status
from pydantic import ConfigDict, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from diagsite.accounts import tokens, users, wechat
from diagsite.accounts.deletion import delete_user_data
from diagsite.models import User
from errors.exceptions import Forbidden

router = Router(tags=["session"])

LoginCode = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=256)]
DeviceId = Annotated[str, StringConstraints(strip_whitespace=True, min_length=8, max_length=64, pattern=r"^[\w.-]+$")]


class SignInIn(Schema):
    """A `wx.login` code or a device id: exactly one of them."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"required": [given], "properties": {given: {"type": "string"}, other: {"type": "null"}}}
                for given, other in (("code", "device_id"), ("device_id", "code"))
            ]
        }
    )

    code: LoginCode | None = None
    device_id: DeviceId | None = None

    @model_validator(mode="after")
    def _require_exactly_one(self) -> "SignInIn":
        if (self.code is None) == (self.device_id is None):
            raise PydanticCustomError("one_of", "give code or device_id", {"field": "code"})
        return self


class UserOut(Schema):
    """The user who is signed in."""

    id: uuid.UUID
    name: str
    is_staff: bool


class SessionOut(Schema):
    """A token, to be renewed before it expires."""

    token: str
    expires_at: datetime
    user: UserOut


@router.post("/session", auth=None, response=SessionOut, summary="Sign in", operation_id="diagsite_api_sign_in")
def sign_in(request: HttpRequest, body: SignInIn) -> dict[str, Any]:
    """Exchange a `wx.login` code for a token; on a demo site (DEMO=1) a device id is accepted too."""
    if body.code is not None:
        user = users.get_or_create_wechat_user(wechat.exchange_login_code(body.code))
    elif settings.DEMO and body.device_id is not None:
        user = users.get_or_create_device_user(body.device_id)
    else:
        raise Forbidden
    if not user.is_active:
        raise Forbidden
    issued = tokens.issue_token(user)
    return {
        "token": issued.token,
        "expires_at": issued.expires_at,
        "user": {"id": user.public_id, "name": user.get_full_name() or user.get_username(), "is_staff": user.is_staff},
    }


@router.delete("/session", response={204: None}, summary="Sign out", operation_id="diagsite_api_sign_out")
def sign_out(request: HttpRequest) -> Status[None]:
    """Revoke the token of the request."""
    scheme, _space, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        tokens.revoke_token(token.strip())
    return Status(204, None)


class ForgetIn(Schema):
    """The confirmation of the deletion."""

    confirm: Literal["DELETE"]


@router.delete(
    "/account",
    response={204: None},
    summary="Delete the account with all its data",
    operation_id="diagsite_api_delete_account",
)
def delete_account(request: HttpRequest, body: ForgetIn) -> Status[None]:
    """Delete the account permanently and cancel its running diagnoses. Staff accounts are refused with 403."""
    user: User = request.auth  # type: ignore[attr-defined]
    if user.is_staff:
        raise Forbidden
    delete_user_data(user, verify=False)  # verification reads every table; `manage.py forget_user` does it
    return Status(204, None)
