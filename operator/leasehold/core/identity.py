"""By which names a Vault token says whose it is, whatever auth method it came from."""

from typing import Final

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
