EXTENSION  = dogpile
MODULE_big = $(EXTENSION)
PGFILEDESC = "dogpile - dogpile caching inside the database"
DATA       = $(wildcard sql/$(EXTENSION)--*.sql)

# Stores that need a client library are files of their own, built when
# pkg-config finds the library; WITH_MEMCACHED=yes|no and WITH_REDIS=yes|no
# decide otherwise.
OPTIONAL    = src/backend_memcached.c src/backend_redis.c
OBJS        = $(WIN32RES) $(patsubst %.c,%.o,$(filter-out $(OPTIONAL),$(sort $(wildcard src/*.c))))
PKG_CONFIG ?= pkg-config
have        = $(shell $(PKG_CONFIG) --exists $(1) 2>/dev/null && echo yes || echo no)

PG_CFLAGS = -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare \
	-Wno-missing-field-initializers -Wno-declaration-after-statement \
	-Werror=implicit-function-declaration $(EXTRA_CFLAGS)

# The suites.  The module must be preloaded, so the tests start servers of
# their own, unless TEMP_INSTANCE=no.
REGRESS        = $(patsubst sql/%.sql,%,$(filter-out $(DATA),$(sort $(wildcard sql/*.sql))))
REGRESS_OPTS   = --load-extension=$(EXTENSION)
ISOLATION      = $(patsubst test/isolation/specs/%.spec,%,$(sort $(wildcard test/isolation/specs/*.spec)))
ISOLATION_OPTS = --load-extension=$(EXTENSION) --inputdir=test/isolation
ifneq ($(TEMP_INSTANCE),no)
REGRESS_OPTS   += --temp-instance=tmp_check_regress --temp-config=test/dogpile.conf
ISOLATION_OPTS += --temp-instance=tmp_check_iso --temp-config=test/dogpile.conf
endif
TAP_TESTS    = 1
PROVE_FLAGS ?= -I test/perl
PROVE_TESTS ?= test/t/*.pl
EXTRA_CLEAN  = tmp_check tmp_check_regress tmp_check_iso results output_iso log

# These install what is missing first, so they must work without pg_config.
ifneq ($(filter check demo bench,$(MAKECMDGOALS)),)
check demo:
	@test/$@.sh
bench:
	@bench/run.sh
.PHONY: check demo bench
else
PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
ifeq ($(PGXS),)
$(error $(PG_CONFIG) does not work: install the server's development package (postgresql-server-dev-NN on Debian), or name it by PG_CONFIG=)
endif
include $(PGXS)

# Debian builds PostgreSQL without dependency tracking.
$(OBJS) $(patsubst %.o,%.bc,$(filter %.o,$(OBJS))): $(wildcard src/*.h)
endif
