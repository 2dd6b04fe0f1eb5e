# PG_CONFIG chooses the PostgreSQL installation, 15 to 18: make test PG_CONFIG=/path/to/pg_config
PG_CONFIG ?= /usr/lib/postgresql/15/bin/pg_config
export PG_CONFIG

.PHONY: all help demo test test-python test-node test-rust-client test-java test-clients wheel build install uninstall installcheck package test-package lint docs docs-test explorer test-explorer bench microbench miri fuzz clean setup

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-20s %s\n", $$1, $$2 }'

demo: setup ## search 110,308 real codes on a private server
	@scripts/demo

test: setup ## unit tests, SQL regression tests, whole-cluster tests (with TESTS: only those, and SQL), on private servers
	@scripts/test $(TESTS)

test-python: setup ## the Python package in python/ and the Python code of the documentation (needs PyPI once)
	@scripts/test-python

test-node: setup ## the Node.js package in node/ and the JavaScript code of the documentation (needs npm once)
	@scripts/test-node

test-rust-client: setup ## the Rust crate for clients in crates/client (needs crates.io once, and libpq)
	@scripts/test-rust-client

test-java: setup ## the Java programs of the documentation (needs a JDK and the JDBC driver)
	@scripts/test-java

test-clients: test-python test-node test-rust-client test-java ## all four

wheel: setup ## the Python package as a wheel, in target/wheel-python
	@scripts/wheel

build: setup ## build the library
	@scripts/build

# What PGXN's client makes before it installs.
all: build

install: ## copy the build into the PostgreSQL that PG_CONFIG names, below DESTDIR (as root, without Rust)
	@scripts/install $(DESTDIR)

uninstall: ## remove it from there
	@scripts/uninstall $(DESTDIR)

installcheck: ## SQL regression tests on a running server (PGHOST, PGPORT, PGUSER)
	@scripts/pg-regress

package: setup ## Debian packages for the PostgreSQL that PG_CONFIG names, in target/deb
	@scripts/package

test-package: setup ## make the packages for PostgreSQL 15, and install and use one in a clean Debian (as root)
	@scripts/test-package

lint: setup ## rustfmt, layers, clippy, misuse that must not compile, shellcheck
	@scripts/lint

docs: ## check the links of the documentation and build its site, target/docs/index.html
	@scripts/docs

docs-test: setup ## run the SQL of README and docs/, and compare what they show (PAGES="FAQ pooler": only those)
	@scripts/docs-test $(PAGES)

explorer: setup ## a web page to search the demo's data, on a private server
	@scripts/explorer

test-explorer: setup ## click through it in headless Chromium
	@scripts/explorer --test

bench: setup ## measure speed and recall, compared with pgvector, FAISS and iscc-usearch (about an hour)
	@scripts/bench

microbench: setup ## measure the kernels of each instruction set
	@cargo bench --package iscc-metrics --bench kernels --bench dense

miri: setup ## the unit tests under Miri (nightly toolchain, some minutes)
	@scripts/miri

fuzz: setup ## each fuzzer for a minute (nightly toolchain, cargo-fuzz)
	@scripts/fuzz

clean: ## remove what was built
	@cargo clean

setup:
	@scripts/setup
