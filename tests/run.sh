#!/bin/sh
# tests/run.sh [PATTERN...] - installs what tests need, builds, runs everything, ends in
# "N passed, N failed, N skipped". Run it as root, in a clone or in a container that has /dev/fuse.
#
# PATTERN picks programs by name (unit/store/header, e2e/editors, 'asan/*'); without a prefix only the
# plain build is made and used, which is what one wants at work. Logs stay in build/test-logs.
#
# CI=true makes warnings errors, and skipped tests failures but for those tests/skips lists.
set -eu

cd "$(dirname "$0")/.."
PATH=$PATH:/usr/sbin:/sbin
export LC_ALL=C.UTF-8 TZ=UTC

if [ "$(id -u)" = 0 ]; then
	tests/parts/install.sh
else
	echo "run.sh: not root, so nothing is installed and tests that need root skip" >&2
fi

variants=plain
[ $# -gt 0 ] || variants='plain asan tsan'
for pattern; do
	case $pattern in
	asan/* | tsan/*) variants="$variants ${pattern%%/*}" ;;
	esac
done

directory() {
	case $1 in
	plain) echo build ;;
	*) echo "build-$1" ;;
	esac
}

# The answer of meson is kept: it is shown only when something is wrong.
build() {
	dir=$(directory "$1")
	case $1 in
	plain) options='-Dbuildtype=debugoptimized' ;;
	asan) options='-Dbuildtype=debug -Doptimization=1 -Db_sanitize=address,undefined -Db_lundef=false' ;;
	tsan) options='-Dbuildtype=debug -Doptimization=1 -Db_sanitize=thread -Db_lundef=false' ;;
	esac
	options="$options -Dtests=enabled"
	[ "${CI:-}" != true ] || options="$options -Dwerror=true"
	if [ -f "$dir/build.ninja" ]; then
		meson configure "$dir" $options >"$dir/configure.log" 2>&1
	else
		mkdir -p "$dir"
		meson setup "$dir" $options >"$dir/configure.log" 2>&1
	fi || {
		cat "$dir/configure.log"
		return 1
	}
	begun=$(date +%s)
	ninja -C "$dir" >"$dir/build.log" 2>&1 || {
		grep -v '^\[' "$dir/build.log"
		return 1
	}
	echo "build: $dir in $(($(date +%s) - begun)) s"
}

for variant in $(echo $variants | tr ' ' '\n' | awk '!seen[$0]++'); do
	build "$variant" || {
		echo "run.sh: the $variant build failed"
		echo "0 passed, 1 failed, 0 skipped"
		exit 1
	}
	dirs="${dirs:-} $variant=$(directory "$variant")"
done

# Debian's python, which has Debian's lmdb module; another one may come first in PATH.
exec /usr/bin/python3 -B tests/runner.py $dirs -- "$@"
