#!/usr/bin/env bash
# test/readme.sh [--update]
#
# Runs the examples of README.md, top to bottom, in a private server with the
# configuration that README.md shows, and compares the output with the one it shows.
# With --update, the output in README.md is replaced by the actual one.
#
# An example is a block marked "sql"; an unmarked block right behind it is its
# output.  Where README.md has a Redis server on localhost:6379, the private
# server is given a private one.  The extension must be installed.
set -euo pipefail

cd "$(dirname "$0")/.."
BINDIR=$("${PG_CONFIG:-pg_config}" --bindir)
scratch=$(mktemp -d)

stop_server() {
	[ -z "${redis:-}" ] || kill "$redis"
	[ ! -f "$scratch/data/postmaster.pid" ] ||
		"$BINDIR/pg_ctl" -s -w -m fast -D "$scratch/data" stop
	rm -rf "$scratch"
}
trap stop_server EXIT

redis-server --port 0 --unixsocket "$scratch/redis" --dir "$scratch" --save '' \
	> "$scratch/redis.log" &
redis=$!
until [ -S "$scratch/redis" ]; do sleep 0.1; done

# The blocks marked "conf", and what keeps the server private.
"$BINDIR/initdb" -D "$scratch/data" -U postgres -A trust --no-sync > "$scratch/initdb.log"
awk '/^```conf/ { on = 1; next } /^```/ { on = 0 } on' README.md |
	sed "s,localhost:6379,$scratch/redis," >> "$scratch/data/postgresql.conf"
cat >> "$scratch/data/postgresql.conf" <<-CONF
	listen_addresses = ''
	unix_socket_directories = '$scratch'
CONF
"$BINDIR/pg_ctl" -s -w -D "$scratch/data" -l "$scratch/log" start || { cat "$scratch/log"; exit 1; }

# All examples, each followed by a mark, in one session.
awk '/^```sql/ { on = 1; next } /^```/ { if (on) print "\\echo @@"; on = 0 } on' README.md > "$scratch/in.sql"
"$BINDIR/psql" -h "$scratch" -U postgres -X -q -d postgres -f - < "$scratch/in.sql" > "$scratch/out" 2>&1

# README.md with that output in place of the one it has.
awk -v out="$scratch/out" '
	function print_output(    line, text) {
		while ((getline line < out) > 0 && line != "@@") {
			sub(/^psql:<stdin>:[0-9]+: /, "", line)
			text = text line "\n"
		}
		sub(/\n+$/, "\n", text)
		return text
	}
	state == "output" {
		if (/^```$/) { printf "%s", text; state = "" } else next
	}
	state == "behind" {
		if (/^```$/) { state = "output"; print; next }
		if (!/^$/) {
			if (text != "") printf "```\n%s```\n\n", text
			state = ""
		}
	}
	{ print }
	/^```sql/ { state = "example"; next }
	state == "example" && /^```$/ { text = print_output(); state = "behind" }
' README.md > "$scratch/README.md"

if [ "${1:-}" = --update ]; then
	cat "$scratch/README.md" > README.md
else
	diff -u README.md "$scratch/README.md"
fi
