#!/usr/bin/env bash
# test/indent.sh [--check]: lay the sources out as PostgreSQL's own are; or only tell
# whether they are, and how they would differ.
#
# pgindent and pg_bsd_indent come with the development packages of PostgreSQL 17 and later;
# with an older server, install that beside it, or set PGINDENT to the one and have the other
# one in PATH.  Typedefs are those of PostgreSQL (typedefs.list beside pgindent, or PGTYPEDEFS)
# and those of src/typedefs.list, which this script writes anew.
set -euo pipefail
cd "$(dirname "$0")/.."

bindir=$(ls -d /usr/lib/postgresql/*/bin 2> /dev/null | sort -V | tail -n 1)
PATH=$PATH:${PG_CONFIG:+$("$PG_CONFIG" --bindir):}$bindir
pgindent=$(command -v "${PGINDENT:-pgindent}") || {
	echo "pgindent is not there: install postgresql-server-dev-17 or later, or set PGINDENT" >&2
	exit 1
}
typedefs=${PGTYPEDEFS:-}
[ -n "$typedefs" ] || for typedefs in "$(dirname "$pgindent")/typedefs.list" \
	/usr/share/postgresql/*/typedefs.list; do
	[ ! -e "$typedefs" ] || break
done
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# The names that src defines, whatever they stand for.
find src -name '*.[ch]' -exec cat {} + |
	perl -0777 -ne 's,/\*.*?\*/,,gs; s/^#.*?[^\\]\n//gm;
		1 while s/\{[^{}]*\}//g;
		while (/\btypedef\b([^;]*);/g) {
			my $t = $1;
			print "$1\n" if $t =~ /\(\s*\*?\s*(\w+)\s*\)\s*\(/ || $t =~ /(\w+)\s*(\[.*\])?\s*$/s;
		}' | LC_ALL=C sort -u > "$scratch/ours"

# "text" is the name of many variables; as a type it is put right below.
grep -vx text "$typedefs" > "$scratch/theirs"
others='compiled_hash compiled_iterator redisContext redisReadTask redisReply memcached_instance_st memcached_st'

cp -r src "$scratch/src"
"$pgindent" --typedefs="$scratch/theirs" \
	--list-of-typedefs="$(tr '\n' ' ' < "$scratch/ours")$others" "$scratch/src"
find "$scratch/src" -name '*.[ch]' -exec sed -i -E 's/\b(const text|^text|[(,;\t]text) \* ?/\1 */g' {} +
cp "$scratch/ours" "$scratch/src/typedefs.list"

if [ "${1:-}" = --check ]; then
	diff -ruN src "$scratch/src"
else
	cp -r "$scratch/src/." src/
fi
