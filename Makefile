# `make run` and `make test` need nothing but Python 3.11 or newer: they make a virtual environment in .venv, install
# hisf into it, and go.

PYTHON ?= python3
VENV   ?= .venv
PIP    := $(VENV)/bin/python -m pip --disable-pip-version-check
FILES  := setup.cfg pyproject.toml constraints.txt

.PHONY: run test sip lint docs example clean

run: $(VENV)/.installed
	$(VENV)/bin/hisf run parfiles/sdc2.par
	$(VENV)/bin/hisf score examples/output/sdc2_like_cat.xml examples/sdc2_like_truth.txt

test: $(VENV)/.installed-test
	$(VENV)/bin/python -m pytest --numprocesses 2 --dist loadfile

# the SoFiA Image Pipeline, in an environment of its own (600 MB), draws what hisf has found
sip: $(VENV)/.installed-test $(VENV)-sip/.installed
	HISF_SIP=$(VENV)-sip/bin/sofia_image_pipeline $(VENV)/bin/python -m pytest tests/test_sip.py

$(VENV)-sip/.installed:
	$(PYTHON) -m venv $(VENV)-sip
	$(VENV)-sip/bin/python -m pip --disable-pip-version-check install --quiet sofia-image-pipeline==1.4.0
	@touch $@

# the cube of the example, from its seed
example: $(VENV)/.installed
	$(VENV)/bin/hisf simulate examples/sdc2_like.fits --shape 100,100,96 --density 100 --min-snr 5 --seed 13 --overwrite

# the pages of the parameters, from their declarations
docs: $(VENV)/.installed
	$(VENV)/bin/python -c "from hisf.settings import PARAMETERS, as_markdown; print(end=as_markdown(PARAMETERS))" \
		> docs/parameters.md
	$(VENV)/bin/python -c "from hisf.settings.sofia1 import *; print(end=as_sofia1_page(OLD_PARAMETERS.values()))" \
		> docs/sofia1.md

lint: $(VENV)/.installed-dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python $(FILES)
	$(PIP) install --quiet --constraint constraints.txt --editable .
	$(VENV)/bin/python -m compileall -q hisf
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(PIP) install --quiet --constraint constraints.txt --editable '.[test]'
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed-test
	$(PIP) install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) $(VENV)-sip build dist *.egg-info
