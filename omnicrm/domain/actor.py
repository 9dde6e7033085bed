"""Who is asking: the one value that permissions and row scope are decided from."""

from __future__ import annotations

from dataclasses import dataclass, field

from omnicrm.domain.errors import NotPermitted


@dataclass(frozen=True)
class JobScope:
    """What a provisioning job's token reaches (decision 9): one customer, its services and the chosen items."""

    provision_id: int
    customer_id: int
    inventory_ids: frozenset[int] = frozenset()
    #: The service that the order is about, and those that its play made.
    service_ids: frozenset[int] = frozenset()
    service_uuids: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Actor:
    """A caller with its effective permissions, read afresh at each request (AUTH-033)."""

    name: str
    user_id: int | None = None
    permissions: frozenset[str] = frozenset()
    customer_id: int | None = None
    job: JobScope | None = None
    ip_address: str | None = None
    email: str = ""
    roles: tuple[str, ...] = field(default=())

    def can(self, permission: str) -> bool:
        return permission in self.permissions or ("admin" in self.permissions and self.job is None)

    def can_any(self, permissions: tuple[str, ...]) -> bool:
        return any(self.can(permission) for permission in permissions)

    def require(self, *permissions: str) -> None:
        if not self.can_any(permissions):
            raise NotPermitted(f"This needs the permission {' or '.join(permissions)}.")

    @property
    def is_customer(self) -> bool:
        """A portal user: bound to one customer, whatever he may do there."""
        return self.customer_id is not None and self.job is None

    def bound_to(self, family: str, verb: str = "view") -> int | None:
        """The customer whose rows of `family` are all that the caller may reach; None when he may reach every row.

        Raises NotPermitted for a caller without `<verb>_<family>` (for reading also `view_own_<family>`).
        """
        permission = f"{verb}_{family}"
        if self.job is not None:
            self.require(permission)
            return self.job.customer_id
        if self.customer_id is not None:
            self.require(permission, permission.replace("view_", "view_own_", 1))
            return self.customer_id
        self.require(permission)
        return None


#: The product itself: sweeps, migrations, seeds. It acts inside the process only; no request can be it.
SYSTEM = Actor("system", permissions=frozenset({"admin"}))
