# test/debian.sh: other releases of Debian, installed into folders; sourced by
# test/majors.sh, test/check.sh and test/upstream.sh, after test/lib.sh.
#
# The archive is the one that this machine's apt uses.  Nothing of another release is
# installed on the machine itself: that would bring its C library along.

# The release that has this major: release_of MAJOR
release_of() {
	case $1 in
	15) echo bookworm ;;
	17) echo trixie ;;
	18) echo sid ;;
	*) return 1 ;;
	esac
}

# An archive that apt uses, by its label: archive_of Debian|Debian-Security
archive_of() {
	apt-get indextargets --format '$(REPO_URI)' "Label: $1" 'Created-By: Packages' | sort -u | head -n 1
}

# How apt gets there: proxies, and whether an old list will do.
apt_settings() {
	apt-config dump | grep -E '^Acquire::(https?::[Pp]roxy|Check-Valid-Until|Retries)' || true
}

# Get the source of a major, as it came from its authors: get_source MAJOR FOLDER
get_source() {
	local folder=$2 options
	mkdir -p "$folder/lists/partial"
	echo "deb-src $(archive_of Debian) $(release_of "$1") main" > "$folder/sources.list"
	options="-o Dir::Etc::SourceList=$folder/sources.list -o Dir::Etc::SourceParts=/nonexistent
		-o Dir::State::Lists=$folder/lists -o APT::Sandbox::User=root"
	as_root apt-get $options update -q > /dev/null
	(cd "$folder" && as_root apt-get $options source -q --download-only --tar-only "postgresql-$1" > /dev/null)
}

# Run a command in another release: in_chroot COMMAND...  CHROOT is its folder.  The
# mounts are gone when the command is.
in_chroot() {
	unshare -m sh -c 'root=$1; shift
		mount -t proc proc "$root/proc" && mount --rbind /dev "$root/dev" &&
		exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C HOME=/root \
			DEBIAN_FRONTEND=noninteractive "$@"' sh "$CHROOT" "$@"
}

# Let apt in the folder use updates of the release: without them an old minor version is
# tested.  Not every archive has them.
add_updates() {
	local release=$1 security
	[ "$release" != sid ] || return 0
	security=$(archive_of Debian-Security)
	{
		echo "deb $(archive_of Debian) $release-updates main"
		[ -z "$security" ] || echo "deb $security $release-security main"
	} > "$CHROOT/etc/apt/sources.list.d/updates.list"
	in_chroot apt-get update -q || rm "$CHROOT/etc/apt/sources.list.d/updates.list"
}

# Lay a release with a major into CHROOT: make_chroot MAJOR
make_chroot() {
	local release policy=$CHROOT/usr/sbin/policy-rc.d
	release=$(release_of "$1")
	has_package debootstrap || install_packages debootstrap || return 1
	debootstrap --variant=minbase "$release" "$CHROOT" "$(archive_of Debian)" || return 1
	printf '#!/bin/sh\nexit 101\n' > "$policy"
	chmod +x "$policy"
	apt_settings > "$CHROOT/etc/apt/apt.conf.d/90host"
	add_updates "$release"
	in_chroot apt-get update -q || return 1
	in_chroot apt-get install -q -y --no-install-recommends $BUILD_PACKAGES \
		"postgresql-$1" "postgresql-server-dev-$1"
}
