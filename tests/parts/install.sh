#!/bin/sh
# install.sh [--build-only] - everything that building and testing zonefs needs, on Debian 12 or newer.
#
# Debian packages come by apt. The parts no release of Debian has side by side come into a cache
# outside the tree (ZONEFS_CACHE, default /var/cache/zonefs-tests): PowerDNS 4.9 and 5.x as minimal
# Debian roots, Lightning Stream as a binary. Safe to run again: what is there stays, and a run with
# nothing to do takes a second. With --build-only it stops after what the compiler needs.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
. "$here/parts.sh"
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8

say() { printf 'parts: %s\n' "$*"; }
die() { printf 'parts: error: %s\n' "$*" >&2; exit 1; }

packages() { sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$@"; }

# Names of the packages of a list that are not installed.
missing() {
	packages "$@" | while read -r name; do
		case $(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null || :) in
		installed) ;;
		*) echo "$name" ;;
		esac
	done
}

# apt waits for a lock that somebody else holds, and a mirror may stumble once.
apt() {
	for try in 1 2 3; do
		if apt-get -q -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 \
				-o Dpkg::Use-Pty=0 "$@" >"$log" 2>&1; then
			return 0
		fi
		sleep $((try * 5))
	done
	cat "$log" >&2
	return 1
}

# The package lists, at most once a run and only if something has to be fetched.
fresh_lists() {
	[ -z "${lists_are_fresh:-}" ] || return 0
	apt update || die "apt-get update failed"
	lists_are_fresh=yes
}

# Where apt gets Debian from; debootstrap takes the same.
mirror() {
	apt-get indextargets --format '$(SITE)' | grep -m1 '/debian/*$' || die "apt knows no Debian mirror"
}

# Name servers that arrive with their packages must not start: tests run their own.
hold_services() {
	[ ! -e /usr/sbin/policy-rc.d ] || return 0
	printf '#!/bin/sh\n# made by zonefs tests/parts/install.sh for one apt run\nexit 101\n' >/usr/sbin/policy-rc.d
	chmod 755 /usr/sbin/policy-rc.d
	held=yes
}
release_services() {
	[ -z "${held:-}" ] || rm -f /usr/sbin/policy-rc.d
	held=
}

install_packages() {
	wanted=$(missing "$@")
	[ -n "$wanted" ] || return 0
	fresh_lists
	say "apt: $(echo $wanted)"
	hold_services
	apt install --no-install-recommends $wanted || die "apt-get install failed"
	release_services
	[ -d /run/systemd/system ] || return 0
	for service in nsd:nsd bind9:named knot:knot; do
		case " $(echo $wanted) " in
		*" ${service%:*} "*) systemctl -q disable "${service#*:}" 2>/dev/null || : ;;
		esac
	done
}

# root SUITE - a minimal Debian of that suite with PowerDNS in it, in the cache when complete.
root() {
	suite=$1
	dir=$(pdns_root "$suite")
	rm -rf "$dir.new"
	site=$(mirror) || return 1
	script=
	[ "$suite" != forky ] || script=/usr/share/debootstrap/scripts/sid
	debootstrap --variant=minbase \
		--include=pdns-server,pdns-backend-lmdb,pdns-tools,lmdb-utils,bind9-dnsutils \
		"$suite" "$dir.new" "$site" ${script:+"$script"} >"$dir.log" 2>&1 || {
		tail -n 20 "$dir.log" >&2
		return 1
	}
	rm -rf "$dir.new/var/cache/apt/archives"/*.deb "$dir.new/var/lib/apt/lists"/*
	chroot "$dir.new" dpkg-query -W -f '${Version}\n' pdns-server >"$dir.new/version"
	rm -rf "$dir"
	mv "$dir.new" "$dir"
}

# Lightning Stream beside the repository comes compressed; it is unpacked once.
lightningstreams() {
	for version in $LIGHTNINGSTREAM_VERSIONS; do
		packed="$here/../../../shared/anchors/lightningstream-$version-linux-amd64.xz"
		binary="$ZONEFS_CACHE/lightningstream-$version"
		[ ! -x "$binary" ] && [ -r "$packed" ] || continue
		xz -dc "$packed" >"$binary.new"
		chmod 755 "$binary.new"
		mv "$binary.new" "$binary"
	done
}

[ "$(id -u)" = 0 ] || die "must run as root (sudo $0)"
command -v apt-get >/dev/null || die "only Debian 12 and newer are supported; README.md lists what is needed elsewhere"
log=$(mktemp)
trap 'release_services; rm -f "$log"' EXIT
trap 'exit 1' HUP INT TERM

if [ "${1:-}" = --build-only ]; then
	install_packages "$here/packages.build"
	exit 0
fi

# One installer at a time: two would unpack into the same roots.
mkdir -p "$ZONEFS_CACHE"
exec 9>"$ZONEFS_CACHE/lock"
flock 9

# The roots take a minute each and hardly meet apt, so they are made meanwhile.
jobs=
for suite in $PDNS_SUITES; do
	[ -s "$(pdns_root "$suite")/version" ] && continue
	if [ -n "$(missing "$here/packages.bootstrap")" ]; then
		install_packages "$here/packages.bootstrap"
	fi
	fresh_lists
	say "debootstrap: $suite"
	root "$suite" &
	jobs="$jobs $suite:$!"
done
install_packages "$here/packages.build" "$here/packages.test"
lightningstreams
for job in $jobs; do
	wait "${job#*:}" || die "PowerDNS of ${job%:*} could not be unpacked, see $(pdns_root "${job%:*}").log"
done

parts_report
