# Everything a fresh machine needs: Python 3.10 or newer, git and make. PINS: versions other than the newest.
PYTHON ?= python3
BIN = .venv/bin
DEVICE = cpu
SPEED = step memory scaling
ifeq ($(DEVICE),cpu)
SPEED += data_path start watching sampling evaluation
endif

.PHONY: demo test test-fast test-extended lint lock bench measure matrix docs dist clean

demo: .venv/installed  ## train on the embedded Fashion-MNIST for at most five minutes, and show what it drew
	@rm -rf runs/demo
	@$(BIN)/lit-gan fit --config examples/configs/demo.yaml
	@$(BIN)/python examples/plot_value.py runs/demo/version_0
	@cp "$$(ls runs/demo/version_0/samples/*.png | tail -n 1)" runs/demo/samples.png
	@$(BIN)/lit-gan report runs/demo/version_0 --output runs/demo/report.html
	@echo "Open runs/demo/samples.png: what the generator draws. runs/demo/report.html: how the game went."

PYTEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

test: .venv/installed  ## run the tests, a process for each of up to four cores
	$(PYTEST) -m "not extended"

test-fast: .venv/installed  ## run those that take seconds: 8 minutes of a slow core
	$(PYTEST) -m "not extended and not slow"

test-extended: .venv/installed  ## run those that prove a thing once more, or take long
	$(PYTEST) -m "extended and not alone"
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m alone

lint: .venv/installed  ## style, types, layers (import-linter) and words
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/plain_words.py
	$(BIN)/python scripts/sizes.py

lock: .venv/installed  ## write the versions of CI's newest job
	@{ sed -n '/^#/p' .github/newest.txt; $(BIN)/python -m pip freeze --exclude-editable | grep -v ' @ ' | grep -viE '^(lightning-bolts|sweeps)=='; } > .github/newest.new
	@mv .github/newest.new .github/newest.txt

bench: .venv/installed  ## speed, side by side, in under 20 minutes; DEVICE=cuda: what there is to measure on a GPU
	@for part in $(SPEED); do echo; echo "$$part"; DEVICE=$(DEVICE) $(BIN)/python -m benchmarks.$$part || exit 1; done

measure: .venv/installed  ## what the metrics, tests and games are worth, in a quarter of an hour
	@for part in learned false_alarms corruptions manifold; do $(BIN)/python -m benchmarks.$$part || exit 1; done

matrix: .venv/installed  ## every game with every penalty, network, augmentation, precision, with and without labels
	$(BIN)/python -m tests.matrix

docs: .venv/installed  ## the pages and the API reference as a site, in site/; fails on a link that leads nowhere
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

dist: .venv/installed  ## build wheel and sdist, and check them as a user would use them, in an empty environment
	@rm -rf dist build
	@$(BIN)/python -m build --quiet
	@$(BIN)/python -m twine check --strict dist/*
	@$(PYTHON) -m venv build/empty
	@build/empty/bin/python -m pip install --quiet dist/*.whl
	@cd build && empty/bin/python -c "import lit_gan; print(lit_gan.__version__, lit_gan.__file__)"
	@cd build && empty/bin/lit-gan --help > /dev/null
	@rm -rf build
	@ls -l dist

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet $(PINS) --editable '.[dev]'
	$(BIN)/python -m pip install --quiet --no-deps lightning-bolts==0.7.0  # it asks for Lightning 1; tests/bolts needs it
	$(BIN)/python -m pip install --quiet --no-deps 'sweeps>=0.3'  # declares numpy<2, and works with later ones
	@touch $@

clean:
	rm -rf .venv runs build dist site .mypy_cache .pytest_cache .ruff_cache
