# make run            serve the site on http://127.0.0.1:8765 with a sample diagnosis (PORT=9000 for another port)
# make test           the whole suite: Python, JavaScript, real browser
# make lint           style, types, layers, names, dead code, production settings, migrations, translations, error messages
# make bundles        one script and one stylesheet for each page, as in production; `make run` does so where there is Node
# make compile        the mini-program with WeChat's own compiler, as an upload does
# make lock           compile requirements*.txt into the locks that are installed
# make audit          known vulnerabilities of the installed packages, Python and JavaScript
#
# Measurements; each prints a row a figure and exits 1 when one falls short. ARGS="--rounds 3" passes options on.
# make bench-push, bench-bytes, bench-cache, bench-jobs, bench-limits   the server; docs/benchmarks.md shows the results
# make bench-report   brand matching, interval coverage, speed of the report
# make bench-spending   paid calls: wanted, counted and within budget
# make bench-sources   sources of answers: cited pages, speed of report and list, search calls at once
# make bench-page     cold pages at Slow 4G: requests, bytes, time until usable, with bundles and without
# make bench-workspace   overview, sources and recount of 2,000 runs; 100,000 old diagnoses filled
# make bench-alerts   monitoring and alerts
# make bench-client   the mini-program's client (some rows only: ROWS=restart,comeBack)
# make bench-repair   100,000 broken records: found, fixed, untouched, undone
# make bench-scale    a simulated queue against the real site; cost by number of rows
# make bench-restart  both servers restarted behind nginx, under traffic
# make bench-install  the operators' manual followed in a fresh Debian root (as root; ARGS="--language zh")
# make torture        chaos tests: injected faults, load and fuzzing, half an hour (ARGS="--list", "--seed N")
# make attack         the attackers among them: sockets, an account, platforms, an operator; five minutes (ARGS="--seed N")
# make soak           the load part of it alone
#
# Each target makes .venv and installs what it needs, once. Nothing is written outside .venv, node_modules and var.

MAKEFLAGS += --no-print-directory
VENV := .venv
PY := $(VENV)/bin/python
export PYTHON
# For a recipe's shell: node and npm from the PATH when they are new enough, else those in .venv.
WITH_NODE = { node -e 'process.exit(process.versions.node.split(".")[0] < 20 ? 1 : 0)' 2>/dev/null || export PATH="$(CURDIR)/$(VENV)/bin:$$PATH"; }
PROCESSORS := $(shell nproc 2>/dev/null || sysctl -n hw.ncpu 2>/dev/null || echo 2)
# Twice the cores: the longest tests wait for missed heartbeats and stopped databases.
WORKERS := $(shell [ $(PROCESSORS) -ge 4 ] && echo 8 || echo 4)
# The shell's site configuration must not leak into tests; without bytecode each started site would compile the project.
CLEAN := env -u PYTHONDONTWRITEBYTECODE -u DATABASE_URL -u REDIS_URL -u DEMO -u ENVIRONMENT -u PORT -u LOG_FILE -u LOG_LEVEL -u LOG_FORMAT
# Complete production settings, so that checks look at them without any service.
PRODUCTION := ENVIRONMENT=production DATABASE_URL=postgresql://check@127.0.0.1:1/check \
	REDIS_URL=redis://127.0.0.1:1/0 ALLOWED_HOSTS=site.example \
	SECRET_KEY=only-for-the-check-of-the-settings-0123456789-abcdefghijklmnopqrstuvwxyz
SERVER_BENCHES := bench-push bench-bytes bench-cache bench-jobs bench-limits

.PHONY: run test test-python test-javascript test-javascript-quietly lint audit sbom lock attack torture soak errors-coverage \
	bench-install bench-report bench-repair bench-restart bench-scale bench-client bench-alerts bench-spending bench-sources \
	bench-page bench-workspace \
	$(SERVER_BENCHES) \
	requirements requirements-dev node node-modules bench-modules release-modules bundles compile

run: requirements
	@tools/install optional-bundles
	@mkdir -p var
	@exec env DEMO="$${DEMO:-1}" ENVIRONMENT="$${ENVIRONMENT:-development}" LOG_FILE="$${LOG_FILE:-var/site.log}" \
		$(PY) manage.py serve --migrate --sample

# JavaScript's tests run while those of Python wait for processes; their output follows when they have ended.
test:
	@$(MAKE) -j2 requirements-dev node-modules
	@$(MAKE) bundles
	@$(MAKE) -j2 test-python test-javascript-quietly

test-python:
	@$(CLEAN) $(PY) -m pytest -n $(WORKERS)

test-javascript:
	@$(WITH_NODE) && cd miniprogram && npm test --silent

test-javascript-quietly:
	@output=$$(mktemp) && { $(MAKE) test-javascript >"$$output" 2>&1; status=$$?; cat "$$output"; rm "$$output"; exit $$status; }

lint: requirements-dev node-modules
	@$(WITH_NODE) && cd miniprogram && npm run lint --silent
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy .
	@$(VENV)/bin/lint-imports
	@$(PY) tools/check_names.py
	@$(PY) tools/check_dead_code.py
	@$(VENV)/bin/deptry . --config tools/deptry.toml >/dev/null 2>&1 || $(VENV)/bin/deptry . --config tools/deptry.toml
	@$(CLEAN) $(PRODUCTION) $(PY) manage.py check --deploy --fail-level WARNING
	@$(CLEAN) $(PRODUCTION) $(PY) -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	@$(PY) tools/check_translations.py
	@$(CLEAN) $(PY) tools/generate_labels.py --check
	@$(PY) tools/list_dependencies.py --check
	@$(VENV)/bin/check-jsonschema --quiet --builtin-schema vendor.compose-spec deploy/compose.yaml
	@$(VENV)/bin/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/ci.yml
	@$(VENV)/bin/hadolint deploy/Dockerfile
	@$(VENV)/bin/shellcheck .ci/run tools/install tools/compile_locks deploy/restart deploy/wait-until-ready deploy/nginx/compose.sh
	@$(CLEAN) $(PRODUCTION) $(PY) manage.py errors_coverage --fail --built-in

lock: requirements-dev
	@tools/compile_locks $(ARGS)

# In an environment of its own: with its XML library, openpyxl would not behave as on a site.
sbom: requirements-dev
	@mkdir -p var && $(VENV)/bin/uv tool run --from cyclonedx-bom==7.5.0 cyclonedx-py requirements requirements.lock \
		--pyproject pyproject.toml --output-reproducible --output-file var/sbom.json 2>/dev/null && echo var/sbom.json

audit: requirements-dev node-modules bundles
	@$(VENV)/bin/pip-audit --require-hashes --requirement requirements-dev.lock --progress-spinner off
	@$(WITH_NODE) && (cd tools/bundles && npm audit) && cd miniprogram && npm audit

errors-coverage: requirements-dev
	@$(CLEAN) $(PRODUCTION) $(PY) manage.py errors_coverage --fail --built-in

# Only what a bench starts itself is measured.
bench-push bench-bytes: node-modules bench-modules
$(SERVER_BENCHES): requirements-dev
	@$(WITH_NODE) && $(CLEAN) ENVIRONMENT=development $(PY) -m bench.$(@:bench-%=%) $(ARGS) && \
		$(PY) -m bench.results_page || { $(PY) -m bench.results_page; exit 1; }

bench-report: requirements-dev
	@$(CLEAN) $(PY) -m bench.report

bench-spending: requirements-dev
	@$(CLEAN) $(PY) -m bench.spending && $(PY) -m bench.results_page || { $(PY) -m bench.results_page; exit 1; }

bench-sources: requirements-dev
	@$(CLEAN) $(PY) -m bench.sources && $(PY) -m bench.results_page || { $(PY) -m bench.results_page; exit 1; }

bench-page: requirements-dev bundles
	@$(CLEAN) $(PY) -m bench.page $(ARGS) && $(PY) -m bench.results_page || { $(PY) -m bench.results_page; exit 1; }

bench-workspace: requirements-dev
	@$(CLEAN) $(PY) -m bench.workspace && $(PY) -m bench.results_page || { $(PY) -m bench.results_page; exit 1; }

bench-alerts: requirements-dev
	@$(CLEAN) $(PY) -m bench.alerts

bench-client: requirements-dev node-modules
	@$(WITH_NODE) && node bench/client/run.js

bench-repair: requirements-dev
	@$(CLEAN) $(PY) -m bench.repair

bench-scale: requirements-dev
	@$(CLEAN) $(PY) -m bench.scale && $(PY) -m bench.results_page || { $(PY) -m bench.results_page; exit 1; }

bench-restart: requirements-dev
	@$(CLEAN) $(PY) -m bench.deploy

bench-install: requirements-dev
	@$(CLEAN) $(PY) -m bench.install $(ARGS)

torture: requirements-dev
	@$(CLEAN) $(PY) -m bench.chaos $(ARGS)
	@$(MAKE) bench-install ARGS="--language en"
	@$(MAKE) bench-install ARGS="--language zh"

attack: requirements-dev
	@$(CLEAN) $(PY) -m bench.chaos --only attacks --name attack $(ARGS) && $(PY) -m bench.results_page || \
		{ $(PY) -m bench.results_page; exit 1; }

soak: requirements-dev
	@$(CLEAN) $(PY) -m bench.chaos --only soak --name soak $(ARGS)

requirements:
	@tools/install requirements

requirements-dev:
	@tools/install dev

node:
	@tools/install node

node-modules:
	@tools/install node-modules

bench-modules:
	@tools/install bench-modules

# One script and one stylesheet for each page; without them the pages load their files one by one.
bundles: requirements
	@tools/install bundles

# WeChat's own compiler takes minutes to install; `make lint` compiles with the host of the tests.
compile: node node-modules release-modules
	@$(WITH_NODE) && cd miniprogram && npm run compile --silent

release-modules:
	@tools/install release-modules
