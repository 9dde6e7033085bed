"""Documents that exist without having been made, so that the documented plays run on a fresh install (OC-09).

They are seen only with play fixes on, and only until one with the same id is stored.
"""

from __future__ import annotations

import msgspec

from omnicrm.domain.charging.documents import Action, ActionSet

CHARGER_ID = "DEFAULT"
CHARGER = {
    "FilterIDs": [],
    "ActivationInterval": None,
    "RunID": "*default",
    "AttributeIDs": ["*none"],
    "Weight": 0,
}

# A free top-up grants 1 GB for 30 days; a standard charge records that it ran and takes nothing, for the engine cannot
# know a price. An operator replaces both by SetActions with the same id.
_LOG = Action(identifier="*cdrlog", extra='{"Category":"activation"}', weight=1)
_TOPUP = Action(
    identifier="*topup",
    balance_id="Topup_Standard",
    balance_type="*data",
    units=str(1024**3),
    expiry="+720h",
    balance_weight=20,
    weight=10,
)
_CHARGE = Action(identifier="*debit", balance_type="*monetary", units="0", weight=10)

BODIES: dict[tuple[str, tuple[str, ...]], str] = {
    ("action_set", (name,)): msgspec.json.encode(ActionSet(actions)).decode()
    for name, actions in {
        "Action_Topup_Standard": [_TOPUP, _LOG],
        "Action_Standard_Charge": [_CHARGE, _LOG],
    }.items()
}
