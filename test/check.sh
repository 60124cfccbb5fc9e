#!/usr/bin/env bash
# test/check.sh: "make check".  Installs what is missing, builds, runs every
# test, and ends with one line "N passed, N failed".
#
# A test that is skipped, and a suite that runs nothing, count as failed.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

passed=0
failed=0

# Count a check that passes or fails as a whole: count NAME COMMAND...
count() {
	local name=$1
	shift
	if "$@"; then
		echo "ok - $name"
		passed=$((passed + 1))
	else
		echo "not ok - $name"
		failed=$((failed + 1))
	fi
}

# Build with assertions, and let no warning pass.
builds_without_warnings() {
	build EXTRA_CFLAGS="-Werror -DUSE_ASSERT_CHECKING" with_llvm=no "$@" &&
		as_user make -s PG_CONFIG="$PG_CONFIG" clean
}

# Run one suite of installcheck and count its tests, in the form of pg_regress
# before 16 ("test name ... ok"), or in that of TAP ("ok 1 - name").
run_suite() {
	local name=$1 log status=0 ok bad
	shift
	log=$WORK/$name.log
	echo "== $name"
	as_user make -s PG_CONFIG="$PG_CONFIG" PROVE_FLAGS="-v -I test/perl" installcheck "$@" \
		> "$log" 2>&1 || status=$?
	grep -E '^(test .*\.\.\. |not ok )|# (skip|SKIP|todo|TODO)' "$log" || true
	ok=$(grep -cE '^(test .*\.\.\. ok|ok [0-9]+)' "$log" || true)
	bad=$(grep -cE '^(test .*\.\.\. FAILED|not ok [0-9]+)|^ok .*# (skip|SKIP)|skipped: ' "$log" || true)
	ok=$((ok - $(grep -cE '^ok .*# (skip|SKIP)' "$log" || true)))
	if [ "$bad" = 0 ] && { [ "$status" != 0 ] || [ "$ok" = 0 ]; }; then
		bad=1
	fi
	if [ "$bad" != 0 ]; then
		tail -n 50 "$log"
		find "$WORK" -name regression.diffs -exec cat {} +
		find "$WORK/tmp_check/log" -name 'regress_log_*' -exec tail -n 30 {} + 2> /dev/null || true
	fi
	echo "== $name: $ok passed, $bad failed"
	passed=$((passed + ok))
	failed=$((failed + bad))
}

install_missing
make_work_copy

count "builds without optional libraries and without warnings" \
	builds_without_warnings WITH_MEMCACHED=no WITH_REDIS=no
count "builds without libmemcached and without warnings" \
	builds_without_warnings WITH_MEMCACHED=no
count "builds without hiredis and without warnings" builds_without_warnings WITH_REDIS=no
count "builds without warnings" builds_without_warnings
count "tells what it builds, and builds anew when that changes" \
	as_user env PG_CONFIG="$PG_CONFIG" test/build.sh
count "builds" build
count "installs" install_extension
count "includes only lower layers" as_user test/layers.sh
count "exports only its own symbols" as_user test/symbols.sh
count "the decoder stands damaged entries" as_user env PG_CONFIG="$PG_CONFIG" \
	test/fuzz/run.sh
run_suite regress ISOLATION= TAP_TESTS=
run_suite isolation REGRESS= TAP_TESTS=
run_suite tap REGRESS= ISOLATION=
count "the examples in README.md are true" as_user test/readme.sh

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
