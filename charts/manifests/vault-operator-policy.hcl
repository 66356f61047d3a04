# ends a connection's token, and all that hangs under it
path "auth/token/revoke-accessor" {
  capabilities = ["update"]
}

# sees whose a token is, and that it is gone
path "auth/token/lookup-accessor" {
  capabilities = ["update"]
}

# sees that a credential is gone
path "sys/leases/lookup" {
  capabilities = ["update"]
}

# ends a credential that did not go with its token
path "sys/leases/revoke" {
  capabilities = ["update"]
}

# sees how many leases this Vault has given up revoking
path "sys/leases/count" {
  capabilities = ["read"]
}
