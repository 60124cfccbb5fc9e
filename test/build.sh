#!/usr/bin/env bash
# test/build.sh: what "make" builds, what it prints about that, and when it rebuilds.
#
# Works on a copy, in a folder that is removed afterwards.  A fake pkg-config finds what
# the test wants it to find.
set -euo pipefail

cd "$(dirname "$0")/.."
PG_CONFIG=${PG_CONFIG:-pg_config}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
tar cf - --exclude='*.o' --exclude='*.bc' --exclude='*.so' --exclude='.build-options' \
	--exclude='tmp_check*' Makefile dogpile.control sql src | tar xf - -C "$scratch"

# A pkg-config that finds what is named in $scratch/found.
cat > "$scratch/pkg-config" <<-SH
	#!/bin/sh
	[ "\$1" != --exists ] || exec grep -qx "\$2" "$scratch/found"
	exec pkg-config "\$@"
SH
chmod +x "$scratch/pkg-config"

failed=0
check() { # NAME PATTERN TEXT
	if ! grep -qE -- "$2" <<< "$3"; then
		printf 'not as expected: %s\nno "%s" in:\n%s\n' "$1" "$2" "$3" >&2
		failed=1
	fi
}
run() {
	make -C "$scratch" with_llvm=no PG_CONFIG="$PG_CONFIG" PKG_CONFIG="$scratch/pkg-config" "$@" 2>&1
}
contains() { # TEXT: does the library?
	tr -c '[:print:]' '\n' < "$scratch/dogpile.so" | grep "$1" > /dev/null
}
fail() {
	echo "$1" >&2
	failed=1
}
compile() {
	run -s -j2 EXTRA_CFLAGS='-O0 -w' > "$scratch/log" || { cat "$scratch/log" >&2; exit 1; }
}

# What is printed
: > "$scratch/found"
text=$(run -n)
check 'no library' '^Stores in this build: shared_memory file null$' "$text"
check 'no libmemcached' '^Left out: memcached, because the development files of libmemcached are not there' "$text"
check 'no hiredis' '^Left out: redis, because the development files of hiredis are not there' "$text"
check 'no pkg-config' '^Left out: redis, because /nowhere/pkg-config is not there' \
	"$(run -n PKG_CONFIG=/nowhere/pkg-config)"
check 'WITH_REDIS=yes without it' 'WITH_REDIS=yes, but .* does not find hiredis' \
	"$(run -n WITH_REDIS=yes || true)"
printf 'hiredis\nlibmemcached\n' > "$scratch/found"
text=$(run -n)
check 'both libraries' '^Stores in this build: shared_memory file null memcached redis$' "$text"
check 'no TLS' '^Left out: TLS for redis, because .* does not find hiredis_ssl' "$text"
check 'unwanted' '^Left out: redis, because WITH_REDIS=no' "$(run -n WITH_REDIS=no)"
! grep Stores <<< "$(run -n clean)" || fail 'make clean tells of stores'
! grep Stores <<< "$(run -s -n)" || fail 'make -s tells of stores'

# A server without headers, and another folder
cat > "$scratch/pg_config" <<-SH
	#!/bin/sh
	[ "\$1" != --includedir-server ] || { echo "$scratch/no-headers"; exit; }
	exec "$PG_CONFIG" "\$@"
SH
chmod +x "$scratch/pg_config"
check 'no headers' 'no-headers has no postgres.h: install the server.s development package' \
	"$(run -n PG_CONFIG="$scratch/pg_config" || true)"
mkdir "$scratch/elsewhere"
check 'another folder' 'building in another folder is not supported' \
	"$(make -C "$scratch/elsewhere" -f ../Makefile PG_CONFIG="$PG_CONFIG" 2>&1 || true)"

# A library that is installed later
: > "$scratch/found"
compile
contains redisConnect && fail 'redis in a build without'
run -q > /dev/null || fail 'make has something to do after make'
echo hiredis > "$scratch/found"
compile
contains redisConnect || fail 'no redis after hiredis was installed'
contains 'built without libmemcached' || fail 'memcached from nowhere'
run -q > /dev/null || fail 'make has something to do after make'
exit $failed
