# Every target works on a fresh machine with Go, make and a C compiler (the race detector needs the latter).
GO       ?= go
PKG      := ./... ./.ci/arm64 ./.ci/rivals
FUZZTIME ?= 20000x
KILLS    ?= 10
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOFUMPT     := mvdan.cc/gofumpt@v0.12.0
QEMU        ?= qemu-aarch64-static
# Packages in which nothing runs at the same time as anything else.
SERIAL_PKG := /datasets/loader /datasets/score /harness/search /harness/store/bundle /kernels/gen /reports/page /reports/plot /reports/profile /reports/stat
# Packages whose arithmetic differs by architecture, and the arm64 cores as which all of them are tested; as the
# others only the kernels are.
ARCH_PKG    := ./kernels/... ./runners/engine/... ./runners/model/... ./runners/tokenizer/...
ARM64_WHOLE ?= cortex-a72 cortex-a76 max

export CGO_ENABLED = 0

.PHONY: build test lint vet-cross test-noasm test-race test-arm64 arm64-quality fuzz browser bench bench-rivals e2e e2e-boards e2e-faults e2e-gate e2e-lab e2e-scale e2e-stat generate golden builtin-model clinc150-model

build: ## harness and runner into bin/
	$(GO) build -trimpath -o bin/harness ./harness
	$(GO) build -trimpath -o bin/runner ./runners/runner

test: ## every unit test
	$(GO) test $(TEST_FLAGS) -timeout 10m $(PKG)

lint: ## formatting, vet, staticcheck
	@out=$$($(GO) run $(GOFUMPT) -l $$(git ls-files "*.go")); test -z "$$out" || { echo "gofumpt would change:"; echo "$$out"; exit 1; }
	$(GO) vet $(PKG)
	$(GO) vet -tags e2e,browser $(PKG)
	$(GO) run $(STATICCHECK) $(PKG)

vet-cross: ## every platform that a board or a laptop may have
	GOOS=linux GOARCH=arm64 $(GO) vet $(PKG)
	GOOS=linux GOARCH=amd64 $(GO) vet -tags noasm $(PKG)
	GOOS=darwin GOARCH=arm64 $(GO) build ./...

test-noasm: ## without a line of assembly
	$(GO) test -tags noasm -timeout 15m $(ARCH_PKG)

test-race: ## the concurrent packages under the race detector
	CGO_ENABLED=1 $(GO) test -race -short -timeout 20m $$($(GO) list ./... | grep -v $(SERIAL_PKG:%=-e %$$))

test-arm64: ## the arm64 code under user-mode emulation, three generations of cores (ARM64_WHOLE=cortex-a76: of the others the kernels alone)
	@printf '%s\n' cortex-a76 max cortex-a72 | xargs -P 2 -I CPU sh -c ' \
	  case " $(ARM64_WHOLE) " in *" CPU "*) pkg="$(ARCH_PKG)";; *) pkg=./kernels/...;; esac; \
	  echo "== CPU: begins"; out=$$(GOARCH=arm64 $(GO) test -short -timeout 25m -exec "$(QEMU) -cpu CPU" $$pkg 2>&1); rc=$$?; \
	  printf "== CPU\n%s\n" "$$out"; exit $$rc'

arm64-quality: ## instructions per multiply-accumulate of the arm64 kernels beside gcc's; fails where ours takes more
	$(GO) run ./.ci/arm64

fuzz: ## a few seconds of every fuzz target
	@set -e; for pkg in $$(grep -rl --include='*_test.go' 'func Fuzz' . | xargs -n1 dirname | sort -u); do \
	  for f in $$(grep -ho 'func Fuzz[A-Za-z0-9_]*' $$pkg/*_test.go | sed 's/func //'); do \
	    echo "== $$pkg $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 200x $$pkg; done; done

browser: ## the report in headless Chromium: no console error, no request
	$(GO) test -tags browser -run Browser -timeout 5m ./harness/... ./reports/...

bench: ## kernels and engine
	$(GO) test -run '^$$' -bench . -benchtime 200ms ./kernels/... ./runners/engine/...

bench-rivals: build ## ours beside llama.cpp on the same files; needs npm and the network (docs/rivals.md)
	$(GO) run ./.ci/rivals $(RIVAL_FLAGS)

e2e: ## random kills of controller and runner, here and on a virtual board (KILLS=50 for the long version); a noisy neighbour
	$(GO) test -tags e2e -run NoisyNeighbour ./kernels
	KILLS=$(KILLS) $(GO) test -tags e2e -run 'Kill(WithABoard)?$$' -timeout 40m ./harness/...

e2e-boards: ## five virtual boards over SSH in one sweep, store and report in OUT (default a folder that is printed); runners of every build; a meter calibrated
	OUT=$(abspath $(OUT)) $(GO) test -tags e2e -run 'TestBoards$$|TestTheRunnerOfEveryBuild$$|TestCalibrateAPi4$$' -count=1 -v -timeout 15m ./harness

e2e-faults: ## every fault of a virtual board in every phase of a trial; stores and table in OUT (UPDATE=1: docs/boards-faults.md too)
	OUT=$(OUT) $(GO) test -tags e2e -run 'TestFaultMatrix$$' -count=1 -parallel 3 -timeout 20m ./harness $(if $(UPDATE),-update)

e2e-gate: ## a slowed kernel among 16 commits: found, attributed, bisected (an hour on a quiet machine)
	$(GO) test -tags e2e -run 'TestPlantedRegression$$' -count=1 -v -timeout 60m ./harness

e2e-lab: ## ten thousand jobs on 32 boards with kills, restarts and cut links; SQLite with two controllers (LAB_JOBS=N for fewer)
	$(GO) test -tags e2e -run 'TestLab(SQLite)?$$' -count=1 -v -timeout 45m ./harness

e2e-scale: ## ten million samples in both databases
	$(GO) test ./harness -run 'TestScale$$' -count=1 -v -timeout 20m -args -scale 10000000

e2e-stat: ## coverage of every estimator and planted regressions, at full size (hours)
	$(GO) test -tags e2e -run 'TestCoverage$$|TestPlantedTruth' -count=1 -v -timeout 3h ./reports/stat

generate: ## committed generated assembly
	$(GO) generate ./kernels/...

golden: ## rewrite golden files of tests
	$(GO) test ./harness -run "Scripts|RunTable" -update
	$(GO) test ./datasets/builtin -run Card -update

builtin-model: ## train the built-in model from the committed recipe and seed (two cores: under an hour)
	$(GO) run ./harness train --dataset builtin --recipe robust --seed 1 --overwrite --out datasets/builtin/models/service-nano

clinc150-model: ## the same on CLINC150 (CC BY 3.0, Larson et al. 2019)
	$(GO) run ./harness train --dataset clinc150 --seed 1 --overwrite --out datasets/builtin/models/clinc150-nano
