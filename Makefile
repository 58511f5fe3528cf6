# Everything a newcomer needs is one command; each sets up what it needs first.
PYTHON ?= python3
BIN := .venv/bin
UV := $(BIN)/python -m uv
CHROMIUM := tests/browser/node_modules/.ready
BIOME := tests/browser/node_modules/.bin/biome check
PYTEST := $(BIN)/pytest --dist loadfile --no-loadscope-reorder

export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION := 20
export NO_UPDATE_NOTIFIER := 1
# Behind a proxy that signs TLS anew, only the system knows its certificate.
export UV_SYSTEM_CERTS ?= 1
export NODE_USE_SYSTEM_CA ?= 1
# These commands start hundreds of programs of Python: each module is compiled once.
unexport PYTHONDONTWRITEBYTECODE

# Whether an environment's Python runs, and it is where its scripts say that it is.
works = $(shell { $(1)/bin/python -c '' && read -r at < $(1)/.ready && [ "$$at" -ef $(1) ] && \
	echo yes; } 2>/dev/null)

.DEFAULT_GOAL := help
.PHONY: anew help node setup run test check fix tables synth doctor deploy destroy pictures lock examples bench plots clean

help: ## Show these commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

run: setup ## Run the whole system here and refresh the demo connections (ONCE=1 ends after that)
	@$(BIN)/python -m infra.local $(if $(ONCE),--once)

test: setup $(CHROMIUM) ## Run every test
	@$(PYTEST) -n 3 tests/house tests/unit tests/property tests/contract tests/infra
	@$(PYTEST) -n 4 tests/integration tests/e2e  # these wait more than they work

check: setup $(CHROMIUM) ## Lint, types, layers, formatting, links: everything that needs no run
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIOME) --error-on-warnings
	@$(BIN)/pytest --quiet tests/house/test_links.py

fix: setup $(CHROMIUM) ## Format, and mend what can be mended by itself
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format
	@$(BIOME) --write

tables: setup ## Write what follows from the code: tables of the docs, models of the client
	@$(BIN)/python -m tests.tables

pictures: setup $(CHROMIUM) ## Take the pictures of the console in docs/images
	@FRESHET_REQUIRE_BROWSER=1 FRESHET_SCREENSHOTS=docs/images \
		$(PYTEST) --quiet tests/e2e/console/test_every_view.py -k no_view

synth: setup ## Write the CloudFormation template to cdk.out (STAGE=local|dev|prod)
	@node_modules/.bin/cdk synth --quiet -c stage=$(or $(STAGE),local)

doctor: setup ## Say what a stage lacks, before it is deployed and after (STAGE=dev|prod)
	@$(BIN)/python -m infra.operations.doctor $(or $(STAGE),dev)

deploy: setup ## Deploy to your AWS account with the CDK (STAGE=dev|prod)
	@$(BIN)/python -m infra.account check $(or $(STAGE),dev)
	@node_modules/.bin/cdk deploy --all -c stage=$(or $(STAGE),dev)

destroy: setup ## Delete a stage from your AWS account with all its data (STAGE=dev)
	@$(BIN)/python -m infra.account destroy $(STAGE)

examples: setup .venv-examples/.ready ## Load a dataset into DuckDB by the example for dlt, and what changes
	@$(PYTEST) tests/examples

bench: setup .venv-peers/.ready ## Measure it beside its peers for docs/performance.md (QUICK=1: try it)
	@$(BIN)/python -m benchmarks $(if $(QUICK),--quick)
	@$(MAKE) --no-print-directory tables plots

plots: .venv-peers/.ready ## Draw the pictures of docs/performance.md
	@.venv-peers/bin/python -m benchmarks.plots

lock: setup ## Resolve the dependencies anew and pin them with hashes
	@for name in uv functions emulator peers examples dev; do \
		UV_CUSTOM_COMPILE_COMMAND="make lock" $(UV) pip compile --quiet --upgrade --universal \
			--python-version 3.11 --generate-hashes --no-emit-index-url \
			requirements/$$name.in --output-file requirements/$$name.txt || exit 1; done

clean: ## Remove what the other commands made
	rm -rf .venv .venv-emulator .venv-peers .venv-examples .local node_modules tests/browser/node_modules cdk.out

setup: .venv/.ready .venv-emulator/.ready node_modules/.ready

.venv/.ready: requirements/uv.txt requirements/dev.txt client/pyproject.toml $(if $(call works,.venv),,anew)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "Freshet needs Python 3.11 or newer; name yours with PYTHON=..., as in: make run PYTHON=python3.12"; exit 1; }
	@echo "Installing the Python tools ..."
	@$(if $(call works,.venv),,rm -rf .venv)
	@$(PYTHON) -m venv .venv || { echo "Python's venv module is missing; Debian has it in python3-venv."; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@$(UV) pip sync --quiet --python $(BIN)/python --require-hashes requirements/dev.txt
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable client
	@echo '$(CURDIR)/.venv' > $@

# An environment of its own beside .venv, from the lock of its name.
define install
@rm -rf $(@D)
@$(UV) venv --quiet --python $(BIN)/python $(@D)
@$(UV) pip sync --quiet --python $(@D)/bin/python --require-hashes $<
@echo '$(CURDIR)/$(@D)' > $@
endef

.venv-emulator/.ready: requirements/emulator.txt .venv/.ready $(if $(call works,.venv-emulator),,anew)
	@echo "Installing the local AWS ..."
	$(install)

.venv-peers/.ready: requirements/peers.txt .venv/.ready $(if $(call works,.venv-peers),,anew)
	@echo "Installing what the benchmarks compare with ..."
	$(install)

.venv-examples/.ready: requirements/examples.txt client/pyproject.toml .venv/.ready $(if $(call works,.venv-examples),,anew)
	@echo "Installing what the examples need ..."
	$(install)
	@$(UV) pip install --quiet --python $(@D)/bin/python --no-deps --no-build-isolation --editable client

node_modules/.ready: package-lock.json | node
	@echo "Installing the CDK ..."
	@npm ci --silent --no-progress
	@touch $@

# The demo pays for none of this.
$(CHROMIUM): tests/browser/package-lock.json | node
	@echo "Installing a browser and a linter of its pages ..."
	@npm ci --silent --no-progress --prefix tests/browser
	@touch $@

node:
	@node -e 'process.exit(parseInt(process.versions.node) >= 20 ? 0 : 1)' 2>/dev/null || \
		{ echo "Freshet needs Node.js 20 or newer on the PATH: the CDK runs on it."; exit 1; }
