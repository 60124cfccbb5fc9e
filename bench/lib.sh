# bench/lib.sh: what the benchmarks share; sourced by them.
#
# Nothing is installed: the library is built in a scratch folder and loaded from
# there, and the SQL objects are created with its path in place of
# MODULE_PATHNAME.  So a benchmark measures the sources next to it, and several
# builds can be compared in one run.

set -eu

PG_CONFIG=${PG_CONFIG:-pg_config}
BINDIR=$("$PG_CONFIG" --bindir)
REGION=bench

# For awk: the median of list[1] to list[n], which it sorts.
MEDIAN='
	function median(list, n,    i, j, t) {
		for (i = 2; i <= n; i++)
			for (j = i; j > 1 && list[j - 1] > list[j]; j--) {
				t = list[j]; list[j] = list[j - 1]; list[j - 1] = t
			}
		return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
	}'

# PostgreSQL refuses to run as root.  Start the script anew as another user, on
# a copy of the checkout that belongs to it.
#	$1: name of the script; $2: folder that the other user must read, or "";
#	the others: arguments
leave_root()
{
	script=$1 data=$2
	shift 2
	[ "$(id -u)" = 0 ] || return 0
	user=${BENCH_USER:-postgres}
	copy=$(mktemp -d)
	trap 'rm -rf "$copy"' EXIT
	(cd "$BENCH/.." && tar cf - --exclude=.git .) | tar xf - -C "$copy"
	if [ -n "$data" ]; then
		cp -R "$data" "$copy/bench/data"
		set -- "$copy/bench/data" "$@"
	fi
	chown -R "$user" "$copy"
	status=0
	(cd "$copy" && runuser -u "$user" -- env HOME="$copy" PG_CONFIG="$PG_CONFIG" \
		"$copy/bench/$script" "$@") || status=$?
	exit $status
}

# A folder for everything; gone at the end, with the servers in it.
make_scratch()
{
	SCRATCH=$(mktemp -d)
	trap stop_all EXIT
	trap 'exit 1' HUP INT TERM
	PGHOST=$SCRATCH PGPORT=54321 PGDATABASE=postgres PGUSER=bench
	export PGHOST PGPORT PGDATABASE PGUSER
}

stop_all()
{
	for PGPORT in 54321 54322; do stop_server; done
	rm -rf "$SCRATCH"
}

# Build the extension and constant.c.
#	$1: name of the build; the others: arguments for make
build()
{
	LIBRARY=$SCRATCH/$1
	shift
	mkdir "$LIBRARY"
	(cd "$BENCH/.." && tar cf - --exclude=.git --exclude='*.o' --exclude='*.so' \
		--exclude=./bench/data .) | tar xf - -C "$LIBRARY"
	echo 'PGXS := $(shell $(PG_CONFIG) --pgxs)
MODULES = constant
include $(PGXS)' > "$LIBRARY/bench/Makefile"
	for folder in "$LIBRARY" "$LIBRARY/bench"; do
		make -s -j2 -C "$folder" PG_CONFIG="$PG_CONFIG" with_llvm=no "$@" \
			> "$SCRATCH/make.log" 2>&1 || { cat "$SCRATCH/make.log"; exit 1; }
	done
}

# Start a new server with the last build, in place of the one on this port.
#	$1: dogpile.shared_memory; $2: more settings, or nothing
start_server()
{
	stop_server
	data=$SCRATCH/data.$PGPORT
	rm -rf "$data"
	"$BINDIR/initdb" -D "$data" -U bench -A trust --no-sync \
		> "$SCRATCH/initdb.log"
	cat >> "$data/postgresql.conf" <<-CONF
		listen_addresses = ''
		unix_socket_directories = '$SCRATCH'
		port = $PGPORT
		shared_buffers = '512MB'
		max_wal_size = '4GB'
		fsync = off
		autovacuum = off
		jit = off
		max_parallel_workers_per_gather = 0
		synchronize_seqscans = off
		shared_preload_libraries = '$LIBRARY/dogpile'
		dogpile.shared_memory = '$1'
		dogpile.regions = '$REGION'
		dogpile_$REGION.expiration_time = '1d'
		${2:-}
	CONF
	"$BINDIR/pg_ctl" -s -w -D "$data" -l "$SCRATCH/log" start ||
		{ cat "$SCRATCH/log"; exit 1; }
	sed "s|MODULE_PATHNAME|$LIBRARY/dogpile|; /^.echo/d" \
		"$LIBRARY"/sql/dogpile--[0-9]*.sql | sql -f - > /dev/null
	sql > /dev/null <<-SQL
		CREATE FUNCTION bench_noop(key text) RETURNS text
			AS '$LIBRARY/bench/constant' LANGUAGE C VOLATILE STRICT;
		CREATE FUNCTION bench_constant(key text, size int) RETURNS text
			AS '$LIBRARY/bench/constant' LANGUAGE C VOLATILE STRICT;
		CREATE FUNCTION bench_trigger() RETURNS trigger
			AS '$LIBRARY/bench/constant' LANGUAGE C;
		CREATE FUNCTION bench_cpu_time() RETURNS float8
			AS '$LIBRARY/bench/constant' LANGUAGE C VOLATILE STRICT;

		-- Nanoseconds for each row of a table in which an aggregate takes a while.
		CREATE FUNCTION bench_time(what text, source text) RETURNS float8
		LANGUAGE plpgsql AS \$\$
		DECLARE
			started timestamptz := clock_timestamp();
			n bigint;
		BEGIN
			EXECUTE format('SELECT count(*), count(%s) FROM %s', what, source) INTO n;
			RETURN extract(epoch FROM clock_timestamp() - started) * 1e9 / n;
		END \$\$;
	SQL
}

stop_server()
{
	[ ! -f "$SCRATCH/data.$PGPORT/postmaster.pid" ] ||
		"$BINDIR/pg_ctl" -s -w -m immediate -D "$SCRATCH/data.$PGPORT" stop
}

# psql for scripts; arguments as for psql.
sql()
{
	"$BINDIR/psql" -X -q -A -t -v ON_ERROR_STOP=1 "$@"
}

# The query that creates a value of so many bytes, as a literal.
value_query()
{
	echo "'SELECT repeat(''x'', $1)'"
}

# Summarise lines of "round case measure".  The ratios are to the first case
# named, taken within each round and only then the median, because the machine
# is not equally fast in all rounds.  RATIO_FORMAT is theirs.
#	$1: printf format of the measures; $2: name of their column; the others: cases
print_medians()
{
	format=$1 column=$2 cases=
	shift 2
	for case in "$@"; do cases="$cases$case|"; done
	awk -v format="$format" -v column="$column" -v cases="$cases" \
		-v ratio_format="${RATIO_FORMAT:-%8.2f}" "$MEDIAN"'
		{ measure[$1, $2] = $3; if ($1 > rounds) rounds = $1 }
		END {
			ncases = split(cases, name, "|") - 1
			base = substr(cases, 1, index(cases, "=") - 1)
			printf "  %-34s %12s %8s\n", "", column, "ratio"
			for (c = 1; c <= ncases; c++) {
				split(name[c], part, "=")
				for (r = 1; r <= rounds; r++) {
					list[r] = measure[r, part[1]]
					ratio[r] = list[r] / measure[r, base]
				}
				printf "  %-34s " format " " ratio_format "\n", part[2], median(list, rounds),
					median(ratio, rounds)
			}
		}'
}
