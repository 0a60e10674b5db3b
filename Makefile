# Every command of the project by its short name; what they do stands in tools/ and db/.
# Settings (`make run PORT=8081`) reach them as environment variables.
.DEFAULT_GOAL := help
containers := loadtest/compose/containers
.PHONY: help compare crowd http-servers outages soak compare-stub run migrate seed build pgo test test-comparison bench instructions fuzz simulate format lint clean flamegraph flamegraph-tasks scale schemathesis
.PHONY: up down bench-all install deb reproducible cluster-test
MAKEFLAGS += --no-print-directory

help: ## This list
	@sed -n 's/^##@ \(.*\)/\n\1/p; s/^\([a-z%-]*\):.*## \(.*\)/    make \1|\2/p' Makefile | sed 's/|/\t/' | expand -t 26

##@ Use
run: ## Install, build, fill a private PostgreSQL and serve on http://localhost:8080 (PORT, SEED_ROWS, DATABASE_URL)
	@tools/run
migrate: ## Make or update the table in DATABASE_URL (or in the private PostgreSQL)
	@tools/install client
	@tools/with-database db/migrate
seed: ## Fill it with SEED_ROWS users (default 10000), the same on every machine
	@tools/install client
	@tools/with-database db/seed/run

install: ## Build the release and install it below PREFIX (default /usr/local; DESTDIR= for a tree elsewhere)
	@packaging/install-here
deb: ## Build .private/deb/ringpost_*.deb of this release of Debian or Ubuntu: program, unit, user, settings, man page, SBOM
	@packaging/build-deb

##@ Develop
build: ## Build the release: build/ringpost; with ARCH=x86-64-v3 for those CPUs: build-x86-64-v3/ringpost
	@tools/install build
	@ARCH=$(ARCH) tools/build release $(if $(ARCH),ringpost)
pgo: ## Build build-pgo/ringpost, laid out by a load over all routes (ARCH as above)
	@tools/install build run client load
	@ARCH=$(ARCH) tools/pgo
test: ## All of the server: both compilers, sanitizers, PostgreSQL, fuzzing, the README's commands; ends with totals
	@tools/test
test-comparison: ## The twins, k6's scripts, the harness, the report, and the containers where an engine answers
	@tools/install build run database test load browser
	@tools/build release
	@meson test -C build --no-rebuild --print-errorlogs --setup everything --suite loadtest --suite compose
bench: ## Measure parsers, JSON, rows, timers against other libraries
	@tools/install build test
	@tools/build bench bench
instructions: ## Instructions a request, by callgrind, against the figures in bench/instructions (UPDATE=1 writes them)
	@tools/install build test
	@tools/build release bench/instructions/instructions
	@bench/instructions/instructions_test.py build/bench/instructions/instructions $(if $(UPDATE),--update)
flamegraph: ## Where the server's CPU time goes: an SVG in loadtest/results (SCENARIO=light, heavy or mixed, SECONDS, CLIENTS, CONTAINER=1)
	@tools/flamegraph cpu $(if $(SECONDS),--seconds $(SECONDS))
flamegraph-tasks: ## The same by coroutines and who waits for them; and what they wait for, p50 and p99
	@tools/flamegraph tasks $(if $(SECONDS),--seconds $(SECONDS))
scale: ## Measure from 1 to 10,000 clients, small to large tables, idle to saturation, and draw it (ARGS=--quick, --minutes N, --help)
	@tools/scale $(ARGS)
crowd: ## p99 of a normal load, alone and beside 2,000 idle and 1,000 slow connections, in turn (ARGS=--help)
	@tools/install build database
	@tools/build release ringpost loadtest/generator/load_generator
	@bench/crowd.py $(ARGS)
http-servers: ## What ringpost, nginx and Go answer to the same bytes, as docs/http.md has it (ARGS=--update writes it there)
	@tools/install build
	@tools/build release ringpost
	@tests/integration/http_servers.py $(ARGS)
outages: ## What clients see of outages of PostgreSQL under 200 requests/s, as a table (ARGS="lock restart": those alone)
	@tools/install build database
	@tools/build release ringpost
	@tests/integration/outages.py $(ARGS)
soak: ## Half an hour of mixed load with restarts of PostgreSQL and hand-overs; memory and descriptors as a curve (ARGS="--seconds 60")
	@tools/install build database
	@tools/build release ringpost
	@tests/integration/soak.py $(ARGS)
schemathesis: ## What schemathesis finds in both services: requests by /openapi.json, right and wrong ones (EXAMPLES=n, SEED=n)
	@tools/install build database
	@tools/build release ringpost examples/links
	@LINKS=$(CURDIR)/build/examples/links $(if $(EXAMPLES),EXAMPLES=$(EXAMPLES)) $(if $(SEED),SEED=$(SEED)) tests/integration/schemathesis_test.py
fuzz: ## Fuzz each decoder for FUZZ_SECONDS (default 60)
	@tools/install build test
	@tools/fuzz
simulate: ## A shard in a simulated world: seeds for SECONDS (default 60), or SEED=n again (KIND=asan: with sanitizers)
	@tools/install build test
	@tools/simulate $(KIND) $(if $(SEED),--seed $(SEED)) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(CLIENTS),--clients $(CLIENTS)) \
	  $(if $(REQUESTS),--requests $(REQUESTS)) $(if $(FAULTS),--faults $(FAULTS)) $(if $(VERBOSE),--verbose $(VERBOSE))
format: ## Format the C++ with clang-format
	@tools/install lint
	@tools/format
lint: ## clang-format, clang-tidy, shellcheck: say what is wrong, change nothing
	@tools/install build lint
	@tools/format --check
	@tools/lint

reproducible: ## Build the release twice, in two folders, and compare the programs
	@tools/reproducible

##@ More than one machine
cluster-test: ## compose.cluster.yaml under load: what is killed, replaced or halts, as a table (RATE=200)
	@tests/cluster/cluster_test.py

##@ Compare
compare: ## All contenders under the rules of the comparison, with a report (ARGS=--quick, --full, --help)
	@tools/compare $(ARGS)
compare-stub: ## Each contender's own cost: against a stand-in for PostgreSQL, beside PostgreSQL (ARGS=--seconds N, --help)
	@tools/compare-stub $(ARGS)

##@ Containers (MODE=single or multi)
up: ## Build and start PostgreSQL and all contenders; says on which ports they are
	@$(containers) up
up-%: ## PostgreSQL and one contender, by its folder in loadtest/twins, -api or not: up-go, up-ringpost
	@$(containers) up $*
down: ## Stop and remove the containers; the database's volume stays
	@$(containers) down
logs-%: ## Follow a contender's log, or PostgreSQL's (logs-db)
	@$(containers) logs $*

##@ k6 against the containers (MODE=single or multi, SCENARIO='light heavy', or rate, mixed; PASSES)
bench-all: ## All contenders in turns, 3 passes (PASSES): tables in loadtest/results/summary-<mode>.txt
	@PASSES=$(or $(PASSES),3) $(containers) bench
bench-%: ## One contender, the others stopped: bench-go, bench-ringpost
	@$(containers) bench $*

##@ Tidy
clean: ## Remove containers with their volume, build folders, the private PostgreSQL; asks first, YES=1 does not
	@[ '$(YES)' = 1 ] || { printf 'Remove containers, the database in their volume, build folders, .private? [y/N] '; \
	  read -r answer && [ "$$answer" = y ]; } || { echo 'clean: nothing was removed (YES=1 does not ask)'; exit 1; }
	@$(containers) clean
	@db/cluster destroy
	@db/cluster destroy --dir .private/compare/pg
	@rm -rf build build-asan build-clang build-fuzz build-package build-pgo build-x86-64-v* .private
