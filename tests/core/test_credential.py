"""Reading what Vault handed out: each type keeps its promise or is refused, whatever came."""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from leasehold.api.profile import CredentialRecipe, CredentialType
from leasehold.api.reasons import Reason
from leasehold.core.credential import Credential, DoesNotFit, read_credential
from leasehold.core.facts import Login, MintAnswer, MintedToken
from leasehold.core.sealed import Sealed

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
KEY = Ed25519PrivateKey.generate()


def in_seconds(seconds: int) -> datetime:
    return NOON + timedelta(seconds=seconds)


def a_recipe(kind: CredentialType, ttl_seconds: int = 3600) -> CredentialRecipe:
    return CredentialRecipe.model_validate(
        {
            "storeName": "default",
            "vaultRole": "mcp",
            "path": "some/path",
            "type": kind.value,
            "ttlSeconds": ttl_seconds,
            "overlapSeconds": 0,
        }
    )


def a_login(ttl_seconds: int = 7200) -> Login:
    return Login(Sealed("hvs.login"), "accessor", ttl_seconds)


def an_answer(
    data: Mapping[str, Any] | None = None, lease_id: str | None = None, seconds: int = 0, **auth: Any
) -> MintAnswer:
    child = {
        "token": Sealed("hvs.child"),
        "accessor": "child",
        "ttl_seconds": 1800,
        "service": True,
        "orphan": False,
    }
    return MintAnswer(
        data=Sealed({"password": "pa55"} if data is None else data),
        lease_id=lease_id,
        lease_seconds=seconds,
        auth=MintedToken(**{**child, **auth}) if auth else None,
    )


def a_child(**auth: Any) -> MintAnswer:
    return an_answer({}, **({"service": True} | auth))


def read(
    kind: CredentialType, answer: MintAnswer | None, *, ttl_seconds: int = 3600, login_seconds: int = 7200
) -> Credential:
    return read_credential(a_recipe(kind, ttl_seconds), a_login(login_seconds), answer, NOON)


def a_jwt(**claims: Any) -> str:
    parts = [{"alg": "RS256"}, claims]
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join([*encoded, "c2lnbmF0dXJl"])


def a_certificate(end: datetime) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bot")])
    made = x509.CertificateBuilder(
        issuer_name=name,
        subject_name=name,
        public_key=KEY.public_key(),
        serial_number=7,
        not_valid_before=NOON - timedelta(days=1),
        not_valid_after=end,
    ).sign(KEY, None)
    return made.public_bytes(serialization.Encoding.PEM).decode()


def a_signed_key(end: datetime | None) -> str:
    builder = (
        serialization.SSHCertificateBuilder()
        .public_key(KEY.public_key())
        .type(serialization.SSHCertificateType.USER)
        .valid_principals([b"bot"])
        .valid_after(0)
        .valid_before(2**64 - 1 if end is None else int(end.timestamp()))
    )
    return str(builder.sign(KEY).public_bytes(), "ascii")


LEASED: dict[str, Any] = {"lease_id": "database/creds/x/1", "seconds": 1200}


# when it ends


@pytest.mark.parametrize(
    ("ttl", "lease", "login", "ends"),
    [(600, 1200, 7200, 600), (3600, 1200, 7200, 1200), (3600, 1200, 900, 900)],
    ids=["ceiling", "lease", "login token"],
)
def test_a_lease_ends_with_whatever_ends_first(ttl: int, lease: int, login: int, ends: int) -> None:
    answer = an_answer(lease_id="database/creds/x/1", seconds=lease)
    credential = read(CredentialType.LEASE, answer, ttl_seconds=ttl, login_seconds=login)
    assert credential.expiry == credential.rotate_by == in_seconds(ends)
    assert credential.lease_id == "database/creds/x/1"


@pytest.mark.parametrize(
    ("ttl", "child", "login", "ends"),
    [(600, 1800, 7200, 600), (3600, 1800, 7200, 1800), (3600, 1800, 900, 900)],
    ids=["ceiling", "child", "login token"],
)
def test_a_child_token_ends_with_whatever_ends_first(ttl: int, child: int, login: int, ends: int) -> None:
    answer = a_child(ttl_seconds=child)
    credential = read(CredentialType.TOKEN, answer, ttl_seconds=ttl, login_seconds=login)
    assert credential.expiry == credential.rotate_by == in_seconds(ends)
    assert credential.token_accessor == "child"
    assert credential.fields.reveal() == {"token": "hvs.child"}


def test_the_login_token_is_the_credential_where_there_is_no_path() -> None:
    credential = read(CredentialType.TOKEN, None, login_seconds=900)
    assert credential.fields.reveal() == {"token": "hvs.login"}
    assert credential.expiry == in_seconds(900)
    assert credential.token_accessor is None


@pytest.mark.parametrize(
    "data",
    [
        {"token": a_jwt(exp=in_seconds(1800).timestamp())},
        {"certificate": a_certificate(in_seconds(1800)), "issuing_ca": a_certificate(in_seconds(60))},
        {"signed_key": a_signed_key(in_seconds(1800))},
    ],
    ids=["jwt", "certificate", "ssh"],
)
def test_what_only_runs_out_ends_when_it_says_itself(data: dict[str, str]) -> None:
    late = read(CredentialType.EXPIRING, an_answer(data), ttl_seconds=600)
    assert late.expiry == in_seconds(1800)
    assert late.rotate_by == in_seconds(600)
    early = read(CredentialType.EXPIRING, an_answer(data), ttl_seconds=3600)
    assert early.rotate_by == early.expiry == in_seconds(1800)


def test_of_two_ends_the_first_rotates_and_the_last_exposes() -> None:
    data = {name: a_jwt(exp=in_seconds(seconds).timestamp()) for name, seconds in (("a", 900), ("b", 1800))}
    credential = read(CredentialType.EXPIRING, an_answer(data))
    assert credential.rotate_by == in_seconds(900)
    assert credential.expiry == in_seconds(1800)


def test_a_static_secret_has_no_end_but_is_read_again() -> None:
    credential = read(CredentialType.STATIC, an_answer(), ttl_seconds=600)
    assert credential.expiry is None
    assert credential.rotate_by == in_seconds(600)


def test_a_leased_certificate_works_until_its_own_end() -> None:
    end = in_seconds(86400)
    credential = read(CredentialType.LEASE, an_answer({"certificate": a_certificate(end)}, **LEASED))
    assert credential.residual_until == end
    assert credential.expiry == in_seconds(1200)


# its fields


def test_version_two_of_the_kv_engine_is_unwrapped() -> None:
    data = {"data": {"api-key": "k"}, "metadata": {"version": 3}}
    assert read(CredentialType.STATIC, an_answer(data)).fields.reveal() == {"api-key": "k"}


def test_a_field_named_data_alone_is_no_wrapping() -> None:
    assert read(CredentialType.STATIC, an_answer({"data": {"a": 1}})).fields.reveal() == {"data": '{"a": 1}'}


def test_what_is_no_text_is_json() -> None:
    data = {"port": 5432, "tls": True, "hosts": ["ä", "b"], "none": None}
    expected = {"port": "5432", "tls": "true", "hosts": '["ä", "b"]', "none": "null"}
    assert read(CredentialType.STATIC, an_answer(data)).fields.reveal() == expected


def test_a_credential_does_not_show_itself() -> None:
    assert "pa55" not in repr(read(CredentialType.STATIC, an_answer()))


# what does not fit


@pytest.mark.parametrize(
    ("kind", "answer", "words"),
    [
        (CredentialType.LEASE, an_answer(), "type Static"),
        (CredentialType.LEASE, an_answer({"token": a_jwt(exp=in_seconds(9).timestamp())}), "type Expiring"),
        (CredentialType.LEASE, an_answer(lease_id="x/1", seconds=0), "TTL"),
        (CredentialType.LEASE, a_child(), "type Token"),
        (CredentialType.LEASE, an_answer({}, **LEASED), "without any data"),
        (CredentialType.LEASE, None, "path"),
        (CredentialType.TOKEN, an_answer(), "no Vault token"),
        (CredentialType.TOKEN, a_child(service=False), "token_type=service"),
        (CredentialType.TOKEN, a_child(accessor=""), "token_type=service"),
        (CredentialType.TOKEN, a_child(orphan=True), "orphan=false"),
        (CredentialType.TOKEN, a_child(ttl_seconds=0), "TTL"),
        (CredentialType.EXPIRING, an_answer(**LEASED), "type Lease"),
        (CredentialType.EXPIRING, a_child(), "type Token"),
        (CredentialType.EXPIRING, an_answer(), "type Static"),
        (CredentialType.EXPIRING, an_answer({"token": a_jwt(sub="x")}), "readable end"),
        (CredentialType.EXPIRING, an_answer({"token": a_jwt(exp=1e300)}), "readable end"),
        (CredentialType.EXPIRING, an_answer({"token": a_jwt(exp=NOON.timestamp())}), "clocks"),
        (CredentialType.EXPIRING, an_answer({"certificate": "no certificate"}), "readable end"),
        (CredentialType.EXPIRING, an_answer({"signed_key": a_signed_key(None)}), "readable end"),
        (CredentialType.STATIC, an_answer(**LEASED), "type Lease"),
        (CredentialType.STATIC, a_child(), "type Token"),
        (CredentialType.STATIC, an_answer({}), "without any data"),
        (CredentialType.STATIC, an_answer({"data": None, "metadata": {"version": 3}}), "deleted"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_sentence(
    kind: CredentialType, answer: MintAnswer | None, words: str
) -> None:
    with pytest.raises(DoesNotFit, match=words) as raised:
        read(kind, answer)
    assert raised.value.reason is Reason.DOES_NOT_FIT_TYPE


def test_a_login_token_without_a_duration_carries_nothing() -> None:
    with pytest.raises(DoesNotFit, match="auth role"):
        read(CredentialType.LEASE, an_answer(**LEASED), login_seconds=0)


# whatever comes

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
ENDS = st.integers() | st.floats() | st.text() | st.none() | st.booleans()
TEXTS = st.one_of(
    ENDS.map(lambda end: a_jwt(exp=end)),
    st.text(alphabet="ey.JA-_=0", max_size=30),
    st.just(a_certificate(NOON)).map(lambda pem: pem[:200]),
    st.just("ssh-ed25519-cert-v01@openssh.com AAAA"),
)
DATA = st.dictionaries(
    st.sampled_from(["certificate", "signed_key", "token", "data", "metadata"]) | st.text(max_size=5),
    JSON | TEXTS,
    max_size=5,
)
AUTH = st.none() | st.builds(
    MintedToken,
    token=st.text().map(Sealed),
    accessor=st.text(max_size=3),
    ttl_seconds=st.integers(),
    service=st.booleans(),
    orphan=st.booleans(),
)
ANSWERS = st.builds(
    MintAnswer,
    data=DATA.map(Sealed),
    lease_id=st.none() | st.text(max_size=5),
    lease_seconds=st.integers(),
    auth=AUTH,
)


@given(kind=st.sampled_from(CredentialType), answer=st.none() | ANSWERS, login_seconds=st.integers())
def test_whatever_comes_is_a_credential_or_does_not_fit(
    kind: CredentialType, answer: MintAnswer | None, login_seconds: int
) -> None:
    try:
        credential = read(kind, answer, login_seconds=login_seconds)
    except DoesNotFit as fault:
        assert fault.message  # noqa: PT017
        return
    ceiling = in_seconds(3600)
    assert NOON < credential.rotate_by <= ceiling
    assert all(isinstance(value, str) for value in credential.fields.reveal().values())
    match kind:
        case CredentialType.LEASE:
            assert credential.lease_id
        case CredentialType.STATIC:
            assert credential.expiry is None
        case CredentialType.TOKEN:
            assert (answer is None) == (credential.token_accessor is None)
    if kind is not CredentialType.STATIC:
        assert credential.expiry is not None
        assert credential.rotate_by <= credential.expiry
