"""Values that follow from others: addresses in force, modes, defaults taken from another key."""

from __future__ import annotations

from collections.abc import Callable

import pytest


def test_without_a_database_two_sqlite_files_in_the_data_folder_are_used(loaded: Callable) -> None:
    settings = loaded()
    data = settings.server.data_dir
    assert settings.database.sync_url == f"sqlite:///{data}/omnicrm.db"
    assert settings.database.async_url == f"sqlite+aiosqlite:///{data}/omnicrm.db"
    assert settings.charging.url == f"sqlite:///{data}/charging.db"
    assert settings.crm.mode == "development"


def test_a_database_section_means_mysql_in_production_with_a_schema_for_charging(loaded: Callable) -> None:
    settings = loaded("database: {username: crm, password: 'p@ss/w:rd', server: db}")
    rest = "://crm:p%40ss%2Fw%3Ard@db:3306/omnicrm?charset=utf8mb4"
    assert settings.database.sync_url == f"mysql+pymysql{rest}"
    assert settings.database.async_url == f"mysql+asyncmy{rest}"
    assert settings.charging.url == "mysql+pymysql://crm:p%40ss%2Fw%3Ard@db:3306/omnicrm_charging?charset=utf8mb4"
    assert settings.crm.mode == "production"
    assert settings.database.sync_url.shown == "mysql+pymysql://crm:***@db:3306/omnicrm?charset=utf8mb4"


@pytest.mark.parametrize("scheme", ["mysql", "mysql+pymysql", "mysql+asyncmy", "mariadb"])
def test_the_whole_address_wins_and_gets_the_right_drivers(loaded: Callable, scheme: str) -> None:
    settings = loaded(
        "database: {server: ignored}", database__url=f"{scheme}://root@127.0.0.1:3306/mine?charset=utf8mb4"
    )
    assert settings.database.sync_url == "mysql+pymysql://root@127.0.0.1:3306/mine?charset=utf8mb4"
    assert settings.database.async_url == "mysql+asyncmy://root@127.0.0.1:3306/mine?charset=utf8mb4"
    assert settings.charging.url == "mysql+pymysql://root@127.0.0.1:3306/mine_charging?charset=utf8mb4"


def test_pool_settings_alone_do_not_choose_mysql(loaded: Callable) -> None:
    assert loaded("database: {pool_size: 3, auto_migrate: no}").database.sync_url.startswith("sqlite:")


def test_addresses_follow_the_port(loaded: Callable) -> None:
    settings = loaded(server__port="5001")
    assert settings.crm.base_url == settings.crm.public_url == "http://localhost:5001"
    assert settings.server.local_url == "http://127.0.0.1:5001"
    assert loaded(server__host="::1").server.local_url == "http://[::1]:5000"
    assert loaded(server__host="10.0.0.5").server.local_url == "http://10.0.0.5:5000"


def test_a_slash_at_the_end_of_the_base_address_goes_with_a_warning(loaded: Callable) -> None:
    settings = loaded("crm: {base_url: 'https://crm.example.com/'}")
    assert settings.crm.base_url == settings.crm.public_url == "https://crm.example.com"
    assert any("crm.base_url: the slash at the end" in warning for warning in settings.warnings)


def test_the_charging_mode_follows_the_endpoint(loaded: Callable) -> None:
    embedded = loaded().ocs
    assert (embedded.mode, embedded.endpoint, embedded.listener) == ("embedded", "127.0.0.1:2080", ("127.0.0.1", 2080))
    direct = loaded("ocs: {cgrates: 'localhost:2080'}").ocs
    assert (direct.mode, direct.endpoint, direct.listener) == ("direct", "localhost:2080", None)
    gateway = loaded("ocs: {mode: gateway, upstream: 'cgr:2080', listen: '0.0.0.0:2090'}").ocs
    assert (gateway.endpoint, gateway.listener) == ("127.0.0.1:2090", ("0.0.0.0", 2090))


def test_currency_comes_from_whichever_section_gives_it(loaded: Callable) -> None:
    assert (loaded().regional.currency_code, loaded().stripe.currency) == ("USD", "usd")
    from_stripe = loaded("stripe: {currency: aud}").regional
    assert (from_stripe.currency_code, from_stripe.currency_symbol) == ("AUD", "$")
    assert loaded("regional: {currency_code: GBP}").stripe.currency == "gbp"
    assert loaded("regional: {currency_code: GBP}").regional.currency_symbol == "£"


def test_small_defaults_are_taken_from_their_neighbours(loaded: Callable) -> None:
    settings = loaded(
        "branding: {company_name: ShellFone, colors: {primary: '#ffffff'}}\n"
        "provisioning: {failure_list: 'a@x.org, b@x.org'}\n"
        "regional: {default_country: Australia, default_language: es}\n"
        "mailjet: {api_key: a, api_secret: b}\n"
    )
    assert settings.smsc.source_msisdn == "ShellFone"
    assert settings.inventory.incident_list == ("a@x.org", "b@x.org")
    assert settings.regional.default_location == "Australia"
    assert settings.regional.default_language == "sp"
    assert settings.mailjet.sync_contacts is True
    assert settings.branding.colors.primary_dark == "#cccccc"


def test_the_four_statuses_always_exist_and_can_be_changed_or_joined(loaded: Callable) -> None:
    text = "crm: {customer_statuses: [Active, {name: Pending, may_order: no}, {name: Closed, may_log_in: no}]}"
    statuses = {status.name: status for status in loaded(text).crm.customer_statuses}
    assert list(statuses) == ["Open", "Closed", "Suspended", "Archived", "Active", "Pending"]
    assert statuses["Active"].may_order and not statuses["Pending"].may_order
    assert not statuses["Closed"].may_log_in and statuses["Suspended"].may_log_in


def test_an_unknown_font_gives_quicksand_and_an_own_one_is_taken(loaded: Callable, workplace: object) -> None:
    settings = loaded("branding: {font_family: Our Sans}")
    assert settings.branding.font_family == "Quicksand"
    assert any("there is no font 'Our Sans'" in warning for warning in settings.warnings)
    folder = settings.branding.fonts_dir / "our-sans"
    folder.mkdir(parents=True)
    for weight in (400, 700):
        (folder / f"our-sans-{weight}.woff2").touch()
    assert loaded("branding: {font_family: Our Sans}").branding.font_family == "Our Sans"


def test_the_cell_broadcast_centre_is_one_address_or_one_for_each_operator(loaded: Callable) -> None:
    assert loaded("cbc_url: 'https://cbc.example.com/'").cbc_url == "https://cbc.example.com"
    many = loaded("cbc_url: {310-410: 'https://a.example.com', 310-260: 'https://b.example.com'}").cbc_url
    assert dict(many) == {"310-410": "https://a.example.com", "310-260": "https://b.example.com"}
