"""Reads about callers: the actor behind a session, a token, a key or an address."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, column, or_, select, table, true
from sqlalchemy.orm import Session

from omnicrm.domain.actor import Actor
from omnicrm.domain.identity.catalogue import ALIASES, PERMISSIONS
from omnicrm.domain.identity.models import Permission, Role, User, UserSession, role_permissions, user_roles
from omnicrm.settings import Settings

_customer = table("customer", column("customer_id"), column("customer_enabled"), column("customer_status"))


def _welcome(settings: Settings) -> tuple[ColumnElement[bool], ...]:
    """Who may be here: live staff with a role, and users of a customer that is enabled and in a status whose users
    may log in (CRM-023, CRM-025). A portal user that lost its customer is neither (CRM-087)."""
    shut = {"Archived", *(block.name for block in settings.crm.customer_statuses if not block.may_log_in)}
    welcoming = select(_customer.c.customer_id).where(
        _customer.c.customer_enabled == true(), _customer.c.customer_status.not_in(sorted(shut))
    )
    staff = and_(User.customer_id.is_(None), User.id.in_(select(user_roles.c.user_id)))
    return User.deleted.is_(False), or_(staff, User.customer_id.in_(welcoming))


@dataclass(frozen=True)
class Login:
    """What the password check needs, read before the slow hashing."""

    user_id: int
    password_hash: str | None
    locked_until: datetime | None


def find_login(session: Session, settings: Settings, identifier: str) -> Login | None:
    """The live user of that e-mail address or username, compared without case (AUTH-016)."""
    key = identifier.strip().lower()
    query = select(User.id, User.password_hash, User.locked_until).where(
        or_(User.email_key == key, User.username_key == key), *_welcome(settings)
    )
    row = session.execute(query).first()
    return None if row is None else Login(*row)


def actor_of_user(session: Session, settings: Settings, user_id: int, ip_address: str | None = None) -> Actor | None:
    user = session.execute(
        select(User.username, User.email, User.customer_id).where(User.id == user_id, *_welcome(settings))
    ).first()
    return None if user is None else _actor(session, user_id, user.username, user.email, user.customer_id, ip_address)


def actor_of_session(
    session: Session, settings: Settings, token_hash: str, now: datetime, ip: str | None
) -> tuple[Actor, UserSession] | None:
    row = session.execute(
        select(UserSession, User.username, User.email, User.customer_id)
        .join(User, User.id == UserSession.user_id)
        .where(UserSession.token_hash == token_hash, UserSession.expires_at > now, *_welcome(settings))
    ).first()
    if row is None:
        return None
    browser, username, email, customer_id = row
    return _actor(session, browser.user_id, username, email, customer_id, ip), browser


def _actor(session: Session, user_id: int, username: str, email: str, customer_id: int | None, ip: str | None) -> Actor:
    granted = session.execute(
        select(Role.name, Permission.name)
        .select_from(user_roles)
        .join(Role, Role.id == user_roles.c.role_id)
        .outerjoin(role_permissions, role_permissions.c.role_id == Role.id)
        .outerjoin(Permission, Permission.id == role_permissions.c.permission_id)
        .where(user_roles.c.user_id == user_id)
    ).all()
    return Actor(
        username,
        user_id,
        frozenset(permission for _, permission in granted if permission),
        customer_id,
        ip_address=ip,
        email=email,
        roles=tuple(dict.fromkeys(role for role, _ in granted)),
    )


def permissions_of(session: Session, names: list[str]) -> frozenset[str]:
    """The permissions behind a list of role or permission names, as keys and addresses carry them."""
    wanted = {name.lower() for name in names}
    stored = session.execute(
        select(Permission.name)
        .join(role_permissions, role_permissions.c.permission_id == Permission.id)
        .join(Role, Role.id == role_permissions.c.role_id)
        .where(Role.name_key.in_(wanted))
    ).scalars()
    return frozenset(stored) | ({ALIASES.get(name, name) for name in wanted} & PERMISSIONS.keys())


def first_admin(session: Session) -> int | None:
    """The user that jobs of keys and addresses name as their starter (PROV-159)."""
    return session.scalar(
        select(User.id)
        .join(user_roles, user_roles.c.user_id == User.id)
        .join(role_permissions, role_permissions.c.role_id == user_roles.c.role_id)
        .join(Permission, Permission.id == role_permissions.c.permission_id)
        .where(Permission.name == "admin", User.deleted.is_(False))
        .order_by(User.id)
        .limit(1)
    )


def has_users(session: Session) -> bool:
    return session.scalar(select(User.id).limit(1)) is not None
