# bench/loop.sh: nanoseconds for a hit in a loop within the server, by the number
# of entries and of backends; sourced by run.sh.

LOOP_ROWS=1000000

loop_hit="dogpile_get_or_create('$REGION', key, $(value_query 100))"
loop_constant="bench_constant(key, 100)"

# One loop in each of so many sessions, begun at the same time.  Prints the mean
# of their nanoseconds for each row.
#	$1: sessions; $2: what to compute of each row; $3: where the rows come from
loop_run()
{
	start=$(sql -c "SELECT clock_timestamp() + '0.2 s'")
	for session in $(seq "$1"); do
		sql -v what="$2" -v source="$3" -v start="$start" > "$SCRATCH/loop.$session" <<-'SQL' &
			SELECT 1 AS warm FROM bench_time(:'what', '(SELECT ''1''::text AS key) AS one') \g /dev/null
			SELECT pg_sleep_until(:'start') \g /dev/null
			SELECT bench_time(:'what', :'source');
		SQL
	done
	wait					# hides failures: they show in the output
	for session in $(seq "$1"); do cat "$SCRATCH/loop.$session"; done |
		awk '{ sum += $1 } END { print sum / NR }'
}

# Make the entries 1 to $1, and a table of their keys in random order.
loop_prepare()
{
	sql > /dev/null <<-SQL
		CREATE UNLOGGED TABLE keys_$1 AS
			SELECT (1 + floor(random() * $1))::int::text AS key
			  FROM generate_series(1, $LOOP_ROWS);
		VACUUM ANALYZE keys_$1;
		SELECT count(*) FROM keys_$1;
		SELECT count(dogpile_get_or_create('$REGION', key::text, $(value_query 100)))
		  FROM generate_series(1, $1) AS key;
	SQL
}

# $1: rounds; $2: numbers of entries
run_loop()
{
	start_server 1GB
	for entries in $2; do
		loop_prepare $entries
		for round in $(seq "$1"); do
			for sessions in 1 2; do
				for case in "key=loop" "bench_noop(key)=noop" "$loop_constant=constant" \
					"dogpile_get('$REGION', key)=get" "$loop_hit=hit"; do
					ns=$(loop_run $sessions "${case%=*}" keys_$entries)
					echo "$round ${case##*=}$sessions $ns" >> "$SCRATCH/loop.$entries"
				done
			done
		done
		stored=$(sql -c "SELECT entries FROM dogpile_stats WHERE region = '$REGION'")
		echo "Nanoseconds in a loop over $entries entries in random order ($stored stored)"
		loop_table < "$SCRATCH/loop.$entries"
	done
}

# Gross is the whole loop, net what the function adds to it; two sessions' gain
# is how much they get done together, compared with one.
loop_table()
{
	awk "$MEDIAN"'
		function gross(case,    r, list) {
			for (r = 1; r <= rounds; r++) list[r] = ns[r, case]
			return median(list, rounds)
		}
		function net(case, sessions,    r, list) {
			for (r = 1; r <= rounds; r++)
				list[r] = ns[r, case sessions] - ns[r, "loop" sessions]
			return median(list, rounds)
		}
		function gain(case,    r, list) {
			for (r = 1; r <= rounds; r++)
				list[r] = 2 * (ns[r, case 1] - ns[r, "loop" 1]) / (ns[r, case 2] - ns[r, "loop" 2])
			return median(list, rounds)
		}
		{ ns[$1, $2] = $3; if ($1 > rounds) rounds = $1 }
		END {
			printf "  %-24s %8s %8s %12s %8s %8s\n", "", "gross", "net", "two: gross", "net", "gain"
			n = split("loop=the loop itself|noop=function that does nothing|constant=C function, 100 bytes|get=dogpile_get|hit=dogpile_get_or_create", list, "|")
			for (i = 1; i <= n; i++) {
				split(list[i], part, "=")
				printf "  %-24s %8.0f", part[2], gross(part[1] 1)
				if (part[1] == "loop") { printf " %8s %12.0f\n", "", gross(part[1] 2); continue }
				printf " %8.0f %12.0f %8.0f %8.2f\n", net(part[1], 1), gross(part[1] 2), net(part[1], 2), gain(part[1])
			}
			print ""
		}'
}
