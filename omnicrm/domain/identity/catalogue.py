"""The permission catalogue with its fixed ids, and the shipped roles (AUTH-139..148, AUTH-G17..G19)."""

from __future__ import annotations

#: First id of each family's block of four: view, create, update, delete. Chapter 37's examples fix 1, 20–22, 30, 31,
#: 40 and 50; the other blocks fill the room between them.
FAMILIES = {
    "customer": 1,
    "customer_site": 5,
    "customer_contact": 9,
    "customer_attribute": 13,
    "customer_service": 20,
    "customer_tag": 24,
    "provision": 30,
    "provision_event": 34,
    "inventory": 40,
    "inventory_template": 44,
    "product": 50,
    "customer_activity": 54,
    "customer_transaction": 58,
    "customer_invoice": 62,
    "customer_stripe_card": 66,
    "communication": 70,
    "cbc_message": 74,
}
VERBS = ("view", "create", "update", "delete")

#: Families of which a portal user may see his own customer's rows (AUTH-141), in the order of their ids from 101 on.
OWN = (
    "customer",
    "customer_site",
    "customer_contact",
    "customer_attribute",
    "customer_tag",
    "customer_service",
    "customer_activity",
    "customer_stripe_card",
    "customer_transaction",
    "customer_invoice",
    "communication",
    "inventory",
    "inventory_template",
    "provision",
)

PERMISSIONS: dict[str, int] = {
    **{f"{verb}_{family}": first + place for family, first in FAMILIES.items() for place, verb in enumerate(VERBS)},
    "admin": 90,
    "can_impersonate": 91,
    "manage_api_keys": 92,
    "cgrates_api_access": 93,
    **{f"view_own_{family}": 101 + place for place, family in enumerate(OWN)},
}

#: As chapters 02 and 15 write the permissions of services (AUTH-G18).
ALIASES = {f"{verb}_service": f"{verb}_customer_service" for verb in VERBS}

_VIEWS = tuple(f"view_{family}" for family in FAMILIES)
_STAFF_WRITES = (
    "create_customer",
    "update_customer",
    *(
        f"{verb}_{family}"
        for family in ("customer_site", "customer_contact", "customer_attribute", "customer_tag")
        for verb in ("create", "update", "delete")
    ),
    "create_customer_service",
    "update_customer_service",
    "create_provision",
    "update_provision",
    "update_inventory",
    "create_customer_transaction",
    "create_customer_activity",
)

#: Role -> (description, permissions).
ROLES: dict[str, tuple[str, tuple[str, ...]]] = {
    "admin": ("System administrator: everything", ("admin", "can_impersonate")),
    "customer": ("Portal user: his own customer's records", tuple(f"view_own_{family}" for family in OWN)),
    "Customer Admin": (
        "Portal user who manages his company's records",
        tuple(f"view_own_{family}" for family in OWN),
    ),
    "Support": (
        "Looks customers, services and jobs up, and helps them",
        (
            "view_customer",
            "view_customer_site",
            "view_customer_contact",
            "view_customer_attribute",
            "view_customer_tag",
            "view_customer_service",
            "view_customer_activity",
            "view_communication",
            "view_provision",
            "view_provision_event",
            "view_inventory",
            "view_inventory_template",
            "view_product",
            "create_customer_activity",
        ),
    ),
    "customer_service_agent_1": ("Serves customers: records, orders and stock", (*_VIEWS, *_STAFF_WRITES)),
    "Finance": (
        "Invoices and transactions",
        (
            "view_customer",
            "view_customer_invoice",
            "view_customer_transaction",
            "create_customer_transaction",
            "update_customer_transaction",
            "delete_customer_transaction",
            "create_customer_invoice",
            "view_product",
        ),
    ),
    "Read-only Auditor": ("Sees everything, changes nothing", _VIEWS),
    #: What an address of `ip_whitelist` gets as a list (decision 8): trusted systems that start jobs.
    "provisioning": (
        "Trusted systems that start provisioning jobs",
        ("view_product", "view_customer_service", "view_provision", "create_provision"),
    ),
}

#: What the token of a provisioning job may do inside its scope (decision 9, PC-02), whoever started the job.
JOB_PERMISSIONS = frozenset(
    {
        "view_customer",
        "view_customer_site",
        "view_customer_contact",
        "view_customer_attribute",
        "create_customer_attribute",
        "update_customer_attribute",
        "view_customer_tag",
        "create_customer_tag",
        "view_customer_service",
        "create_customer_service",
        "update_customer_service",
        "delete_customer_service",
        "view_inventory",
        "update_inventory",
        "view_inventory_template",
        "view_product",
        "view_customer_transaction",
        "create_customer_transaction",
        "delete_customer_transaction",
        "create_customer_activity",
        "view_provision",
        "create_provision",
    }
)
