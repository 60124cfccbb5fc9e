#!/usr/bin/env bash
# test/majors.sh [MAJOR...]: "make check-majors".  Runs the suites on all major
# versions of PostgreSQL that releases of Debian have, or on these, each in a folder
# of its own that is removed afterwards, and ends with one line "N passed, N failed".
#
# A major that cannot be had counts as failed.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/suites.sh"
. "$(dirname "$0")/debian.sh"
. "$(dirname "$0")/major.sh"

[ $# != 0 ] || { set -- 15 17 18; echo "PostgreSQL 16 is left out: no release of Debian has it."; }
PG_CONFIG=""
WORK=$(mktemp -d)
trap 'rm -rf --one-file-system "$WORK"' EXIT
chmod 755 "$WORK"
as_root apt-get update -q > /dev/null
for major in "$@"; do
	check_major "$major"
done
report
