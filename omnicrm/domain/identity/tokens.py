"""JSON Web Tokens (HS256, `jwt_secret`): access tokens of users, and the tokens of provisioning jobs (decision 9)."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any

import jwt

from omnicrm.domain.errors import NotAuthenticated

_ALGORITHM = "HS256"


def access_token(secret: str, user_id: int, now: datetime, minutes: int) -> str:
    claims = {"sub": str(user_id), "type": "access", "iat": now, "exp": now + timedelta(minutes=minutes)}
    return jwt.encode(claims, secret, algorithm=_ALGORITHM)


def job_token(secret: str, provision_id: int, job_id: int, lease: int, now: datetime, seconds: int) -> str:
    """Lives as long as the lease it names; the expiry is only the outer bound."""
    claims = {
        "sub": f"provision:{provision_id}",
        "type": "job",
        "provision_id": provision_id,
        "job_id": job_id,
        "lease": lease,
        "jti": secrets.token_hex(8),
        "iat": now,
        "exp": now + timedelta(seconds=seconds),
    }
    return jwt.encode(claims, secret, algorithm=_ALGORITHM)


def read_token(secret: str, token: str) -> dict[str, Any]:
    """The claims of a token that we signed and that has not expired; NotAuthenticated otherwise."""
    # `iat` is no condition: the clock of the machine that signed may be ahead of ours.
    options: Any = {"require": ["exp", "sub"], "verify_iat": False}
    try:
        return dict(jwt.decode(token, secret, algorithms=[_ALGORITHM], options=options))
    except jwt.InvalidTokenError:
        raise NotAuthenticated("The token is not valid or has expired.") from None


def random_token() -> str:
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> str:
    """What is stored of a random token; it needs no salt, since it cannot be guessed."""
    return hashlib.sha256(token.encode()).hexdigest()
