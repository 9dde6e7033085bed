"""Use cases of access: the seed of the catalogue, new users, logins and logouts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import selectinload

from omnicrm.domain.action import PUBLIC, Ctx, action
from omnicrm.domain.errors import Invalid
from omnicrm.domain.identity import tokens
from omnicrm.domain.identity.catalogue import PERMISSIONS, ROLES
from omnicrm.domain.identity.models import Permission, RefreshToken, Role, User, UserSession


@action("identity.seed", permission="admin")
def seed_catalogue(ctx: Ctx, cmd: None) -> None:
    """Add what is missing of permissions and shipped roles; what an operator changed of a role stays."""
    known = {row.name: row for row in ctx.session.scalars(select(Permission))}
    for name, number in PERMISSIONS.items():
        if name not in known:
            known[name] = Permission(id=number, name=name, description=name.replace("_", " ").capitalize())
            ctx.session.add(known[name])
    ctx.session.flush()
    roles = set(ctx.session.scalars(select(Role.name_key)))
    for name, (description, held) in ROLES.items():
        if name.lower() not in roles:
            ctx.session.add(Role(name=name, description=description, permissions=[known[item] for item in held]))


@dataclass(frozen=True)
class NewUser:
    """`password_hash` comes hashed: hashing is slow and has no place inside a transaction."""

    username: str
    email: str
    password_hash: str
    roles: tuple[str, ...]
    first_name: str = ""
    last_name: str = ""
    contact_id: int | None = None
    customer_id: int | None = None


@action("identity.create_user", permission="admin")
def create_user(ctx: Ctx, cmd: NewUser) -> User:
    roles = list(ctx.session.scalars(select(Role).where(Role.name_key.in_([name.lower() for name in cmd.roles]))))
    missing = {name.lower() for name in cmd.roles} - {role.name_key for role in roles}
    errors = {"role": f"there is no role {', '.join(sorted(missing))}"} if missing or not roles else {}
    taken = ctx.session.scalars(
        select(User).where((User.email_key == cmd.email.lower()) | (User.username_key == cmd.username.lower()))
    ).first()
    if taken is not None:
        field = "email" if taken.email_key == cmd.email.lower() else "username"
        errors[field] = "is already taken by another user"
    if errors:
        raise Invalid(errors)
    user = User(
        username=cmd.username,
        email=cmd.email,
        email_verified=True,
        password_hash=cmd.password_hash,
        first_name=cmd.first_name,
        last_name=cmd.last_name,
        contact_id=cmd.contact_id,
        customer_id=cmd.customer_id,
        roles=roles,
    )
    ctx.session.add(user)
    ctx.session.flush()
    return user


def end_portal_access(ctx: Ctx, contact_id: int) -> None:
    """The users of a contact that goes: without customer, role, session and token they are nobody (CRM-087).

    The roles go too: what reached one customer's rows would reach everybody's without the customer.
    """
    query = select(User).where(User.contact_id == contact_id).options(selectinload(User.roles)).with_for_update()
    for user in ctx.session.scalars(query).all():
        user.contact_id = user.customer_id = None
        user.roles = []
        ctx.session.execute(delete(UserSession).where(UserSession.user_id == user.id))
        ctx.session.execute(delete(RefreshToken).where(RefreshToken.user_id == user.id))


@dataclass(frozen=True)
class LoginTried:
    """The outcome of a password check that was made outside the transaction."""

    user_id: int
    succeeded: bool
    new_hash: str | None = None


@dataclass(frozen=True)
class OpenSession:
    user_id: int
    token: str
    remember: bool
    user_agent: str
    ip_address: str | None


@action("identity.login_tried", permission=PUBLIC)
def login_tried(ctx: Ctx, cmd: LoginTried) -> None:
    """Count failures towards the lock (5 within 30 minutes by default), or clear them and note the login."""
    user = ctx.load(User, cmd.user_id)
    if cmd.succeeded:
        user.failed_logins, user.locked_until, user.last_login = 0, None, ctx.now
        if cmd.new_hash is not None:
            user.password_hash = cmd.new_hash
        return
    user.failed_logins += 1
    if user.failed_logins >= ctx.settings.auth.lockout_attempts:
        user.failed_logins = 0
        user.locked_until = ctx.now + timedelta(minutes=ctx.settings.auth.lockout_minutes)


@action("identity.open_session", permission=PUBLIC)
def open_session(ctx: Ctx, cmd: OpenSession) -> UserSession:
    auth = ctx.settings.auth
    life = timedelta(days=auth.remember_me_days) if cmd.remember else timedelta(minutes=auth.session_idle_minutes)
    row = UserSession(
        token_hash=tokens.token_hash(cmd.token),
        user_id=cmd.user_id,
        remember=cmd.remember,
        user_agent=cmd.user_agent[:255],
        ip_address=cmd.ip_address,
        created=ctx.now,
        last_seen_at=ctx.now,
        expires_at=ctx.now + life,
    )
    ctx.session.add(row)
    ctx.session.execute(delete(UserSession).where(UserSession.expires_at < ctx.now - timedelta(days=1)))
    return row


@action("identity.touch_session", permission=PUBLIC)
def touch_session(ctx: Ctx, cmd: int) -> None:
    """Push the idle limit of a used session on; called at most once a minute for one session."""
    row = ctx.session.get(UserSession, cmd)
    if row is not None:
        row.last_seen_at = ctx.now
        if not row.remember:
            row.expires_at = ctx.now + timedelta(minutes=ctx.settings.auth.session_idle_minutes)


@action("identity.close_session", permission=PUBLIC)
def close_session(ctx: Ctx, cmd: str) -> None:
    """`cmd`: the cookie's token. Unknown tokens are no error: the session is gone either way."""
    ctx.session.execute(delete(UserSession).where(UserSession.token_hash == tokens.token_hash(cmd)))


@dataclass(frozen=True)
class IssueRefresh:
    user_id: int
    token: str
    family: str


@action("identity.issue_refresh", permission=PUBLIC)
def issue_refresh(ctx: Ctx, cmd: IssueRefresh) -> None:
    ctx.session.add(
        RefreshToken(
            token_hash=tokens.token_hash(cmd.token),
            family=cmd.family,
            user_id=cmd.user_id,
            created=ctx.now,
            expires_at=ctx.now + timedelta(days=ctx.settings.auth.refresh_token_days),
        )
    )


@dataclass(frozen=True)
class Rotate:
    token: str
    new_token: str


@action("identity.rotate_refresh", permission=PUBLIC)
def rotate_refresh(ctx: Ctx, cmd: Rotate) -> int | None:
    """Trade a refresh token for a new one; answers its user. A used one that comes again ends its whole family."""
    row = ctx.session.scalars(
        select(RefreshToken).where(RefreshToken.token_hash == tokens.token_hash(cmd.token)).with_for_update()
    ).one_or_none()
    if row is None or row.expires_at <= ctx.now:
        return None
    if row.used_at is not None:
        ctx.session.execute(delete(RefreshToken).where(RefreshToken.family == row.family))
        return None
    row.used_at = ctx.now
    ctx.session.add(
        RefreshToken(
            token_hash=tokens.token_hash(cmd.new_token),
            family=row.family,
            user_id=row.user_id,
            created=ctx.now,
            expires_at=row.expires_at,
        )
    )
    return row.user_id
