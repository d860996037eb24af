# The one door to the workbench, and its dependency graph. `make` alone lists what there is.
# Written for GNU make 3.81 (macOS) and later: no grouped targets, no .ONESHELL, no $(file).

VENV ?= .venv
PROFILE ?= quick
ENGINE ?= auto
WANDB_MODE ?= offline

BUILD := report/build
PY := $(VENV)/bin/python
READY := $(VENV)/.ready

# The caller's Python settings must not have a say in a result; WANDB_MODE keeps runs off the network.
export PYTHONPATH := $(CURDIR)
export PYTHONHASHSEED := 0
export JUPYTER_PREFER_ENV_PATH := 1
export WANDB_MODE
unexport PYTHONHOME

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
.PHONY: help setup report notebooks experiment record wandb-sync wandb-check lab test bench lint trace verify accept \
	kpis corpus withdraw lock clean distclean FORCE

help: ## List these targets
	@echo "usage: make <target> [VARIABLE=value]"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-11s %s\n", $$1, $$2 }' Makefile
	@echo
	@awk -F '## ' '/^## / { print "  " $$2 }' Makefile

## PROFILE=quick|full|gpu      parameters of the notebooks and of the experiment (quick)
## ENGINE=auto|quarto|offline  what renders the report (auto: Quarto where there is one)
## VENV=folder                 the virtual environment (.venv)
## PYTHON=python3.11           the Python to build it on (the first fit of the PATH)
## KEY=survey.n                what to trace
## ID=name@example.org         whom to withdraw; UNSEEN=1 for somebody who is not stored yet
## REPO=../project             git repository of which to make the page of KPIs
## EVENTS=events.jsonl         event log, table or folder of exports instead of it
## KPIS='--rules devlake'      options of the page: python -m analysis kpi --help
## CORPUS=folder               texts and PDFs of the documents that were coded
## SEGMENT=T0001               passage to print from them
## WANDB_MODE=offline|online   where tracked runs go (offline)

# Said before any work begins.
ifneq ($(filter trace,$(MAKECMDGOALS)),)
ifeq ($(KEY),)
$(error trace needs the key of a number, for example: make trace KEY=survey.n)
endif
endif
ifneq ($(filter kpis,$(MAKECMDGOALS)),)
ifeq ($(REPO)$(EVENTS),)
$(error kpis needs what to read, for example: make kpis REPO=../my-project, or make kpis EVENTS=events.jsonl)
endif
ifneq ($(if $(REPO),$(EVENTS)),)
$(error kpis reads one source at a time: give REPO or EVENTS, not both)
endif
endif
ifneq ($(filter corpus,$(MAKECMDGOALS)),)
ifeq ($(CORPUS),)
$(error corpus needs the folder of your texts, for example: make corpus CORPUS=../texts)
endif
endif
ifneq ($(filter withdraw,$(MAKECMDGOALS)),)
ifeq ($(ID),)
$(error withdraw needs to know whom, for example: make withdraw ID=name@example.org)
endif
endif
PARAMETERS := notebooks/profiles/$(PROFILE).yaml
ifneq ($(filter report notebooks experiment record,$(MAKECMDGOALS)),)
ifeq ($(wildcard $(PARAMETERS)),)
$(error there is no profile '$(PROFILE)'; PROFILE is one of: $(sort $(basename $(notdir $(wildcard notebooks/profiles/*.yaml)))) (or write notebooks/profiles/$(PROFILE).yaml))
endif
ifeq ($(filter auto quarto offline,$(ENGINE)),)
$(error there is no engine '$(ENGINE)'; ENGINE is one of: auto quarto offline)
endif
endif

# ---- environment -----------------------------------------------------------------------------

setup: $(READY) ## Make the virtual environment (other targets do it themselves)
	@echo "$(VENV) is ready"

# By content, not by time: a moved clone or another lock makes a new environment, a fresh checkout does not.
NEEDS_VENV := $(filter-out help lock clean distclean,$(MAKECMDGOALS))
ifneq ($(NEEDS_VENV),)
ifneq ($(shell VENV='$(VENV)' sh env/setup.sh --check && echo ready),ready)
$(READY): FORCE
endif
endif

$(READY):
	@VENV='$(VENV)' sh env/setup.sh

lock: ## Pin all packages again after a change of env/requirements.txt (network)
	@sh env/lock.sh

# ---- the report: results, then chapters ------------------------------------------------------

# deps.mk gives RESULTS, the results.json of every notebook of the report, and what each depends on. It is
# looked after at every run (a tenth of a second), and only written, which restarts make, when it changes.
DEPS := $(BUILD)/deps.mk
ifneq ($(filter report notebooks accept $(BUILD)/%,$(MAKECMDGOALS)),)
-include $(DEPS)
endif
EXECUTED := $(patsubst $(BUILD)/results/%/results.json,$(BUILD)/notebooks/%.ipynb,$(RESULTS))
SOURCES := $(filter-out report/_variables.yml report/thesis.typ,$(wildcard report/chapters/*.qmd report/images/* \
	$(addprefix report/*.,qmd yml bib csl typ css scss lua svg png jpg)))
DICTIONARY := $(BUILD)/generated/_data_dictionary.qmd
RENDERER := $(wildcard analysis/__main__.py analysis/base/*.py analysis/reporting/*.py)

report: $(BUILD)/thesis.pdf $(BUILD)/thesis.html report/_variables.yml ## Run what changed and render the thesis, PDF and HTML
	@echo "up to date: $(BUILD)/thesis.pdf and $(BUILD)/thesis.html"

notebooks: $(RESULTS) $(EXECUTED) | $(DEPS) ## Run the notebooks whose code, data or parameters changed
	@echo "up to date: $(BUILD)/notebooks and $(BUILD)/results"

# Writes text into the target, and leaves the file and its time alone where it already says so.
note = mkdir -p $(@D) && { printf '%s\n' '$(1)' | cmp -s - $@ || printf '%s\n' '$(1)' >$@; }
# For the second file of a recipe that makes two: make it again only if someone removed it.
unless_there = { test -f $@ || $(1); } && touch $@

$(BUILD)/.profile: FORCE
	@$(call note,$(PROFILE))

$(BUILD)/.rendered-from: FORCE
	@$(call note,$(ENGINE) $(sort $(SOURCES) $(RESULTS)))

$(DEPS): FORCE | $(READY)
	@$(PY) -m analysis deps $@

# Written with deps.mk; missing only where `make clean report` has just removed both.
$(BUILD)/depends/%.json:
	@$(PY) -m analysis deps $(DEPS)

RUN = $(PY) -m analysis run $* --profile $(PROFILE)

$(BUILD)/results/%/results.json: notebooks/%.ipynb $(BUILD)/.profile $(PARAMETERS) env/requirements.lock | $(READY) $(DEPS)
	@$(RUN)

$(BUILD)/notebooks/%.ipynb: $(BUILD)/results/%/results.json
	@$(call unless_there,$(RUN))

$(DICTIONARY): $(wildcard analysis/base/schemas/*.py analysis/survey/forms.py data/survey/practitioners.yaml \
	analysis/requirements/form.py analysis/requirements/page.py data/requirements/*.csv) \
	analysis/base/markdown.py analysis/reporting/appendix.py | $(READY)
	@$(PY) -m analysis dictionary

RENDER = $(PY) -m analysis render --engine $(ENGINE)

$(BUILD)/thesis.pdf: $(RESULTS) $(EXECUTED) $(SOURCES) $(DICTIONARY) $(RENDERER) $(BUILD)/.rendered-from \
	| $(READY) $(DEPS)
	@$(RENDER)

$(BUILD)/thesis.html: $(BUILD)/thesis.pdf
	@$(call unless_there,$(RENDER))

report/_variables.yml: $(BUILD)/thesis.html
	@$(call unless_there,$(RENDER))

trace: $(READY) ## From a number in the thesis back to its data rows: make trace KEY=survey.n
	@$(PY) -m analysis trace '$(KEY)'

# The results are removed first: a verdict is on a run that the reviewer has seen happen.
verify: $(READY) ## Run all notebooks again and grade each number against report/reference/numbers.csv
	@rm -rf $(BUILD)/results
	@$(MAKE) --no-print-directory notebooks PROFILE=$(PROFILE)
	@$(PY) -m analysis verify

accept: notebooks ## Make the current numbers the reference; review its diff, then commit it
	@$(PY) -m analysis accept

# ---- key figures of any project ----------------------------------------------------------------

kpis: $(READY) ## One page of delivery metrics, HTML and PDF, on any project: make kpis REPO=path or EVENTS=file
	@$(PY) -m analysis kpi '$(or $(REPO),$(EVENTS))' $(if $(REPO),--kind git )--format page $(KPIS)

# ---- texts behind the coding -------------------------------------------------------------------

corpus: $(READY) ## Are your texts those that were coded, and what does a passage say: make corpus CORPUS=folder
	@$(PY) -m analysis corpus '$(CORPUS)' $(addprefix --segment ,$(SEGMENT))

# ---- answers of people ---------------------------------------------------------------------------

# Stored answers and withdrawals lie outside data/, which git would keep; the survey's results follow them all the same.
$(BUILD)/results/02_survey/results.json: $(wildcard private/survey/*.csv)

# Through the environment: an address may hold what a shell or make would take for its own.
withdraw: export WITHDRAW_ID := $(ID)
withdraw: $(READY) ## Remove a participant from all stored answers, and rebuild: make withdraw ID=…
	@$(PY) -m analysis withdraw "$$WITHDRAW_ID" $(if $(UNSEEN),--unseen)
	@$(MAKE) --no-print-directory report

# ---- the experiment ---------------------------------------------------------------------------

# A step of its own, so that its progress is seen; the notebook then finds the run complete. The command itself
# knows what is complete, so that a changed comment makes it look, not train.
EXPERIMENT := $(BUILD)/experiment/$(PROFILE).run
EXPERIMENT_SOURCES := $(wildcard analysis/base/*.py analysis/experiment/*.py data/experiment/*.yaml \
	$(addprefix analysis/experiment/project/,*.yaml *.toml inspection/*.py tests/*.py))

$(EXPERIMENT): $(EXPERIMENT_SOURCES) $(PARAMETERS) env/requirements.lock | $(READY)
	@$(PY) -m analysis experiment --profile $(PROFILE) --note $@

$(BUILD)/results/03_experiment/results.json: $(EXPERIMENT)

experiment: $(READY) ## Play every arm on every seed, live; goes on where it was stopped
	@$(PY) -m analysis experiment --profile $(PROFILE) --note $(EXPERIMENT)

record: $(READY) ## Store a run of the experiment under data/experiment/recorded (runs it first where needed)
	@$(PY) -m analysis experiment --profile $(PROFILE) --note $(EXPERIMENT) --record

wandb-check: $(READY) ## Hold what W&B has against the local record
	@$(PY) -m analysis reconcile

wandb-sync: $(READY) ## Upload the tracked runs to W&B (needs a login there)
	@$(PY) -m analysis wandb-sync

# ---- working on it ---------------------------------------------------------------------------

# Jupyter refuses root unless told; in a container there is often nobody else.
lab: $(READY) ## Open JupyterLab at the guided tour, with the project's kernel
	@$(PY) -m jupyterlab notebooks/00_start_here.ipynb $(if $(filter 0,$(shell id -u)),--allow-root)

# Two processes, and each file in one of them: many tests wait (for a server, a kernel, a killed child) more than
# they compute. In the order of tests/conftest.py, not with the files of most tests first.
test: $(READY) ## Run all tests
	@$(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder

bench: $(READY) ## Measure the workbench beside named alternatives: rendering, notebooks, training, serving, images
	@$(PY) -m pytest tests/benchmarks --benchmark-only --benchmark-columns=min,median,max,rounds

lint: $(READY) ## Check style, spelling, and that notebooks hold no outputs
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m codespell_lib
	@$(PY) -m nbstripout --verify --keep-id notebooks/*.ipynb

# ---- tidying ---------------------------------------------------------------------------------

# `make clean report` is one after the other, whatever -j says. report/build itself stays: it may be a mount.
ifneq ($(filter clean distclean,$(MAKECMDGOALS)),)
.NOTPARALLEL:
endif

# The experiment's work is hours of training in the larger profiles: only distclean removes it.
clean: ## Remove everything built, except the virtual environment and the experiment's work
	@if [ -d $(BUILD) ]; then find $(BUILD)/ -mindepth 1 -maxdepth 1 ! -name experiment -exec rm -rf {} +; fi
	@rm -rf report/_variables.yml report/thesis.pdf report/thesis.html report/thesis_files report/.quarto
	@rm -rf .pytest_cache .ruff_cache .hypothesis .benchmarks
	@find . \( -path ./.git -o -path ./.venv \) -prune -o -name __pycache__ -prune -exec rm -rf {} +

distclean: clean ## Remove the virtual environment and the experiment's work too
	@rm -rf $(BUILD)/experiment
	@if [ -f '$(VENV)/.setup' ]; then rm -rf '$(VENV)'; fi
