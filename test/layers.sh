#!/bin/sh
# test/layers.sh [FOLDER]: a file in src (or that folder) includes only headers of its own
# folder and of folders on lower floors.  src/layers lists the floors from the ground up;
# files directly in src are above all of them.  Within a folder, no header may include
# itself by way of others.
cd "${1:-"$(dirname "$0")/../src"}" || exit 1
# shellcheck disable=SC2046
exec awk '
	function complain(text) { print text; bad = 1 }
	function folder_of(path) { return sub("/[^/]*$", "", path) ? path : "" }
	function module_of(path) { sub(/\.[ch]$/, "", path); return path }

	# Is there a way from one module back to another one within its folder?
	function reaches(from, goal,   next_ones, n, i) {
		if (from == goal) return 1
		if (from in visited) return 0
		visited[from] = 1
		n = split(uses[from], next_ones, " ")
		for (i = 1; i <= n; i++) if (reaches(next_ones[i], goal)) return 1
		return 0
	}

	FILENAME == "layers" { for (i = 1; i <= NF; i++) floor[$i] = FNR; top = FNR + 1; next }
	FNR == 1 {
		file = FILENAME; module = module_of(file); folder = folder_of(file); files++
		if (folder == "") floor[folder] = top
		else if (!(folder in floor)) complain(file ": its folder is not in src/layers")
	}
	/^#[ \t]*include "/ {
		split($0, quoted, "\""); header = quoted[2]
		if (header !~ "/" || !(folder_of(header) in floor) || (getline ignored < header) < 0)
			next
		close(header)
		other = folder_of(header)
		if (other != folder && floor[other] >= floor[folder])
			complain(file " (floor " floor[folder] ") includes " header " (floor " floor[other] ")")
		if (other == folder && module_of(header) != module)
			uses[module] = uses[module] " " module_of(header)
	}
	END {
		for (from in uses) {
			n = split(uses[from], next_ones, " ")
			for (i = 1; i <= n; i++) {
				split("", visited)
				if (reaches(next_ones[i], from)) complain(from " and " next_ones[i] " include each other")
			}
		}
		if (files < 100) complain("only " files " files")
		exit bad
	}' layers $(find . -name '*.[ch]' | sed 's,^\./,,')
