# Two commands on a fresh machine with python3 (3.11 or newer) and make: `make demo`, `make test`.
PYTHON ?= python3
BIN := .venv/bin
PYODIDE := 314.0.7
WHEELS = $(BIN)/python -m pip install -q --disable-pip-version-check --no-compile --target .wasm/site \
	--platform any --python-version 3.14 --only-binary=:all:
# Without bytecode on disk every process that a test starts compiles a hundred modules, and takes twice the time.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test clients rewritten lint lab bench fuzz mutants wasm build clean

demo: .venv/ready
	$(BIN)/portmap demo

# Side by side, as most tests wait. The lab apart, so that nothing disturbs what is measured there.
test: clients
	$(MAKE) -j2 lint rewritten
	$(BIN)/pytest -q -n auto --dist loadscope --durations 15 -m 'not lab'
	$(MAKE) lab

# UPnP libraries that the tests try on the simulated router, where they install: in an environment of their own.
clients: .clients/ready

.clients/ready: tests/simulator/clients.txt
	-$(PYTHON) -m venv .clients
	-.clients/bin/python -m pip install -q --disable-pip-version-check -r $< && touch $@

# pytest rewrites the asserts of each file of tests, once: else each of its processes would, in a fresh clone.
rewritten: .venv/ready
	-$(BIN)/pytest -q --collect-only >/dev/null

lint: .venv/ready
	$(BIN)/ruff format --check -q .
	$(BIN)/ruff check -q .
	$(BIN)/mypy

# Each test has namespaces of its own, and waits most of the time.
lab: .venv/ready
	$(BIN)/pytest -q -n 12 --dist load --maxschedchunk 1 --durations 15 -m lab tests/lab

bench: .venv/ready
	$(BIN)/python tests/bench/run.py --write

# A minute for each parser, or `make fuzz SECONDS=600`; guided by coverage where atheris installs.
fuzz: .venv/ready
	-$(BIN)/python -m pip install -q --disable-pip-version-check atheris
	$(BIN)/python -m tests.fuzz.long --seconds $(or $(SECONDS),60)

# Five faults in each module that decides, or `make mutants EACH=50 SEED=7`: the tests have to find them.
mutants: .venv/ready
	$(BIN)/python -m pip install -q --disable-pip-version-check cosmic-ray
	$(BIN)/python -m tests.mutants.run --each $(or $(EACH),5) --seed $(or $(SEED),1)

# The wheel on CPython 3.14 as built for WebAssembly, which npm installs: imports, and the tests of values.
wasm: .venv/ready
	rm -rf .wasm
	$(BIN)/python -m build -q --wheel --outdir .wasm/dist
	npm install --silent --no-package-lock --no-audit --no-fund --prefix .wasm pyodide@$(PYODIDE)
	$(WHEELS) -r tests/wasm/packages.txt
	$(WHEELS) --upgrade --no-deps .wasm/dist/*.whl
	cp tests/wasm/run.mjs .wasm/
	node .wasm/run.mjs .wasm/site . tests/wasm/imports_and_values.py

build: .venv/ready
	$(BIN)/python -m build --outdir dist

.venv/ready: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "portmap needs Python 3.11 or newer: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[dev]'
	touch $@

clean:
	rm -rf .venv .clients .wasm dist build
