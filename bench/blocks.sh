#!/bin/sh
#
# bench/blocks.sh [size of a block in bytes] [another]
#
# Compares two sizes of the store's blocks (128 and 256): the memory that an
# entry takes beyond its key and value, and the time of a hit.  Environment:
# BENCH_ROUNDS and BENCH_USER as for run.sh.

BENCH=$(cd "$(dirname "$0")" && pwd)
. "$BENCH/lib.sh"
. "$BENCH/loop.sh"

BLOCKS_STORE_MB=16

# Fill a store of a new server with values that are from half to one and a half
# times as long as told.  Prints the number of entries it holds, and the mean of
# the bytes of their keys and values, and of those of their blocks.
#	$1: mean size of a value
blocks_memory()
{
	size="$1 / 2 + i * 7919 % ($1 + 1)"
	start_server ${BLOCKS_STORE_MB}MB
	sql <<-SQL | tr '|' ' '
		SELECT count(dogpile_get_or_create('$REGION', i::text, 'SELECT repeat(''x'', \$1)', params => ROW($size)))
		  FROM generate_series(1, 2 * $BLOCKS_STORE_MB * 1048576 / ($1 + 100)) AS i \g /dev/null
		SELECT count(*), avg(length(key) + $size), avg(memory)
		  FROM dogpile_entries, CAST(key AS int) AS i;
	SQL
}

# Print a table line for each size of a value.
blocks_memory_table()
{
	printf "  %-10s %10s %14s %14s\n" "value" "entries" "in blocks" "in all"
	for value in 10 30 100 300 1000 3000 10000; do
		blocks_memory $value | awk -v value=$value -v store=$((BLOCKS_STORE_MB * 1048576)) '
			{ printf "  %-10d %10d %14.0f %14.0f\n", value, $1, $3 - $2, store / $1 - $2 }'
	done
	echo
}

# Do something with each of the two servers that are compared.
each()
{
	for PGPORT in 54321 54322; do "$@"; done
	PGPORT=54321
}

leave_root blocks.sh "" "$@"
rounds=${BENCH_ROUNDS:-5} first=${1:-128} second=${2:-256}
make_scratch
PGPORT=54321
for block in $first $second; do
	build $block COPT=-DDOGPILE_BLOCK_SIZE=$block
	echo "Blocks of $block bytes: bytes per entry beyond key and value"
	blocks_memory_table
	start_server 1GB
	PGPORT=54322
done

for entries in 1000 10000 1000000; do
	each loop_prepare $entries
	for round in $(seq $rounds); do
		for PGPORT in 54321 54322; do
			echo "$round $PGPORT.$entries $(loop_run 1 "$loop_hit" keys_$entries)" >> "$SCRATCH/blocks"
		done
	done
done
echo "Time of a hit of 100 bytes, by the number of entries"
for entries in 1000 10000 1000000; do
	print_medians "%12.0f" nanoseconds "54321.$entries=$entries entries, blocks of $first" \
		"54322.$entries=$entries entries, blocks of $second" < "$SCRATCH/blocks"
done
