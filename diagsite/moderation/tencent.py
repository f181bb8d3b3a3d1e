"""Tencent Cloud's text moderation (TMS): for the web page, whose users have no openid, and in place of WeChat's."""

import base64
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime
from urllib.parse import urlsplit

import httpx
import structlog
from django.conf import settings

from diagsite.moderation.results import Checker, CheckFailed, Verdict
from performance.bounded_reads import UNCOMPRESSED_HEADERS, read_bounded
from performance.client_metrics import measure_call
from performance.ssrf_guard import get_ssl_context, parse_allowed_host, restrict_hosts

log = structlog.get_logger(__name__)

ACTION, API_VERSION, SERVICE = "TextModeration", "2020-12-29", "tms"
ALGORITHM = "TC3-HMAC-SHA256"
CONTENT_TYPE = "application/json; charset=utf-8"
MAX_TENCENT_CHARACTERS = 10_000
MAX_TENCENT_RESPONSE_BYTES = 256 * 1024
_VERDICTS = {"Pass": Verdict.PASS, "Review": Verdict.REVIEW, "Block": Verdict.RISKY}


def build_tencent_checker() -> Checker:
    """Return the check; settings.TENCENT_SECRET_ID and TENCENT_SECRET_KEY must be set."""
    return Checker("tencent", MAX_TENCENT_CHARACTERS, _check)


def _check(text: str, seconds: float) -> Verdict:
    content = {"Content": base64.b64encode(text.encode()).decode()}
    if settings.TENCENT_MODERATION_POLICY:
        content["BizType"] = settings.TENCENT_MODERATION_POLICY
    payload = json.dumps(content).encode()
    try:
        with measure_call("tencent.moderation") as call, _create_client(seconds) as client:
            headers = {**UNCOMPRESSED_HEADERS, **build_headers(payload, int(time.time()))}
            with client.stream("POST", settings.TENCENT_MODERATION_BASE, content=payload, headers=headers) as response:
                response.raise_for_status()
                answer = json.loads(read_bounded(response, MAX_TENCENT_RESPONSE_BYTES, seconds))["Response"]
            if "Error" in answer:
                call.outcome = "refused"
                raise CheckFailed(str(answer["Error"]["Code"]), is_retryable=False)
            verdict = _VERDICTS[answer["Suggestion"]]
    except (httpx.HTTPError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise CheckFailed(type(error).__name__, is_retryable=isinstance(error, httpx.HTTPError)) from None
    if verdict is not Verdict.PASS:
        log.info("moderation_not_passed", verdict=verdict.value, trace_id=str(answer.get("RequestId", ""))[:64])
    return verdict


def _create_client(seconds: float) -> httpx.Client:
    return restrict_hosts(
        httpx.Client(verify=get_ssl_context(), timeout=httpx.Timeout(seconds, connect=min(2.0, seconds))),
        lambda: parse_allowed_host(settings.TENCENT_MODERATION_BASE),
    )


def build_headers(payload: bytes, timestamp: int) -> dict[str, str]:
    """Return the headers of a request, signed by Tencent Cloud's signature version 3."""
    host = urlsplit(settings.TENCENT_MODERATION_BASE).netloc
    day = f"{datetime.fromtimestamp(timestamp, UTC):%Y-%m-%d}"
    scope = f"{day}/{SERVICE}/tc3_request"
    signed_names = "content-type;host"
    canonical_headers = f"content-type:{CONTENT_TYPE}\nhost:{host}\n"
    canonical_request = "\n".join(
        ["POST", "/", "", canonical_headers, signed_names, hashlib.sha256(payload).hexdigest()]
    )
    request_hash = hashlib.sha256(canonical_request.encode()).hexdigest()
    to_sign = "\n".join([ALGORITHM, str(timestamp), scope, request_hash])
    key = f"TC3{settings.TENCENT_SECRET_KEY}".encode()
    for part in (day, SERVICE, "tc3_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    credential = f"{settings.TENCENT_SECRET_ID}/{scope}"
    return {
        "Authorization": f"{ALGORITHM} Credential={credential}, SignedHeaders={signed_names}, Signature={signature}",
        "Content-Type": CONTENT_TYPE,
        "X-TC-Action": ACTION,
        "X-TC-Region": settings.TENCENT_REGION,
        "X-TC-Timestamp": str(timestamp),
        "X-TC-Version": API_VERSION,
    }
