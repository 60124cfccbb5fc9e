# bench/hits.sh: hits per second as clients measure them; sourced by run.sh.

# Keys 1 to 1000 have short values, 1001 to 2000 long ones.
HITS_KEYS=1000
HITS_BATCH=20
HITS_CASES="select1 constant100 dogpile100 lookup100 plpgsql100 constant10k dogpile10k"

# The statement of a case, with a key as parameter.
hits_statement()
{
	case $1 in
		select1)		echo "SELECT 1" ;;
		constant100)	echo "SELECT bench_constant(:key, 100)" ;;
		constant10k)	echo "SELECT bench_constant(:key, 10000)" ;;
		dogpile100)		echo "SELECT dogpile_get_or_create('$REGION', :key, $(value_query 100))" ;;
		dogpile10k)		echo "SELECT dogpile_get_or_create('$REGION', :key, $(value_query 10000))" ;;
		lookup100)		echo "SELECT value FROM lookup WHERE key = :key" ;;
		plpgsql100)		echo "SELECT plpgsql_get_or_create(:key, $(value_query 100))" ;;
	esac
}

# Write the pgbench script of a case.  $1: case; $2: statements in a pipeline
hits_script()
{
	case $1 in
		*10k)	printf '%s\n' "\set key random($HITS_KEYS + 1, 2 * $HITS_KEYS)" ;;
		*)		printf '%s\n' "\set key random(1, $HITS_KEYS)" ;;
	esac
	[ "$2" = 1 ] || printf '%s\n' '\startpipeline'
	for i in $(seq "$2"); do
		echo "$(hits_statement "$1");"
	done
	[ "$2" = 1 ] || printf '%s\n' '\endpipeline'
}

# Statements per second.  $1: case; $2: statements in a pipeline; $3: seconds
hits_run()
{
	"$BINDIR/pgbench" -n -M prepared -c 2 -j 2 -T "$3" -f "$SCRATCH/$1.$2" \
		2> "$SCRATCH/pgbench.log" |
		awk -v batch="$2" '/^tps/ { tps = $3 } END { if (tps == 0) exit 1; print tps * batch }' ||
		{ cat "$SCRATCH/pgbench.log" >&2; exit 1; }
}

# Every key has its value before anything is measured.
hits_prepare()
{
	sql -f "$BENCH/plpgsql_cache.sql"
	sql > /dev/null <<-SQL
		CREATE TABLE lookup (key text PRIMARY KEY, value text);
		INSERT INTO lookup SELECT k, repeat('x', 100) FROM generate_series(1, $HITS_KEYS) k;
		SELECT count(dogpile_get_or_create('$REGION', k::text, $(value_query 100))),
			   count(dogpile_get_or_create('$REGION', (k + $HITS_KEYS)::text, $(value_query 10000))),
			   count(plpgsql_get_or_create(k::text, $(value_query 100)))
		  FROM generate_series(1, $HITS_KEYS) k;
		VACUUM ANALYZE;
	SQL
}

# $1: rounds; $2: seconds for each case in each
run_hits()
{
	start_server 128MB
	hits_prepare
	for case in $HITS_CASES; do
		for batch in 1 $HITS_BATCH; do
			hits_script $case $batch > "$SCRATCH/$case.$batch"
		done
	done
	for round in $(seq "$1"); do
		for batch in 1 $HITS_BATCH; do
			for case in $HITS_CASES; do
				rate=$(hits_run $case $batch "$2")
				echo "$round $case $rate" >> "$SCRATCH/hits.$batch"
			done
		done
	done
	echo "Statements per second: 2 clients, prepared"
	hits_tables 1
	echo "The same in pipelines of $HITS_BATCH"
	hits_tables $HITS_BATCH
}

# $1: statements in a pipeline
hits_tables()
{
	print_medians "%12.0f" "per second" \
		"constant100=C function, 100 bytes" \
		"dogpile100=dogpile hit, 100 bytes" \
		"lookup100=primary key, 100 bytes" \
		"plpgsql100=PL/pgSQL cache, 100 bytes" \
		"select1=SELECT 1" < "$SCRATCH/hits.$1"
	print_medians "%12.0f" "per second" \
		"constant10k=C function, 10 kB" \
		"dogpile10k=dogpile hit, 10 kB" < "$SCRATCH/hits.$1"
	print_medians "%12.0f" "per second" \
		"plpgsql100=PL/pgSQL cache, 100 bytes" \
		"dogpile100=dogpile hit, 100 bytes" < "$SCRATCH/hits.$1"
	echo
}
