# Everything is one command; `make` alone lists them.
#
# FUZZTIME   how long each fuzz target runs: 5s, with `make long` 30m
# E2E_COUNT  how often `make long` repeats the end-to-end tests
# XTOKEND_KILLS  how often logins are met by a kill or another mishap, each time 50 of them: 2 or 3, with `make long` 200
# XTOKEND_SESSIONS  after how many sessions nothing may be left: 600, with `make long` 100000
# XTOKEND_FLOOD  how many strangers are idle, slow, endless, refused: 200,50,50,20, with `make long` 5000,1000,1000,100
# XTOKEND_SOAK  how long xtokend is watched under an even load: 20s, with `make long` 30m
# BENCH      flags of `go run ./bench`, for `make bench`
# DEMO       arguments of `xtokend demo`, for `make demo`
# ENGINE     what builds the container image: docker, or podman
# GO         the go command

GO        ?= go
ENGINE    ?= docker
E2E_COUNT ?= 5
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.7.0

# The end-to-end tests, those of the package and the static checks are sections of their own.
UNIT_PACKAGES = $(shell $(GO) list ./... | grep -v -e '/e2e$$' -e '/packaging$$')

.NOTPARALLEL:
.PHONY: help build deb image test long demo picture bench setup check unit fuzz package e2e clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build bin/xtokend
	$(GO) build -o bin/xtokend ./cmd/xtokend

deb: ## build bin/xtokend_VERSION_ARCH.deb, the Debian package
	@GO='$(GO)' packaging/build.sh

image: ## build the container image xtokend, with ENGINE
	@GO='$(GO)' ENGINE='$(ENGINE)' packaging/build-image.sh

test: setup check unit fuzz package e2e ## install what the tests need and run all of them, minutes

long: export FUZZTIME ?= 30m
long: XTOKEND_KILLS ?= 200
long: XTOKEND_SESSIONS ?= 100000
long: XTOKEND_FLOOD ?= 5000,1000,1000,100
long: XTOKEND_SOAK ?= 30m
long: setup fuzz ## fuzz each target for FUZZTIME, repeat the end-to-end tests, and their long forms, hours
	@echo '== end-to-end tests, $(E2E_COUNT) times'
	$(GO) test -race -count=$(E2E_COUNT) -timeout 3h -v ./e2e
	@echo '== end-to-end tests on a Prosody that xtokend migrate has changed'
	XTOKEND_MIGRATED=1 $(GO) test -race -count=1 -timeout 2h -v -skip '/(ejabberd|host)$$' ./e2e
	@echo '== logins, and kills in the middle of them'
	XTOKEND_KILLS=$(XTOKEND_KILLS) $(GO) test -race -count=1 -timeout 2h -v -run '$(KILLS)' ./e2e
	@echo '== sessions that leave nothing behind'
	XTOKEND_SESSIONS=$(XTOKEND_SESSIONS) $(GO) test -race -count=1 -timeout 2h -v -run TestNothingIsLeftOfSessions ./e2e
	@echo '== a flood of strangers'
	XTOKEND_FLOOD=$(XTOKEND_FLOOD) $(GO) test -count=1 -timeout 1h -v -run TestUsersLogInWhileStrangersFloodTheFront ./e2e
	@echo '== an even load, watched for long'
	XTOKEND_SOAK=$(XTOKEND_SOAK) $(GO) test -count=1 -timeout 2h -v -run TestSoak ./e2e

KILLS = ^(TestATokenIsAcceptedOnceWhateverHappens|TestClientsOfAKilledNodeComeBackAtTheOther)$$

demo: build ## a working chat on this machine: converse.js, xtokend and its own host
	@scripts/install-test-tools.sh contrib/demo
	@bin/xtokend demo --converse contrib/demo/node_modules/converse.js $(DEMO)

picture: build ## take doc/demo.png, the picture of the demonstration in the README
	@scripts/install-test-tools.sh chromium contrib/demo testdata/browser
	@bin/xtokend demo --listen localhost:0 --converse contrib/demo/node_modules/converse.js -- \
		node testdata/browser/demo.mjs websocket X-TOKEN doc/demo.png

bench: build ## measure beside Prosody, HAProxy and the least that Go needs, 15 minutes; bin/bench/bench.md
	$(GO) run ./bench -xtokend bin/xtokend $(BENCH)

setup: ## install Prosody, ejabberd, Chromium, proxies, XMPP clients and what else the tests use
	@scripts/install-test-tools.sh prosody ejabberd chromium nginx-light haproxy redis-server python3-pyotp python3-slixmpp python3-zope.configuration python3-zope.component python3-transaction php-cli php-intl php-mbstring go-sendxmpp systemd lintian man-db mandoc mmdebstrap zsh fish prometheus testdata/clients testdata/browser contrib/ci-example

check: ## gofmt, go vet, staticcheck, go mod tidy
	@echo '== gofmt'
	@unformatted=$$(gofmt -l .); \
	if [ -n "$$unformatted" ]; then echo "run gofmt -w on:" $$unformatted >&2; exit 1; fi
	@echo '== go vet'
	@$(GO) vet ./...
	@echo '== staticcheck'
	@$(GO) run $(STATICCHECK) ./...
	@echo '== go mod tidy'
	@$(GO) mod tidy -diff

unit: ## unit tests and command-line scripts, with the race detector
	@echo '== unit tests and command-line scripts'
	@GO='$(GO)' scripts/test.sh -race $(UNIT_PACKAGES)
	@echo '== allocations, which the race detector changes'
	@$(GO) test -run Alloc ./auth/...

fuzz: ## each fuzz target for FUZZTIME
	@GO='$(GO)' scripts/fuzz.sh

package: ## build the Debian package twice; install, upgrade, remove and purge it as root, and follow the guide with it; build the image where ENGINE runs
	@echo '== the Debian package'
	@if [ "$$(id -u)" -eq 0 ]; then $(GO) test -count=1 -timeout 30m ./packaging; \
	else echo 'xtokend: not tested: only root can install packages in a folder (sudo make package)' >&2; fi
	@if $(ENGINE) version >/dev/null 2>&1; then echo '== the image'; \
	GO='$(GO)' ENGINE='$(ENGINE)' packaging/build-image.sh xtokend:test && $(ENGINE) run --rm xtokend:test version; fi

e2e: ## real clients and browsers through xtokend to a real Prosody and ejabberd
	@echo '== end-to-end tests'
	@GO='$(GO)' scripts/test.sh -race -count=1 -timeout 60m ./e2e

clean: ## remove what was built
	rm -rf bin testdata/*/node_modules contrib/*/node_modules
