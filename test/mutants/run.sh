#!/usr/bin/env bash
# test/mutants/run.sh [PATTERN]: do the tests notice mistakes?
#
# Plants each mistake of test/mutants/list (those whose lines match the pattern) in a
# copy of the sources, one at a time, builds and installs that with assertions, and
# runs the tests that should notice it.  A mistake is noticed if one of them fails.
#
# Meanwhile the installed extension has the mistake; at the end the right one is installed
# again.  Use PG_CONFIG= for a server that is not in use.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

pattern=${1:-}
noticed=0
unnoticed=0
makeargs=(with_llvm=no EXTRA_CFLAGS="-DUSE_ASSERT_CHECKING -w")

# Build and install what is in the work copy.
build_and_install() {
	build "${makeargs[@]}" > "$WORK/build.log" 2>&1 &&
		install_extension "${makeargs[@]}" >> "$WORK/build.log" 2>&1
}

# Run a test: regress/NAME, iso/NAME, stops/NAME, or stops/FILE and tap/FILE.
run_test() {
	local name=${1#*/}
	local args=(REGRESS= ISOLATION= TAP_TESTS=)
	case $1 in
		regress/*) args=("REGRESS=$name" ISOLATION= TAP_TESTS=) ;;
		iso/*) args=(REGRESS= "ISOLATION=$name" TAP_TESTS=) ;;
		stops/*.pl) args=(REGRESS= ISOLATION= "PROVE_TESTS=test/stops/t/$name") ;;
		stops/*) args=(REGRESS= "ISOLATION=$name" TAP_TESTS= "ISOLATION_DIR=test/stops/isolation") ;;
		tap/*) args=(REGRESS= ISOLATION= "PROVE_TESTS=test/t/$name") ;;
		*) echo "no such suite: $1" >&2; return 2 ;;
	esac
	as_user timeout 600 make -s PG_CONFIG="$PG_CONFIG" "${makeargs[@]}" installcheck "${args[@]}" \
		> "$WORK/test.log" 2>&1
}

# The fields of a line: file | expression of sed | tests.  An expression may contain bars.
file_of() { sed 's/ | .*//' <<< "$1"; }
expression_of() { sed 's/^[^|]* | \(.*\) | [^|]*$/\1/' <<< "$1"; }
tests_of() { sed 's/^.* | //' <<< "$1"; }

# Plant the mistake of a line, run its tests, and remove it again.
try_mistake() {
	local line=$1 file result="NOT NOTICED" test
	file=$(file_of "$line")
	cp "$WORK/$file" "$WORK/original"
	sed -i "$(expression_of "$line")" "$WORK/$file"
	if cmp -s "$WORK/$file" "$WORK/original"; then
		result="NOT PLANTED: its place has changed"
	elif ! build_and_install; then
		result="NOT BUILT"
		tail -n 5 "$WORK/build.log"
	else
		for test in $(tests_of "$line"); do
			run_test "$test" || { result="noticed by $test"; break; }
		done
	fi
	cat "$WORK/original" > "$WORK/$file"
	echo "$result: $file: $(expression_of "$line")"
	case $result in
		noticed*) noticed=$((noticed + 1)) ;;
		*) unnoticed=$((unnoticed + 1)) ;;
	esac
}

install_missing
make_work_copy
mapfile -t lines < <(grep -v '^#' "$TOP/test/mutants/list" | grep -e "$pattern")

# A test that fails without the mistake proves nothing.
build_and_install || { cat "$WORK/build.log"; exit 1; }
for test in $(for line in "${lines[@]}"; do tests_of "$line"; done | tr ' ' '\n' | sort -u); do
	run_test "$test" || { tail -n 30 "$WORK/test.log"; echo "$test fails without any mistake"; exit 1; }
done

for line in "${lines[@]}"; do
	try_mistake "$line"
done
build_and_install
echo "$noticed noticed, $unnoticed not noticed"
[ "$unnoticed" = 0 ]
