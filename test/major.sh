# test/major.sh: the suites on another major version of PostgreSQL than this
# machine's, in a folder with the release of Debian that has it; sourced by
# test/check.sh and test/majors.sh.
#
# CHROOTS names a folder in which these are kept, and found again.  It takes root.

# The folder for a major: sets CHROOT, WORK and PG_CONFIG.
enter_chroot() {
	CHROOT=${CHROOTS:-$HOST_WORK/chroots}/$1
	WORK=$CHROOT/work
	PG_CONFIG=/usr/lib/postgresql/$1/bin/pg_config
}

# Back to this machine.
leave_chroot() {
	[ -n "${CHROOTS:-}" ] || rm -rf --one-file-system "$CHROOT"
	CHROOT=""
	WORK=$HOST_WORK
	PG_CONFIG=$HOST_PG_CONFIG
}

# Have the folder with all that is needed: have_chroot MAJOR
have_chroot() {
	[ ! -x "$CHROOT$PG_CONFIG" ] || return 0
	mkdir -p "$CHROOT"
	make_chroot "$1" > "$HOST_WORK/chroot-$1.log" 2>&1 || { tail -n 15 "$HOST_WORK/chroot-$1.log"; return 1; }
}

# Build there with assertions and run the suites.
check_in_chroot() {
	local name="PostgreSQL $1"

	rm -rf "$WORK"
	mkdir "$WORK"
	copy_checkout "$WORK"
	give_work_copy
	in_chroot "$PG_CONFIG" --version
	count "$name: builds without warnings" build EXTRA_CFLAGS="-Werror -DUSE_ASSERT_CHECKING" with_llvm=no
	count "$name: installs" install_extension
	count "$name: exports only its own symbols" as_user test/symbols.sh
	count "$name: the decoder stands damaged entries" as_user env PG_CONFIG="$PG_CONFIG" test/fuzz/run.sh
	run_suite "regress-$1" ISOLATION= TAP_TESTS=
	run_suite "isolation-$1" REGRESS= TAP_TESTS=
	run_suite "tap-$1" REGRESS= ISOLATION=
}

# Run the suites on a major.  Counts a failure if that cannot be had.
check_major() {
	HOST_WORK=$WORK HOST_PG_CONFIG=$PG_CONFIG
	if ! release_of "$1" > /dev/null; then
		count_missing "PostgreSQL $1" "no release of Debian has it."
		return
	fi
	if [ "$(id -u)" != 0 ]; then
		count_missing "PostgreSQL $1" "it takes root to lay another Debian into a folder."
		return
	fi
	enter_chroot "$1"
	if have_chroot "$1"; then
		check_in_chroot "$1"
	else
		count_missing "PostgreSQL $1" "Debian's $(release_of "$1") could not be laid into a folder: see above; it takes debootstrap, mounts and the archive."
	fi
	leave_chroot
}
