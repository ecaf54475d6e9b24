# One line of work each; `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PODS ?= 10000
ENGINE ?= $(firstword $(foreach name,docker podman buildah,$(if $(shell command -v $(name)),$(name))))
IMAGE ?= telegen:0.1.0
# Tests that measure time need a core each.
WORKERS ?= 2
PIP := $(BIN)/python -m pip --disable-pip-version-check
PYTEST := $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help demo run check test lint bench tools cluster-tools check-rules vm-image image arm64 lock clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-14s %s\n", $$1, $$2}'

demo: $(VENV)/runtime ## run the agent on a simulated cluster that keeps changing, and on this machine's cgroups
	@$(BIN)/python -m telegen.supervisor --demo

run: $(VENV)/runtime ## run the agent on the cluster that the environment or a kubeconfig names
	$(BIN)/python -m telegen.supervisor

check: lint ## check the code and run the tests that need no other program; see CONTRIBUTING.md
	$(PYTEST) --check -n logical --maxprocesses 4

test: tools lint ## check the code and run every test; SETUP=yes installs the programs that tests run (root on Debian 12, Go)
	$(PYTEST) -n $(WORKERS) --durations=20

lint: $(VENV)/stamp ## flake8, isort, mypy --strict, layers, language of docstrings and comments, Dockerfile
	$(BIN)/flake8 telegen workers tests setup.py
	$(BIN)/isort --check --quiet telegen workers tests setup.py
	$(BIN)/mypy --strict
	$(BIN)/lint-imports
	$(BIN)/python -m tests.language telegen workers tests
	if [ -x $(BIN)/hadolint ]; then $(BIN)/hadolint Dockerfile; fi

bench: $(VENV)/stamp ## measure the agent on PODS=10000 simulated pods; PEER=yes measures kube-state-metrics beside them (see cluster-tools); or CONTAINERS=200; or CUSTOM=10000; or PUSH=10000; or ADAPTER=5000 agents
	$(BIN)/python -m compileall -q telegen workers $(VENV)/lib || true  # as in the image: what a start compiles stays in memory
	$(BIN)/python -m tests.bench $(if $(CONTAINERS),--containers $(CONTAINERS),$(if $(CUSTOM),--custom $(CUSTOM),$(if $(PUSH),--push $(PUSH),$(if $(ADAPTER),--adapter $(ADAPTER),--pods $(PODS) $(if $(PEER),--peer)))))

tools:
ifneq ($(filter true yes,$(CI) $(SETUP)),)
	$(PYTHON) -m tests.tools install
endif

cluster-tools: ## build the real etcd, kube-apiservers, kubectl, kube-controller-manager, helm, kube-state-metrics, Prometheus and collector that tests use, outside the tree
	PYTHON=$(PYTHON) tests/cluster/build

check-rules: $(VENV)/stamp ## evaluate EXPRESSIONS=FILE (rules, dashboards' queries) on a Prometheus that scrapes agents by RECIPE=NAME; list those without data
	@$(BIN)/python -m tests.cluster.check_rules "$(EXPRESSIONS)" "$(RECIPE)"

vm-image: ## make the virtual machine that tests of cgroups use, outside the tree
	PYTHON=$(PYTHON) tests/cadvisor/vm/build

image: ## build IMAGE=NAME:TAG for linux/amd64 by docker, podman or buildah (ENGINE); its bill of materials is build/sbom.cdx.json too
ifeq ($(ENGINE),)
	@echo "image: docker, podman and buildah are not installed: install one of them, or set ENGINE" >&2; exit 1
else
	$(ENGINE) build --platform linux/amd64 --tag $(IMAGE) .
	mkdir -p build
ifeq ($(ENGINE),buildah)
	container=$$(buildah from $(IMAGE)) && buildah run --user 0 $$container cat /opt/telegen/sbom.cdx.json > build/sbom.cdx.json; buildah rm $$container
else
	$(ENGINE) run --rm --network none --entrypoint cat $(IMAGE) /opt/telegen/sbom.cdx.json > build/sbom.cdx.json
endif
endif

arm64: $(VENV)/runtime ## check that every locked package has a wheel for linux/arm64 and the image's Python
	$(PIP) install --quiet --dry-run --ignore-installed --no-deps --only-binary=:all: --python-version 3.13 --target build/arm64 \
		--platform manylinux2014_aarch64 --platform manylinux_2_28_aarch64 -r requirements.lock

lock: ## write both lock files anew from the ranges in setup.cfg; with the oldest Python: PYTHON=python3.11
	rm -rf build/lock
	$(PYTHON) -m venv build/lock/all && build/lock/all/bin/pip install -q -e '.[adapter,cel,completion,grpc,top,dev]'
	build/lock/all/bin/pip freeze --exclude-editable --exclude telegen > build/lock/all.txt
	$(PYTHON) -m venv build/lock/runtime && build/lock/runtime/bin/pip install -q -c build/lock/all.txt -e '.[adapter,cel,completion,grpc,top]'
	build/lock/runtime/bin/pip freeze --exclude-editable --exclude telegen > requirements.lock
	(echo '-r requirements.lock'; grep -vxFf requirements.lock build/lock/all.txt) > requirements-dev.lock

clean: ## remove what the other targets made in the tree
	rm -rf $(VENV) build *.egg-info .mypy_cache .pytest_cache .import_linter_cache .hypothesis

# What the agent needs to run, without the tools of developers.
$(VENV)/runtime: requirements.lock setup.cfg
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is %d.%d; set PYTHON" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	@echo "creating $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@echo "installing $$(grep -c == requirements.lock) packages"
	@$(PIP) install --quiet --no-compile -r requirements.lock
	@$(PIP) install --quiet --no-compile --no-deps --editable .
	@touch $@

$(VENV)/stamp: $(VENV)/runtime requirements-dev.lock
	@echo "installing $$(grep -c == requirements-dev.lock) packages for developers"
	@$(PIP) install --quiet --no-compile -r requirements-dev.lock
	@touch $@
