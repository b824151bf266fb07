# make demo: set up everything and run the whole loop; make test: set up everything and pass the tests; make slow: the long checks.
VENV ?= .venv
PYTHON_VERSION ?= >=3.11
ifeq ($(OS),Windows_NT)
  BIN := $(VENV)/Scripts
else
  BIN := $(VENV)/bin
endif
# Threads beyond the cores only make small arrays slower, and tests less alike from machine to machine.
export OMP_NUM_THREADS ?= 2
# Tests run beside each other, in one process per core with a screen of its own (tests/conftest.py).
PYTEST := $(BIN)/python -m pytest -n auto --dist worksteal
test slow: export OMP_NUM_THREADS = 1

.PHONY: demo test slow lint environment system pictures clean

demo: $(VENV)/ready-demo
	$(BIN)/napari-hsisynth demo $(DEMO_FLAGS)

test: $(VENV)/ready-test system lint
	$(PYTEST) -m "not slow" $(PYTEST_FLAGS)

slow: $(VENV)/ready-test system
	$(PYTEST) -m slow $(PYTEST_FLAGS)

lint: $(VENV)/ready-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# One picture of each dock, for the README.
pictures: $(VENV)/ready-test system
	$(BIN)/python tests/with_display.py $(BIN)/python docs/make_pictures.py

$(VENV)/ready-test: pyproject.toml
	$(call make_environment,test)
$(VENV)/ready-demo: pyproject.toml
	$(call make_environment,train$(comma)gui)

comma := ,
# uv makes the environment; where it is missing, pip brings it from the package registry.
define make_environment
	@command -v uv >/dev/null 2>&1 || python3 -m uv --version >/dev/null 2>&1 || python3 -m pip install --quiet uv \
	  || python3 -m pip install --quiet --user --break-system-packages uv
	@UV=$$(command -v uv || echo "python3 -m uv"); \
	  { [ -d $(VENV) ] || $$UV venv --quiet --python "$(PYTHON_VERSION)" $(VENV); } \
	  && $$UV pip install --quiet --python $(VENV) -e ".[$(1)]"
	@touch $@
endef

system:
	@sh tests/install_system.sh

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
