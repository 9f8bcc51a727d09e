# make demo: baseline against patched, idle and busy, verdict table and report.
# make demo BASE=6.12-amd64: the same on another base.
# make test: every check and test that needs no phone.
# make setup: what both need, done once; a second run finds it done.

PAIRS ?= 8
REPS ?= 1
# The same seed gives the same figures, to the last digit.
SEED ?= 1
BASE ?= 6.12-arm64
# A kernel built here needs less memory than Debian's: this leaves the apps as much as 256 MB there.
MEMORY_MB ?= 224
RESULTS ?= results/demo-$(BASE)-$(PAIRS)-pairs
PY := .venv/bin/python

.PHONY: setup demo test lint docs clean

setup:
	@setup/setup.sh

demo: setup
	@$(PY) -m pytest android_tests/test_app_switching.py --device=virtual \
	    --virtual-base $(BASE) --virtual-memory-mb $(MEMORY_MB) \
	    --variant baseline=built --variant patched=kcompressd --scenario idle,busy \
	    --pairs $(PAIRS) --reps $(REPS) --seed $(SEED) --results $(RESULTS) --fail-on none

# A file's tests share their boots, and guests in lock-step do not disturb each other.
test: setup lint
	@$(PY) -m pytest tests -n auto --dist loadfile --no-loadscope-reorder

lint:
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@.venv/bin/lint-imports --no-logo --no-cache

# The documentation as a site, in site/.
docs: setup
	@NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict --quiet

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis site
