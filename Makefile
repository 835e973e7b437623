# Set-up is part of every target: `make demo` and `make test` are all that a new machine needs.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
# What is installed is what was checked: each package with its hash, built by a build tool with its hash.
INSTALL := $(BIN)/python -m pip install -q --disable-pip-version-check
DATA   ?= data/shared
N      ?= 10000
OLDEST := build/oldest
RUNTIME := tests/resources/databricks_17_3_lts.txt
SEED   ?= 0
EXTRAS ?=

# Two processes, each with a Spark session of its own; a file's tests stay together, and the longest begin.
PARALLEL := -n 2 --dist loadfile --no-loadscope-reorder

# A JVM that lives for minutes spends a third of its time on compiling well what it then hardly runs, and a
# fifth on making room in a code cache that is small with that compiler alone.
QUICK_JVM := -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:ReservedCodeCacheSize=256m -Xms1g -Xmn384m
demo pictures test test-all test-oldest: export SPARK_SUBMIT_OPTS ?= $(QUICK_JVM)

# While pip works: how many packages it has looked at, on one line of a terminal or every half minute in a log.
define TELL_PACKAGES
all=$$(grep -c '==' conf/requirements.lock); told=0; \
while kill -0 $$pip 2>/dev/null; do \
	n=$$(grep -cE '^(Collecting|Ignoring|Requirement already)' $(VENV)/pip.log 2>/dev/null); \
	if grep -q '^Installing collected' $(VENV)/pip.log 2>/dev/null; then text="unpacking"; else text="$$n of $$all found or downloaded"; fi; \
	if [ -t 1 ]; then printf '\r          %-40s' "$$text"; \
	elif [ $$((told % 30)) -eq 29 ]; then echo "          $$text"; fi; \
	told=$$((told + 1)); sleep 1; \
done; \
if [ -t 1 ]; then printf '\r%50s\r' ''; fi
endef

.DEFAULT_GOAL := help
.PHONY: help demo web pictures test test-all test-oldest lint format results bench intervals recordings embeddings rhythm fuzz chaos lock wheel clean
.PHONY: check-java check-python notebooks docs site cluster-env

help: ## List the targets
	@grep -hE '^[a-z-]+:.*?## ' $(MAKEFILE_LIST) | awk -F ':.*?## ' '{printf "  make %-11s %s\n", $$1, $$2}'

demo: $(READY) ## Run the full pipeline, from a scraped page to a report, in a sandbox on this machine
	@./spark-submit.sh pipeline --conf conf/demo.toml
	@echo
	@echo "The demo is done. What to look at next:"
	@echo "  the report, in a browser    data/demo/report/index.html"
	@echo "  the map of its genres       data/demo/report/map.html"
	@echo "  a playlist of its songs     data/demo/playlists"
	@echo "  all of it as a site         make web, then http://127.0.0.1:8450/"
	@echo "  its tables, in SQL          ./spark-submit.sh query --conf conf/demo.toml \"SELECT * FROM leaderboard\""
	@echo "  the notebooks as pages      make notebooks, then data/notebooks"
	@echo "  your own music, first       ./spark-submit.sh check --conf conf/local.toml --set folder.path=/your/music"
	@echo "  and then                    ./spark-submit.sh pipeline --conf conf/local.toml --set folder.path=/your/music"

web: $(READY) ## Serve the demo's library as a site on this machine, until Control-C: after make demo
	@test -d data/demo/tables || { echo "There is no library yet: make demo first."; exit 1; }
	@test -e data/demo/site/current || ./spark-submit.sh publish_site --conf conf/demo.toml
	@PYTHONPATH=lib $(BIN)/python jobs/serve_web.py --conf conf/demo.toml

pictures: demo ## Draw the pictures in docs/images: the README's from the demo, the map's with DATA=folder of everynoise
	@mkdir -p docs/images
	@cp data/demo/report/leaderboard.svg docs/images/
	@$(BIN)/python benchmarks/web_pictures.py
	@test ! -d "$(DATA)/everynoise" || $(BIN)/python benchmarks/map_picture.py --data "$(DATA)/everynoise"

test: $(READY) ## Run the tests (about 13 minutes on two cores)
	@$(BIN)/python -m pytest $(PARALLEL) -m "not slow"

test-all: test ## Run the slow tests too, and the Spark tests on the oldest supported runtime
	@$(BIN)/python -m pytest -m slow
	@$(MAKE) test-oldest

test-oldest: ## Run the tests of Spark on the Spark, Delta and packages of the oldest Databricks runtime
	@test -x $(OLDEST)/bin/python || $(PYTHON) -m venv $(OLDEST)
	@grep -E '^(numpy|pandas|pyarrow|scikit-learn|scipy)==' $(RUNTIME) > $(OLDEST)/runtime.txt
	@$(OLDEST)/bin/python -m pip install -q --disable-pip-version-check -c $(OLDEST)/runtime.txt \
		"pyspark[connect]==4.0.0" "delta-spark==4.0.0" markdown-it-py pygments ".[sandbox]" \
		"deltalake>=1.0" "duckdb>=1.3" "hypothesis>=6.100" "pytest>=8.3" "pytest-timeout>=2.3" "pytest-xdist>=3.6"
	@$(OLDEST)/bin/python -m pip uninstall -q -y genreatlas # what runs is lib/
	@PYTHONPATH=lib $(OLDEST)/bin/python -m genreatlas.setup_jars > $(OLDEST)/jars.log 2>&1 || { tail -20 $(OLDEST)/jars.log; exit 1; }
	@PYTHONPATH=lib $(OLDEST)/bin/python -m pytest -m "not slow" tests/spark

lint: $(READY) ## ruff, import-linter and mypy
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports
	@$(BIN)/mypy

format: $(READY) ## Format the code by ruff
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

results: $(READY) ## Rebuild docs/results.md from real data: make results DATA=folder
	@$(BIN)/python benchmarks/results.py --data "$(DATA)"

bench: $(READY) ## Measure extraction against other programs: make bench DATA=folder
	@$(BIN)/python benchmarks/bench.py --data "$(DATA)"

intervals: $(READY) ## Simulate how often intervals hold, and write docs/intervals.md
	@$(BIN)/python benchmarks/intervals.py

recordings: $(READY) ## Measure how many planted copies of recordings are found, and write docs/recordings.md: make recordings DATA=folder
	@$(BIN)/python benchmarks/recordings.py --data "$(DATA)"

embeddings: $(READY) ## Convert the pretrained network musicnn to ONNX, below data/embeddings: docs/embeddings.md
	@$(BIN)/python -m genreatlas.audio.pretrained.musicnn

rhythm: $(READY) ## Evaluate beats, onsets, swing and key on composed songs, and write docs/rhythm.md
	@$(BIN)/python benchmarks/rhythm.py

fuzz: $(READY) ## Feed damaged sound files to import and extraction: make fuzz N=10000
	@$(BIN)/python tests/fuzz.py --files $(N) --seed $(SEED)

chaos: N := 20
chaos: $(READY) ## Kill the fan-out at random moments, and compare what it leaves: make chaos N=20
	@$(BIN)/python tests/end_to_end/chaos.py --kills $(N)

lock: $(READY) ## Resolve conf/requirements.lock again
	@$(BIN)/python -m pip install -q uv
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --extra local --extra deep --group dev --generate-hashes \
		--custom-compile-command "make lock" pyproject.toml -o conf/requirements.lock
	@$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"])' \
		| $(BIN)/uv pip compile -q --generate-hashes --custom-compile-command "make lock" - -o conf/build.lock
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --group site --generate-hashes \
		--custom-compile-command "make lock" -o conf/site.lock

notebooks: $(READY) ## Run the notebooks on the demo's library and leave their HTML in data/notebooks
	@$(BIN)/python -m genreatlas.notebook notebooks/*.py

docs: $(READY) ## Write docs/data_dictionary.md from the tables
	@$(BIN)/python -m genreatlas.dictionary > docs/data_dictionary.md

site: | check-python ## Build the documentation site into build/site; broken links are errors
	@test -x build/site-env/bin/mkdocs || { $(PYTHON) -m venv build/site-env && \
		build/site-env/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r conf/site.lock; }
	@NO_MKDOCS_2_WARNING=1 build/site-env/bin/mkdocs build -q
	@echo "The site: build/site/index.html"

cluster-env: $(READY) ## Pack Python packages for a cluster's workers into dist/cluster-env.tar.gz: EXTRAS=tags for tags
	@rm -rf build/cluster-env && $(BIN)/python -m venv build/cluster-env
	@grep -E '^[a-zA-Z0-9]' conf/requirements.lock | sed 's/ *\\$$//' > build/versions.txt # hashes fit no local folder
	@build/cluster-env/bin/python -m pip install -q --disable-pip-version-check -c build/versions.txt ".$(if $(EXTRAS),[$(EXTRAS)])"
	@# The code itself is sent along with each job, so the environment outlives changes of it.
	@build/cluster-env/bin/python -m pip uninstall -q -y genreatlas
	@mkdir -p dist && $(BIN)/venv-pack -q --force --prefix build/cluster-env --output dist/cluster-env.tar.gz
	@ls -lh dist/cluster-env.tar.gz | awk '{print $$9 ": " $$5}'

wheel: $(READY) ## Build the wheel into dist/
	@$(BIN)/python -m pip wheel -q --no-deps --no-build-isolation -w dist .

clean: ## Remove the environment, the demo and build outputs
	rm -rf $(VENV) data/demo build dist lib/*.egg-info spark-warehouse

$(READY): conf/requirements.lock conf/build.lock pyproject.toml | check-python check-java
	@echo "Setting up $(VENV): once, one to three minutes."
	@echo "  1 of 4: Python environment" && { test -x $(BIN)/python || $(PYTHON) -m venv $(VENV); }
	@echo "  2 of 4: Python packages"
	@$(INSTALL) --require-hashes -r conf/build.lock
	@$(subst -q ,,$(INSTALL)) --progress-bar off --require-hashes --no-build-isolation --use-pep517 \
		-r conf/requirements.lock > $(VENV)/pip.log 2>&1 & pip=$$!; $(TELL_PACKAGES); \
	wait $$pip || { tail -20 $(VENV)/pip.log; echo "The packages could not be installed; all of it: $(VENV)/pip.log"; exit 1; }
	@$(INSTALL) --no-deps --no-build-isolation -e .
	@echo "  3 of 4: Delta Lake for Spark"
	@$(BIN)/python -m genreatlas.setup_jars > $(VENV)/jars.log 2>&1 || { tail -20 $(VENV)/jars.log; exit 1; }
	@echo "  4 of 4: compiling audio code"
	@$(BIN)/python -c 'from genreatlas.audio.worker import warm_up; warm_up()' # leaves compiled code in numba's cache
	@touch $@

check-python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Genre Atlas needs Python 3.11 or later: install it, or say which to use: make PYTHON=/path/to/python3.12"; exit 1; }

check-java:
	@v=$$("$${JAVA_HOME:+$$JAVA_HOME/bin/}java" -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p'); \
	test "$${v:-0}" -ge 17 || { \
		echo "Genre Atlas needs Java 17 or later. Debian, Ubuntu: sudo apt-get install openjdk-17-jre-headless; macOS: brew install openjdk@17"; exit 1; }

.PHONY: conf
conf: $(READY) ## Write the defaults to conf/base.toml
	@{ echo "# Every key with its default, printed from lib/genreatlas/config by \`make conf\`; for reading."; \
	  echo; $(BIN)/python -c 'from genreatlas.config import Config, to_toml; print(to_toml(Config()), end="")'; } > conf/base.toml
