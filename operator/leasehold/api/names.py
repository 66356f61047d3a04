"""Every name that other programs may rely on: group, finalizer, labels, annotations, audiences."""

from typing import Final

GROUP: Final = "leasehold.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"

FINALIZER: Final = f"{GROUP}/credentials"
"""On a connection: its ledger may name something alive. On a store: a ledger may name the store."""

ABANDON_ANNOTATION: Final = f"{GROUP}/abandon-credentials"
"""Its value is the reason for which the ledger of a connection is given up, unproven. Audited."""

STORE_AUDIENCE_PREFIX: Final = f"{GROUP}/store/"
OPERATOR_AUDIENCE: Final = f"{GROUP}/operator"


def store_audience(store_name: str) -> str:
    """The audience that a connection's service-account token carries for one store."""
    return STORE_AUDIENCE_PREFIX + store_name


HEARTBEAT_LABEL: Final = f"{GROUP}/heartbeat"
HEARTBEAT_LABEL_VALUE: Final = "true"
"""On a Lease that says by its name which connection is in use."""


class HeartbeatAnnotation:
    """What a heartbeat says besides that it beats."""

    SERVER_URL: Final = f"{GROUP}/server-url"
    AGENT: Final = f"{GROUP}/agent"


class SecretLabel:
    """Labels of the Secrets that we make; the admission policies confine us to them."""

    MANAGED_BY: Final = "app.kubernetes.io/managed-by"
    MANAGED_BY_VALUE: Final = "leasehold"
    CONNECTION_UID: Final = f"{GROUP}/connection-uid"


class SecretAnnotation:
    """What a Secret says about its credential."""

    CONNECTION: Final = f"{GROUP}/connection"
    PROFILE: Final = f"{GROUP}/profile"
    OWNER: Final = f"{GROUP}/owner"
    DEPUTY: Final = f"{GROUP}/deputy"
    TEAM: Final = f"{GROUP}/team"
    PURPOSE: Final = f"{GROUP}/purpose"
    TICKET: Final = f"{GROUP}/ticket"
    LEASE_END_TIME: Final = f"{GROUP}/lease-end-time"
    CREDENTIAL_EXPIRY_TIME: Final = f"{GROUP}/credential-expiry-time"
    RESIDUAL_EXPOSURE_TIME: Final = f"{GROUP}/residual-exposure-time"
    ISSUED_TIME: Final = f"{GROUP}/issued-time"
    GENERATION: Final = f"{GROUP}/generation"
    ACCESSOR: Final = f"{GROUP}/accessor"
    TOKEN_ACCESSOR: Final = f"{GROUP}/token-accessor"
    LEASE_ID: Final = f"{GROUP}/lease-id"


OPERATOR_NAMESPACE: Final = "leasehold-system"
OPERATOR_SERVICE_ACCOUNT: Final = "leasehold"
OPERATOR_USER: Final = f"system:serviceaccount:{OPERATOR_NAMESPACE}:{OPERATOR_SERVICE_ACCOUNT}"
"""Whom the admission policies know as the operator."""
