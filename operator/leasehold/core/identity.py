"""By which names a Vault token says whose it is, whatever auth method it came from."""

from typing import Final

from leasehold.api.store import MCPCredentialStore
from leasehold.core.facts import TokenFacts

NAMESPACE: Final = "namespace"
SERVICE_ACCOUNT: Final = "service_account"
SERVICE_ACCOUNT_UID: Final = "service_account_uid"

CLAIM_MAPPINGS: Final = {
    "/kubernetes.io/namespace": NAMESPACE,
    "/kubernetes.io/serviceaccount/name": SERVICE_ACCOUNT,
    "/kubernetes.io/serviceaccount/uid": SERVICE_ACCOUNT_UID,
}
"""JSON pointers into a service-account token, for the roles of Vault's JWT auth method."""

NAMESPACE_CLAIM: Final = "/kubernetes.io/namespace"

KUBERNETES_METADATA: Final = {
    "service_account_namespace": NAMESPACE,
    "service_account_name": SERVICE_ACCOUNT,
    "service_account_uid": SERVICE_ACCOUNT_UID,
}
"""What Vault's Kubernetes auth method calls them; nobody can change that there."""


def belongs_to(
    facts: TokenFacts, store: MCPCredentialStore, namespace: str, service_account: str, uid: str
) -> bool:
    """Whether a token came from the store's own login of exactly this service account. A child token's
    metadata can be anything, its path cannot."""
    return (
        facts.path == store.spec.auth.login_path
        and facts.metadata.get(NAMESPACE) == namespace
        and facts.metadata.get(SERVICE_ACCOUNT) == service_account
        and facts.metadata.get(SERVICE_ACCOUNT_UID) == uid
    )
