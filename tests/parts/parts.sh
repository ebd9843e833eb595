# parts.sh - where the real parts of the tests are. Sourced by sh; tests/support/parts.py is the same
# for python, and install.sh puts everything there.
#
#   ZONEFS_CACHE                  where unpacked parts live, outside the tree
#   pdns_root SUITE               the Debian root with that suite's PowerDNS
#   pdns_version SUITE            its version as dpkg says it, empty when it is not there
#   lightningstream VERSION       path of that Lightning Stream, fails when there is none
#   parts_report                  one line per part

ZONEFS_CACHE=${ZONEFS_CACHE:-/var/cache/zonefs-tests}
export ZONEFS_CACHE

# PowerDNS 4.9 is Debian 13's. Debian's next has 5.x and moves on: any 5.x will do.
PDNS_SUITES='trixie forky'
LIGHTNINGSTREAM_VERSIONS='1.0.0 0.4.4'

pdns_root() { echo "$ZONEFS_CACHE/pdns-$1"; }
pdns_version() { cat "$(pdns_root "$1")/version" 2>/dev/null; }

# The binary a developer names comes first, then PATH, if they are of that version, then what
# install.sh unpacked (0.4.4 calls itself "dev", so that one is known by its name).
lightningstream() {
	for binary in "${LIGHTNINGSTREAM:-}" "$(command -v lightningstream || :)"; do
		[ -n "$binary" ] && [ -x "$binary" ] || continue
		[ "$("$binary" version 2>&1)" = "v$1" ] || continue
		echo "$binary"
		return 0
	done
	[ -x "$ZONEFS_CACHE/lightningstream-$1" ] && echo "$ZONEFS_CACHE/lightningstream-$1"
}

parts_report() {
	for suite in $PDNS_SUITES; do
		echo "parts: PowerDNS of $suite: $(pdns_version "$suite" || echo missing)"
	done
	for version in $LIGHTNINGSTREAM_VERSIONS; do
		echo "parts: Lightning Stream $version: $(lightningstream "$version" || echo missing)"
	done
}
