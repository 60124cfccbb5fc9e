EXTENSION  = dogpile
MODULE_big = $(EXTENSION)
PGFILEDESC = "dogpile - dogpile caching inside the database"
DATA       = $(wildcard sql/$(EXTENSION)--*.sql)

# Stores that need a client library are files of their own, built when
# pkg-config finds the library; WITH_MEMCACHED=yes|no and WITH_REDIS=yes|no
# decide otherwise.
PKG_CONFIG     ?= pkg-config
have            = $(shell $(PKG_CONFIG) --exists $(1) 2>/dev/null && echo yes || echo no)
WITH_MEMCACHED ?= $(call have,libmemcached)
WITH_REDIS     ?= $(call have,hiredis)
MEMCACHED_SRCS  = $(sort $(wildcard src/backend_memcached.c src/memcached_*.c src/guard.c src/probe.c))
REDIS_SRCS      = $(sort $(wildcard src/backend_redis.c src/redis_*.c))
COMMON_SRCS     = $(filter-out $(MEMCACHED_SRCS) $(REDIS_SRCS),$(sort $(wildcard src/*.c)))

ifeq ($(WITH_MEMCACHED),yes)
COMMON_SRCS    += $(MEMCACHED_SRCS)
STORE_CPPFLAGS += -DUSE_MEMCACHED $(shell $(PKG_CONFIG) --cflags libmemcached)
SHLIB_LINK     += $(shell $(PKG_CONFIG) --libs libmemcached)
endif
ifeq ($(WITH_REDIS),yes)
COMMON_SRCS    += $(REDIS_SRCS)
STORE_CPPFLAGS += -DUSE_REDIS $(shell $(PKG_CONFIG) --cflags hiredis)
SHLIB_LINK     += $(shell $(PKG_CONFIG) --libs hiredis)
ifeq ($(call have,hiredis_ssl),yes)
STORE_CPPFLAGS += -DUSE_REDIS_TLS
SHLIB_LINK     += $(shell $(PKG_CONFIG) --libs hiredis_ssl) -lssl -lcrypto
endif
endif

OBJS        = $(WIN32RES) $(patsubst %.c,%.o,$(COMMON_SRCS))
PG_CPPFLAGS = $(STORE_CPPFLAGS)
PG_CFLAGS   = -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare \
	-Wno-missing-field-initializers -Wno-declaration-after-statement \
	-Werror=implicit-function-declaration $(EXTRA_CFLAGS)

# For modules that bring a backend of their own.
HEADERS_dogpile = src/backend.h

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
TEST_MODULES = $(dir $(wildcard test/modules/*/Makefile))
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

# Modules that tests preload from where they are built.
installcheck: test-modules
test-modules:
	@set -e; for module in $(TEST_MODULES); do $(MAKE) -s -C $$module PG_CONFIG=$(PG_CONFIG); done
clean: clean-test-modules
clean-test-modules:
	@for module in $(TEST_MODULES); do $(MAKE) -s -C $$module PG_CONFIG=$(PG_CONFIG) clean; done
.PHONY: test-modules clean-test-modules

# Debian builds PostgreSQL without dependency tracking.
$(OBJS) $(patsubst %.o,%.bc,$(filter %.o,$(OBJS))): $(wildcard src/*.h)
endif
