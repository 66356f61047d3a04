SHELL := /bin/bash
VENV ?= .venv
PY := $(VENV)/bin/python
ARGS ?=
# tests mostly wait for servers; each worker has a control plane of its own
TEST_WORKERS ?= 3

.PHONY: help
help: ## list every target
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.installed: pyproject.toml constraints.txt
	@echo "installing Python packages into $(VENV)"
	@python3 -m venv $(VENV)
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

.PHONY: install
install: $(VENV)/.installed ## install the pinned Python packages into a virtual environment

.PHONY: verify
verify: install ## lint, types, layers and generated files: what every change must pass
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy operator charts tests examples dashboards
	$(VENV)/bin/lint-imports
	PYTHONPATH=operator $(PY) -m leasehold.api.generate --check
	PYTHONPATH=operator $(PY) -m leasehold.cli.reference --check
	PYTHONPATH=operator $(PY) -m leasehold.telemetry.audit_schema --check
	$(PY) -m dashboards --check
	PYTHONPATH=operator:charts $(PY) -m chart_source --check

.PHONY: generate
generate: install ## write anew what is made from code: crds/, references, dashboards, charts/manifests/
	PYTHONPATH=operator $(PY) -m leasehold.api.generate
	PYTHONPATH=operator $(PY) -m leasehold.cli.reference
	PYTHONPATH=operator $(PY) -m leasehold.telemetry.audit_schema
	$(PY) -m dashboards
	PYTHONPATH=operator:charts $(PY) -m chart_source

.PHONY: docs
docs: install ## build the documentation into build/site; any warning fails
	$(VENV)/bin/sphinx-build --quiet -W --keep-going -c docs . build/site

.PHONY: format
format: install ## rewrite the code in the project's format
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

.PHONY: servers
servers: install ## find or build etcd, Kubernetes, Vault, PostgreSQL, Prometheus, Chromium; install published MCP servers
	PYTHONPATH=tests $(PY) -m controlplane build
	PYTHONPATH=tests $(PY) -m mcpservers

.PHONY: up
up: install ## start a local control plane and keep it until Ctrl-C
	PYTHONPATH=tests $(PY) -m controlplane up

.PHONY: test
test: install ## the whole suite, real servers included, provisioning what is missing
	PYTHONPATH=tests $(PY) -m controlplane build
	PYTHONPATH=tests $(PY) -m mcpservers
	$(VENV)/bin/pytest -n $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

.PHONY: test-kind
test-kind: install ## the end-to-end tests on kind; needs Docker and kind, and the gate does not run it
	tests/kind.sh $(ARGS)

.PHONY: crash
crash: install ## kill the operator before and after each of its requests, on real servers; takes about eight minutes
	PYTHONPATH=tests:operator $(PY) -m crash

.PHONY: demo
demo: install ## see the main job on real servers, and play with it (ARGS=--once: plain lines, and an end)
	PYTHONPATH=tests:operator $(PY) examples/demo/run.py $(ARGS)

.PHONY: mutants
mutants: install ## seed one mistake per dangerous step, and see that a test notices it
	$(PY) tests/mutants/seeded.py

N ?= 1000
ENGINE ?= otp

.PHONY: bench
bench: install ## connections per second next to the floor, and the cost of edits, restarts, deletions (N=1000 ENGINE=otp|postgres)
	PYTHONPATH=tests:operator $(PY) -m bench run --connections $(N) --engine $(ENGINE)

.PHONY: bench-scale
bench-scale: N = 10000
bench-scale: install ## what a large fleet costs an idle operator, and a restart (N=10000)
	PYTHONPATH=tests:operator $(PY) -m bench scale --connections $(N) --engine $(ENGINE)

.PHONY: bench-breakglass
bench-breakglass: install ## how long one revocation takes over a fleet next to the floor (N=1000 ENGINE=otp|postgres)
	PYTHONPATH=tests:operator $(PY) -m bench breakglass --connections $(N) --engine $(ENGINE)
