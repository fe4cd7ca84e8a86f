#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Make sure that the Debian packages of the groups given as arguments are there:
# as root by installing them, otherwise by printing the one line that does.
set -eu

build="gcc binutils linux-libc-dev libxen-dev meson ninja-build kconfig-frontends-nox device-tree-compiler e2fsprogs
	python3 python3-pyelftools cpio xz-utils zstd gpgv debian-archive-keyring"
run="qemu-system-x86"
iso="grub-common grub-pc-bin grub-efi-amd64-bin xorriso mtools"
check="$run $iso git gdb-multiarch libc6-dev libcmocka-dev clang libclang-rt-dev clang-format cppcheck
	acpica-tools passt iproute2 iputils-ping iperf3 fdisk util-linux
	python3-kconfiglib python3-pytest python3-pytest-xdist python3-pexpect ovmf
	qemu-system-mips qemu-user linux-perf
	gcc-mips64el-linux-gnuabi64 libc6-dev-mips64el-cross gcc-mips64-linux-gnuabi64"

wanted=
for group in "$@"; do
	case $group in
	build) wanted="$wanted $build" ;;
	run) wanted="$wanted $run" ;;
	iso) wanted="$wanted $iso" ;;
	check) wanted="$wanted $build $check" ;;
	*)
		echo "packages.sh: no group $group (build, run, iso, check)" >&2
		exit 1
		;;
	esac
done
case ${CC:-gcc} in
*clang*) wanted="$wanted clang" ;;
esac

# Elsewhere than on Debian the user knows better than this list.
command -v dpkg-query >/dev/null || exit 0

installed() {
	# One line per architecture.
	dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed && return
	# kconfig-frontends is the same with one more front end, and conflicts with this one.
	[ "$1" = kconfig-frontends-nox ] && installed kconfig-frontends
}

missing=
for package in $wanted; do
	case " $missing " in
	*" $package "*) continue ;;
	esac
	installed "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
	echo "Some packages are missing. Install them with:" >&2
	echo "  sudo apt-get install -y --no-install-recommends$missing" >&2
	exit 1
fi
echo "  APT     installing$missing"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
install() {
	# shellcheck disable=SC2086 # a list of words
	apt-get install -y --no-install-recommends $missing >"$log" 2>&1
}
# The lists of a fresh machine are missing, those of an old one out of date.
if ! install; then
	echo "  APT     updating the package lists"
	apt-get update >"$log" 2>&1 && install || {
		cat "$log" >&2
		echo "packages.sh: apt-get could not install$missing" >&2
		exit 1
	}
fi
