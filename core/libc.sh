#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Build picolibc into the folder $1. Called by libc.mk, which sets CC, CFLAGS,
# OPTIONS (for meson), SOURCE (path on a Debian mirror), SHA256 and CACHE.
# Safe against several builds at once: they wait for each other, and the result
# appears under its name only when it is complete.
set -eu

target=$1
tarball=$CACHE/$(basename "$SOURCE")

fail() {
	echo "libc.sh: $*" >&2
	exit 1
}

verified() {
	[ -f "$1" ] && echo "$SHA256  $1" | sha256sum --check --status
}

# Fetches from the mirrors that the system's apt uses, wherever they are.
fetch() {
	helper=/usr/lib/apt/apt-helper
	[ -x $helper ] || fail "$helper is missing: put $(basename "$SOURCE") into $CACHE yourself"
	# shellcheck disable=SC2016 # apt expands $(REPO_URI)
	for uri in $(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | sort -u); do
		if $helper -q download-file "${uri%/}/$SOURCE" "$tarball.part" "SHA256:$SHA256" >"$work/fetch.log" 2>&1; then
			mv "$tarball.part" "$tarball"
			return
		fi
		rm -f "$tarball.part"
	done
	cat "$work/fetch.log" >&2 || true
	fail "no mirror in /etc/apt gives $SOURCE with the right hash: put it into $CACHE yourself"
}

write_cross_file() {
	cat <<-EOF
		[binaries]
		c = [$(printf "'%s', " $CC)]
		ar = 'ar'
		as = 'as'
		nm = 'nm'
		strip = 'strip'
		[host_machine]
		system = 'none'
		cpu_family = 'x86_64'
		cpu = 'x86_64'
		endian = 'little'
		[properties]
		skip_sanity_check = true
		needs_exe_wrapper = true
	EOF
}

# Runs a step quietly; shows its output only if it fails.
step() {
	"$@" >"$work/step.log" 2>&1 || {
		cat "$work/step.log" >&2
		fail "failed: $*"
	}
}

mkdir -p "$CACHE"
exec 9>"$CACHE/.lock"
flock 9
[ ! -f "$target/lib/libc.a" ] || exit 0

work=$(mktemp -d "$CACHE/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP
verified "$tarball" || fetch
verified "$tarball" || fail "$tarball has the wrong hash: remove it and try again"

mkdir "$work/source"
tar -xf "$tarball" -C "$work/source" --strip-components=1
write_cross_file >"$work/cross.txt"
# The environment stays out, the paths of this machine too.
# shellcheck disable=SC2086 # OPTIONS are words
step env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
	meson setup "$work/build" "$work/source" --cross-file "$work/cross.txt" --buildtype=plain \
	--prefix=/ --libdir=lib --includedir=include \
	-Dc_args="$CFLAGS -ffile-prefix-map=$work=picolibc" $OPTIONS
step env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 ninja -C "$work/build"
step env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DESTDIR="$work/root" \
	meson install -C "$work/build" --no-rebuild
cp "$work/source/COPYING.picolibc" "$work/root/"
rm -rf "$target"
mv "$work/root" "$target"
