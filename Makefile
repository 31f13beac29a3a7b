# Everything a developer runs. `make run` and `make test` need only Python ≥ 3.11 and git.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: install run test check format bench

install: $(VENV)/.installed

$(VENV)/.installed: uv.lock pyproject.toml
	@command -v uv >/dev/null 2>&1 || [ -x $(VENV)-uv/bin/uv ] || { $(PYTHON) -m venv $(VENV)-uv && $(VENV)-uv/bin/pip install --quiet uv; }
	@uv=$$(command -v uv || echo $(VENV)-uv/bin/uv); $$uv sync --quiet --frozen --python $(PYTHON)
	@touch $@

run: install
	@exec $(BIN)/aos serve

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy src tests migrations
	$(BIN)/lint-imports

test: check
	$(BIN)/pytest -q

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
