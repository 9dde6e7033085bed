"""What the demo shows: products after chapters 16 and 29, templates, names, places. Data only."""

from __future__ import annotations

from typing import Any

TEMPLATES: list[dict[str, Any]] = [
    {
        "item": "SIM Card",
        "icon": "fa-solid fa-sim-card",
        "wholesale_cost": 2.5,
        "retail_cost": 10,
        "labels": ("ICCID", "IMSI", "SIM Type", "Ki", "OPC"),
    },
    {
        "item": "Mobile Number",
        "icon": "fa-solid fa-hashtag",
        "wholesale_cost": 1,
        "retail_cost": 0,
        "labels": ("Phone Number", "Geographic Region", "Number Type"),
    },
    {
        "item": "Fixed Wireless CPE",
        "icon": "fa-solid fa-tower-broadcast",
        "wholesale_cost": 250,
        "retail_cost": 450,
        "labels": ("MAC Address", "Serial Number", "Firmware Version", "Manufacturer", "Model"),
    },
    {
        "item": "GPON ONT",
        "icon": "fa-solid fa-network-wired",
        "wholesale_cost": 45,
        "retail_cost": 0,
        "labels": ("Serial Number", "MAC Address", "PON Location", "Model"),
    },
    {
        "item": "Modem Router",
        "icon": "fa-solid fa-wifi",
        "wholesale_cost": 60,
        "retail_cost": 120,
        "labels": ("Model Number", "Serial Number"),
    },
]

_TERMS = (
    "VAT is added where it applies.\nFair use: no resale, no SIM boxes.\n"
    "Unused allowances end with the period. You can cancel at the end of each period."
)

PRODUCTS: list[dict[str, Any]] = [
    {
        "product_name": "Mobile 20 GB",
        "product_slug": "mobile-prepaid-20gb",
        "service_type": "mobile",
        "icon": "fa-solid fa-sim-card",
        "retail_cost": 15,
        "wholesale_cost": 5,
        "retail_setup_cost": 5,
        "wholesale_setup_cost": 1,
        "tax_percentage": 20,
        "residential": True,
        "business": True,
        "customer_can_purchase": True,
        "contract_days": 30,
        "auto_renew": "prompt",
        "features": ["20 GB of data", "Unlimited calls", "500 SMS", "Valid for 30 days"],
        "provisioning_play": "play_local_mobile_sim",
        "vars": {"data_gb": 20, "voice_minutes": "unlimited", "sms_count": 500, "days": 30, "apn_list": "1,2"},
        "inventory": ["SIM Card", "Mobile Number"],
    },
    {
        "product_name": "Mobile Mini",
        "product_slug": "mobile-prepaid-mini",
        "service_type": "mobile",
        "icon": "fa-solid fa-mobile-screen",
        "retail_cost": 8,
        "wholesale_cost": 3,
        "retail_setup_cost": 0,
        "tax_percentage": 20,
        "residential": True,
        "customer_can_purchase": True,
        "contract_days": 30,
        "auto_renew": "false",
        "features": ["5 GB of data", "100 minutes", "100 SMS"],
        "provisioning_play": "play_psim_only",
        "vars": {"data_gb": 5, "voice_minutes": 100, "sms_count": 100, "days": 30, "apn_list": "1,2"},
        "inventory": ["SIM Card", "Mobile Number"],
    },
    {
        "product_name": "5G Early Access",
        "product_slug": "mobile-5g-early-access",
        "service_type": "mobile",
        "icon": "fa-solid fa-bolt",
        "retail_cost": 30,
        "wholesale_cost": 12,
        "retail_setup_cost": 10,
        "tax_percentage": 20,
        "residential": True,
        "business": True,
        "contract_days": 30,
        "features": ["100 GB of 5G data", "Needs an access point that the HSS does not have yet: the order fails"],
        "comment": "Shows the undoing of a failed order: the HSS refuses access point 9.",
        "provisioning_play": "play_local_mobile_sim",
        "vars": {"data_gb": 100, "voice_minutes": "unlimited", "sms_count": 1000, "days": 30, "apn_list": "1,9"},
        "inventory": ["SIM Card", "Mobile Number"],
    },
    {
        "product_name": "Data SIM for Business",
        "product_slug": "data-sim-business",
        "service_type": "mobile",
        "icon": "fa-solid fa-tablet-screen-button",
        "retail_cost": 25,
        "wholesale_cost": 9,
        "tax_percentage": 20,
        "residential": False,
        "business": True,
        "contract_days": 365,
        "auto_renew": "true",
        "features": ["50 GB of shared data", "Static address on request"],
        "provisioning_play": "play_local_mobile_sim",
        "vars": {"data_gb": 50, "days": 30, "apn_list": "1"},
        "inventory": ["SIM Card"],
    },
    {
        "product_name": "Basic Line",
        "product_slug": "basic-line",
        "service_type": "fixed-voice",
        "icon": "fa-solid fa-phone",
        "retail_cost": 12,
        "wholesale_cost": 4,
        "retail_setup_cost": 20,
        "tax_percentage": 20,
        "residential": True,
        "business": True,
        "contract_days": 365,
        "auto_renew": "true",
        "features": ["A charging account without equipment", "Billed monthly"],
        "provisioning_play": "play_simple_service",
        "vars": {},
        "inventory": [],
    },
    {
        "product_name": "Data Boost",
        "product_slug": "data-boost",
        "category": "addon",
        "service_type": "mobile",
        "icon": "fa-solid fa-gauge-high",
        "retail_cost": 0,
        "tax_percentage": 20,
        "residential": True,
        "business": True,
        "customer_can_purchase": True,
        "contract_days": 30,
        "features": ["Renews the allowances of a mobile service", "No charge in the demo"],
        "provisioning_play": "play_topup_no_charge",
        "vars": {"ActionsId": "Action_Topup_Standard"},
        "inventory": [],
        "relies_on": ["mobile"],
    },
]

PEOPLE = (
    *("Ada Byron", "Ben Carter", "Chloe Dupont", "Daniel Evans", "Elif Aydin", "Farid Haddad", "Grace Hopper"),
    *("Hugo Martin", "Ines Costa", "Jack O'Neill", "Katya Orlova", "Liam Walsh", "Mei Chen", "Noah Schmidt"),
    *("Olivia Rossi", "Pavel Novak", "Quentin Blake", "Rosa Garcia", "Sven Larsen", "Tara Singh", "Umar Khan"),
    *("Vera Popescu", "William Smith", "Xenia Petrou", "Yusuf Demir", "Zoe Papadaki"),
)
COMPANIES = (
    *("Harbour Bakery", "Northwind Logistics", "Blue Lagoon Hotel", "Cedar Clinic", "Delta Motors", "Evergreen Farms"),
    *("Foundry Street Studio", "Granite Builders", "Island Ferries", "Juniper Books", "Kite Surf School"),
    *("Lighthouse Law", "Mango Market", "Old Port Brewery"),
)
#: (street, city, zip, latitude, longitude) on and around Guernsey and Jersey.
PLACES = (
    ("12 High Street", "St Peter Port", "GY1 2JU", 49.4555, -2.5368),
    ("3 Le Pollet", "St Peter Port", "GY1 1WQ", 49.4571, -2.5352),
    ("48 Bordage", "St Peter Port", "GY1 1DB", 49.4541, -2.5391),
    ("7 The Bridge", "St Sampson", "GY2 4QN", 49.4826, -2.5147),
    ("21 Route Militaire", "St Sampson", "GY3 5QY", 49.4874, -2.5271),
    ("5 Rue de la Villiaze", "Forest", "GY8 0DS", 49.4347, -2.6002),
    ("9 Braye Road", "Vale", "GY3 5PA", 49.4951, -2.5302),
    ("33 King Street", "St Helier", "JE2 4WE", 49.1839, -2.1066),
    ("14 Broad Street", "St Helier", "JE2 3RR", 49.1833, -2.1094),
    ("2 La Route de St Aubin", "St Lawrence", "JE3 1LN", 49.1924, -2.1525),
    ("8 Le Boulevard", "St Aubin", "JE3 8AB", 49.1873, -2.1702),
    ("17 Grande Route de Rozel", "Trinity", "JE3 5AN", 49.2338, -2.0552),
)
TAGS = (("VIP", "FFD700"), ("Early adopter", "1A9FBF"), ("Payment plan", "DC3545"), ("Family", "28A745"))
ATTRIBUTES = (("support_tier", "premium"), ("language", "en"), ("credit_limit", "500"), ("vlan_id", "210"))
TERMS = _TERMS
