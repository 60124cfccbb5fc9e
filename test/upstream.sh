#!/usr/bin/env bash
# test/upstream.sh MAJOR: PostgreSQL's own tests, without dogpile and with it.
#
# It gets PostgreSQL's source package, builds it with assertions, and runs the
# regression and isolation tests and those of pg_stat_statements against a server
# without dogpile and against one with it, listed before and after pg_stat_statements in
# shared_preload_libraries.  A test fails if it fails only with dogpile; tests that fail
# in both are listed.
#
# PG_SOURCE names a source tree that has been built and installed already, with
# PG_CONFIG of what was installed, instead of MAJOR.  SUITES names those to run, KEEP
# a folder that gets the logs.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/debian.sh"

SUITES=${SUITES:-regress isolation pg_stat_statements}
passed=0
failed=0

# Get, build and install the source package of a major: sets PG_SOURCE, PG_CONFIG.
build_server() {
	local major=$1 options="" tar

	for package in bison flex libicu-dev libreadline-dev zlib1g-dev libxml2-dev; do
		has_package "$package" || options="$options $package"
	done
	[ -z "$options" ] || install_packages $options
	echo "Getting the source of PostgreSQL $major"
	get_source "$major" "$WORK/source"
	tar=$(ls "$WORK"/source/postgresql-"$major"_*.orig.tar.*)
	tar xf "$tar" -C "$WORK/source"
	PG_SOURCE=$(ls -d "$WORK"/source/postgresql-"$major".*/)
	PG_CONFIG=$WORK/pg/bin/pg_config
	give_work_copy
	echo "Building it, with assertions"
	(as_user sh -c "cd '$PG_SOURCE' && ./configure -q --prefix='$WORK/pg' --enable-cassert \
		--with-libxml --with-icu CFLAGS='-O1 -g' && make -s -j2 world-bin && make -s install-world-bin &&
		make -s -j2 -C src/test/regress && make -s -j2 -C src/test/isolation") > "$WORK/server.log" 2>&1 ||
		{ tail -n 30 "$WORK/server.log"; return 1; }
}

start_server() {
	local data=$WORK/data libraries=$1

	as_user rm -rf "$data"
	as_user "$BINDIR/initdb" -D "$data" -U postgres -A trust --no-sync --locale=C -E UTF8 > "$WORK/initdb.log"
	as_user tee -a "$data/postgresql.conf" > /dev/null <<-CONF
		listen_addresses = ''
		unix_socket_directories = '$WORK'
		port = 54331
		fsync = off
		max_prepared_transactions = 5
		shared_preload_libraries = '$libraries'
	CONF
	case $libraries in
	*dogpile*) as_user tee -a "$data/postgresql.conf" > /dev/null <<-CONF
		dogpile.regions = 'auto'
		dogpile_default.depends = 'auto'
		dogpile_auto.depends = 'auto'
	CONF
	esac
	as_user "$BINDIR/pg_ctl" -s -w -D "$data" -l "$WORK/server.log" start ||
		{ cat "$WORK/server.log"; return 1; }
}

stop_server() {
	[ ! -f "$WORK/data/postmaster.pid" ] ||
		as_user "$BINDIR/pg_ctl" -s -w -m fast -D "$WORK/data" stop
}

# Run one suite on a server with these libraries, and write a line for each test to a
# file: "ok name" or "bad name".  pg_regress has two output formats.
run_suite() {
	local suite=$1 libraries=$2 out=$3 folder target=installcheck

	case $suite in
	regress) folder=src/test/regress target=installcheck-parallel ;;
	isolation) folder=src/test/isolation ;;
	pg_stat_statements) folder=contrib/pg_stat_statements ;;
	esac
	start_server "$libraries"
	as_user env PGHOST="$WORK" PGPORT=54331 PGUSER=postgres \
		make -C "$PG_SOURCE/$folder" NO_INSTALLCHECK= TAP_TESTS= $target > "$out.log" 2>&1 || true
	stop_server
	sed -n -e 's/^\(test\)\{0,1\} *\([a-z0-9_.-]*\) *\.\.\. ok .*/ok \2/p' \
		-e 's/^\(test\)\{0,1\} *\([a-z0-9_.-]*\) *\.\.\. FAILED.*/bad \2/p' \
		-e 's/^ok [0-9]* *[-+] \([^ ]*\).*/ok \1/p' \
		-e 's/^not ok [0-9]* *[-+] \([^ ]*\).*/bad \1/p' "$out.log" | sort > "$out"
	cp "$PG_SOURCE/$folder/regression.diffs" "$out.diffs" 2> /dev/null ||
		cp "$PG_SOURCE/$folder/output_iso/regression.diffs" "$out.diffs" 2> /dev/null || true
	[ -z "${KEEP:-}" ] || { mkdir -p "$KEEP"; cp "$out"* "$KEEP"; }
}

# Run a suite with dogpile, and compare: compare SUITE LIBRARIES FILE-WITHOUT FILE
compare() {
	local suite=$1 libraries=$2 without=$3 with=$4 both only

	run_suite "$suite" "$libraries" "$with"
	both=$(comm -12 "$without" "$with" | sed -n 's/^bad //p')
	only=$(comm -13 "$without" "$with" | sed -n 's/^bad //p')
	echo "$suite: $(grep -c ^ok "$with") of $(wc -l < "$with") pass with \"$libraries\" preloaded," \
		"$(grep -c ^ok "$without") of $(wc -l < "$without") without dogpile"
	[ -z "$both" ] || echo "  fail in both:" $both
	[ -z "$only" ] || echo "  fail with dogpile only:" $only
	passed=$((passed + $(grep -c ^ok "$with" || true)))
	failed=$((failed + $(echo "$only" | grep -c . || true)))

	# A suite that did not run is no success, nor is one of which less ran.
	if [ ! -s "$with" ] || [ "$(wc -l < "$with")" != "$(wc -l < "$without")" ]; then
		tail -n 20 "$with.log"
		failed=$((failed + 1))
	fi
}

# Run a suite without dogpile and with it.
compare_suite() {
	local without=$WORK/$1.without

	if [ "$1" = pg_stat_statements ]; then
		run_suite "$1" pg_stat_statements "$without"
		compare "$1" 'dogpile, pg_stat_statements' "$without" "$WORK/$1.with"
		compare "$1" 'pg_stat_statements, dogpile' "$without" "$WORK/$1.behind"
	else
		run_suite "$1" "" "$without"
		compare "$1" dogpile "$without" "$WORK/$1.with"
	fi
}

[ $# = 1 ] || [ -n "${PG_SOURCE:-}" ] || { sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 1; }
make_work_copy
chmod 755 "$WORK"
if [ -z "${PG_SOURCE:-}" ]; then
	install_missing
	build_server "$1"
fi
BINDIR=$("$PG_CONFIG" --bindir)
trap 'stop_server; rm -rf "$WORK"' EXIT
as_user make -s -j2 with_llvm=no PG_CONFIG="$PG_CONFIG" EXTRA_CFLAGS=-DUSE_ASSERT_CHECKING
make -s -C "$WORK" with_llvm=no PG_CONFIG="$PG_CONFIG" install > "$WORK/install.log"
give_work_copy
"$PG_CONFIG" --version
for suite in $SUITES; do
	compare_suite "$suite"
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
