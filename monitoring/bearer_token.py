"""Authentication of other programs by a bearer token."""

import secrets


def matches_bearer_token(authorization: str, token: str) -> bool:
    """Return whether an Authorization header has the token, in constant time; always False for an empty token."""
    given = authorization.removeprefix("Bearer ")
    return bool(token) and secrets.compare_digest(given.encode(), token.encode())
