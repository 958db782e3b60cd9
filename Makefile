# Two commands: `make run` serves, `make test` proves.
PYTHON ?= $(shell command -v /usr/bin/python3 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test check lint venv venv-dev
run: venv
	@scripts/serve

test: venv-dev
	@scripts/test

check lint: venv-dev
	@scripts/check

venv: $(VENV)/.run
venv-dev: $(VENV)/.dev

$(VENV)/.run: pyproject.toml constraints.txt
	@scripts/make-venv preview
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt
	@scripts/make-venv preview,basis,dev
	@touch $@ $(VENV)/.run
