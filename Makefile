# Every command of the project by its short name; what they do stands in tools/ and db/.
# Settings (`make run PORT=8081`) reach them as environment variables.
.DEFAULT_GOAL := help
.PHONY: help run migrate seed build test bench fuzz format lint clean
MAKEFLAGS += --no-print-directory

help: ## This list
	@sed -n 's/^##@ \(.*\)/\n\1/p; s/^\([a-z]*\):.*## \(.*\)/    make \1|\2/p' Makefile | sed 's/|/\t/' | expand -t 20

##@ Use
run: ## Install, build, fill a private PostgreSQL and serve on http://localhost:8080 (PORT, SEED_ROWS, DATABASE_URL)
	@tools/run
migrate: ## Make or update the table in DATABASE_URL (or in the private PostgreSQL)
	@tools/install client
	@tools/with-database db/migrate
seed: ## Fill it with SEED_ROWS users (default 10000), the same on every machine
	@tools/install client
	@tools/with-database db/seed/run

##@ Develop
build: ## Build the release: build/ringpost
	@tools/install build
	@tools/build release
test: ## Everything: both compilers, sanitizers, PostgreSQL, fuzzing, the README's commands; ends with totals
	@tools/test
bench: ## Measure parsers, JSON, rows, timers against other libraries
	@tools/install build test
	@tools/build release bench
fuzz: ## Fuzz each decoder for FUZZ_SECONDS (default 60)
	@tools/install build test
	@tools/fuzz
format: ## Format the C++ with clang-format
	@tools/install lint
	@tools/format
lint: ## clang-format, clang-tidy, shellcheck: say what is wrong, change nothing
	@tools/install build lint
	@tools/format --check
	@tools/lint

##@ Tidy
clean: ## Remove build folders, the private PostgreSQL and what the tests keep
	@db/cluster destroy
	@rm -rf build build-asan build-clang build-fuzz .private
