EXTENSION  = dogpile
MODULE_big = $(EXTENSION)
PGFILEDESC = "dogpile - dogpile caching inside the database"
DATA       = $(wildcard sql/$(EXTENSION)--*.sql)

# Elsewhere there would be no sources, and a library without functions.
ifeq ($(wildcard src/$(EXTENSION).c),)
$(error run make in the folder of its Makefile: building in another folder is not supported)
endif

# Does this run build or install anything?
BUILDS := $(if $(MAKECMDGOALS),$(filter all install $(EXTENSION).so,$(MAKECMDGOALS)),all)

# Stores that need a client library are folders of their own, built when
# pkg-config finds the library; WITH_MEMCACHED=yes|no and WITH_REDIS=yes|no
# decide otherwise.
PKG_CONFIG     ?= pkg-config
have_pkgconfig := $(shell command -v $(firstword $(PKG_CONFIG)) >/dev/null 2>&1 && echo yes)
have            = $(shell $(PKG_CONFIG) --exists $(1) 2>/dev/null && echo yes || echo no)
HAVE_MEMCACHED := $(call have,libmemcached)
HAVE_REDIS     := $(call have,hiredis)
HAVE_TLS       := $(call have,hiredis_ssl)
WITH_MEMCACHED ?= $(HAVE_MEMCACHED)
WITH_REDIS     ?= $(HAVE_REDIS)
MEMCACHED_SRCS  = $(sort $(wildcard src/backend/memcached/*.c))
REDIS_SRCS      = $(sort $(wildcard src/backend/redis/*.c))
COMMON_SRCS     = $(filter-out $(MEMCACHED_SRCS) $(REDIS_SRCS),$(sort $(wildcard src/*.c src/*/*.c src/*/*/*.c)))
SRC_HEADERS     = $(wildcard src/*/*.h src/*/*/*.h)

# why(WITH_..., library, Debian's package): why something is left out.
why = $(if $(filter-out file undefined,$(origin $(1))),$(1)=$($(1)),$(if $(have_pkgconfig),the development files of $(2) are not there ($(3) on Debian),$(PKG_CONFIG) is not there (package pkg-config on Debian)))

BUILT   := shared_memory file null
ifeq ($(WITH_MEMCACHED),yes)
ifneq ($(HAVE_MEMCACHED)$(if $(BUILDS),,yes),no)
COMMON_SRCS    += $(MEMCACHED_SRCS)
STORE_CPPFLAGS += -DUSE_MEMCACHED $(shell $(PKG_CONFIG) --cflags libmemcached)
SHLIB_LINK     += $(shell $(PKG_CONFIG) --libs libmemcached)
BUILT          += memcached
else
$(error WITH_MEMCACHED=yes, but $(PKG_CONFIG) does not find libmemcached)
endif
endif
ifeq ($(WITH_REDIS),yes)
ifneq ($(HAVE_REDIS)$(if $(BUILDS),,yes),no)
COMMON_SRCS    += $(REDIS_SRCS)
STORE_CPPFLAGS += -DUSE_REDIS $(shell $(PKG_CONFIG) --cflags hiredis)
SHLIB_LINK     += $(shell $(PKG_CONFIG) --libs hiredis)
BUILT          += redis
else
$(error WITH_REDIS=yes, but $(PKG_CONFIG) does not find hiredis)
endif
ifeq ($(HAVE_TLS),yes)
STORE_CPPFLAGS += -DUSE_REDIS_TLS
SHLIB_LINK     += $(shell $(PKG_CONFIG) --libs hiredis_ssl) -lssl -lcrypto
BUILT          += (with TLS)
endif
endif

# Tell what is built, and what is not and why; not with make -s.
ifneq ($(BUILDS),)
ifeq ($(findstring s,$(firstword -$(MAKEFLAGS))),)
$(info Stores in this build: $(BUILT))
ifneq ($(WITH_MEMCACHED),yes)
$(info Left out: memcached, because $(call why,WITH_MEMCACHED,libmemcached,libmemcached-dev))
endif
ifneq ($(WITH_REDIS),yes)
$(info Left out: redis, because $(call why,WITH_REDIS,hiredis,libhiredis-dev))
else
ifneq ($(HAVE_TLS),yes)
$(info Left out: TLS for redis, because $(PKG_CONFIG) does not find hiredis_ssl, a part of hiredis 1.0 and later)
endif
endif
endif
endif

OBJS        = $(WIN32RES) $(patsubst %.c,%.o,$(COMMON_SRCS))
PG_CPPFLAGS = -I$(srcdir)/src $(STORE_CPPFLAGS)
PG_CFLAGS   = -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare \
	-Wno-missing-field-initializers -Wno-declaration-after-statement \
	-Werror=implicit-function-declaration $(EXTRA_CFLAGS)

# For modules that bring a backend of their own.
HEADERS_dogpile = src/backend/backend.h

# The suites.  The module must be preloaded, so the tests start servers of
# their own, unless TEMP_INSTANCE=no.
REGRESS        = $(patsubst sql/%.sql,%,$(filter-out $(DATA),$(sort $(wildcard sql/*.sql))))
REGRESS_OPTS   = --load-extension=$(EXTENSION) --encoding=UTF8
ISOLATION_DIR  = test/isolation
ISOLATION      = $(patsubst $(ISOLATION_DIR)/specs/%.spec,%,$(sort $(wildcard $(ISOLATION_DIR)/specs/*.spec)))
ISOLATION_OPTS = --load-extension=$(EXTENSION) --encoding=UTF8 --inputdir=$(ISOLATION_DIR)
ifneq ($(TEMP_INSTANCE),no)
REGRESS_OPTS   += --temp-instance=tmp_check_regress --temp-config=test/dogpile.conf
ISOLATION_OPTS += --temp-instance=tmp_check_iso --temp-config=test/dogpile.conf
endif
TAP_TESTS    = 1
PROVE_TESTS ?= test/t/*.pl
TEST_MODULES = $(dir $(wildcard test/modules/*/Makefile))
EXTRA_CLEAN  = tmp_check tmp_check_regress tmp_check_iso results output_iso log

# These install what is missing first, or need no server: they must work without pg_config.
ifneq ($(filter check check-majors demo bench model indent,$(MAKECMDGOALS)),)
check demo:
	@test/$@.sh
check-majors:
	@test/majors.sh
bench:
	@bench/run.sh
model:
	@test/model/run.sh --long
indent:
	@test/indent.sh
.PHONY: check check-majors demo bench model indent
else
PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
ifeq ($(PGXS),)
$(error $(PG_CONFIG) does not work: install the server's development package (postgresql-server-dev-NN on Debian), or name it by PG_CONFIG=)
endif

# Debian has pg_config and PGXS in a package for clients.
PG_INCLUDE := $(shell $(PG_CONFIG) --includedir-server)
ifeq ($(wildcard $(PG_INCLUDE)/postgres.h),)
$(error $(PG_INCLUDE) has no postgres.h: install the server's development package (postgresql-server-dev-NN on Debian), or name another server by PG_CONFIG=)
endif
include $(PGXS)

# What is built from the same files in different ways: other stores, another
# server.  The stamp is written when that has changed, and all depends on it.
STAMP      := .build-options
STAMP_TEXT := $(strip $(BUILT) $(STORE_CPPFLAGS) $(SHLIB_LINK) $(shell $(PG_CONFIG) --version) $(PG_INCLUDE))
ifneq ($(BUILDS),)
ifneq ($(STAMP_TEXT),$(strip $(shell cat $(STAMP) 2>/dev/null)))
$(shell printf '%s\n' '$(STAMP_TEXT)' > $(STAMP))
endif
$(EXTENSION).so $(OBJS) $(patsubst %.o,%.bc,$(filter %.o,$(OBJS))): $(STAMP)
endif
EXTRA_CLEAN += $(STAMP)

# Modules that tests preload from where they are built.
installcheck: test-modules
test-modules:
	@set -e; for module in $(TEST_MODULES); do $(MAKE) -s -C $$module PG_CONFIG=$(PG_CONFIG); done

# Sessions that are held up at places of their own, which builds with assertions have.
installcheck-stops:
	$(MAKE) installcheck REGRESS= ISOLATION_DIR=test/stops/isolation PROVE_TESTS='test/stops/t/*.pl'
.PHONY: installcheck-stops

clean: clean-test-modules
clean-test-modules:
	@for module in $(TEST_MODULES); do $(MAKE) -s -C $$module PG_CONFIG=$(PG_CONFIG) clean; done
.PHONY: test-modules clean-test-modules

# Debian builds PostgreSQL without dependency tracking.
$(OBJS) $(patsubst %.o,%.bc,$(filter %.o,$(OBJS))): $(SRC_HEADERS)
endif
