#!/bin/sh
# test/layers.sh: every file in src includes only headers of a lower layer than
# its own, as src/layers lists them from the bottom; and every file is listed.
cd "$(dirname "$0")/.." || exit 1
exec awk '
	FILENAME ~ /layers$/ { for (i = 1; i <= NF; i++) rank[$i] = FNR; next }
	FNR == 1 {
		file = FILENAME; sub(/.*\//, "", file)
		module = file; sub(/\.[ch]$/, "", module)
		files++
		if (!(module in rank)) { print file ": not in src/layers"; bad = 1 }
	}
	/^#include "[a-z0-9_]+\.h"/ {
		split($2, quoted, "\""); header = quoted[2]; sub(/\.h$/, "", header)
		if (header in rank && header != module && rank[header] >= rank[module]) {
			print file " (layer " rank[module] ") includes " header ".h (layer " rank[header] ")"
			bad = 1
		}
	}
	END { exit bad || files < 10 }' src/layers src/*.[ch]
