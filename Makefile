# Two commands: `make run` serves, `make test` proves; make test ARGS="tests/routes -k login" runs some tests.
PYTHON ?= $(shell command -v /usr/bin/python3 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test check lint venv venv-dev debian
run: venv
	@scripts/serve

test: debian venv-dev
	@scripts/test $(ARGS)

check lint: venv-dev
	@scripts/check

debian:
	@scripts/install-debian

venv: $(VENV)/.run
venv-dev: $(VENV)/.dev

$(VENV)/.run: pyproject.toml constraints.txt
	@scripts/make-venv preview
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt
	@scripts/make-venv preview basis dev
	@touch $@ $(VENV)/.run
