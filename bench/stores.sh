# bench/stores.sh: hits per second of regions with an external store; sourced by run.sh.
#
# A Redis and a memcached listen on sockets in the scratch folder.  A hit is
# compared with the least that a C program needs to look the same names up
# (bare_redis.c, bare_memcached.c), and with pgmemcache's memcache_get(), which
# looks up one name and knows no versions.  Regions that keep values in shared
# memory, or copies of them there, are compared with each other.
#
# A store and its client take turns, so it matters most whether they share a processor:
# then the one that waits is woken up much faster.  Loops run with the store on one
# processor, which shows what a hit costs; statements of two clients run wherever the
# system puts them.

# Keys 1 to 1000 have values of 100 bytes, 1001 to 2000 of 10 kB.
STORES_KEYS=1000
STORES_ROWS=20000
STORES_REGIONS="redis memcached memory two_level"
STORES_SIZES="100 10k"

# Loops are short and take many turns in a round, so that the loops that are compared run
# right after each other: the ratio of two long ones would depend on what else the machine
# had to do.
STORES_TURNS=4
STORES_BARE_SECONDS=0.3

stores_pids=

# The processors that we may use, and what runs a program on one of them.
stores_all=
stores_on_one=
if command -v taskset > /dev/null; then
	stores_all=$(taskset -c -p $$ | sed 's/.*: *//')
	stores_on_one="taskset -c ${stores_all%%[,-]*}"
fi

# Install missing Debian packages, which only root can do.  Without pgmemcache, the rest
# is measured.
stores_install()
{
	[ "$(id -u)" = 0 ] && command -v apt-get > /dev/null || return 0
	bash -eu -c '
		. "$1/../test/lib.sh"
		missing=
		for package in gcc make pkg-config libhiredis-dev libmemcached-dev memcached redis-server \
			redis-tools "postgresql-$(pg_version)-pgmemcache"; do
			has_package "$package" || missing="$missing $package"
		done
		[ -n "$missing" ] || exit 0
		echo "Installing$missing"
		as_root apt-get update -q > /dev/null
		install_packages $missing' - "$BENCH" || echo "Some packages could not be installed."
}

# Where pgmemcache is: in the installation at hand, or in Debian's of the same
# version.
stores_find_pgmemcache()
{
	version=$("$PG_CONFIG" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
	for folder in "$("$PG_CONFIG" --pkglibdir)" "/usr/lib/postgresql/$version/lib"; do
		[ ! -f "$folder/pgmemcache.so" ] || { echo "$folder/pgmemcache"; return; }
	done
}

stores_build_bare()
{
	for name in redis:hiredis memcached:libmemcached; do
		cc -O2 -o "$SCRATCH/bare_${name%:*}" "$BENCH/bare_${name%:*}.c" \
			$(pkg-config --cflags --libs "${name#*:}")
	done
}

stores_start_servers()
{
	redis-server --port 0 --unixsocket "$SCRATCH/redis.sock" --dir "$SCRATCH" \
		--save '' --appendonly no > "$SCRATCH/redis.log" &
	stores_pids=$!
	memcached -s "$SCRATCH/memcached.sock" -m 256 > "$SCRATCH/memcached.log" 2>&1 &
	stores_pids="$stores_pids $!"
	for tries in $(seq 100); do
		[ ! -S "$SCRATCH/redis.sock" ] || [ ! -S "$SCRATCH/memcached.sock" ] || return 0
		sleep 0.1
	done
	cat "$SCRATCH/redis.log" "$SCRATCH/memcached.log"
	exit 1
}

# Let the stores, and new sessions, run on some processors only.
#	$1: their numbers, as for taskset
stores_pin()
{
	[ -n "$stores_all" ] || return 0
	for pid in $stores_pids $(head -n 1 "$SCRATCH/data.$PGPORT/postmaster.pid"); do
		taskset -a -c -p "$1" "$pid" > /dev/null
	done
}

stores_stop_servers()
{
	[ -z "$stores_pids" ] || kill $stores_pids || true
	stores_pids=
}

stores_settings()
{
	cat <<-CONF
		dogpile.regions = 'redis, memcached, two_level, memory'
		dogpile_redis.backend = 'redis'
		dogpile_redis.servers = '$SCRATCH/redis.sock'
		dogpile_two_level.backend = 'redis'
		dogpile_two_level.servers = '$SCRATCH/redis.sock'
		dogpile_two_level.local_expiration_time = '1d'
		dogpile_memcached.backend = 'memcached'
		dogpile_memcached.servers = '$SCRATCH/memcached.sock'
	CONF
	for region in $STORES_REGIONS; do
		echo "dogpile_$region.expiration_time = '1d'"
	done
	[ -z "$pgmemcache" ] || cat <<-CONF
		shared_preload_libraries = '$LIBRARY/dogpile, $pgmemcache'
		pgmemcache.default_servers = '$SCRATCH/memcached.sock'
	CONF
}

# What a case computes of a key.  $1: case; $2: size of the value; $3: the key
stores_call()
{
	bytes=$(echo "$2" | sed s/k/000/)
	case $1 in
		loop)		echo "$3" ;;
		constant)	echo "bench_constant($3, $bytes)" ;;
		pgmemcache)	echo "memcache_get($3)" ;;
		*)			echo "dogpile_get_or_create('$1', $3, $(value_query "$bytes"))" ;;
	esac
}

# Every key has its value everywhere before anything is measured, and the bare
# loops have the names of these values.
stores_prepare()
{
	[ -z "$pgmemcache" ] || sql > /dev/null <<-SQL
		CREATE FUNCTION memcache_get(text) RETURNS text
			AS '$pgmemcache', 'memcache_get' LANGUAGE C STRICT;
		CREATE FUNCTION memcache_set(text, text) RETURNS bool
			AS '$pgmemcache', 'memcache_set' LANGUAGE C STRICT;
		SELECT memcache_set(k::text, repeat('x', CASE WHEN k <= $STORES_KEYS THEN 100 ELSE 10000 END))
		  FROM generate_series(1, 2 * $STORES_KEYS) k;
	SQL
	first=1
	for size in $STORES_SIZES; do
		sql > /dev/null <<-SQL
			CREATE TABLE keys_$size AS
				SELECT ($first + floor(random() * $STORES_KEYS))::int::text AS key
				  FROM generate_series(1, $STORES_ROWS);
			VACUUM ANALYZE keys_$size;
		SQL
		for region in $STORES_REGIONS; do
			sql > /dev/null <<-SQL
				SELECT count($(stores_call $region $size key::text))
				  FROM generate_series($first, $first + $STORES_KEYS - 1) AS key;
			SQL
		done
		last=$((first + STORES_KEYS - 1))
		redis-cli -s "$SCRATCH/redis.sock" --scan --pattern 'dogpile:{*:redis:*}:*' |
			awk -F '[:}]' -v first=$first -v last=$last '$4 >= first && $4 <= last {
				print $0, $1 ":" $2 ":" $3 ":" $4 "}!version", $1 ":" $2 ":" $3 "}!version" }' \
			> "$SCRATCH/names.redis.$size"
		sed 's/:redis\([:}]\)/:memcached\1/g' "$SCRATCH/names.redis.$size" \
			> "$SCRATCH/names.memcached.$size"
		first=$((last + 1))
	done
}

# Hits per second in a loop within the server, less the loop itself.
#	$1: case; $2: size; $3: how often the loop is repeated
stores_loop()
{
	source="keys_$2, generate_series(1, $3)"
	sql -v what="$(stores_call "$1" "$2" key)" -v source="$source" <<-'SQL'
		SELECT count(bench_time(:'what', '(SELECT key FROM ' || :'source' || ' LIMIT 1) AS one')) \g /dev/null
		SELECT 1e9 / (bench_time(:'what', :'source') - bench_time('key', :'source'));
	SQL
}

# Look-ups per second of a bare loop.  $1: store; $2: get or mget; $3: size; $4: seconds
stores_bare()
{
	$stores_on_one "$SCRATCH/bare_$1" "$SCRATCH/$1.sock" "$2" "$4" < "$SCRATCH/names.$1.$3" ||
		{ echo "bare_$1 $2 $3 has failed" >&2; exit 1; }
}

# The same through pgbench.  $1: case; $2: size; $3: seconds
stores_pgbench()
{
	first=1
	[ "$2" = 100 ] || first=$((STORES_KEYS + 1))
	{
		echo "\\set key random($first, $first + $STORES_KEYS - 1)"
		echo "SELECT $(stores_call "$1" "$2" :key);"
	} > "$SCRATCH/$1.$2.1"
	hits_run "$1.$2" 1 "$3"
}

# $1: rounds; $2: seconds for each case of statements in each
run_stores()
{
	pgmemcache=$(stores_find_pgmemcache)
	cases=$STORES_REGIONS
	if [ -n "$pgmemcache" ]; then
		cases="redis memcached pgmemcache memory two_level"
	else
		echo "There is no pgmemcache: left out."
	fi
	stores_build_bare
	stores_start_servers
	start_server 128MB "$(stores_settings)"
	stores_prepare
	for round in $(seq "$1"); do
		for size in $STORES_SIZES; do
			stores_round $round $size "$2"
		done
	done
	stores_tables
	stores_stop_servers
}

# All loops once.  $1: number; $2: size
stores_turn()
{
	for case in $cases; do
		repeat=1
		case $case in
			two_level | memory) repeat=10 ;;
			redis | memcached)
				for what in get mget; do
					echo "$1 $what.$case $(stores_bare $case $what $2 $STORES_BARE_SECONDS)"
				done ;;
		esac
		echo "$1 $case $(stores_loop $case $2 $repeat)"
	done >> "$SCRATCH/stores.loop.$2"
}

# $1: number; $2: size; $3: seconds for each case of statements
stores_round()
{
	stores_pin "${stores_all%%[,-]*}"
	for turn in $(seq $STORES_TURNS); do
		stores_turn $((($1 - 1) * STORES_TURNS + turn)) $2
	done
	stores_pin "$stores_all"
	for case in $cases constant; do
		echo "$1 $case $(stores_pgbench $case $2 "$3")" >> "$SCRATCH/stores.pgbench.$2"
	done
}

stores_tables()
{
	for size in $STORES_SIZES; do
		loop=$SCRATCH/stores.loop.$size pgbench=$SCRATCH/stores.pgbench.$size
		others=
		[ -z "$pgmemcache" ] || others="pgmemcache=pgmemcache"
		echo "External stores, $size bytes: hits per second in a loop, on one processor"
		print_medians "%12.0f" "per second" "mget.redis=bare hiredis, three names" \
			"get.redis=bare hiredis, one name" "redis=region in Redis" < "$loop"
		print_medians "%12.0f" "per second" "mget.memcached=bare libmemcached, three names" \
			"get.memcached=bare libmemcached, one name" \
			"memcached=region in memcached" ${others:+"$others"} < "$loop"
		print_medians "%12.0f" "per second" "memory=region in shared memory" \
			"two_level=region in Redis, with copies" < "$loop"
		echo "The same by statements: 2 clients, prepared"
		print_medians "%12.0f" "per second" "constant=C function" "memory=region in shared memory" \
			"two_level=region in Redis, with copies" "redis=region in Redis" \
			"memcached=region in memcached" ${others:+"$others"} < "$pgbench"
		[ -z "$pgmemcache" ] || print_medians "%12.0f" "per second" "$others" \
			"memcached=region in memcached" < "$pgbench"
		echo
	done
}
