#!/bin/sh
# two-nodes.sh - two mounts that share a bucket, on one host, as two hosts would.
#
# Each has a database of its own; what they share is a directory (on two hosts: one that both mount, by NFS
# for instance). Needs no root, leaves nothing behind.
set -eu

tree=$(cd "$(dirname "$0")/.." && pwd)
zonefs=$(command -v zonefs || find "$tree/build" -maxdepth 2 -type f -name zonefs -perm -u+x 2>/dev/null | head -n 1)
[ -n "$zonefs" ] || { echo "two-nodes: build zonefs first (README.md)" >&2; exit 1; }

top=$(mktemp -d)
daemons=
finish() {
	for daemon in $daemons; do
		kill "$daemon" 2>/dev/null || :
		wait "$daemon" || :
	done
	rm -rf "$top"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM

show() {
	printf '\n$ %s\n' "$*"
	(cd "$top" && sh -c "$*")
}

# Replication takes a poll of the bucket; nobody should wait longer than this for one.
until_true() {
	for _ in $(seq 300); do
		! sh -c "$1" >/dev/null 2>&1 || return 0
		sleep 0.1
	done
	echo "two-nodes: never came true: $1" >&2
	cat "$top"/*.log >&2
	exit 1
}

for node in paris tokyo; do
	mkdir -p "$top/$node" "$top/$node-db" "$top/bucket"
	"$zonefs" "$top/$node" -f -o \
		"db=$top/$node-db/pdns.lmdb,bucket=file://$top/bucket,instance=$node,poll=1s" 2>"$top/$node.log" &
	daemons="$daemons $!"
	until_true "test -e $top/$node/.zonefs/status"
done

cp "$tree/examples/example.com.zone" "$top/"
echo "Two mounts, paris and tokyo, and a bucket between them: $top"
show cp example.com.zone paris/
until_true "cmp -s $top/paris/example.com.zone $top/tokyo/example.com.zone"
show ls -l tokyo
show grep -n 192.0.2.80 tokyo/example.com.zone

show sed -i s/192.0.2.80/192.0.2.81/ tokyo/example.com.zone
until_true "grep -q 192.0.2.81 $top/paris/example.com.zone"
show grep -n 192.0.2.81 paris/example.com.zone
show cmp paris/example.com.zone tokyo/example.com.zone

show rm paris/example.com.zone
until_true "test ! -e $top/tokyo/example.com.zone"
show ls -A tokyo
echo "The zone is gone on both."
