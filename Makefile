# Everything a person or a CI job types. `make help` lists it.
# The two commands that matter, `make run` and `make test`, do their own set-up.

VENV     := .venv
PYTHON   := $(VENV)/bin/python
# Each file of tests is one worker's.
PYTEST    = $(PYTHON) -m pytest -n auto --maxprocesses 8 --dist loadfile --no-loadscope-reorder \
	--durations 40 --durations-min 10
SUDO     := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

# What a Debian 12 machine needs beyond python3, git, make and gcc.
PACKAGES := python3-venv bubblewrap libc6-dev \
	flex bison bc libelf-dev libssl-dev perl rsync xz-utils ccache kmod sparse \
	qemu-system-x86 busybox-static dropbear-bin openssh-sftp-server openssh-client \
	apt-utils gnupg procps
# What the project's own tests need besides: the page of a report is looked at in a browser, the history kept in a server.
TEST_PACKAGES := chromium postgresql systemd

ARGS     ?=

# The tests start wpci a thousand times: without this each start would compile all of it.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup packages run list doctor check lint types unit test test-nightly test-kvm test-slurm man clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: setup ## build, boot and test base and patched as pipeline.yaml says (ARGS='--mode full' …)
	@$(VENV)/bin/wpci run $(ARGS)

list: setup ## say what a run would do
	@$(VENV)/bin/wpci list $(ARGS)

doctor: setup ## say what this machine has and lacks
	@$(VENV)/bin/wpci doctor

test: PACKAGES += $(TEST_PACKAGES)
test: setup lint types ## every test ring: lint, types, unit, stage, and boot (real kernels under QEMU)
	$(PYTEST) -m 'not nightly' tests

test-nightly: PACKAGES += $(TEST_PACKAGES)
test-nightly: setup ## the tests that take too long for each change
	$(PYTEST) -m nightly tests

test-kvm: setup ## the path through KVM, on a KVM that QEMU emulates: for machines that have none
	$(PYTHON) -m pytest -s tests/kvm

test-slurm: PACKAGES += slurmctld slurmd slurm-client
test-slurm: setup ## a night through Slurm: its daemons on this machine, two nodes, dask-jobqueue
	$(PYTHON) -m pytest tests/slurm

check: $(VENV)/.ready lint types unit ## the fast gate before each commit: seconds, no guest

lint: $(VENV)/.ready
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

types: $(VENV)/.ready
	$(VENV)/bin/mypy

unit: $(VENV)/.ready
	$(PYTEST) tests/unit

setup: packages $(VENV)/.ready ## install the Debian packages that are missing, and the Python package

packages:
	@missing=$$(for p in $(PACKAGES); do \
		dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || echo $$p; done); \
	if [ -n "$$missing" ]; then \
		echo "installing Debian packages:" $$missing; \
		$(SUDO) apt-get -qq update && \
		$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $$missing >/dev/null; \
	fi

$(VENV)/.ready: pyproject.toml constraints.txt
	@command -v python3 >/dev/null || { echo "python3 is missing" >&2; exit 3; }
	@[ -x $(PYTHON) ] || python3 -m venv $(VENV) 2>/dev/null || { $(MAKE) -s packages && python3 -m venv $(VENV); }
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

man: $(VENV)/.ready ## write the manual page that the wheel brings, from the help
	$(VENV)/bin/wpci --man > docs/wpci.1

clean: ## remove the virtual environment and results (the cache: wpci clean)
	rm -rf $(VENV) results
