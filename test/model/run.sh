#!/usr/bin/env bash
# test/model/run.sh [--long]
#
# Has spin search the whole state space of the models: with all guards there is no
# violation; without any one of them there is.  Prints a line "ok" or "not ok" for each.
# With --long, with more sessions, calls and faults; that takes some minutes and some GB.
# To look at a counterexample: run.sh --show MODEL FLAGS..., such as
#	test/model/run.sh --show commit -DAUTO -DCALLS=1 -DNO_MARK
set -uo pipefail

cd "$(dirname "$0")"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
bad=0

# Search a model with some flags.  Prints "clean", "violated" or what went wrong.
search() {
	local model=$1 folder
	shift
	folder=$(mktemp -d -p "$scratch")
	cp "$model.pml" "$folder"
	(
		cd "$folder" || exit
		spin "$@" -a "$model.pml" > out 2>&1 &&
			"${CC:-gcc}" -O1 -w -DSAFETY -DNOFAIR -DVECTORSZ=512 \
				-DMEMLIM="$memory_mb" -o pan pan.c >> out 2>&1 &&
			timeout "$limit_s" ./pan -m100000 -E >> out 2>&1
		if [ "$show" = yes ] && [ -e "$model.pml.trail" ]; then
			spin -t -p -g -l "$@" "$model.pml"
		fi
		if grep -q 'assertion violated' out; then
			echo violated
		elif grep -q 'errors: 0' out && ! grep -qE 'MEMLIM bound|out of memory|too small|max search depth' out; then
			echo clean
		else
			tail -n 3 out
			echo incomplete
		fi
	)
	rm -rf "$folder"
}

# expect RESULT MODEL FLAGS...
expect() {
	local want=$1 result
	shift
	result=$(search "$@")
	if [ "$result" = "$want" ]; then
		echo "ok - $*: $want"
	else
		echo "not ok - $*: $result instead of $want"
		bad=$((bad + 1))
	fi
}

# check MODEL "FLAGS" GUARD...: clean with all guards, violated without any one.
check() {
	local model=$1 flags=$2 guard
	shift 2
	# shellcheck disable=SC2086
	expect clean "$model" $flags
	for guard; do
		# shellcheck disable=SC2086
		expect violated "$model" $flags "-DNO_$guard"
	done
}

memory_mb=1500
limit_s=600
show=no
if [ "${1:-}" = --show ]; then
	show=yes
	shift
	search "$@"
	exit
fi

check commit "-DAUTO -DCALLS=1" MARK SHARED_MARK MARK_FIRST CLOCK_FIRST READERS \
	READERS_FIRST WATCH_FIRST TICK_AFTER UNMARK_LAST FOREIGN
check commit "-DOLD" OLD_MARKS OLD_VERSIONS NOTE_FIRST SEES_ALL WATCH_TICK
check commit "-DDEFERRED" RECHECK TICK_LOCK
check commit "-DDEFERRED_OLD -DCALLS=1" RECHECK_OLD
check commit "-DOWN" OWN_CHANGES DEFER
check commit "-DCATALOGS" CATALOG_MARK MESSAGES_FIRST
check commit "-DWAITERS" CALL_TIME
check commit "-DTAG_WAITERS" CALL_CLOCK
check servers "-DMARKS" OUTSIDE_MARK TOKEN_FIRST RENEW
check servers "-DMARKS -DWRITERS=2" MARK_COUNT
check servers "-DOWN" OWN_NOTED OWN_ALONE JOINED
check servers "-DSTANDBY" WAL
check servers "-DSTANDBY -DWRITERS=2" WAL_LATE JOINED
check servers "-DFORGET" FRESH
check servers "-DFAULTS=1" SUSPECT HOLD
check servers "-DFAULTS=1 -DCRASH" DURABLE
check servers "-DSETS" FENCE LOCK_FIRST COMPARE
check servers "-DLOCKS" LOCK
# Where two transactions have marks at a time, the whole is for the long form.
expect violated servers -DFAULTS=1 -DWRITERS=2 -DNO_SETTLE_WAIT
expect violated servers -DFAULTS=2 -DWRITERS=2 -DNO_NUMBER
expect violated servers -DFORGET -DWRITERS=2 -DNO_MARK_NUMBER

if [ "${1:-}" = --long ]; then
	memory_mb=${MODEL_MEMORY_MB:-6000}
	limit_s=3600
	expect clean servers -DFAULTS=1 -DWRITERS=2
	expect clean servers -DFORGET -DWRITERS=2
	expect clean servers -DFAULTS=2 -DCRASH -DCREATOR_ON=B
	expect clean servers -DFAULTS=2
	expect clean commit -DOLD -DWIDE
	expect clean commit -DCATALOGS -DWIDE -DCALLS=1
	expect clean commit -DDEFERRED -DWIDE
	expect clean commit -DAUTO
fi
exit $((bad > 0))
