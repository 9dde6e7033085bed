"""What a check asks of the outside: the engine's books, the HSS, and what plays left on this machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from omnicrm.domain.checking.values import Account, Remains, Subscriber


class ChargingBooks(Protocol):
    """The engine's records. Every method raises EngineUnavailable; lists come in pages."""

    def find(self, names: Sequence[str]) -> dict[str, Account]:
        """Those of the named accounts that exist."""

    def accounts(self) -> Iterator[list[Account]]:
        """All accounts."""

    def plans(self) -> Iterator[list[tuple[str, tuple[str, ...]]]]:
        """All action plans: the id, and the ids of the action sets that it runs."""

    def action_sets(self) -> Iterator[list[str]]:
        """Ids of all action sets."""

    def profiles(self) -> Iterator[list[tuple[str, str]]]:
        """(kind, id) of all attribute profiles and filters; the kind is `attribute` or `filter`."""

    def given_up(self) -> list[tuple[int, str, str]]:
        """Posts that the engine gave up: number, address as people may see it, reason. None of a CGRateS."""

    def made_by(self, provision_ids: Sequence[int]) -> dict[int, tuple[str, ...]] | None:
        """What those jobs made and what is still there, in words; None where the engine keeps no journal."""


class HssUnavailable(Exception):
    """No answer from an HSS peer, or one that cannot be read. The text is for people and holds no secret."""


class SubscriberRegister(Protocol):
    """The subscribers of the HSS peers. Reads only; keys never leave the HSS."""

    peers: tuple[str, ...]

    def everybody(self, peer: str) -> list[Subscriber] | None:
        """All subscribers of the peer, None where it offers no list. Raises HssUnavailable."""

    def find(self, peer: str, imsi: str) -> Subscriber | None:
        """One subscriber. Raises HssUnavailable."""


class RunRemains(Protocol):
    def remains(self) -> list[Remains]:
        """Folders and processes of plays on this machine, of runs that go on and of runs that are over."""
