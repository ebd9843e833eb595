#!/bin/sh
# quickstart.sh [DIR]    zones as files at DIR (default /zones), from a clone, on Debian 12 or newer
# quickstart.sh --undo   unmounts and takes away what it made
#
# Installs the packages a build needs, builds, installs under /usr/local, mounts with a database and a
# bucket of its own below /var/lib/zonefs and puts an example zone in. No server and no account is needed.
# Running it again does no harm: what is there stays.
set -eu

tree=$(cd "$(dirname "$0")/.." && pwd)
build=$tree/build
data=/var/lib/zonefs
conf=/etc/zonefs/zonefs.conf
types=/etc/filesystems
# One line for each thing made, so that --undo takes away that and nothing else.
made=$data/quickstart

say() { printf '%s\n' "$*"; }
die() { printf 'quickstart: %s\n' "$*" >&2; exit 1; }

remember() { grep -qsxF "$*" "$made" || printf '%s\n' "$*" >>"$made"; }
remembers() { grep -qsxF "$*" "$made"; }
forget() { grep -vxF "$*" "$made" >"$made.new" || :; mv "$made.new" "$made"; }

# Where zonefs is mounted now, if anywhere.
mounts() { awk '$3 == "fuse.zonefs" { print $2 }' /proc/self/mounts; }
is_mounted() { mounts | grep -qxF "$1"; }

# Runs a step quietly and shows what it said only when it fails.
quietly() {
	"$@" >"$log" 2>&1 || {
		cat "$log" >&2
		die "$1 failed"
	}
}

compile() {
	[ -f "$build/build.ninja" ] || quietly meson setup "$build" "$tree" -Dbuildtype=debugoptimized -Dtests=disabled
	quietly ninja -C "$build"
	quietly meson install -C "$build" --no-rebuild
	remember "installed $build"
}

# Data that a PowerDNS on this host can open: its user owns the directory, and zonefs follows the owner.
prepare() {
	mkdir -p "$data"
	chmod 750 "$data"
	if id pdns >/dev/null 2>&1; then
		chown pdns: "$data"
	fi
}

configure() {
	if [ ! -e "$conf" ]; then
		mkdir -p "${conf%/*}"
		cp "$tree/examples/zonefs.conf" "$conf"
		remember "conf $conf"
		say "made $conf"
	fi
	# mount(8) tries the types of this file, in this order, on a source that is no device.
	if [ ! -e "$types" ]; then
		printf '%s\n' '# made by zonefs, so that "mount zonefs DIR" needs no -t' fuse.zonefs '*' >"$types"
		remember "types $types"
		say "made $types, so that \"mount zonefs $dir\" works as it stands"
	fi
}

mount_zones() {
	if is_mounted "$dir"; then
		say "$dir is mounted already"
		return
	fi
	if [ ! -d "$dir" ]; then
		mkdir -p "$dir"
		remember "dir $dir"
	fi
	if grep -qs '^fuse.zonefs' "$types"; then
		mount zonefs "$dir"
	else
		mount -t fuse.zonefs zonefs "$dir"
	fi
	remember "mount $dir"
}

# 4.9 is the first PowerDNS that reads this database.
has_powerdns() {
	version=$(pdns_server --version 2>&1 | grep -o '[0-9][0-9]*\.[0-9][0-9]*' | head -n 1) || return 1
	[ -n "$version" ] && [ "$(printf '%s\n4.9\n' "$version" | sort -V | head -n 1)" = 4.9 ]
}

advise() {
	cat <<END

Zones are files now. Try:

    ls $dir
    cat $dir/example.com.zone
    vi $dir/example.com.zone              change an address and save: it is stored, the serial raised
    sed -i s/192.0.2.80/oops/ $dir/example.com.zone             refused, and nothing has changed
    cat $dir/.zonefs/rejected/example.com.zone.error        why
    cat $dir/.zonefs/status
END
	if has_powerdns; then
		cat <<END

PowerDNS $version is here. It serves the zones with these three lines in its pdns.conf:

    launch=lmdb
    lmdb-filename=$data/pdns.lmdb
    lmdb-lightning-stream=yes

    dig @127.0.0.1 www.example.com
END
	else
		cat <<END

A PowerDNS Authoritative Server 4.9 or newer on this host serves the zones from $data/pdns.lmdb
as they are saved; any other name server reads them as files.
END
	fi
	printf '\nTo take it all away: sudo %s --undo\n' "$0"
}

start() {
	say "installing packages"
	"$tree/tests/parts/install.sh" --build-only
	prepare
	say "building"
	compile
	configure
	mount_zones
	if [ ! -e "$dir/example.com.zone" ] && ! remembers "zone example.com"; then
		cp "$tree/examples/example.com.zone" "$dir/"
		remember "zone example.com"
	fi
	advise
}

# The daemon ends a moment after umount has returned; a PowerDNS on the same files goes on.
in_use() {
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		find /proc/[0-9]*/fd -lname "$data/*" 2>/dev/null | grep -q . || return 1
		sleep 1
	done
}

# Only the example as it came, or a zone list that is empty, is thrown away unasked.
only_the_example() {
	for zone in "$1"/*.zone; do
		[ -e "$zone" ] || continue
		case ${zone##*/} in
		example.com.zone) grep -vE 'serial' "$zone" | cmp -s - "$log" || return 1 ;;
		*) return 1 ;;
		esac
	done
}

undo() {
	[ -e "$made" ] || die "nothing to undo: $made is not there"
	kept=
	grep -v serial "$tree/examples/example.com.zone" >"$log"
	while read -r what path; do
		case $what in
		mount)
			if is_mounted "$path"; then
				only_the_example "$path" || kept=yes
				umount "$path" || die "$path is in use"
			else
				kept=yes
			fi
			forget "mount $path"
			say "unmounted $path"
			;;
		esac
	done <<END
$(cat "$made")
END
	while read -r what path; do
		case $what in
		dir) rmdir "$path" 2>/dev/null || say "kept $path: it is not empty" ;;
		types) rm -f "$path" ;;
		conf)
			if cmp -s "$path" "$tree/examples/zonefs.conf"; then
				rm -f "$path"
				rmdir "${path%/*}" 2>/dev/null || :
			else
				say "kept $path: it was edited"
			fi
			;;
		installed) [ ! -d "$path" ] || quietly ninja -C "$path" uninstall ;;
		esac
	done <"$made"
	rm -f "$made"
	if in_use; then
		say "kept $data: a program has it open, perhaps PowerDNS; stop that, then rm -r it"
	elif [ -n "$kept" ]; then
		say "kept $data: it holds zones of yours; rm -r it when you do not need them"
	else
		rm -rf "$data"
	fi
	say "undone"
}

[ "$(id -u)" = 0 ] || die "must run as root: sudo $0 $*"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
trap 'exit 1' HUP INT TERM

case ${1:-/zones} in
--undo)
	undo
	;;
-*)
	sed -n '2,3s/^# //p' "$0" >&2
	exit 64
	;;
*)
	dir=$(realpath -m "${1:-/zones}")
	start
	;;
esac
