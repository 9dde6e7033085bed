"""What staff must look at: raised once for a key however often it is seen, cleared when it is mended."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from sqlalchemy import Index, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from omnicrm.domain.action import Ctx, action
from omnicrm.store import Base, String, UtcDateTime, table

Severity = Literal["warning", "critical"]


class Alert(Base):
    __tablename__ = "alert"
    __audit__ = None
    __table_args__ = table(Index("ix_alert_open", "cleared_at", "alert_id"))

    alert_id: Mapped[int] = mapped_column(primary_key=True)
    #: One alert for one thing, such as `provision:17`.
    alert_key: Mapped[str] = mapped_column(String(190), unique=True)
    severity: Mapped[str] = mapped_column(String(20))
    title: Mapped[str] = mapped_column(String(255))
    detail: Mapped[str] = mapped_column(String(2000), default="")
    #: The page where it is mended; a path of this site.
    link: Mapped[str] = mapped_column(String(255), default="")
    raised_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    cleared_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


def raise_alert(
    session: Session,
    key: str,
    title: str,
    now: datetime,
    *,
    detail: str = "",
    link: str = "",
    severity: Severity = "warning",
) -> Alert:
    """Raise or renew the alert of that key; one that was cleared is open again. Texts must be redacted already."""
    row = session.scalars(select(Alert).where(Alert.alert_key == key).with_for_update()).one_or_none()
    if row is None:
        row = Alert(alert_key=key, raised_at=now)
        session.add(row)
    elif row.cleared_at is not None:
        row.raised_at, row.cleared_at = now, None
    row.severity, row.title, row.detail, row.link = severity, title[:255], detail[:2000], link[:255]
    row.last_seen_at = now
    return row


def clear_alert(session: Session, key: str, now: datetime) -> None:
    """Nothing happens for an alert that is not there or cleared already."""
    row = session.scalars(select(Alert).where(Alert.alert_key == key, Alert.cleared_at.is_(None))).one_or_none()
    if row is not None:
        row.cleared_at = now


def open_alerts(session: Session, limit: int = 200) -> list[Alert]:
    """Newest first."""
    query = select(Alert).where(Alert.cleared_at.is_(None)).order_by(Alert.alert_id.desc()).limit(limit)
    return list(session.scalars(query))


def count_open(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(Alert).where(Alert.cleared_at.is_(None))) or 0


@action("alerts.dismiss", permission="update_provision")
def dismiss(ctx: Ctx, cmd: int) -> Alert:
    """Staff have seen to it, or decided not to; when the same is found again the alert is open again."""
    row = ctx.load(Alert, cmd, name="Alert")
    if row.cleared_at is None:
        row.cleared_at = ctx.now
        ctx.note("alert", "dismiss", f"Alert dismissed: {row.title}", entity_id=row.alert_id)
    return row
