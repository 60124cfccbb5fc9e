# bench/dependencies.sh: costs and benefits of dependencies of values; sourced by run.sh.
#
# There are two servers: the one on OTHER_PORT has not loaded the module.

OTHER_PORT=54322

# --------------------------------------------------------------------
# Writers
# --------------------------------------------------------------------

WRITER_ROWS=20000
WRITER_BLOCK=100		# updates of one table after another, in a loop,
WRITER_BLOCKS=10			# ... so often in each of its rounds,
WRITER_LOOPS=10			# ... of which there are so many for one of pgbench
WRITER_TABLES="plain whole trigger tagged"

# Values of synchronous_commit: with the second, a commit takes least, so that what
# is added to it weighs most.
WRITER_COMMITS="on off"

# A table with rows for UPDATE, which need no new entries in the index.  $1: name
writer_table()
{
	sql > /dev/null <<-SQL
		CREATE TABLE $1 (id int PRIMARY KEY, user_id int, amount int, note text)
			WITH (fillfactor = 50);
		INSERT INTO $1 SELECT id, id % 1000, 0, repeat('x', 50)
		  FROM generate_series(1, $WRITER_ROWS) AS id;
		VACUUM ANALYZE $1;
	SQL
}

# Everything on the server of PGPORT.  Both have the same tables, so that they need
# as much of the processor's cache.
writer_prepare()
{
	branches=
	for table in $WRITER_TABLES; do
		writer_table $table
		branches="$branches
						WHEN '$table' THEN
							FOR i IN 1..$WRITER_BLOCK LOOP
								row_id := 1 + floor(random() * $WRITER_ROWS);
								UPDATE $table SET amount = amount + 1 WHERE id = row_id;
								COMMIT;
							END LOOP;"
	done

	# Microseconds of processor time for each UPDATE and COMMIT, a block of them
	# with one table after another.
	sql > /dev/null <<-SQL
		CREATE PROCEDURE writer_loop(cases text[], blocks int, INOUT us float8[] DEFAULT '{}')
		LANGUAGE plpgsql AS \$\$
		DECLARE
			row_id int;
			c int;
			started float8;
			used float8;
			ncases int := cardinality(cases);
		BEGIN
			us := array_fill(0.0, ARRAY[ncases]);
			FOR block IN 0..blocks LOOP
				FOR k IN 1..ncases LOOP
					c := 1 + (k + block) % ncases;
					started := bench_cpu_time();
					CASE cases[c] $branches
					END CASE;
					used := bench_cpu_time() - started;
					-- Block 0 only warms up.
					IF block > 0 THEN
						us[c] := us[c] + used / 1000 / (blocks * $WRITER_BLOCK);
					END IF;
				END LOOP;
			END LOOP;
		END \$\$;
	SQL
}

# From now on there are entries that depend on two of the tables.
writer_watch()
{
	sql > /dev/null <<-SQL
		CREATE TRIGGER bench AFTER INSERT OR UPDATE OR DELETE ON trigger
			FOR EACH ROW EXECUTE FUNCTION bench_trigger();
		SELECT dogpile_watch('tagged', 'user:{user_id}');
		SELECT count(dogpile_get_or_create('auto', dogpile_key('whole', k),
			'SELECT sum(amount) FROM whole WHERE user_id = \$1', params => ROW(k)))
		  FROM generate_series(0, 9) AS k;
		SELECT count(dogpile_get_or_create('auto', dogpile_key('tagged', k),
			'SELECT sum(amount) FROM tagged WHERE user_id = \$1', params => ROW(k),
			tags => ARRAY['user:' || k]))
		  FROM generate_series(0, 9) AS k;
	SQL
}

# The pgbench script of a table.
writer_script()
{
	printf '%s\n' "\\set id random(1, $WRITER_ROWS)" \
		"UPDATE $1 SET amount = amount + 1 WHERE id = :id;"
}

# Mean latency of each script in a log of pgbench; of the fastest 90 %, since
# the others have waited for the disk or the processor.
WRITER_LATENCY='
	{ us[$4, $3]++; n[$4]++; if ($3 > most) most = $3 }
	END {
		for (script = 0; script in n; script++) {
			kept = sum = 0
			for (t = 0; t <= most && kept < 0.9 * n[script]; t++) {
				kept += us[script, t]
				sum += us[script, t] * t
			}
			print sum / kept
		}
	}'

# Microseconds for each UPDATE of a client, with all tables by turns so that the
# machine is the same to them: prints "absent microseconds" if PGPORT is that
# server's, or "case microseconds" for each table.  $1: seconds
writer_run()
{
	rm -f "$SCRATCH"/latency.*
	set -- -T "$1"
	for case in $WRITER_TABLES; do set -- "$@" -f "$SCRATCH/writer.$case"; done
	"$BINDIR/pgbench" -n -M prepared -c 2 -j 2 -l --log-prefix="$SCRATCH/latency" "$@" \
		> "$SCRATCH/pgbench.log" 2>&1 || { cat "$SCRATCH/pgbench.log" >&2; exit 1; }
	cat "$SCRATCH"/latency.* | awk "$WRITER_LATENCY" |
		if [ "$PGPORT" = $OTHER_PORT ]; then
			sed '1s/^/absent /; 2,$d'
		else
			for case in $WRITER_TABLES; do read us; echo "$case $us"; done
		fi
}

# The same for all in a loop within the server: prints lines of "round case
# microseconds".  A round takes a fraction of a second, first on one server and then on the other.
#	$1: rounds before; $2: rounds
writer_loops()
{
	for i in $(seq "$2"); do
		for port in $OTHER_PORT 54321; do
			printf '%s\n' "\\connect - - - $port" \
				"CALL writer_loop('{$(echo $WRITER_TABLES | tr ' ' ,)}', $WRITER_BLOCKS);"
		done
	done | sql -f - | tr -d '{}' |
		awk -F, -v cases="$WRITER_TABLES" -v round="$1" '
			NR % 2 { print ++round, "absent", $1; next }
			{ split(cases, name, " "); for (i = 1; i <= NF; i++) print round, name[i], $i }'
}

# $1: round; $2: value of synchronous_commit; $3: seconds
writer_round()
{
	(PGPORT=$OTHER_PORT; writer_run "$3") | sed "s/^/$1 /" >> "$SCRATCH/writer.client.$2"
	writer_run "$3" | sed "s/^/$1 /" >> "$SCRATCH/writer.client.$2"
	writer_loops $((($1 - 1) * WRITER_LOOPS)) $WRITER_LOOPS >> "$SCRATCH/writer.loop.$2"
}

# $1: file with "round case microseconds"
writer_medians()
{
	RATIO_FORMAT="%8.3f" print_medians "%12.2f" "microseconds" \
		"plain=table no entry depends on" \
		"absent=server without dogpile" \
		"whole=entries depend on the table" \
		"trigger=trigger that does nothing" \
		"tagged=entries depend on rows, by tags" < "$1"
}

# Twice as many rounds: little differs, and the machine is noisy.
#	$1: rounds; $2: seconds
run_writers()
{
	for case in $WRITER_TABLES; do writer_script $case > "$SCRATCH/writer.$case"; done
	for commit in $WRITER_COMMITS; do
		settings="fsync = on
			synchronous_commit = $commit"
		start_server 128MB "$settings
			dogpile.regions = '$REGION, auto'
			dogpile_auto.depends = 'auto'"
		writer_prepare
		writer_watch
		PGPORT=$OTHER_PORT
		start_server 128MB "$settings
			shared_preload_libraries = ''"
		writer_prepare
		PGPORT=54321
		for round in $(seq $(($1 * 2))); do
			writer_round $round $commit "$2"
		done

		echo "Single-row UPDATE, synchronous_commit = $commit: pgbench, 2 clients, prepared"
		writer_medians "$SCRATCH/writer.client.$commit"
		echo "Processor time of UPDATE and COMMIT in a loop within the server"
		writer_medians "$SCRATCH/writer.loop.$commit"
		echo
		(PGPORT=$OTHER_PORT; stop_server)
	done
}

# --------------------------------------------------------------------
# Readers and writers
# --------------------------------------------------------------------

MIXED_USERS=10000
MIXED_ORDERS=30			# of each user; their pairs are joined, to take some 0.1 ms
MIXED_CASES="none ttl tagged whole"
MIXED_WORKLOADS="uniform zipfian"

# The user a request is for, as pgbench draws it.  $1: distribution
mixed_user()
{
	case $1 in
		uniform)	echo "random(1, $MIXED_USERS)" ;;
		# Popular users are spread over the table.
		zipfian)	echo "permute(random_zipfian(1, $MIXED_USERS, 1.05) - 1, $MIXED_USERS) + 1" ;;
	esac
}

# The SQL expression that reads the value of a user.  $1: case; $2: user
mixed_value()
{
	query="SELECT sum(a.amount * b.rate) FROM orders_$1 a JOIN orders_$1 b USING (user_id) WHERE user_id = "
	call="dogpile_get_or_create('$1', dogpile_key($2::int), '$query \$1', params => ROW($2::int)"
	case $1 in
		none)	echo "($query $2)" ;;
		tagged)	echo "$call, tags => ARRAY['user:' || $2::int])" ;;
		*)		echo "$call)" ;;
	esac
}

# Each case has a table of its own, so that no case pays for the others.
mixed_prepare()
{
	for case in $MIXED_CASES; do
		sql > /dev/null <<-SQL
			CREATE TABLE orders_$case
				(id int PRIMARY KEY, user_id int, amount numeric, rate numeric)
				WITH (fillfactor = 90);
			INSERT INTO orders_$case
				SELECT id, 1 + (id - 1) / $MIXED_ORDERS, id % 997, 1 + (id % 10) / 100.0
				  FROM generate_series(1, $MIXED_USERS * $MIXED_ORDERS) AS id;
			CREATE INDEX ON orders_$case (user_id);
			VACUUM ANALYZE orders_$case;
		SQL
		for workload in $MIXED_WORKLOADS; do
			cat > "$SCRATCH/read.$workload.$case" <<-SCRIPT
				\\set id $(mixed_user $workload)
				SELECT $(mixed_value $case :id);
			SCRIPT
			cat > "$SCRATCH/write.$workload.$case" <<-SCRIPT
				\\set user $(mixed_user $workload)
				\\set id (:user - 1) * $MIXED_ORDERS + random(1, $MIXED_ORDERS)
				UPDATE orders_$case SET amount = amount + 1 WHERE id = :id;
			SCRIPT
		done
	done
	sql -c "SELECT dogpile_watch('orders_tagged', 'user:{user_id}')" > /dev/null
}

# Read a value of each user, so that what is measured need not begin with
# nothing, nor with what is left of the round before.  $1: case
mixed_warm()
{
	[ $1 = none ] ||
		sql -c "SELECT dogpile_invalidate('$1')" \
			-c "SELECT count($(mixed_value $1 id)) FROM generate_series(1, $MIXED_USERS) AS id" \
			> /dev/null
}

# Prints transactions per second, 95 % of which read, and how many read.
#	$1: workload; $2: case; $3: seconds
mixed_run()
{
	mixed_warm $2
	sql -c "SELECT dogpile_reset_stats()" > /dev/null
	"$BINDIR/pgbench" -n -M prepared -c 4 -j 2 -T "$3" \
		-f "$SCRATCH/read.$1.$2@95" -f "$SCRATCH/write.$1.$2@5" \
		2> "$SCRATCH/pgbench.log" |
		awk '/^tps/ { tps = $3 }
			/SQL script 1/ { ours = 1 }
			ours && /transactions \(/ { reads = $2; ours = 0 }
			END { if (tps == 0) exit 1; print tps, reads }' ||
		{ cat "$SCRATCH/pgbench.log" >&2; exit 1; }
}

# One of the statistics of a region, or 0.  $1: region; $2: which
mixed_stats()
{
	sql -c "SELECT coalesce(sum($2), 0) FROM dogpile_stats WHERE region = '$1'"
}

# The share of wrong values among hits, of which some are computed once more.
mixed_verify()
{
	for case in ttl tagged whole; do
		PGOPTIONS="-c dogpile_$case.verify_fraction=0.2" mixed_run $1 $case "$2" > /dev/null
		printf '  %-34s %12s of %s hits computed once more differed\n' $case \
			$(mixed_stats $case mismatches) $(mixed_stats $case verifications)
	done
}

# $1: rounds; $2: seconds
run_mixed()
{
	start_server 128MB "dogpile.regions = '$REGION, ttl, tagged, whole'
		dogpile_ttl.expiration_time = '1s'
		dogpile_tagged.depends = 'auto'
		dogpile_whole.depends = 'auto'
		checkpoint_timeout = '1h'"
	mixed_prepare
	for workload in $MIXED_WORKLOADS; do
		for round in $(seq "$1"); do
			for case in $MIXED_CASES; do
				measured=$(mixed_run $workload $case "$2")
				echo "$round $case ${measured% *}" >> "$SCRATCH/mixed.tps.$workload"
				sql -c "SELECT $round, '$case',
						1 - $(mixed_stats $case creations)::float8 / ${measured#* }" -F ' ' \
					>> "$SCRATCH/mixed.hits.$workload"
			done
		done
		echo "95 % reads of $MIXED_USERS values, $workload, 4 clients, prepared"
		print_medians "%12.0f" "per second" \
			"ttl=expire after a second" \
			"tagged=entries depend on rows, by tags" \
			"whole=entries depend on the table" \
			"none=not cached" < "$SCRATCH/mixed.tps.$workload"
		print_medians "%12.3f" "not computed" \
			"ttl=expire after a second" \
			"tagged=entries depend on rows, by tags" \
			"whole=entries depend on the table" < "$SCRATCH/mixed.hits.$workload"
		mixed_verify $workload "$2"
		echo
	done
}

# --------------------------------------------------------------------
# Tags
# --------------------------------------------------------------------

TAGS_ENTRIES="1000 1000000"
TAGS_CALLS=20000

# Entries with a tag of their own, and one that all have, in the server of PGPORT.
#	$1: how many
tags_prepare()
{
	start_server 1GB
	sql > /dev/null <<-SQL
		SELECT count(dogpile_get_or_create('$REGION', key::text, 'SELECT 1',
			tags => ARRAY['all', 'tag:' || key]))
		  FROM generate_series(1, $1) AS key;
		CREATE PROCEDURE tags_loop(tag text, INOUT us float8 DEFAULT 0)
		LANGUAGE plpgsql AS \$\$
		DECLARE
			started float8 := bench_cpu_time();
		BEGIN
			FOR i IN 1..$TAGS_CALLS LOOP
				PERFORM dogpile_invalidate_tags(ARRAY[CASE tag WHEN 'all' THEN tag
					ELSE tag || 1 + floor(random() * $1) END]);
				COMMIT;
			END LOOP;
			us := (bench_cpu_time() - started) / 1000 / $TAGS_CALLS;
		END \$\$;
	SQL
	echo "  $(sql -c "SELECT entries FROM dogpile_stats WHERE region = '$REGION'") entries stored"
}

# $1: rounds
run_tags()
{
	echo "dogpile_invalidate_tags() and COMMIT, in a loop within the server"
	PGPORT=$OTHER_PORT
	tags_prepare ${TAGS_ENTRIES% *}
	PGPORT=54321
	tags_prepare ${TAGS_ENTRIES#* }
	for round in $(seq "$1"); do
		for tag in tag: all; do
			few=$(PGPORT=$OTHER_PORT sql -c "CALL tags_loop('$tag')")
			many=$(sql -c "CALL tags_loop('$tag')")
			printf '%s\n' "$round few$tag $few" "$round many$tag $many" >> "$SCRATCH/tags"
		done
	done
	for tag in "tag:=one entry has" "all=all entries have"; do
		print_medians "%12.2f" "microseconds" \
			"few${tag%=*}=tag that ${tag#*=}: ${TAGS_ENTRIES% *}" \
			"many${tag%=*}=tag that ${tag#*=}: ${TAGS_ENTRIES#* }" < "$SCRATCH/tags"
	done
	echo
	(PGPORT=$OTHER_PORT; stop_server)
}

# $1: rounds; $2: seconds for each case in each
run_dependencies()
{
	run_writers "$1" "$2"
	run_mixed "$1" "$2"
	run_tags "$1"
}
