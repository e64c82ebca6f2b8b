# ai-scientist: `make run` and `make test` do everything on a fresh machine.
VENV   := .venv
READY  := $(VENV)/.ready
BIN    := $(VENV)/bin
SYSTEM := git bubblewrap chktex latexmk texlive-latex-base texlive-latex-recommended texlive-science  # later: Slurm, browser

.PHONY: help setup run demo test unit check system clean
help:       ## this list
	@grep -E '^[a-z]+: .*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## */  make \1\t/' | expand -t 16

setup: $(READY)  ## make .venv with everything in it (a suitable Python is looked for, or fetched with uv)

$(READY): pyproject.toml constraints.txt
	@bash tools/make-venv $(VENV)
	@echo "Installing (a few minutes the first time) ..."
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

run: $(READY)  ## a study of sparse autoencoders from its recorded session, from idea to paper.pdf, no key needed: results/
	$(BIN)/ai-scientist run ideas/adaptive_temporal.json

demo: $(READY)  ## the same for a toy problem, without a paper's worth of waiting: seconds
	$(BIN)/ai-scientist run tests/toy/ideas/iterate_averaging.json

test: $(READY)  ## all tests
	$(BIN)/python -m pytest

unit: $(READY)  ## the fast tests only: no whole studies, no launcher, no attacks, no HTTP
	$(BIN)/python -m pytest tests $(addprefix --ignore=tests/,stories runners hostile llm/test_client.py \
		llm/test_coder.py llm/test_fake_llm.py test_cli_models.py)

check: $(READY)  ## style, types, import layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

system:  ## Debian packages that optional parts use (needs root or sudo)
	@missing=$$(for p in $(SYSTEM); do dpkg -s $$p >/dev/null 2>&1 || echo $$p; done); \
	if [ -z "$$missing" ]; then echo "nothing to install"; exit 0; fi; \
	root=$$([ "$$(id -u)" = 0 ] || echo sudo); \
	$$root apt-get update -q && $$root apt-get install -q -y --no-install-recommends $$missing

clean:  ## remove .venv and caches; results stay
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis *.egg-info
