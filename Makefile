# Codex Pooler: every command sets up what it needs first, and only what has changed.
# run, demo and dev take the CODEX_POOLER_* environment variables.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help run demo dev bootstrap bootstrap-python bootstrap-console test test-python test-console test-browser \
	lint format bench soak openapi clients test-clients lock clean

BIN := .venv/bin

# A server must not outlive a killed make, or it would keep the port from the next start.
FOREGROUND := exec $$(setpriv --help 2>/dev/null | grep -q pdeathsig && echo setpriv --pdeathsig TERM) $(BIN)

# The first interpreter that is new enough and can make virtual environments; an existing .venv comes first.
define prepare
	@for python in $(BIN)/python "$$PYTHON" python3 python3.14 python3.13 python3.12 python3.11; do \
		if [ -n "$$python" ] && "$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
		then exec "$$python" backend/bootstrap.py --console=$(1); fi; \
	done; \
	echo "Codex Pooler needs Python 3.11 or newer with the venv module; found: $$(python3 --version 2>&1)." >&2; \
	echo "On Debian or Ubuntu: apt install python3-venv. Elsewhere: PYTHON=/path/to/python3 make $(MAKECMDGOALS)" >&2; \
	exit 1
endef

help: ## Show the commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-22s %s\n", $$1, $$2 }'

run: bootstrap ## Set everything up and serve on port 4000
	@$(FOREGROUND)/codex-pooler serve

demo: bootstrap ## Serve with a simulated backend, seeded pools, accounts and traffic
	@$(FOREGROUND)/codex-pooler demo

dev: bootstrap-console ## Serve with reload on a change of the Python code, next to the console's dev server
	@$(FOREGROUND)/python backend/dev.py

test: bootstrap-console ## Run every check and test: Python, console, browser
	@$(BIN)/python tests/suite.py lint python console browser

test-python: bootstrap-python ## Run ruff, mypy and the Python tests
	@$(BIN)/python tests/suite.py lint python

test-console: bootstrap-console ## Run the console's checks: style, types, unit tests, build, size budget
	@$(BIN)/python tests/suite.py console

test-browser: bootstrap-console ## Run the browser tests
	@$(BIN)/python tests/suite.py browser

test-clients: bootstrap-console ## Install the coding tools of e2e/clients/tools (two gigabytes) and let each work through the gateway
	@$(BIN)/python -m e2e.clients.tools.shelf && EVERY_CODEX=1 $(BIN)/pytest -q -rs e2e/clients

lint: bootstrap-python ## Check the style and the types of the Python code
	@$(BIN)/python tests/suite.py lint

format: bootstrap-console ## Format all code
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format . && npm run --silent format

bench: bootstrap-python ## Measure the gateway next to nginx and a plain proxy (QUICK=1: about two minutes)
	@$(BIN)/python -m tests.bench $(if $(QUICK),--quick) $(BENCH)

soak: bootstrap-python ## Ten thousand turns while everything goes wrong, a day of dying gateways, and longer fuzzing
	@SOAK_TURNS=$${SOAK_TURNS:-10000} $(BIN)/pytest -q -s tests/soak tests/gateway/test_relay_fuzz.py
	@ENDURANCE_HOURS=24 ENDURANCE_ACCOUNTS=50 $(BIN)/pytest -q -s tests/process/test_logins_stay_alive.py

openapi: bootstrap-console ## Regenerate the API description and the console's types from it
	@$(BIN)/codex-pooler openapi > .venv/openapi.json && cp .venv/openapi.json frontend/openapi.json
	@npm run --silent api:generate

clients: bootstrap-python ## Write docs/clients.md and the console's example from the templates of client configurations
	@$(BIN)/python -m codex_pooler.web.clients

lock: bootstrap-python ## Renew requirements.lock from pyproject.toml
	@$(BIN)/python -m pip --quiet install uv
	@$(BIN)/uv --quiet pip compile pyproject.toml --extra embedded --group dev --generate-hashes --universal \
		--no-header --no-annotate --upgrade -o requirements.lock

clean: ## Remove everything the commands above have installed or built
	@rm -rf .venv node_modules frontend/node_modules e2e/node_modules frontend/dist frontend/dist-mock \
		.mypy_cache .ruff_cache .pytest_cache .hypothesis e2e/test-results e2e/playwright-report

bootstrap: ## Set up the Python environment and, where Node is installed, the console
	$(call prepare,optional)

bootstrap-python:
	$(call prepare,no)

bootstrap-console:
	$(call prepare,required)
