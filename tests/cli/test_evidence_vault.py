"""What `leasehold evidence export` asks of Vaults in a person's name, and what it makes of silence."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import typer

from fakes.cluster import FakeCluster
from fakes.vault import FakeVault, vault_beside
from fakes.vault_world import FakeLease, FakeToken
from leasehold.api.base import rfc3339
from leasehold.api.connection import EntryState, MCPConnection
from leasehold.api.profile import CredentialType, MCPServerProfile
from leasehold.api.reasons import Reason
from leasehold.cli.evidence_tokens import Tokens, given_tokens
from leasehold.cli.evidence_vault import ask_vaults
from leasehold.core.evidence_lookups import Holds, VaultAnswers, judged
from leasehold.core.evidence_sources import hashed
from leasehold.core.faults import NeedsPerson, TryLater
from leasehold.core.sealed import Sealed
from objects import NOON, a_connection, a_profile, a_store, an_entry

ADDRESS = "https://vault.example.com"
GIVEN: Tokens = {ADDRESS: Sealed("hvs.person")}
PATH = "database/creds/orders-read"


@pytest.fixture
def vault() -> FakeVault:
    """With the login and the lease of two generations."""
    fake = vault_beside(FakeCluster())
    fake.cluster = "vault-cluster"
    for number in (1, 2):
        fake.tokens[f"accessor-{number}"] = FakeToken(
            f"hvs.{number}",
            f"accessor-{number}",
            "auth/jwt/login",
            {},
            None,
            fake._now() + timedelta(hours=1),
        )
        lease = f"{PATH}/{number}"
        fake.leases[lease] = FakeLease(lease, f"accessor-{number}", fake._now() + timedelta(minutes=30))
    return fake


def claimed(*entries: dict[str, Any]) -> MCPConnection:
    """A connection whose ledger has these generations."""
    ledger = [an_entry(number, **entry).to_wire() for number, entry in enumerate(entries, 1)]
    return a_connection(status={"ledger": ledger})


def asked(
    vault: FakeVault,
    *connections: MCPConnection,
    tokens: Tokens = GIVEN,
    again: Sequence[MCPConnection] | None = None,
    profiles: Sequence[MCPServerProfile] = (),
) -> VaultAnswers:
    async def read_again() -> Sequence[MCPConnection]:
        return connections if again is None else again

    return asyncio.run(
        ask_vaults(vault, tokens, [a_store()], profiles, connections, read_again, lambda: rfc3339(NOON))
    )


def holding(connection: MCPConnection, answers: VaultAnswers) -> list[str]:
    return [each.holds.value for each in judged([connection], answers)]


def test_what_is_alive_is_told_with_its_seconds_and_nothing_to_revoke_it_by(vault: FakeVault) -> None:
    connection = claimed({}, {})
    answers = asked(vault, connection)
    assert [(each.thing, each.found, each.ttl_seconds) for each in answers.look_ups] == [
        ("Login", "Alive", 3600),
        ("Lease", "Alive", 1800),
    ] * 2
    assert holding(connection, answers) == ["Yes", "Yes"]
    told = answers.model_dump_json()
    assert not [secret for secret in ("accessor-1", f"{PATH}/1", "hvs.") if secret in told]


def test_a_credential_that_somebody_ended_at_vault_is_a_difference(vault: FakeVault) -> None:
    connection = claimed({}, {"state": EntryState.REVOKING})
    del vault.leases[f"{PATH}/1"], vault.leases[f"{PATH}/2"]
    assert holding(connection, asked(vault, connection)) == ["No", "Yes"]


def test_a_ledger_that_went_on_meanwhile_is_no_difference(vault: FakeVault) -> None:
    connection = claimed({}, {})
    del vault.leases[f"{PATH}/1"]
    later = claimed({"state": EntryState.REVOKING}, {})
    assert holding(connection, asked(vault, connection, again=[later])) == ["NotCompared", "Yes"]


@pytest.mark.parametrize(
    "fault", [NeedsPerson(Reason.REFUSED, "it refused (403)"), TryLater(Reason.SEALED, "sealed")]
)
def test_what_is_not_told_is_not_dead_and_a_store_that_tells_nothing_is_left_in_peace(
    vault: FakeVault, fault: Exception
) -> None:
    vault.tokens.clear()
    connections = [
        a_connection(uid=f"uid-{number}", status=claimed({}).status.to_wire()) for number in range(9)
    ]
    vault.fail("lookup_accessor", fault, times=5)
    answers = asked(vault, *connections)
    found = [each for each in answers.look_ups if each.thing == "Login"]
    assert {each.found for each in found} == {"Unknown"}
    words = [str(each.words) for each in found]
    assert len([each for each in words if each.startswith("not asked any more: ")]) >= 1
    assert {each.found for each in answers.look_ups if each.thing == "Lease"} == {"Alive"}
    assert {each.holds for each in judged(connections, answers)} == {Holds.NOT_COMPARED}


def test_a_store_without_a_token_and_one_that_is_not_there_are_not_asked(vault: FakeVault) -> None:
    elsewhere = asked(vault, claimed({}), tokens={"https://other.example.com": Sealed("hvs.person")})
    assert [each.words for each in elsewhere.stores] == [f"no Vault token was given for {ADDRESS}"]
    vault.reachable = False
    silent = asked(vault, claimed({}))
    assert [each.words for each in silent.stores] == ["connection refused"]
    assert elsewhere.look_ups == silent.look_ups == ()


def test_another_vault_at_the_address_is_not_asked_about_what_it_has_not_minted(vault: FakeVault) -> None:
    vault.cluster = "restored-elsewhere"
    connection = claimed({})
    answers = asked(vault, connection)
    assert (answers.look_ups, holding(connection, answers)) == ((), ["NotCompared"])


def test_a_lease_that_no_ledger_has_is_found(vault: FakeVault) -> None:
    (listing,) = asked(vault, claimed({})).listings
    assert (listing.path, listing.leases, listing.strangers) == (PATH, 2, (hashed(f"{PATH}/2"),))
    (listing,) = asked(vault, claimed({}), again=[claimed({}, {})]).listings
    assert listing.strangers == (), "a ledger has it by now"
    (listing,) = asked(vault, profiles=[a_profile()]).listings
    assert len(listing.strangers) == 2, "no ledger is left, and the recipe says where to look"


def test_where_leases_may_not_be_listed_nothing_is_said_of_them(vault: FakeVault) -> None:
    vault.fail("leases_below", NeedsPerson(Reason.REFUSED, "permission denied"))
    (listing,) = asked(vault, claimed({})).listings
    assert listing.leases is None
    assert listing.words == f"permission denied (listing takes sudo on sys/leases/lookup/{PATH})"


def test_what_only_runs_out_is_not_asked_about(vault: FakeVault) -> None:
    connection = claimed({"type": CredentialType.EXPIRING, "accessor": "", "lease_id": None})
    answers = asked(vault, connection)
    assert (answers.look_ups, holding(connection, answers)) == ((), ["NotCompared"])


def test_a_token_is_for_the_address_that_it_was_given_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("hvs.file\n")
    monkeypatch.setenv("VAULT_ADDR", "https://Vault.example.com/")
    monkeypatch.setenv("VAULT_TOKEN", "hvs.environment")
    tokens = given_tokens([f"https://other.example.com:8200={tmp_path / 'token'}"])
    assert {address: token.reveal() for address, token in tokens.items()} == {
        ADDRESS: "hvs.environment",
        "https://other.example.com:8200": "hvs.file",
    }


WRONG = [
    ("vault.example.com=token", "--vault: give ADDRESS=FILE"),
    ("https://vault.example.com", "--vault: give ADDRESS=FILE"),
    ("https://vault.example.com=/nowhere/token", "/nowhere/token cannot be read"),
    ("https://vault.example.com={}", "is no Vault token: it has to be one word"),
]


@pytest.mark.parametrize(("option", "told"), WRONG)
def test_a_token_that_cannot_be_used_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, told: str
) -> None:
    (tmp_path / "token").write_text("two words\n")
    with pytest.raises(typer.Exit):
        given_tokens([option.format(tmp_path / "token")])
    assert told in capsys.readouterr().err
