"""Password hashing: argon2id; bcrypt hashes of an import are taken and replaced at the next login (decision 20).

Slow on purpose: never call these inside a write transaction.
"""

from __future__ import annotations

import secrets
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_hasher = PasswordHasher()


@cache
def _nobody() -> str:
    """Verified when the account is unknown, so that an unknown name costs as much time as a wrong password."""
    return _hasher.hash(secrets.token_urlsafe(16))


def hash_password(password: str) -> str:
    return _hasher.hash(password)


def verify_password(stored: str | None, password: str) -> bool:
    """Constant work: a missing hash is compared with one that nothing fits."""
    if stored is not None and stored.startswith("$2"):
        return _verify_bcrypt(stored, password)
    try:
        matches = _hasher.verify(stored or _nobody(), password)
    except (VerificationError, InvalidHashError):
        return False
    return matches and stored is not None


def needs_rehash(stored: str) -> bool:
    return not stored.startswith("$argon2") or _hasher.check_needs_rehash(stored)


def _verify_bcrypt(stored: str, password: str) -> bool:
    import bcrypt  # only imported hashes need it

    return bcrypt.checkpw(password.encode()[:72], stored.encode())
