#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Write the GRUB ISO $2 that boots the image $1 by Multiboot2, on BIOS and UEFI.
set -eu

image=$1 iso=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir -p "$work/boot/grub"
cp "$image" "$work/boot/husk"
cat >"$work/boot/grub/grub.cfg" <<-EOF
	serial --unit=0 --speed=115200
	terminal_output console serial
	set timeout=0
	menuentry husk {
		multiboot2 /boot/husk
		boot
	}
EOF
# The dates of the sources, not of the machine.
find "$work" -exec touch -d @0 {} +
SOURCE_DATE_EPOCH=0 grub-mkrescue -o "$iso" "$work" >"$work/log" 2>&1 || {
	cat "$work/log" >&2
	exit 1
}
