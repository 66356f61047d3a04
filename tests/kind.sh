#!/usr/bin/env bash
# The end-to-end tests on a cluster that kind makes, with Vault and PostgreSQL as containers. For Linux, where a
# container on the host's network is reached at 127.0.0.1 by the tests and by Vault alike. Arguments go to pytest.
# VAULT_IMAGE and POSTGRES_IMAGE name other images, for whoever has a mirror.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

not_run() {
  printf 'NOT RUN: %s. Nothing was tested on kind; make test needs neither Docker nor kind.\n' "$1" >&2
  exit 1
}
[[ $(uname -s) == Linux ]] || not_run "this needs Linux"
command -v docker >/dev/null || not_run "docker is not installed"
command -v kind >/dev/null || not_run "kind is not installed"
timeout 30 docker info >/dev/null 2>&1 || not_run "the Docker daemon does not answer"

name=leasehold-e2e-$$
work=$(mktemp -d)
end() {
  timeout 60 docker rm --force "$name-vault" "$name-postgres" >/dev/null 2>&1 || true
  timeout 120 kind delete cluster --name "$name" --kubeconfig "$work/kubeconfig" || true
  rm -rf "$work"
}
trap end EXIT

free_port() {
  .venv/bin/python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
until_it_answers() {
  local what=$1
  shift
  for _ in $(seq 60); do
    if timeout 10 "$@" >/dev/null 2>&1; then return; fi
    sleep 1
  done
  printf '%s does not answer\n' "$what" >&2
  exit 1
}

password=$(.venv/bin/python -c 'import secrets; print(secrets.token_hex(16))')
postgres_port=$(free_port)
vault_port=$(free_port)

timeout 600 kind create cluster --name "$name" --kubeconfig "$work/kubeconfig" --wait 180s
timeout 600 docker run --detach --network host --name "$name-postgres" \
  --env POSTGRES_PASSWORD="$password" "${POSTGRES_IMAGE:-postgres:17}" \
  -c listen_addresses=127.0.0.1 -c port="$postgres_port"
timeout 600 docker run --detach --network host --name "$name-vault" --cap-add IPC_LOCK \
  --env VAULT_DEV_ROOT_TOKEN_ID="$password" --env VAULT_DEV_LISTEN_ADDRESS="127.0.0.1:$vault_port" \
  "${VAULT_IMAGE:-hashicorp/vault:1.21}"
until_it_answers PostgreSQL docker exec "$name-postgres" pg_isready --host 127.0.0.1 --port "$postgres_port"
until_it_answers Vault docker exec --env VAULT_ADDR="http://127.0.0.1:$vault_port" "$name-vault" vault status

export LEASEHOLD_TEST_KUBECONFIG=$work/kubeconfig
export LEASEHOLD_TEST_VAULT_ADDR=http://127.0.0.1:$vault_port
export LEASEHOLD_TEST_VAULT_TOKEN=$password
export LEASEHOLD_TEST_POSTGRES_DSN="host=127.0.0.1 port=$postgres_port dbname=postgres user=postgres password=$password"
timeout --signal=INT --kill-after=2m 60m .venv/bin/pytest tests/e2e "$@"
