"""Callers that the configuration admits: API keys with roles and addresses, and trusted addresses (decision 8)."""

from __future__ import annotations

from typing import Any

import pytest

SUPPORT, ADMIN, NARROW = "support-key-0123456789-abcdefghijklmn", "admin-key-0123456789-abcdefghijklmnop", "n" * 40
KEYS = (
    f"{{{SUPPORT}: {{roles: [Support]}}, {ADMIN}: {{roles: [admin], ips: [10.0.0.0/24, '2001:db8::/32']}}, "
    f"{NARROW}: {{roles: [view_product, VIEW_SERVICE]}}}}"
)


class TestKeys:
    @pytest.fixture
    def extra_settings(self) -> dict[str, str]:
        return {"api_keys": KEYS}

    async def test_a_key_may_do_what_its_roles_may(self, web: Any) -> None:
        headers = {"X-API-KEY": SUPPORT}
        assert (await web.get("/crm/customers", headers=headers)).status_code == 200
        assert (await web.get("/crm/transaction", headers=headers)).status_code == 403
        assert (await web.put("/crm/customer", json={"customer_name": "X"}, headers=headers)).status_code == 403

    async def test_a_key_may_name_permissions_in_the_place_of_roles(self, web: Any) -> None:
        headers = {"x-api-key": NARROW}
        assert (await web.get("/crm/product/paginated", headers=headers)).status_code == 200
        assert (await web.get("/crm/service", headers=headers)).status_code == 200, "the spelling of chapter 15"
        assert (await web.get("/crm/customers", headers=headers)).status_code == 403

    @pytest.mark.parametrize("key", ["", "wrong", SUPPORT[:-1], SUPPORT + "x", SUPPORT.upper(), f" {SUPPORT}x"])
    async def test_an_unknown_key_is_refused(self, web: Any, key: str) -> None:
        answer = await web.get("/crm/customers", headers={"X-API-KEY": key})
        assert (answer.status_code, answer.json()) == (401, {"message": "Invalid API key"})

    async def test_a_key_that_is_no_plain_text_is_refused(self, web: Any) -> None:
        answer = await web.get("/crm/customers", headers={"X-API-KEY": "clé".encode("latin-1")})
        assert answer.status_code == 401

    @pytest.mark.parametrize(
        ("address", "status"),
        [("10.0.0.7", 200), ("2001:db8::7", 200), ("10.0.1.7", 403), ("127.0.0.1", 403), ("::ffff:10.0.1.7", 403)],
    )
    async def test_a_key_bound_to_addresses_works_from_there_only(
        self, caller_at: Any, address: str, status: int
    ) -> None:
        async with caller_at(address) as client:
            answer = await client.get("/crm/customers", headers={"X-API-KEY": ADMIN})
        assert answer.status_code == status
        assert status == 200 or answer.json() == {"message": "Access denied"}

    async def test_a_claimed_address_is_not_believed(self, caller_at: Any) -> None:
        async with caller_at("192.0.2.1") as client:
            headers = {"X-API-KEY": ADMIN, "X-Forwarded-For": "10.0.0.7", "X-Real-IP": "10.0.0.7"}
            assert (await client.get("/crm/customers", headers=headers)).status_code == 403

    async def test_a_key_opens_no_page(self, web: Any) -> None:
        assert (await web.get("/customers", headers={"X-API-KEY": SUPPORT})).status_code == 303

    async def test_the_log_names_the_key_by_its_description_not_by_itself(self, caller_at: Any) -> None:
        async with caller_at("10.0.0.7") as client:
            headers = {"X-API-KEY": ADMIN}
            made = await client.put("/crm/customer", json={"customer_name": "By key"}, headers=headers)
            assert made.status_code == 200
            entries = (await client.get("/crm/activity?entity_type=customer", headers=headers)).json()["data"]
        newest = entries[0]
        assert (newest["user_name"], newest["ip_address"]) == ("API key", "10.0.0.7")
        assert ADMIN not in str(entries)


class TestListOfAddresses:
    """A plain list gives the built-in role `provisioning`."""

    @pytest.fixture
    def extra_settings(self) -> dict[str, str]:
        return {"ip_whitelist": "[10.179.2.142, 10.8.0.0/16]"}

    async def test_a_listed_address_may_order_and_look_little_else(self, caller_at: Any) -> None:
        async with caller_at("10.8.7.6") as client:
            assert (await client.get("/crm/product/paginated")).status_code == 200
            assert (await client.get("/crm/provision")).status_code == 200
            ordered = await client.put("/crm/provision", json={"product_id": 1, "customer_id": 1})
            assert ordered.status_code == 400, "let in, and told that there is no such product"
            for path in ("/crm/customers", "/crm/inventory", "/crm/transaction", "/crm/activity"):
                assert (await client.get(path)).status_code == 403, path
            assert (await client.put("/crm/customer", json={"customer_name": "X"})).status_code == 403

    async def test_other_addresses_need_a_credential(self, caller_at: Any) -> None:
        for address in ("10.9.0.1", "127.0.0.1", "::1", "192.0.2.1"):
            async with caller_at(address) as client:
                assert (await client.get("/crm/provision")).status_code == 401

    async def test_no_page_opens_for_an_address(self, caller_at: Any) -> None:
        async with caller_at("10.179.2.142") as client:
            for path in ("/customers", "/products", "/"):
                answer = await client.get(path)
                assert (answer.status_code, answer.headers["location"][:6]) == (303, "/login"), path

    @pytest.mark.parametrize("header", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
    async def test_a_browser_at_a_listed_address_is_not_driven_by_a_foreign_page(
        self, caller_at: Any, header: dict[str, str]
    ) -> None:
        async with caller_at("10.179.2.142") as client:
            answer = await client.put("/crm/provision", json={}, headers=header)
        assert (answer.status_code, answer.json()) == (403, {"message": "Access denied"})

    async def test_a_wrong_credential_is_not_saved_by_the_address(self, caller_at: Any) -> None:
        async with caller_at("10.179.2.142") as client:
            for headers in ({"Authorization": "Bearer a.b.c"}, {"X-API-KEY": "wrong"}):
                assert (await client.get("/crm/provision", headers=headers)).status_code == 401


class TestMapOfAddresses:
    @pytest.fixture
    def extra_settings(self) -> dict[str, str]:
        return {
            "ip_whitelist": "{10.0.0.1: {roles: [Support]}, 127.0.0.1: {roles: [admin], allow_loopback: true}}",
            "server.trusted_proxies": "[192.0.2.0/24]",
        }

    async def test_each_address_has_the_roles_named_for_it(self, caller_at: Any) -> None:
        async with caller_at("10.0.0.1") as support, caller_at("127.0.0.1") as here:
            assert (await support.get("/crm/customers")).status_code == 200
            assert (await support.put("/crm/customer", json={"customer_name": "X"})).status_code == 403
            assert (await here.put("/crm/customer", json={"customer_name": "X"})).status_code == 200

    @pytest.mark.parametrize(
        ("forwarded", "status"),
        [
            ("10.0.0.1", 200),
            ("10.0.0.1, 192.0.2.9", 200),
            ("10.0.0.1, 203.0.113.5", 401),
            ("203.0.113.5, 10.0.0.1", 200),
            ("10.0.0.1, nonsense", 401),
            ("", 401),
        ],
    )
    async def test_behind_a_trusted_proxy_the_last_hop_that_is_none_counts(
        self, caller_at: Any, forwarded: str, status: int
    ) -> None:
        """What a client writes into the header itself stands further left and is not believed (PROV-179)."""
        async with caller_at("192.0.2.3") as client:
            answer = await client.get("/crm/customers", headers={"X-Forwarded-For": forwarded})
        assert answer.status_code == status

    async def test_a_proxy_that_nobody_trusts_is_the_caller(self, caller_at: Any) -> None:
        async with caller_at("198.51.100.1") as client:
            answer = await client.get("/crm/customers", headers={"X-Forwarded-For": "10.0.0.1"})
        assert answer.status_code == 401
