# test/lib.sh: what the scripts in test/ share; sourced by them.
#
# It installs what is missing, as root, and then switches to an ordinary user, since
# PostgreSQL does not run as root.

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# The folder of another Debian in which to work, or "": see test/debian.sh.
CHROOT=""

# What building and testing need, besides the server.
BUILD_PACKAGES="gcc make libc6-dev pkg-config libipc-run-perl openssl libhiredis-dev
	libmemcached-dev libssl-dev memcached redis-server redis-sentinel redis-tools spin"

# Run a command as root, directly or by sudo.
as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo > /dev/null; then
		sudo "$@"
	else
		echo "This needs root: $*" >&2
		echo "Run it as root, or install sudo." >&2
		return 1
	fi
}

# Is a Debian package installed?
has_package() {
	dpkg-query -W -f '${Status}' "$1" 2> /dev/null | grep -q 'ok installed'
}

# The major version to build for: that of pg_config, or the newest on offer.
pg_version() {
	if command -v "${PG_CONFIG:-pg_config}" > /dev/null; then
		"${PG_CONFIG:-pg_config}" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/'
	else
		apt-cache search --names-only '^postgresql-server-dev-[0-9]+$' |
			sed 's/^postgresql-server-dev-\([0-9]*\).*/\1/' | sort -n | tail -n 1
	fi
}

# Install packages without starting the servers in them.
install_packages() {
	local policy=/usr/sbin/policy-rc.d made=""

	if [ ! -e $policy ]; then
		printf '#!/bin/sh\nexit 101\n' | as_root tee $policy > /dev/null
		as_root chmod +x $policy
		made=$policy
	fi
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y \
		--no-install-recommends "$@" > /dev/null || { as_root rm -f $made; return 1; }
	as_root rm -f $made
}

# Install what building and testing need, if it is not there.
install_missing() {
	local missing="" version

	if ! command -v apt-get > /dev/null; then
		echo "This is no Debian: install PostgreSQL 15 or later with its development" >&2
		echo "files, gcc, make and Perl's IPC::Run, then run: make && make install" >&2
		echo "&& make installcheck" >&2
		return 1
	fi
	version=$(pg_version)
	if [ -z "$version" ]; then
		as_root apt-get update -q > /dev/null
		version=$(pg_version)
	fi
	for package in $BUILD_PACKAGES "postgresql-$version" "postgresql-server-dev-$version"; do
		has_package "$package" || missing="$missing $package"
	done
	if [ -n "$missing" ]; then
		echo "Installing$missing"
		as_root apt-get update -q > /dev/null
		install_packages $missing
	fi
	PG_CONFIG=${PG_CONFIG:-/usr/lib/postgresql/$version/bin/pg_config}
	export PG_CONFIG
}

# Copy the checkout to where an ordinary user can build in it: only root may be able to
# read the folder where it is.  Sets WORK and SERVER_USER.
make_work_copy() {
	SERVER_USER=$(id -un)
	[ "$(id -u)" != 0 ] || SERVER_USER=postgres
	WORK=$(mktemp -d)
	trap "rm -rf --one-file-system '$WORK'" EXIT
	copy_checkout "$WORK"
	give_work_copy
}

# Without git, or in a folder that is not git's, all is copied that is not built.
copy_checkout() {
	if git -C "$TOP" rev-parse > /dev/null 2>&1; then
		(cd "$TOP" && git ls-files -z -co --exclude-standard |
			xargs -0 sh -c 'for f; do [ ! -e "$f" ] || printf "%s\0" "$f"; done' sh |
			tar cf - --null -T -) | tar xf - -C "$1"
	else
		(cd "$TOP" && tar cf - --exclude='*.o' --exclude='*.so' --exclude='*.bc' \
			--exclude='./tmp_check*' .) | tar xf - -C "$1"
	fi
}

# Let the ordinary user own the work copy.
give_work_copy() {
	if [ -n "$CHROOT" ]; then
		in_chroot chown -R postgres /work
	elif [ "$(id -u)" = 0 ]; then
		chown -R "$SERVER_USER" "$WORK"
	fi
}

# Run a command in the work copy as the ordinary user.
as_user() {
	if [ -n "$CHROOT" ]; then
		in_chroot runuser -u postgres -- sh -c 'cd /work && export HOME=/work && exec "$@"' sh "$@"
	elif [ "$(id -u)" = 0 ]; then
		(cd "$WORK" && runuser -u "$SERVER_USER" -- env HOME="$WORK" "$@")
	else
		(cd "$WORK" && "$@")
	fi
}

# Build the extension in the work copy; arguments go to make.
build() {
	as_user make -s -j2 PG_CONFIG="$PG_CONFIG" "$@"
}

# Install it from there; arguments go to make.
install_extension() {
	if [ -n "$CHROOT" ]; then
		in_chroot make -s -C /work PG_CONFIG="$PG_CONFIG" with_llvm=no install
	elif [ -w "$("$PG_CONFIG" --pkglibdir)" ]; then
		make -s -C "$WORK" PG_CONFIG="$PG_CONFIG" "$@" install
	else
		as_root make -s -C "$WORK" PG_CONFIG="$PG_CONFIG" "$@" install
	fi
	give_work_copy
}
