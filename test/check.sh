#!/usr/bin/env bash
# test/check.sh [MAJOR...]: "make check".  Installs what is missing, builds, runs
# every test on the server that it finds, and the suites on each MAJOR besides (see
# test/majors.sh), and ends with one line "N passed, N failed".
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/suites.sh"
. "$(dirname "$0")/debian.sh"
. "$(dirname "$0")/major.sh"

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
count "installs with assertions" installs_with_assertions
run_suite stops REGRESS= ISOLATION_DIR=test/stops/isolation PROVE_TESTS='test/stops/t/*.pl'
count "builds" build
count "installs" install_extension
count "includes only lower floors" as_user test/layers.sh
count "exports only its own symbols" as_user test/symbols.sh
count "the decoder stands damaged entries" as_user env PG_CONFIG="$PG_CONFIG" \
	test/fuzz/run.sh
count "the tests that show what is promised are there" as_user test/guarantees.sh
count_lines model as_user test/model/run.sh
run_suite regress ISOLATION= TAP_TESTS=
run_suite isolation REGRESS= TAP_TESTS=
run_suite tap REGRESS= ISOLATION=
count "the examples in README.md and doc are true" as_user test/readme.sh

for major in "$@"; do
	check_major "$major"
done
report
