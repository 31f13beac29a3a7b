# Everything a developer runs. Needs Python 3.11 or newer and git, `test` also npm (Node 20 or newer);
# nothing is installed outside this folder. Another interpreter: make PYTHON=python3.12 run

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := .venv-uv/uv
UV_VERSION := 0.13.8
# The interpreter is the one named above: uv must not fetch another.
export UV_PYTHON_DOWNLOADS := never
# Networks that look into TLS have their certificate in the system's store.
ifneq ($(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem),)
export UV_SYSTEM_CERTS ?= true
endif

.PHONY: run test check format reference bench install

run: $(VENV)/.runnable
	@exec $(BIN)/aos serve

test: check
	$(BIN)/pytest -q

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy src tests migrations
	$(BIN)/lint-imports

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

reference: install
	$(BIN)/python docs/reference/generate.py

bench: install
	$(BIN)/python bench/run.py

install: $(VENV)/.installed

# What running needs; `--inexact` leaves a developer's tools where they are.
$(VENV)/.runnable: uv.lock pyproject.toml $(UV)
	@$(UV) sync --quiet --frozen --no-dev --inexact --python $(PYTHON)
	@touch $@

$(VENV)/.installed: uv.lock pyproject.toml $(UV)
	@$(UV) sync --quiet --frozen --python $(PYTHON)
	@touch $@ $(VENV)/.runnable

# A uv of this project's own, from the first of: the one on PATH, pip in a virtual environment, pip
# alone (Debian and Ubuntu split venv from python3).
$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "AOS needs Python 3.11 or newer, and '$(PYTHON)' is not: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; \
	  exit 1; }
	@mkdir -p $(@D)
	@if command -v uv >/dev/null 2>&1; then \
	  ln -sf "$$(command -v uv)" $@; \
	elif $(PYTHON) -m venv $(@D)/bootstrap >/dev/null 2>&1; then \
	  $(@D)/bootstrap/bin/pip install --quiet --disable-pip-version-check --root-user-action ignore uv==$(UV_VERSION) && \
	  ln -sf bootstrap/bin/uv $@; \
	elif $(PYTHON) -m pip --version >/dev/null 2>&1; then \
	  rm -rf $(@D)/bootstrap && \
	  $(PYTHON) -m pip install --quiet --disable-pip-version-check --root-user-action ignore --target $(@D)/bootstrap uv==$(UV_VERSION) && \
	  ln -sf bootstrap/bin/uv $@; \
	else \
	  echo "AOS installs itself with uv, and there is neither uv nor venv nor pip here." >&2; \
	  echo "Debian, Ubuntu: sudo apt install python3-venv; elsewhere: put uv on the PATH." >&2; \
	  exit 1; \
	fi
