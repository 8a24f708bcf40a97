PYTHON ?= python3
BIN := .venv/bin

.PHONY: install demo demo-file test check bench clean

install: .venv/.installed  ## make .venv with the veilcast command

.venv/.installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --editable '.[dev]'
	@touch $@

demo: install  ## the whole platform with two streams to watch; DEMO_SECONDS=30 ends it by itself
	@$(BIN)/python -m examples.demo demo-out

demo-file: install  ## protect a rendered clip, prove that nothing shows, leave demo-out/ to look at
	@$(BIN)/python -m examples.file_demo demo-out

test: install  ## run every test
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

check: install  ## style, types and layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	@if command -v terraform >/dev/null; then terraform fmt -check -recursive infra/terraform; fi

bench: install  ## measure against the bare decode + encode floor
	$(BIN)/python -m benchmarks

clean:
	rm -rf .venv demo-out build dist
