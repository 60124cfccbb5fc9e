#!/usr/bin/env bash
# test/fuzz/run.sh [inputs [seed]]: feed this many damaged entries to the decoder, built
# with the sanitizers for addresses and for undefined behaviour.  The default is 50,000
# inputs, which takes some seconds.
#
# Where clang and its libFuzzer are installed, it is run for as many inputs again.
set -euo pipefail
inputs=${1:-50000}
seed=${2:-1}
cd "$(dirname "$0")/../.."
pg_config=${PG_CONFIG:-pg_config}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1

# Build the program: build COMPILER SANITIZERS NAME ARGUMENT...
build() {
	local compiler=$1 sanitizers=$2 name=$3
	shift 3
	"$compiler" -O1 -g -fno-omit-frame-pointer -fno-strict-aliasing -fwrapv -Wno-ignored-attributes \
		-fsanitize="$sanitizers" -fno-sanitize-recover=undefined "$@" \
		-DUSE_ASSERT_CHECKING -Isrc -I"$("$pg_config" --includedir-server)" \
		-o "$out/$name" test/fuzz/wire_fuzz.c src/wire/wire.c \
		-L"$("$pg_config" --pkglibdir)" -L"$("$pg_config" --libdir)" \
		-lpgcommon -lpgport -lcrypto -lm
}

# With much address space randomization, the sanitizer may find no room for its memory.
run() {
	"$@" 2> "$out/err" && return
	if grep -q 'hadow memory' "$out/err"; then
		setarch "$(uname -m)" -R "$@"
	else
		cat "$out/err" >&2
		return 1
	fi
}

build "${CC:-cc}" address,undefined wire_fuzz
run "$out/wire_fuzz" "$inputs" "$seed"

if echo 'int LLVMFuzzerTestOneInput(const char *p, long n) { return 0; }' |
	clang -x c -fsanitize=fuzzer -o "$out/try" - 2> "$out/try.log"; then
	build clang fuzzer,address,undefined libfuzzer -DLIBFUZZER
	mkdir "$out/corpus"
	run "$out/wire_fuzz" corpus "$out/corpus"
	"$out/libfuzzer" -runs="$inputs" -seed="$seed" -max_len=4096 \
		-artifact_prefix="$out/" "$out/corpus" > "$out/log" 2>&1 ||
		{ tail -n 40 "$out/log"; exit 1; }
	grep -E '^(Done|#.*DONE)' "$out/log"
fi
