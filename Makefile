# `make run` and `make test` set everything up on a fresh machine; once that is done they start at once.
.PHONY: run test test-slow test-newer test-all cluster-test faults prism lock audit docs lint format image serving-image clean anew
.DEFAULT_GOAL := run

READY := .venv/.ready
# requirements/install.sh chooses between TFX 1.21 and 1.16 by what this machine can load; LINE=1.16 or PYTHON=3.11 by hand.
export LINE PYTHON
ifneq ($(if $(LINE),$(filter-out $(file <.venv/line),$(LINE)))$(if $(PYTHON),$(filter-out $(file <.venv/python),$(PYTHON))),)
$(READY): anew
endif
# The libraries are compiled once and not by every process anew, of which the tests start hundreds.
export PYTHONDONTWRITEBYTECODE :=
# In the order of tests/conftest.py: by their number of tests, as is xdist's default, the longest files would come last.
PYTEST := .venv/bin/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder

run: $(READY)  ## the whole pipeline on the embedded data set
	@.venv/bin/python local_runner.py --dataset digits

test: $(READY) .kfp-env/.ready  ## the quick tests
	@$(PYTEST) -m "not slow and not cluster"

test-slow: $(READY) .kfp-env/.ready  ## the others
	@$(PYTEST) -m slow --durations=60

faults: $(READY)  ## injects every fault, and prints what was lost and what recovered
	@rm -f .faults.jsonl; export DARKROOM_FAULTS=$(CURDIR)/.faults.jsonl; \
		$(PYTEST) tests/faults; status=$$?; .venv/bin/python -m tests.faults.table && exit $$status

prism: $(READY)  ## Prism, Beam's engine in Go: with it, slow tests run ingestion on an engine and kill parts of it
	@tests/engines/install.sh

cluster-test: $(READY) .kfp-env/.ready  ## the image, and the pipeline in containers of it
	@$(PYTEST) -rs -m cluster tests/kubeflow/cluster

test-newer: $(READY)  ## on a system without TFX 1.21: the pipeline, some quick tests, and both lines by turns, in a root of Debian 13
	@tests/newer.sh

# In one session: what quick and slow tests of a file share is made once, and libraries are imported once.
test-all: $(READY) .kfp-env/.ready .docs-env/.ready  ## all tests
	@$(PYTEST) -rfEs --durations=60
	@tests/newer.sh

$(READY): requirements/1.16/lock.txt requirements/1.21/lock.txt requirements/build.txt requirements/uv.txt requirements/install.sh setup.py
	@requirements/install.sh

lint: $(READY)  ## style, types, and which way imports go
	@.venv/bin/ruff check --quiet .
	@.venv/bin/ruff format --quiet --check .
	@.venv/bin/lint-imports --no-logo --no-cache
	@.venv/bin/mypy --no-error-summary

format: $(READY)  ## in one style
	@.venv/bin/ruff check --quiet --select I --fix .
	@.venv/bin/ruff format --quiet .

lock: $(READY)  ## resolves the dependencies anew; the only time that anything is resolved
	@requirements/lock.sh

audit: .audit/.ready  ## known vulnerabilities of what is locked, by OSV; AUDIT_ARGS=--service=URL asks another
	@.audit/bin/python requirements/audit.py $(AUDIT_ARGS)

.audit/.ready: requirements/audit.txt | $(READY)
	@.uv/bin/uv venv --quiet --clear --python .venv/bin/python .audit
	@UV_NO_PROGRESS=1 UV_SYSTEM_CERTS=1 .uv/bin/uv pip sync --quiet --python .audit --require-hashes requirements/audit.txt
	@touch $@

docs: $(READY) .docs-env/.ready  ## the documentation as a site, in build/site
	@.venv/bin/python -m docs.site build/docs
	@NO_MKDOCS_2_WARNING=1 .docs-env/bin/mkdocs build --quiet --strict
	@echo "build/site/index.html"

.docs-env/.ready: requirements/docs.txt | $(READY)
	@.uv/bin/uv venv --quiet --clear --python .venv/bin/python .docs-env
	@UV_NO_PROGRESS=1 UV_SYSTEM_CERTS=1 .uv/bin/uv pip sync --quiet --python .docs-env --require-hashes requirements/docs.txt
	@touch $@

# The newest SDK of Kubeflow Pipelines: its API's models, its schema and kfp.local, for the tests.
.kfp-env/.ready: requirements/kfp.txt | $(READY)
	@.uv/bin/uv venv --quiet --clear --python .venv/bin/python .kfp-env
	@UV_NO_PROGRESS=1 UV_SYSTEM_CERTS=1 .uv/bin/uv pip sync --quiet --python .kfp-env --require-hashes requirements/kfp.txt
	@touch $@

VERSION = $(shell sed -n 's/^ *version="\(.*\)",$$/\1/p' setup.py)
# Of the environment's line of TFX, or of LINE: the steps must be of the line that compiles the pipeline.
OLDER = $(if $(filter 1.16,$(or $(LINE),$(file <.venv/line))),--build-arg=LINE=1.16 --build-arg=BASE=python:3.10-slim)
# Builds from one Dockerfile with ENGINE, else with the first engine that answers, in the order of kubeflow/check_image.py.
# Podman, by whatever name it is called, finds its .dockerignore only where it is told.
define build
	@engine=; why=; \
	for one in $(or $(ENGINE),docker podman); do \
		if said=$$($$one info 2>&1); then engine=$$one; break; fi; \
		why="$$why; $$one: $$(echo "$$said" | grep -v -e --help -e 'errors pretty printing info' | tail -n 1)"; \
	done; \
	set -- --file $(1) --build-arg VERSION=$(VERSION) $(OLDER) $(BUILD_ARGS) --tag $(2) .; \
	case "$$engine,$$($$engine --version 2>/dev/null)" in \
		,*) echo "darkroom: an image needs a running docker, or podman$$why" >&2; exit 1;; \
		*,podman*) $$engine build --layers --ignorefile $(1).dockerignore "$$@";; \
		*) DOCKER_BUILDKIT=1 $$engine build "$$@";; \
	esac
endef

image: IMAGE ?= darkroom:$(VERSION)
image:  ## the image for Kubeflow, named IMAGE; ENGINE=podman chooses, BUILD_ARGS=--build-arg=BASE=... says what it is built from
	$(call build,kubeflow/Dockerfile,$(IMAGE))

serving-image: IMAGE ?= darkroom-serving:$(VERSION)
serving-image:  ## a small image that draws pictures from pushed models, named IMAGE
	$(call build,kubeflow/Dockerfile.serving,$(IMAGE))

clean:  ## the environment and what was built; work folders stay
	@rm -rf .venv .uv .audit .docs-env .airflow-env .kfp-env build dist *.egg-info
