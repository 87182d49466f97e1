# What a person or a machine does with this tree. `make` alone says what there is.
.DEFAULT_GOAL := help
.PHONY: help setup demo test lint bench clean

help: ## this list
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 16

setup: ## what the tests and the virtual rack need: Debian packages (as root), a venv
	@sh scripts/setup

demo: setup ## the virtual rack, from bare to VMs on pairs of VFs (root; FROM=ready: shorter; DOWN=1: and down again)
	@FROM="$(or $(FROM),bare)" PATH="$(CURDIR)/.venv/bin:$$PATH" sh scripts/demo $(if $(DOWN),--down)

test: setup ## every test, those on the virtual rack too (root)
	@PYTHONUTF8=1 .venv/bin/pytest -n 2 --dist loadscope tests/unit tests/browser tests/rack

lint: setup ## ruff, mypy and shellcheck alone
	@.venv/bin/pytest -q tests/unit/test_lint.py

bench: setup ## apply against the bare kernel floor and the neighbours, VFs against a bridge, outages, on the virtual rack (root)
	@PATH="$(CURDIR)/.venv/bin:$$PATH" sh scripts/bench

clean: ## take the demo's rack down, remove the venv and caches
	@if [ -x .venv/bin/sriovctl ]; then .venv/bin/sriovctl lab down --name demo; fi
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
