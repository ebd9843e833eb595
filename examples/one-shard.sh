#!/bin/sh
# one-shard.sh OLD NEW - a copy of a PowerDNS LMDB database with all its shards in one, as zonefs needs it.
#
# OLD is lmdb-filename of today, NEW the one to set, together with lmdb-shards=1 and
# lmdb-lightning-stream=yes. Stop PowerDNS first; OLD stays as it is. Zones, metadata, keys and ids are
# kept: a shard is nothing but the records of the zones whose id, modulo the number of shards, is its
# number. (pdnsutil b2b-migrate cannot do this: PowerDNS opens one LMDB database at a time.)
# Needs mdb_dump and mdb_load (Debian: lmdb-utils).
set -eu
[ $# = 2 ] || { sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 64; }
old=$1 new=$2
[ -f "$old" ] || { echo "$old: no PowerDNS LMDB database" >&2; exit 66; }
for file in "$new" "$new-0"; do
	[ ! -e "$file" ] || { echo "$file: is there already" >&2; exit 73; }
done
umask 077

# Shards are made when they get their first zone: some numbers may be missing.
shards() {
	for file in "$old"-[0-9]*; do
		case $file in *-lock) continue ;; esac
		[ ! -f "$file" ] || echo "$file"
	done
}

# All of them together may need more room than one was given.
map=$(mdb_dump -n -s pdns "$old" | sed -n 's/^mapsize=//p')
room=$(shards | xargs -r stat -c %s | awk '{ sum += $1 } END { printf "%d", 2 * sum }')
[ "$room" -le "$map" ] || map=$room

# Newer versions write db_pagesize, which older ones do not know and no one needs.
dump() {
	mdb_dump -n -a "$1" | sed -e /^db_pagesize=/d -e "s/^mapsize=.*/mapsize=$map/"
}

# The number of shards is the last four bytes of the value that follows the key "shards".
dump "$old" | sed '/^ 736861726473$/{n;s/........$/00000001/;}' | mdb_load -n "$new"
shards | while read -r shard; do
	dump "$shard" | mdb_load -n "$new-0"
done
for file in "$new" "$new-0"; do
	[ ! -e "$file" ] || chown --reference="$old" "$file"
	rm -f "$file-lock"
done
echo "$new: set lmdb-filename=$new, lmdb-shards=1 and lmdb-lightning-stream=yes, then start PowerDNS"
