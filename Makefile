# One line of work each; `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PODS ?= 10000

.DEFAULT_GOAL := help
.PHONY: help demo run test lint bench cluster-tools vm-image lock clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-14s %s\n", $$1, $$2}'

demo: $(VENV)/stamp ## run the agent on a simulated cluster that keeps changing, and on this machine's cgroups
	$(BIN)/python -m telegen.supervisor --demo

run: $(VENV)/stamp ## run the agent on the cluster that the environment or a kubeconfig names
	$(BIN)/python -m telegen.supervisor

test: lint ## check the code and run every test
	$(BIN)/python -m pytest

lint: $(VENV)/stamp ## flake8, isort, mypy --strict, layers, Dockerfile
	$(BIN)/flake8 telegen workers tests setup.py
	$(BIN)/isort --check --quiet telegen workers tests setup.py
	$(BIN)/mypy --strict
	$(BIN)/lint-imports
	if [ -x $(BIN)/hadolint ]; then $(BIN)/hadolint Dockerfile; fi

bench: $(VENV)/stamp ## measure the agent on PODS=10000 simulated pods; PEER=yes measures kube-state-metrics beside them (see cluster-tools); or CONTAINERS=200
	$(BIN)/python -m compileall -q telegen workers  # as pip does when it installs
	$(BIN)/python -m tests.bench $(if $(CONTAINERS),--containers $(CONTAINERS),--pods $(PODS) $(if $(PEER),--peer))

cluster-tools: ## build the real etcd, kube-apiservers, kubectl and kube-state-metrics that tests use, outside the tree
	PYTHON=$(PYTHON) tests/cluster/build

vm-image: ## make the virtual machine that tests of cgroups use, outside the tree; needs tests/cadvisor/packages.txt installed
	PYTHON=$(PYTHON) tests/cadvisor/vm/build

lock: ## write requirements.lock anew from the ranges in setup.cfg; with the oldest Python: PYTHON=python3.10
	rm -rf build/lock && $(PYTHON) -m venv build/lock && build/lock/bin/pip install -q -e '.[dev]'
	build/lock/bin/pip freeze --exclude-editable --exclude telegen > requirements.lock

clean: ## remove what the other targets made in the tree
	rm -rf $(VENV) build *.egg-info .mypy_cache .pytest_cache .import_linter_cache .hypothesis

$(VENV)/stamp: requirements.lock setup.cfg
	$(PYTHON) -c 'import sys; sys.exit("Python 3.10 or newer is needed, this is %d.%d" % sys.version_info[:2] if sys.version_info < (3, 10) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@
