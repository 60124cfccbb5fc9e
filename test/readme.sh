#!/usr/bin/env bash
# test/readme.sh [--update] [FILE ...]
#
# Checks README.md and doc/: runs the examples and compares their output with the
# output shown there, checks that links lead somewhere, and that each setting,
# function, view and column is documented.  The extension must be installed.
#
# A file's examples are its blocks marked "sql"; an unmarked block right behind one
# is its output.  They run top to bottom, in one session of a server of their own,
# with the blocks marked "conf" of README.md and of that file as configuration; in doc/
# the extension is there already.
# Servers of stores on localhost:6379 and localhost:11211 are replaced by private ones.
# With --update, the output in the files is replaced by the actual one.
set -euo pipefail

cd "$(dirname "$0")/.."
BINDIR=$("${PG_CONFIG:-pg_config}" --bindir)
scratch=$(mktemp -d)
update=""
[ "${1:-}" != --update ] || { update=yes; shift; }
files=("$@")
[ $# != 0 ] || files=(README.md doc/*.md)
failed=0

stop_servers() {
	[ -z "${redis:-}" ] || kill "$redis"
	[ -z "${memcached:-}" ] || kill "$memcached"
	stop_postgres
	rm -rf "$scratch"
}
stop_postgres() {
	[ ! -f "$scratch/data/postmaster.pid" ] ||
		"$BINDIR/pg_ctl" -s -w -m immediate -D "$scratch/data" stop
}
trap stop_servers EXIT

fail() {
	echo "$*" >&2
	failed=1
}

# The text of all blocks of a file that are marked so.
blocks() { # MARK FILE
	awk -v mark="$1" '$0 == "```" mark { on = 1; next } /^```/ { on = 0 } on' "$2"
}

#
# Servers
#
start_stores() {
	redis-server --port 0 --unixsocket "$scratch/redis" --dir "$scratch" --save '' \
		> "$scratch/redis.log" &
	redis=$!
	memcached -s "$scratch/memcached" -u "$(id -un)" > "$scratch/memcached.log" 2>&1 &
	memcached=$!
	until [ -S "$scratch/redis" ] && [ -S "$scratch/memcached" ]; do sleep 0.1; done
}

# A new server with the configuration of a file.  Stores have time to answer, however
# busy the machine is.
start_postgres() { # FILE
	rm -rf "$scratch/data"
	cp -R "$scratch/initdb" "$scratch/data"
	chmod 700 "$scratch/data"
	{
		blocks conf README.md
		[ "$1" = README.md ] || blocks conf "$1"
		echo "listen_addresses = ''"
		echo "unix_socket_directories = '$scratch'"
		echo "fsync = off"
	} | sed -e "s,localhost:6379,$scratch/redis,; s,localhost:11211,$scratch/memcached," \
		-e "s/^\(dogpile_[a-z_]*\)\.servers = .*/&\n\1.connect_timeout = '30s'\n\1.operation_timeout = '30s'/" \
		>> "$scratch/data/postgresql.conf"
	: > "$scratch/log"
	redis-cli -s "$scratch/redis" flushall > "$scratch/flushed"
	"$BINDIR/pg_ctl" -s -w -D "$scratch/data" -l "$scratch/log" start ||
		{ cat "$scratch/log" >&2; exit 1; }
	! grep -E 'WARNING|ERROR' "$scratch/log" || fail "$1: a setting is not valid"
}

sql() {
	"$BINDIR/psql" -h "$scratch" -U postgres -X -q -d postgres "$@"
}

#
# Examples
#

# A file with the output in $scratch/out in place of the one it has.
with_output() { # FILE
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
		END { if (state == "behind" && text != "") printf "\n```\n%s```\n", text }
	' "$1"
}

run_examples() { # FILE
	# All examples, each followed by a mark, in one session.
	awk '/^```sql/ { on = 1; next } /^```/ { if (on) print "\\echo @@"; on = 0 } on' "$1" \
		> "$scratch/in.sql"
	[ -s "$scratch/in.sql" ] || return 0
	start_postgres "$1"
	[ "$1" = README.md ] || sql -c 'CREATE EXTENSION dogpile'
	sql -f - < "$scratch/in.sql" > "$scratch/out" 2>&1
	with_output "$1" > "$scratch/new"
	stop_postgres
	if [ -n "$update" ]; then
		cat "$scratch/new" > "$1"
	else
		diff -u "$1" "$scratch/new" || fail "$1: an example has another output"
	fi
}

# Code in C is an excerpt of a module that the tests build.
check_code() { # FILE
	local code

	code=$(blocks c "$1")
	[[ -z $code || $(cat test/modules/*/*.c) == *"$code"* ]] ||
		fail "$1: the code is not that of a module in test/modules"
}

#
# Links
#

# The anchors that GitHub makes of a file's headings.
anchors() { # FILE
	awk '/^```/ { code = !code } !code && /^#+ / {
		sub(/^#+ /, ""); slug = tolower($0)
		gsub(/[^a-z0-9_ -]/, "", slug); gsub(/ /, "-", slug)
		print slug (n[slug]++ ? "-" (n[slug] - 1) : "")
	}' "$1"
}

check_links() { # FILE
	local link path

	while read -r link; do
		case $link in http://* | https://*) continue ;; esac
		path=${link%%#*}
		if [ -n "$path" ]; then path=$(dirname "$1")/$path; else path=$1; fi
		if [ ! -e "$path" ]; then
			fail "$1: there is no $link"
		elif [[ $link == *#* ]] && ! anchors "$path" | grep -qxF -- "${link#*#}"; then
			fail "$1: there is no heading $link"
		fi
	done < <(awk '/^```/ { code = !code } !code' "$1" | grep -oE '\]\([^) ]+\)' | sed 's/^](//; s/)$//')
}

#
# Is everything documented?
#
check_settings() {
	local name

	for name in $(sed -n 's/^\t\t\.name = "\([a-z_]*\)",$/\1/p' src/config/setting.c) \
		$(sql -At -c "SELECT name FROM pg_settings WHERE name ~ '^dogpile\.' AND name <> 'dogpile.stops'"); do
		grep -qF "| \`$name\` |" doc/settings.md || fail "doc/settings.md: no row for $name"
	done
	grep -oE '^\| `[a-z_.]+` \|' doc/settings.md | sort | uniq -d | grep . &&
		fail "doc/settings.md: several rows for a setting"
	return 0
}

# Signatures as the catalogs have them, and headings; columns in doc/operations.md, too.
check_functions() {
	local name signature text

	text=$(tr -s ' \n' ' ' < doc/functions.md)
	while IFS='|' read -r name signature; do
		grep -qx "### $name" doc/functions.md || fail "doc/functions.md: no heading for $name"
		[[ $text == *"$signature"* ]] || fail "doc/functions.md: no signature $signature"
	done < <(sql -At -c "
		SELECT proname, format('%s(%s) → %s', proname,
				regexp_replace(regexp_replace(pg_get_function_arguments(p.oid), '::[a-z]+(\[\])?', '', 'g'),
					'(, )?OUT .*', ''), pg_get_function_result(p.oid))
			FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.deptype = 'e'
				JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'dogpile'
			WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_extension'::regclass
				AND proname !~ '^dogpile_(literal_|note_time|watch_(changes|arguments))'
				AND NOT EXISTS (SELECT FROM pg_class WHERE relname = proname)")
	while IFS='|' read -r name column; do
		grep -qx "### $name" doc/functions.md || fail "doc/functions.md: no heading for $name"
		grep -qF "\`$column\`" doc/functions.md || fail "doc/functions.md: no column $name.$column"
	done < <(sql -At -c "
		SELECT attrelid::regclass::text, attname::text FROM pg_attribute
			WHERE attrelid::regclass::text ~ '^dogpile_' AND attnum > 0
				AND (SELECT relkind = 'v' FROM pg_class WHERE oid = attrelid)
		UNION ALL
		SELECT proname::text, unnest(proargnames[3:]) FROM pg_proc WHERE proname = 'dogpile_metadata'")
}

start_stores
"$BINDIR/initdb" -D "$scratch/initdb" -U postgres -A trust -E UTF8 --no-locale --no-sync > "$scratch/initdb.log"
for file in "${files[@]}"; do
	run_examples "$file"
	check_code "$file"
done
for file in *.md doc/*.md bench/*.md test/*.md; do
	check_links "$file"
done
start_postgres README.md
sql -c 'CREATE EXTENSION dogpile'
check_settings
check_functions
exit $failed
