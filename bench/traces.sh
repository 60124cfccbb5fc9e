# bench/traces.sh: the store's hit ratio on request traces; sourced by run.sh.
#
# The folder's README.md has a table with the hit ratio of known policies by
# trace and number of entries; each row is repeated here.  A trace is a file of
# big-endian 32-bit object numbers, compressed by xz, and driven through
# dogpile_get_or_create() one request at a time.
#
# All keys have one length and all values one size, so a number of entries is an amount of
# memory.  How much is found out from a server that is started first: the memory of an
# entry from dogpile_entries, and the share of dogpile.shared_memory that is left for
# entries from pg_shmem_allocations.

# Long enough for the smallest trace to need more than the least memory that can
# be configured.
TRACES_VALUE_BYTES=3000

traces_request="dogpile_get_or_create('$REGION', lpad(object::text, 10, '0'), $(value_query $TRACES_VALUE_BYTES))"

# Print how many kB of dogpile.shared_memory an entry takes.
traces_calibrate()
{
	start_server 64MB
	sql <<-SQL
		SELECT count($traces_request) FROM (SELECT 1 AS object) AS one \g /dev/null
		SELECT (SELECT memory FROM dogpile_entries) * 65536.0 / size
		  FROM pg_shmem_allocations WHERE name = 'dogpile pool';
	SQL
}

# Print hits, misses, evictions and entries that are left.
#	$1: file; $2: kB of shared memory
traces_run()
{
	start_server "$2kB"
	xz -dc "$1" | od -An -v -tu4 --endian=big -w4 > "$SCRATCH/objects"
	sql <<-SQL
		CREATE UNLOGGED TABLE trace (object bigint);
		\copy trace FROM '$SCRATCH/objects'
		SELECT count($traces_request) FROM trace \g /dev/null
		SELECT hits, misses, evictions, entries
		  FROM dogpile_stats WHERE region = '$REGION';
	SQL
}

# $1: folder
run_traces()
{
	kb_per_entry=$(traces_calibrate)
	echo "Hit ratios on request traces, beside those of known policies"
	printf "  %-10s %8s %8s %8s %8s %8s %8s %10s\n" trace entries held dogpile \
		S3-FIFO LRU optimal "- S3-FIFO"
	sed -n 's/^| *\([^ |]*\) *| *\([0-9][0-9]*\) *|/\1 \2 /; t rest; d; : rest; s/|/ /g; p' \
		"$1/README.md" |
	while read -r trace entries fifo lru sieve s3fifo arc optimal; do
		[ -f "$1/$trace.trace.xz" ] || continue
		kb=$(echo "$kb_per_entry $entries" | awk '{ print int($1 * $2 + 0.999) }')
		traces_run "$1/$trace.trace.xz" $kb < /dev/null | tr '|' ' ' |
			awk -v trace=$trace -v entries=$entries -v lru=$lru -v s3fifo=$s3fifo -v optimal=$optimal '{
				ratio = $1 / ($1 + $2)
				printf "  %-10s %8d %8d %8.4f %8.4f %8.4f %8.4f %+10.4f\n", trace,
					entries, $4, ratio, s3fifo, lru, optimal, ratio - s3fifo }'
	done
	echo
}
