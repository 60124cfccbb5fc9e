#!/bin/sh
#
# bench/run.sh [folder of request traces]
#
# Prints how fast a hit is and how well the store keeps what is asked for; see
# bench/README.md.  What to run, and for how long, is in the environment:
#
#	BENCH_PARTS		of "hits loop dependencies stores traces" (all; traces only if a folder is given)
#	BENCH_ROUNDS	rounds of which medians are taken (5)
#	BENCH_SECONDS	of each case in each round (2)
#	BENCH_ENTRIES	of loop ("1000 10000 100000 1000000")
#	BENCH_USER		the user that runs the server, if called by root (postgres)

BENCH=$(cd "$(dirname "$0")" && pwd)
. "$BENCH/lib.sh"
. "$BENCH/hits.sh"
. "$BENCH/loop.sh"
. "$BENCH/dependencies.sh"
. "$BENCH/stores.sh"
. "$BENCH/traces.sh"

traces=${1:-}
parts=${BENCH_PARTS:-hits loop dependencies stores traces}
case " $parts " in *" stores "*) stores_install ;; esac
leave_root run.sh "$traces"

rounds=${BENCH_ROUNDS:-5}
make_scratch
trap 'stores_stop_servers; stop_all' EXIT
build default
for part in $parts; do
	case $part in
		hits) run_hits "$rounds" "${BENCH_SECONDS:-2}" ;;
		loop) run_loop "$rounds" "${BENCH_ENTRIES:-1000 10000 100000 1000000}" ;;
		dependencies) run_dependencies "$rounds" "${BENCH_SECONDS:-2}" ;;
		stores) run_stores "$rounds" "${BENCH_SECONDS:-2}" ;;
		traces)
			if [ -n "$traces" ]; then
				run_traces "$traces"
			else
				echo "No folder of request traces was given: hit ratios left out."
			fi ;;
		*) echo "$0: no such part: $part" >&2; exit 2 ;;
	esac
done
