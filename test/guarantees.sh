#!/usr/bin/env bash
# test/guarantees.sh: do all tests exist that doc/guarantees.md names, does each cell of
# its tables name one, and does each TAP file have a number of its own?
set -euo pipefail

cd "$(dirname "$0")/.."
doc=doc/guarantees.md
bad=0

while read -r name; do
	for folder in sql test/t test/isolation/specs .; do
		[ ! -f "$folder/$name" ] || continue 2
	done
	echo "$doc names $name, which is not there"
	bad=1
done < <(grep -oE '`[a-zA-Z0-9_/-]+\.(sql|pl|spec|pml)`' "$doc" | tr -d '`' | sort -u)

# Rows of tables, but for heads and what is below them.
if awk -F'|' '/^\| *(\||-)/ || /^\|-/ { next }
	/^\|/ { for (i = 3; i < NF; i++) if ($i !~ /`[^`]+[.](sql|pl|spec|pml)`/) { print "no test:" $i; found = 1 } }
	END { exit !found }' "$doc"; then
	bad=1
fi

for folder in test/t test/stops/t; do
	for number in $(ls "$folder" | cut -d_ -f1 | sort | uniq -d); do
		echo "several files have one number:" "$folder/$number"_*
		bad=1
	done
done
exit $bad
