"""The OpenAPI schema, with the problem body that every operation may return."""

from typing import Any

from ninja import NinjaAPI

_STRING, _NULLABLE_INTEGER = {"type": "string"}, {"type": ["integer", "null"]}

PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "A problem body (RFC 9457) with the text shown to the user; see docs/reference/protocol.md.",
    "properties": {
        "type": _STRING,
        "title": _STRING,
        "status": {"type": "integer"},
        "detail": _STRING,
        "instance": _STRING,
        "code": _STRING,
        "severity": {"enum": ["info", "warning", "error"]},
        "retryable": {"type": "boolean"},
        "retry_after_ms": _NULLABLE_INTEGER,
        "request_id": _STRING,
        "copy": {"type": "object"},
        "fields": {"type": "object", "additionalProperties": _STRING},
    },
    "required": [
        *("type", "title", "status", "detail", "instance", "code", "severity", "retryable", "retry_after_ms"),
        *("request_id", "copy"),
    ],
}
FAILURE_DESCRIPTIONS = {
    "4XX": "An error that the caller can correct, or after which they must wait",
    "5XX": "An error of the site or of a service that it uses",
}


class SiteApi(NinjaAPI):
    """ninja's API, whose schema describes the error responses of every operation."""

    def get_openapi_schema(self, **options: Any) -> Any:
        """Add the error responses to ninja's schema."""
        schema = super().get_openapi_schema(**options)
        schema["components"].setdefault("schemas", {})["Problem"] = PROBLEM_SCHEMA
        body = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
        for operations in schema["paths"].values():
            for operation in operations.values():
                for status, description in FAILURE_DESCRIPTIONS.items():
                    operation["responses"].setdefault(status, {"description": description, "content": body})
        return schema
