# test/suites.sh: runs checks and suites, and counts them; sourced by test/check.sh
# and test/majors.sh.
#
# A test that is skipped, a suite that runs nothing, and a TAP file that dies
# before its end count as failed.

passed=0
failed=0
broken=()

# Note what is to be named at the end: note_broken NAME...
note_broken() {
	broken+=("$@")
}

# Count a check that passes or fails as a whole: count NAME COMMAND...
count() {
	local name=$1
	shift
	if "$@"; then
		echo "ok - $name"
		passed=$((passed + 1))
	else
		echo "not ok - $name"
		failed=$((failed + 1))
		note_broken "$name"
	fi
}

# Count what could not be tried at all: count_missing NAME REASON
count_missing() {
	printf '!!\n!! NOT TESTED: %s\n!! %s\n!!\n' "$1" "$2"
	failed=$((failed + 1))
	note_broken "$1: not tested, $2"
}

# Count the lines "ok" and "not ok" of a command: count_lines NAME COMMAND...
count_lines() {
	local name=$1 log status=0 ok bad
	shift
	log=$WORK/$name.log
	echo "== $name"
	"$@" > "$log" 2>&1 || status=$?
	grep -v '^ok' "$log" || true
	ok=$(grep -c '^ok' "$log" || true)
	bad=$(grep -c '^not ok' "$log" || true)
	if [ "$bad" = 0 ] && { [ "$status" != 0 ] || [ "$ok" = 0 ]; }; then
		bad=1
	fi
	echo "== $name: $ok passed, $bad failed"
	passed=$((passed + ok))
	failed=$((failed + bad))
}

# Build with assertions, and let no warning pass.
builds_without_warnings() {
	build EXTRA_CFLAGS="-Werror -DUSE_ASSERT_CHECKING" with_llvm=no "$@" &&
		as_user make -s PG_CONFIG="$PG_CONFIG" clean
}

# Build and install with assertions, and with places where a test can hold a session up.
installs_with_assertions() {
	build EXTRA_CFLAGS=-DUSE_ASSERT_CHECKING with_llvm=no &&
		install_extension with_llvm=no &&
		as_user make -s PG_CONFIG="$PG_CONFIG" clean
}

# How many lines of a file match: matches PATTERN FILE
matches() {
	grep -cE "$1" "$2" || true
}

# The tests of a log that have failed, and the TAP files that died or failed, as
# prove sums them up; "Failed: 0" is one that died.
list_broken() {
	sed -n -e 's/^test *\([^ ]*\) *\.\.\. FAILED.*/\1/p' \
		-e 's/^not ok [0-9]* *[-+] \([^ ]*\)  *[0-9]* ms$/\1/p' \
		-e '/^Test Summary Report/,$s/^\(test\/[^ ]*\) .*Failed: 0)$/\1 (died)/p' \
		-e '/^Test Summary Report/,$s/^\(test\/[^ ]*\) .*Failed: \([0-9]*\))$/\1 (\2 failed)/p' "$1"
}

# Run one suite of installcheck and count its tests, in the form of pg_regress
# before 16 ("test name ... ok"), or in that of TAP ("ok 1 - name").
run_suite() {
	local name=$1 log=$WORK/$1.log status=0 ok bad begun=$SECONDS
	shift
	echo "== $name"
	as_user make -s PG_CONFIG="$PG_CONFIG" with_llvm=no PROVE_FLAGS="-v -I test/perl" installcheck \
		"$@" > "$log" 2>&1 || status=$?
	grep -E '^(test .*\.\.\. |not ok )|# (skip|SKIP|todo|TODO)' "$log" || true
	ok=$(($(matches '^(test .*\.\.\. ok|ok [0-9]+)' "$log") - $(matches '^ok .*# (skip|SKIP)' "$log")))
	bad=$(matches '^(test .*\.\.\. FAILED|not ok [0-9]+)|^ok .*# (skip|SKIP)|skipped: ' "$log")
	bad=$((bad + $(list_broken "$log" | matches '\(died\)$' /dev/stdin)))
	if [ "$bad" = 0 ] && { [ "$status" != 0 ] || [ "$ok" = 0 ]; }; then
		bad=1
	fi
	if [ "$bad" != 0 ]; then
		tail -n 50 "$log"
		find "$WORK" -name regression.diffs -exec cat {} +
		find "$WORK/tmp_check/log" -name 'regress_log_*' -exec tail -n 30 {} + 2> /dev/null || true
		mapfile -t -O "${#broken[@]}" broken < <(list_broken "$log" | sed "s/^/$name: /" |
			grep . || echo "$name: exit status $status")
	fi
	echo "== $name: $ok passed, $bad failed, $((SECONDS - begun)) s"
	passed=$((passed + ok))
	failed=$((failed + bad))
}

# The last lines: what has failed, and the sum.  Returns false if anything has.
report() {
	if [ "${#broken[@]}" != 0 ]; then
		echo "Failed:"
		printf '  %s\n' "${broken[@]}"
	fi
	echo "$passed passed, $failed failed"
	[ "$failed" = 0 ]
}
