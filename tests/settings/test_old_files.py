"""A crm_config.yaml of the former product works in place, with its variables (CFG-002, 003, 028, 035, 039)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from omnicrm.settings import SettingsError, check_start, load

JWT = "2b93110f723db60172c8e9a1eaa80027a9a9c3f05b44e50dc3fcf38dba68d87e"

MAILS = (
    "api_crmCommunicationCustomerWelcome",
    "api_crmCommunicationCustomerInvoice",
    "api_crmCommunicationCustomerInvoiceReminder",
    "api_crmCommunicationUserWelcome",
    "api_crmCommunicationUserPasswordReset",
    "api_crmCommunicationUserPasswordResetSuccess",
    "api_crmCommunicationUserPasswordChange",
    "api_crmCommunicationEmailVerification",
    "api_crmCommunicationsBalanceExpired",
    "api_crmCommunicationsBalanceLow",
)

COMMON = (
    """\
database:
  username: omnitouch
  password: omnitouch2024
  server: localhost
hss:
  hss_peers:
    - 'http://10.179.2.140:8080'
  apn_list: "1,2,3,4,5,6"
mailjet:
  api_key: your_mailjet_api_key
  api_secret: your_mailjet_api_secret
"""
    + "".join(
        f"  {name}:\n    from_email: 'a{n}@yourcompany.com'\n    from_name: Team {n}\n    template_id: {5977500 + n}\n"
        f"    subject: 'Mail {n} - '\n"
        for n, name in enumerate(MAILS)
    )
    + f"""\
provisioning:
  failure_list: ['admin@yourcompany.com', 'ops@yourcompany.com']
invoice:
  template_filename: 'yourcompany_invoice_template.html'
crm:
  base_url: 'http://localhost:5000'
ocs:
  ocsApi: 'http://10.179.2.142:8080/api'
  ocsTenant: 'mnc380.mcc313.3gppnetwork.org'
  cgrates: 'localhost:2080'
jwt_secret:
  '{JWT}'
"""
)

SYSTEM_CHAPTER = (
    COMMON
    + """\
service_types:
- omnicharge
- mobile
- internet
- iptv
- voip
smc:
  source_msidn: 'YourCompany'
  smc_url: 'http://10.179.2.216/SMSc/'
  api_key: 'your_smc_api_key'
cbc_url: 'http://10.179.1.113:8080'
stripe:
  secret_key: 'sk_test_...'
  publishable_key: 'pk_test_...'
  currency: 'usd'
  statement_descriptor_suffix: 'YOURCOMPANY'
api_keys:
  "your-secure-api-key-minimum-32-chars":
    roles: ["admin"]
    ips: ["127.0.0.1", "::1"]
  "another-api-key-for-specific-service":
    roles: ["customer_service_agent_1"]
    ips: ["10.0.1.50"]
ip_whitelist:
  "10.179.2.142":
    roles: ["admin"]
  "192.168.1.100":
    roles: ["provisioning"]
"""
)

CUSTOMISATION_CHAPTER = (
    COMMON
    + """\
service_types:
- omnicharge
- mobile
- fixed
- fixed-voice
- hotspot
- dongle
smsc:
  source_msisdn: 'YourCompany'
  smsc_url: 'http://10.179.2.216/SMSc/'
  api_key: 'your_smsc_api_key'
stripe:
  secret_key: 'sk_live_XXXXXXXXXX'
  publishable_key: 'pk_live_XXXXXXXXXX'
  currency: 'aud'
  statement_descriptor_suffix: 'YOURCOMPANY'
api_keys:
  "YOUR_API_KEY_1":
    rôles: ["admin"]
    ips: ["127.0.0.1", "::1"]
  "YOUR_API_KEY_2":
    rôles: ["customer_service_agent_1"]
    ips: ["127.0.0.1", "::1", "10.0.1.0/24"]
ip_whitelist:
  "10.179.2.142":
    rôles: ["admin"]
"""
)


@pytest.mark.parametrize(
    ("text", "currency", "types", "sms_key"),
    [(SYSTEM_CHAPTER, "USD", 5, "your_smc_api_key"), (CUSTOMISATION_CHAPTER, "AUD", 6, "your_smsc_api_key")],
)
def test_a_former_file_loads_unchanged_with_every_value_in_effect(
    workplace: Path, text: str, currency: str, types: int, sms_key: str
) -> None:
    (workplace / "crm_config.yaml").write_text(text, encoding="utf-8")
    settings = load(environ={})
    rest = "omnitouch:omnitouch2024@localhost:3306/omnicrm?charset=utf8mb4"
    assert settings.database.sync_url == f"mysql+pymysql://{rest}"
    assert settings.crm.mode == "production"
    assert settings.hss.hss_peers == ("http://10.179.2.140:8080",) and settings.hss.apn_list == "1,2,3,4,5,6"
    for n, name in enumerate(MAILS):
        mail = settings.mailjet.mail(name)
        assert (mail.from_email, mail.from_name) == (f"a{n}@yourcompany.com", f"Team {n}")
        assert (mail.template_id, mail.subject) == (5977500 + n, f"Mail {n} -")
    assert settings.provisioning.failure_list == ("admin@yourcompany.com", "ops@yourcompany.com")
    assert settings.invoice.template_filename == "yourcompany_invoice_template.html"
    assert settings.ocs.ocsApi == "http://10.179.2.142:8080/api"
    assert settings.ocs.ocsTenant == "mnc380.mcc313.3gppnetwork.org"
    assert (settings.ocs.mode, settings.ocs.endpoint) == ("direct", "localhost:2080")
    assert settings.smsc.smsc_url == "http://10.179.2.216/SMSc/" and settings.smsc.source_msisdn == "YourCompany"
    assert settings.smsc.api_key.reveal() == sms_key
    assert settings.regional.currency_code == currency and len(settings.service_types) == types
    assert settings.stripe.statement_descriptor_suffix == "YOURCOMPANY"
    assert settings.jwt_secret.reveal() == JWT
    assert settings.api_keys[0].roles == ("admin",) and len(settings.api_keys) == 2
    assert settings.ip_whitelist[0].roles == ("admin",)
    with pytest.raises(SettingsError, match="sample of the manual"):
        check_start(settings)


def test_variables_of_the_former_pages_work_in_the_environment_and_in_the_file(loaded: Callable) -> None:
    environ = {
        "REACT_APP_COMPANY_NAME": "ShellFone",
        "REACT_APP_PRIMARY_COLOR": "#111111",
        "REACT_APP_TOPUP_PRICE_PER_DAY": "12.5",
        "REACT_APP_ALLOW_SOCIAL_LOGINS": "yes",
        "REACT_APP_GRAFANA_URLS": "http://g/1,http://g/2",
        "REACT_APP_GRAFANA_LABELS": "One,Two",
        "REACT_APP_WEB_APP_2_NAME": "Wiki",
        "REACT_APP_WEB_APP_2_URL": "https://wiki.example.com",
        "REACT_APP_WEB_APP_1_NAME": "Git",
        "REACT_APP_WEB_APP_1_URL": "https://git.example.com",
        "MAILJET_API_KEY": "mk",
        "MYSQL_USER": "must-not-count",
    }
    inside = "".join(f"{name}: '{value}'\n" for name, value in environ.items() if name != "MYSQL_USER")
    for settings in (loaded("", environ), loaded(inside + "BROWSER: none\n")):
        assert settings.branding.company_name == "ShellFone"
        assert settings.branding.colors.primary == "#111111"
        assert str(settings.topup.price_per_day) == "12.5"
        assert settings.features.allow_social_logins is True
        assert settings.grafana.labels == ("One", "Two")
        assert [app.name for app in settings.web_apps] == ["Git", "Wiki"]
        assert settings.mailjet.api_key.reveal() == "mk"
        assert settings.database.sync_url.startswith("sqlite")
        assert settings.warnings == ()


def test_the_new_key_wins_over_a_former_variable_and_the_difference_is_told(loaded: Callable) -> None:
    environ = {"REACT_APP_COMPANY_NAME": "Old"}
    settings = loaded("branding: {company_name: New}", environ)
    assert settings.branding.company_name == "New"
    assert any("REACT_APP_COMPANY_NAME differs from branding.company_name" in one for one in settings.warnings)
    assert loaded("branding: {company_name: Old}", environ).warnings == ()


def test_a_default_spelt_out_in_the_file_does_not_outweigh_a_former_variable(loaded: Callable) -> None:
    settings = loaded("branding: {company_name: OmniCRM}", {"REACT_APP_COMPANY_NAME": "ShellFone"})
    assert settings.branding.company_name == "ShellFone"
    assert settings.sources["branding.company_name"] == "environment variable REACT_APP_COMPANY_NAME"


def test_variables_of_the_former_server_count_in_the_file_only(loaded: Callable) -> None:
    text = "MYSQL_USER: u\nMYSQL_PASSWORD: p\nMYSQL_DATABASE: crm\nDB_SERVER: db\nMYSQL_ROOT_PASSWORD: r\n"
    text += "CGRATES_DB_PORT: 5433\n"
    settings = loaded(text)
    assert settings.database.sync_url == "mysql+pymysql://u:p@db:3306/crm?charset=utf8mb4"
    assert settings.cgrates.db.port == 5433
    assert "MYSQL_ROOT_PASSWORD" not in settings.crm_config()


def test_older_spellings_are_taken_with_a_warning(loaded: Callable) -> None:
    settings = loaded("email: {api_key: k, api_secret: s}\nocs: {OCS: 'cgr:2080'}\nsmsc: {source_msidn: X}\n")
    assert settings.mailjet.api_secret.reveal() == "s"
    assert settings.ocs.endpoint == "cgr:2080" and settings.smsc.source_msisdn == "X"
    assert sum("is an old name" in warning for warning in settings.warnings) == 4
    both = loaded("smc: {smc_url: 'http://old'}\nsmsc: {smsc_url: 'http://new'}\n")
    assert both.smsc.smsc_url == "http://new"
    assert any("smc.smc_url differs from smsc.smsc_url" in warning for warning in both.warnings)
