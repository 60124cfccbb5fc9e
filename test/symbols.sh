#!/bin/sh
# test/symbols.sh: the library exports nothing that could collide with another
# module: PostgreSQL loads modules with global symbols.
cd "$(dirname "$0")/.." || exit 1
symbols=$(nm -D --defined-only dogpile.so | awk '{ print $3 }') || exit 1
[ -n "$symbols" ] || { echo "dogpile.so exports nothing"; exit 1; }
strange=$(echo "$symbols" | grep -vE '^(dogpile_|pg_finfo_dogpile_)|^(Pg_magic_func|_PG_init)$')
[ -z "$strange" ] || { echo "not ours:" $strange; exit 1; }
