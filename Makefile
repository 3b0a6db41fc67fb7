# What people, CI and pre-commit run. Every target sets up what it needs.
SHELL := bash
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

.PHONY: help setup demo test test-long check check-format check-lint check-types check-sql check-layers bench bench-freshness bench-lake bench-live bench-revenue bench-stack lock

help: ## this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' Makefile
	@echo
	@echo "  ARGS=…   more words for the command behind demo, bench or lock:  make demo ARGS='--history 0s'"
	@echo "  TESTS=…  which tests, in pytest's words:  make test TESTS='tests/test_settings.py'"
	@echo "  PYTHON=… the Python that .venv is made with:  make setup PYTHON=python3.12"

setup: ## make .venv as requirements.lock says; nothing to do when it is
	@bash setup.sh

# exec: the command itself gets Ctrl-C, once, and make waits until it has stopped everything
demo: setup ## the whole pipeline on this machine, and the dashboard; Ctrl-C stops it
	@exec .venv/bin/sales-trends demo $(ARGS)

test: setup ## the tests, those on the real stack and in the browser included
	.venv/bin/python -m pytest -m "not long" $(TESTS)

test-long: setup ## the long tests: every process killed, long pauses, bad records, deployments; half an hour
	.venv/bin/python -m pytest -m long $(TESTS)

check: check-format check-lint check-types check-sql check-layers ## format, lint, types, SQL and import order

check-format: setup
	.venv/bin/ruff format --check .

check-lint: setup
	.venv/bin/ruff check .

check-types: setup
	.venv/bin/mypy

check-sql: setup
	.venv/bin/sqlfluff lint --disable-progress-bar pipeline_sql queries

check-layers: setup
	.venv/bin/lint-imports --no-logo

bench: setup ## measure what tests/bench.py measures
	@exec .venv/bin/python -m tests.bench $(ARGS)

bench-freshness: setup ## measure a look at the whole pipeline, and what the pipeline takes while it is looked at; nine minutes
	@exec .venv/bin/python -m tests.bench_freshness $(ARGS)

bench-live: setup ## measure following a topic: commit to browser, viewers, catching up; three minutes
	@exec .venv/bin/python -m tests.bench_live $(ARGS)

bench-lake: setup ## measure the mirror beside other engines on a year of windows; ten minutes, and 700 MB of packages
	@.venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bench.lock
	@exec .venv/bin/python -m tests.bench_lake $(ARGS)

bench-revenue: setup ## measure the page of revenue over a year of windows; a minute
	@exec .venv/bin/python -m tests.bench_revenue $(ARGS)

bench-stack: setup ## measure the whole local stack: starts, delays, throughput, memory; nine minutes a run
	@exec .venv/bin/python -m tests.bench_stack $(ARGS)

lock: ## write requirements.lock and the bench's anew from pyproject.toml; ARGS=--upgrade takes newer versions
	@set -e; uv=$$(command -v uv) || { \
		folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
		python=$$(bash setup.sh find-python); "$$python" -m venv "$$folder"; \
		"$$folder/bin/pip" install --quiet --disable-pip-version-check uv; uv=$$folder/bin/uv; }; \
	"$$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-emit-find-links --group dev pyproject.toml -o requirements.lock $(ARGS); \
	"$$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-emit-find-links --constraint requirements.lock --group bench -o requirements-bench.lock $(ARGS)
	@! grep -nE '^ *--(index|extra-index|find-links|trusted-host)|://' requirements.lock requirements-bench.lock || \
		{ echo "A lock names the address above; it must name none." >&2; exit 1; }
	@git --no-pager diff --stat -- requirements.lock requirements-bench.lock
