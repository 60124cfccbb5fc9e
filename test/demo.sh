#!/usr/bin/env bash
# test/demo.sh: "make demo".  Installs what is missing, builds, starts a private
# server, and lets 50 sessions ask for the same expensive report at once: without
# a cache, with dogpile when nothing is cached yet, and when the value has expired.
#
# Fails unless the query ran exactly once each time that dogpile was asked, and only the
# creator waited for the expired value.  pg_stat_statements counts how often the query ran;
# pgbench, which connects all sessions before any of them asks, measures how long each
# session waited.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

SESSIONS=50
EXPIRATION_S=8

REPORT="SELECT b.bid AS branch, count(*) AS accounts, sum(a.abalance) AS balance,
       round(stddev(a.abalance), 2) AS deviation,
       sum(hashtextextended(a::text || b::text, 0)) AS checksum
  FROM pgbench_accounts AS a JOIN pgbench_branches AS b USING (bid)
  GROUP BY b.bid ORDER BY b.bid"
CACHED="SELECT * FROM dogpile_query('reports', 'branches',
 'SELECT b.bid AS branch, count(*) AS accounts, sum(a.abalance) AS balance,
         round(stddev(a.abalance), 2) AS deviation,
         sum(hashtextextended(a::text || b::text, 0)) AS checksum
    FROM pgbench_accounts AS a JOIN pgbench_branches AS b USING (bid)
    GROUP BY b.bid ORDER BY b.bid')
 AS t(branch int, accounts bigint, balance bigint, deviation numeric, checksum numeric)"

fail() {
	echo "demo failed: $*" >&2
	exit 1
}

# Run a program of the server as the ordinary user, on the private server.
on_server() {
	as_user env PGHOST="$WORK" PGPORT=54329 PGDATABASE=postgres PGUSER=demo \
		"$BINDIR/$1" "${@:2}"
}

sql() {
	on_server psql -X -q -v ON_ERROR_STOP=1 "$@"
}

stop_server() {
	[ ! -f "$WORK/data/postmaster.pid" ] ||
		as_user "$BINDIR/pg_ctl" -s -w -m fast -D "$WORK/data" stop
	rm -rf "$WORK"
}

start_server() {
	as_user "$BINDIR/initdb" -D "$WORK/data" -U demo -A trust --no-sync > "$WORK/initdb.log"
	cat >> "$WORK/data/postgresql.conf" <<-CONF
		listen_addresses = ''
		unix_socket_directories = '$WORK'
		port = 54329
		max_connections = 100
		shared_buffers = '256MB'
		fsync = off
		shared_preload_libraries = 'dogpile, pg_stat_statements'
		pg_stat_statements.track = all
		dogpile.regions = 'reports'
		dogpile_reports.expiration_time = '${EXPIRATION_S}s'
		dogpile_reports.hard_expiration_factor = 100
	CONF
	as_user "$BINDIR/pg_ctl" -s -w -D "$WORK/data" -l "$WORK/server.log" start ||
		{ cat "$WORK/server.log" >&2; fail "the server did not start"; }
}

# How often has the report been computed since the last reset, and how many ms
# did that take on average?
report_runs() {
	sql -At -F ' ' -c "SELECT coalesce(sum(calls), 0), coalesce(round(avg(mean_exec_time)), 0)
		FROM pg_stat_statements WHERE query LIKE 'SELECT b.bid%'"
}

# How many sessions got the previous value, and how many waited for another session's
# creation, since the last reset?
report_service() {
	sql -At -F ' ' -c "SELECT stale_hits, waits FROM dogpile_stats WHERE region = 'reports'"
}

# Let all sessions ask at once.  Prints: runs, ms of one run, median, 99 %,
# longest wait in ms, how many waited for as long as a run takes, and how many
# got an answer.
#	$1: name; $2: statement
ask() {
	local name=$1 runs
	echo "$2" | tr '\n' ' ' | as_user tee "$WORK/$name.sql" > /dev/null
	sql -c "SELECT pg_stat_statements_reset(), dogpile_reset_stats()" > /dev/null
	on_server pgbench -n -c "$SESSIONS" -j 2 -t 1 -f "$WORK/$name.sql" \
		--log --log-prefix="$WORK/$name" > "$WORK/$name.out" 2>&1 ||
		{ cat "$WORK/$name.out" >&2; fail "pgbench failed"; }
	runs=$(report_runs)
	cat "$WORK/$name".[0-9]* | awk '{ print $3 / 1000 }' | sort -n | awk -v runs="$runs" '
		{ ms[NR] = $1 }
		END {
			split(runs, run, " ")
			for (i = 1; i <= NR; i++) waited += ms[i] > run[2] * 0.95
			print runs, ms[int((NR + 1) / 2)], ms[int(NR * 0.99 + 0.99)], ms[NR], waited, NR
		}'
}

print_row() {
	local label=$1
	shift
	echo "$@" | awk -v label="$label" '{
		printf "  %-26s %12d %10.0f ms %10.0f ms %10.0f ms\n", label, $1, $3, $4, $5 }'
}

install_missing
BINDIR=$("$PG_CONFIG" --bindir)
make_work_copy
trap stop_server EXIT
build
install_extension > /dev/null

echo "Starting a private server with pgbench's tables, scale 10: a million accounts."
start_server
on_server pgbench -i -q -s 10 > "$WORK/init.out" 2>&1 || { cat "$WORK/init.out" >&2; fail "pgbench -i failed"; }
on_server pgbench -n -c 4 -j 2 -t 2500 > "$WORK/init.out" 2>&1 || { cat "$WORK/init.out" >&2; fail "pgbench failed"; }
sql -c "CREATE EXTENSION dogpile" -c "CREATE EXTENSION pg_stat_statements" \
	-c "VACUUM ANALYZE pgbench_accounts"

echo
echo "The report:"
echo
echo "$REPORT;" | sed 's/^/    /'
echo
echo "The same, cached; its first rows:"
echo
echo "$CACHED;" | sed 's/^/    /'
echo
sql -c "$CACHED LIMIT 3"
[ "$(sql -At -c "$CACHED")" = "$(sql -At -c "$REPORT")" ] ||
	fail "the cached report differs from the report"
sql -c "SELECT dogpile_delete('reports', 'branches')" > /dev/null

echo "Now $SESSIONS sessions ask for it at once, three times."
plain=$(ask plain "$REPORT")
cold=$(ask cold "$CACHED")
sleep "$EXPIRATION_S"
expired=$(ask expired "$CACHED")
service=$(report_service)

echo
printf "  %-26s %12s %13s %13s %13s\n" "" "query ran" "median wait" "99 % waited" "longest wait"
print_row "without a cache" $plain
print_row "dogpile, nothing cached" $cold
print_row "dogpile, value expired" $expired
echo

read -r runs run_ms _ _ longest _ asked <<< "$cold"
[ "$asked" = "$SESSIONS" ] || fail "$asked of $SESSIONS sessions got an answer"
[ "$runs" = 1 ] || fail "with nothing cached the query ran $runs times"
echo "With nothing cached, one session ran the query, which took $run_ms ms; the others were"
echo "woken together and had the result $(echo "$longest $run_ms" | awk '{ printf "%.0f", $1 - $2 }') ms after it was there, at the latest."

read -r runs run_ms median _ _ waited asked <<< "$expired"
[ "$asked" = "$SESSIONS" ] || fail "$asked of $SESSIONS sessions got an answer"
[ "$runs" = 1 ] || fail "with an expired value the query ran $runs times"
[ "$waited" = 1 ] || fail "with an expired value $waited sessions took as long as the query"
read -r stale waits <<< "$service"
[ "$waits" = 0 ] || fail "with an expired value $waits sessions waited for the creator"
[ "$stale" -gt 0 ] || fail "nobody was given the expired value"
echo "With an expired value, one session ran the query again ($run_ms ms); nobody else waited for"
echo "it: $stale were given the previous value, half of all answers came within ${median%.*} ms."
