"""What Vault's answers mean: a status and a few words become a fact, or a fault that says what comes next.

The same 500 is a nuisance for a look-up and an unknown outcome for a mint, so every reading says whether its
request was one that can be repeated."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeGuard

from leasehold.adapters.vault_wire import Answer
from leasehold.api.reasons import Reason
from leasehold.core.facts import LeaseFacts, Login, MintAnswer, MintedToken, TokenFacts
from leasehold.core.faults import Fault, NeedsPerson, OutcomeUnknown, TryLater
from leasehold.core.redaction import redacted
from leasehold.core.sealed import Sealed

MAX_WORDS: Final = 300

_UNPRINTABLE: Final = re.compile(r"[^\x20-\x7e\xa0-\ud7ff\ue000-\ufffd]+")

_WAITS: Final = {
    412: (Reason.UNREACHABLE, "this node does not have the needed state yet"),
    429: (Reason.THROTTLED, "too many requests"),
    472: (Reason.UNREACHABLE, "this node is a disaster recovery secondary"),
    473: (Reason.UNREACHABLE, "this node is a standby"),
    501: (Reason.SEALED, "it is not initialized"),
}
"""Answers by which nothing was done: Vault did not even try."""

REDIRECT: Final = 307
"""A standby answers it where there is no active node, but also where it has forwarded the request, and the active
node was gone before it answered: then nobody knows what was done."""


@dataclass(frozen=True)
class Subject:
    """What a request was for, in words for a person, and whether it may be repeated blindly."""

    words: str
    repeatable: bool = True


def vaults_own_words(answer: Answer) -> str:
    """The `errors` of an answer, without anything that looks like a secret, on one line; empty where none."""
    errors = (answer.body or {}).get("errors")
    texts = [text for text in errors if isinstance(text, str)] if isinstance(errors, list) else []
    scrubbed = _UNPRINTABLE.sub(" ", redacted("; ".join(texts)))
    words = " ".join(scrubbed.split())
    return words if len(words) <= MAX_WORDS else words[: MAX_WORDS - 1] + "…"


def fault_of(answer: Answer, subject: Subject) -> Fault:
    """The fault that an answer other than 2xx stands for."""
    if answer.status in _WAITS:
        reason, because = _WAITS[answer.status]
        return TryLater(reason, _sentence(subject, because, answer), answer.retry_after_seconds)
    if answer.status == REDIRECT:
        message = _sentence(subject, "there is no active node", answer)
        return TryLater(Reason.UNREACHABLE, message) if subject.repeatable else OutcomeUnknown(message)
    if answer.status == 503 and "sealed" in vaults_own_words(answer).lower():
        return TryLater(Reason.SEALED, _sentence(subject, "it is sealed", answer), answer.retry_after_seconds)
    if (
        400 <= answer.status < 500
        and answer.status != 408
        and (subject.repeatable or answer.body is not None)
    ):
        return NeedsPerson(Reason.REFUSED, _sentence(subject, "it refused", answer))
    return unusable(subject, f"it answered {answer.status}", answer)


def unusable(subject: Subject, because: str, answer: Answer | None = None) -> Fault:
    """An answer that does not say what was done."""
    message = _sentence(subject, because, answer)
    if not subject.repeatable:
        return OutcomeUnknown(message)
    if answer is None:
        return TryLater(Reason.MALFORMED, message)
    return TryLater(Reason.STORE_UNAVAILABLE, message, answer.retry_after_seconds)


def _sentence(subject: Subject, because: str, answer: Answer | None) -> str:
    words = vaults_own_words(answer) if answer is not None else ""
    status = f" ({answer.status})" if answer is not None and str(answer.status) not in because else ""
    return f"{subject.words}: {because}{status}" + (f": {words}" if words else "")


def body_of(answer: Answer, subject: Subject) -> Mapping[str, Any]:
    """The JSON object of a 2xx answer. Raises the fault of any other."""
    if not 200 <= answer.status < 300:
        raise fault_of(answer, subject)
    if answer.body is None:
        raise unusable(subject, "its answer is no JSON object")
    return answer.body


def read_login(body: Mapping[str, Any], subject: Subject) -> Login:
    """The login token; a token that cannot be revoked by its accessor is refused."""
    auth = body.get("auth")
    if not isinstance(auth, dict) or not isinstance(token := auth.get("client_token"), str) or not token:
        raise unusable(subject, "its answer holds no token")
    accessor, seconds = auth.get("accessor"), auth.get("lease_duration")
    if accessor == "":
        raise NeedsPerson(
            Reason.REFUSED,
            f"{subject.words}: it gave a batch token, which nobody can revoke: "
            "set token_type=service on the role",
        )
    if not isinstance(accessor, str) or not _is_count(seconds) or seconds <= 0:
        raise unusable(subject, "its answer holds no accessor or no duration")
    return Login(Sealed(token), accessor, seconds)


def read_mint(body: Mapping[str, Any], subject: Subject) -> MintAnswer:
    """What was minted, as it came; whether it fits its type is not judged here."""
    data, lease_id, seconds = body.get("data"), body.get("lease_id"), body.get("lease_duration")
    data = {} if data is None else data
    lease_id = "" if lease_id is None else lease_id
    seconds = 0 if seconds is None else seconds
    if not isinstance(data, dict) or not isinstance(lease_id, str) or not _is_count(seconds):
        raise unusable(subject, "its answer has the wrong shape")
    return MintAnswer(Sealed(data), lease_id or None, seconds, _minted_token(body.get("auth"), subject))


def _minted_token(auth: Any, subject: Subject) -> MintedToken | None:
    if auth is None:
        return None
    if not isinstance(auth, dict):
        raise unusable(subject, "its answer has the wrong shape")
    token, accessor, seconds = auth.get("client_token"), auth.get("accessor"), auth.get("lease_duration")
    if not isinstance(token, str) or not isinstance(accessor, str) or not _is_count(seconds):
        raise unusable(subject, "its answer has the wrong shape")
    return MintedToken(
        token=Sealed(token),
        accessor=accessor,
        ttl_seconds=seconds,
        service=auth.get("token_type") == "service",
        orphan=auth.get("orphan") is not False,
    )


def read_token_facts(
    body: Mapping[str, Any], subject: Subject, metadata_names: Mapping[str, str]
) -> TokenFacts:
    """The facts of a living token; `metadata_names` turns an auth method's names into ours."""
    data = body.get("data")
    if not isinstance(data, dict) or not isinstance(path := data.get("path"), str):
        raise unusable(subject, "its answer holds no token")
    seconds, metadata = data.get("ttl"), data.get("meta") or {}
    if not _is_count(seconds) or not isinstance(metadata, dict):
        raise unusable(subject, "its answer has the wrong shape")
    return TokenFacts(
        path=path,
        metadata={metadata_names.get(str(name), str(name)): str(value) for name, value in metadata.items()},
        ttl_seconds=seconds,
    )


def read_lease_facts(body: Mapping[str, Any], subject: Subject, lease_id: str) -> LeaseFacts:
    """The facts of a lease that Vault knows."""
    data = body.get("data")
    if not isinstance(data, dict) or data.get("id") != lease_id:
        raise unusable(subject, "its answer is about no such lease")
    seconds = data.get("ttl")
    if not _is_count(seconds):
        raise unusable(subject, "its answer has the wrong shape")
    return LeaseFacts(lease_id, seconds)


def read_lease_ids(body: Mapping[str, Any], subject: Subject, path: str) -> tuple[str, ...]:
    """The ids of the leases right below a path; what ends with a slash is a further path."""
    data = body.get("data")
    keys = data.get("keys") if isinstance(data, dict) else None
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise unusable(subject, "its answer holds no leases")
    return tuple(f"{path}/{key}" for key in keys if not key.endswith("/"))


def _is_count(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)
