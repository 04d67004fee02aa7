# Every target does its own set-up: `make demo` and `make test` work on a fresh machine with Python >= 3.11.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DATA ?= ../shared/data
OUT ?= out

PICTURES ?= $(OUT)/pictures

.PHONY: demo test check slow bench reader encoder encoder-photo study-ptb-xl study-encoder clean help
.DEFAULT_GOAL := help

help:
	@echo "make demo          simulate, pretrain, compare; writes demo/report.html (minutes)"
	@echo "make test          ruff, mypy, import contract and the default tests"
	@echo "make slow          the minutes-long tests"
	@echo "make bench         benchmarks: drawing against ecg_plot, simulation, training, ingestion against wfdb"
	@echo "make reader        train the networks that read photographs, into OUT/reader (hours; resumes)"
	@echo "make encoder       pretrain the encoder 'heartprint', into OUT/encoder (hours; resumes)"
	@echo "make encoder-photo pretrain the encoder 'heartprint-photo' on its patients (hours; resumes)"
	@echo "make study-ptb-xl  the study on PTB-XL's folder DATA/ptb-xl (about half an hour)"
	@echo "make study-encoder the shipped encoder on PTB-XL's folder DATA/ptb-xl (hours: SimCLR is trained as long as it was)"

$(VENV)/installed: pyproject.toml
	@echo "Installing Heartprint into $(VENV) (about 6 GB, mostly torch; some minutes) ..."
	@$(PYTHON) -c 'import sys; sys.exit("Heartprint needs Python 3.11 or newer; name one: make PYTHON=python3.11 ..." if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

demo: $(VENV)/installed
	$(BIN)/heartprint demo --out demo

# Two processes, each with one thread for numbers: what two cores can do at once.
test: check
	OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive $(BIN)/python -m pytest -n 2 --dist loadfile

check: $(VENV)/installed-dev
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/mypy
	$(BIN)/lint-imports

slow: $(VENV)/installed-dev
	$(BIN)/python -m pytest -m slow

bench: $(VENV)/installed-dev
	$(BIN)/python benchmarks/drawing.py
	$(BIN)/python benchmarks/simulation.py
	$(BIN)/python benchmarks/embedding.py
	$(BIN)/python benchmarks/pretraining.py
	$(BIN)/python benchmarks/large_cohort.py
	$(BIN)/python benchmarks/duplicates.py
	$(BIN)/python benchmarks/ingestion.py --data $(DATA)

# Real pictures that are no ECG come from Debian packages; `make PICTURES= reader` does without them.
reader: $(VENV)/installed
	@test -z "$(PICTURES)" || test -d $(PICTURES)/training || $(BIN)/python benchmarks/gather_pictures.py $(PICTURES)
	@test -f $(OUT)/reader/patients/cohort.json || \
		$(BIN)/heartprint simulate $(OUT)/reader/patients --patients 4000 --hospital cardiology --rate 100 --seed 20261129
	$(BIN)/python -m heartprint.reading.learning configs/reading/finder.yaml $(OUT)/reader/patients $(OUT)/reader/finder \
		$(if $(PICTURES),--pictures $(PICTURES)/training)
	$(BIN)/python -m heartprint.reading.learning configs/reading/reader.yaml $(OUT)/reader/patients $(OUT)/reader/sheets \
		$(if $(PICTURES),--pictures $(PICTURES)/training) --init $(OUT)/reader/finder/finder.safetensors
	$(BIN)/python -m heartprint.reading.learning configs/reading/strips.yaml $(OUT)/reader/patients $(OUT)/reader/strips \
		$(if $(PICTURES),--pictures $(PICTURES)/training)

encoder: $(VENV)/installed
	@test -f $(OUT)/encoder/patients/cohort.json || \
		$(BIN)/heartprint simulate $(OUT)/encoder/patients --patients 20000 --hospital cardiology --seed 5081971
	$(BIN)/heartprint pretrain $(OUT)/encoder/patients --config configs/pretraining/encoder.yaml --out $(OUT)/encoder/run --resume
	$(BIN)/heartprint export $(OUT)/encoder/run $(OUT)/encoder/shipped --half --card docs/encoder-card.md

encoder-photo: encoder
	$(BIN)/heartprint pretrain $(OUT)/encoder/patients --config configs/pretraining/encoder-wide.yaml --out $(OUT)/encoder-wide --resume
	$(BIN)/heartprint pretrain $(OUT)/encoder/patients --config configs/pretraining/encoder-photo.yaml --out $(OUT)/encoder-photo --resume \
		-o init=$(OUT)/encoder-wide
	$(BIN)/heartprint pretrain $(OUT)/encoder/patients --config configs/pretraining/encoder-photo-layouts.yaml \
		--out $(OUT)/encoder-photo-layouts --resume -o init=$(OUT)/encoder-photo
	$(BIN)/heartprint export $(OUT)/encoder-photo-layouts $(OUT)/encoder/shipped-photo --half --card docs/encoder-photo-card.md

study-ptb-xl: $(VENV)/installed
	$(BIN)/heartprint ingest ptb-xl $(DATA)/ptb-xl $(OUT)/ptb-xl
	$(BIN)/heartprint study configs/ptb-xl-subset.yaml --out $(OUT)/ptb-xl-study -o cohorts.ptb_xl.path=$(OUT)/ptb-xl

study-encoder: $(VENV)/installed
	@test -f $(OUT)/ptb-xl/cohort.json || $(BIN)/heartprint ingest ptb-xl $(DATA)/ptb-xl $(OUT)/ptb-xl
	$(BIN)/heartprint study configs/encoders-ptb-xl.yaml --out $(OUT)/encoders-ptb-xl -o cohorts.ptb_xl.path=$(OUT)/ptb-xl

clean:
	rm -rf $(VENV) build dist demo $(OUT)
