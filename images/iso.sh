#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Write the GRUB ISO $2 that boots the image $1 by Multiboot2, on BIOS and UEFI, from a disc or a USB stick. Further
# arguments are the image's command line.
# grub-mkrescue would do, but it puts the time of day into the ISO and into GRUB itself; these are its steps with
# fixed dates and identifiers, and with those GRUB modules only that are used.
set -eu

image=$1 iso=$2
shift 2
grub=/usr/lib/grub
# Every date is this one, in every time zone.
export SOURCE_DATE_EPOCH=946684800 TZ=UTC LC_ALL=C
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

say_if_failed() {
	"$@" >"$work/log" 2>&1 || {
		cat "$work/log" >&2
		exit 1
	}
}

# GRUB finds its own disc, among others perhaps, by a file with the image's hash for a name.
id=$(sha256sum <"$image" | cut -c1-32)
root=$work/root
mkdir -p "$root/boot/grub" "$work/EFI/BOOT"
cp "$image" "$root/boot/husk"
echo "$id" >"$root/boot/$id.id"
cat >"$root/boot/grub/grub.cfg" <<-EOG
	serial --unit=0 --speed=115200
	terminal_input console serial
	terminal_output console serial
	set timeout=0
	menuentry husk {
		multiboot2 /boot/husk${*:+ $*}
	}
EOG
cat >"$work/start.cfg" <<-EOG
	search.file /boot/$id.id root
	set prefix=(\$root)/boot/grub
EOG

modules="normal multiboot2 iso9660 part_gpt part_msdos search_fs_file serial terminal"
grub-mkimage -d "$grub/i386-pc" -O i386-pc-eltorito -p /boot/grub -c "$work/start.cfg" \
	-o "$root/boot/grub/bios.img" biosdisk $modules
grub-mkimage -d "$grub/x86_64-efi" -O x86_64-efi -p /boot/grub -c "$work/start.cfg" \
	-o "$work/EFI/BOOT/BOOTX64.EFI" efi_gop $modules
find "$root" "$work/EFI" -exec touch -d "@$SOURCE_DATE_EPOCH" {} +

# The EFI system partition: FAT, 2880 KiB, serial number fixed.
say_if_failed mformat -C -i "$work/efi.img" -f 2880 -N 48555348 ::
say_if_failed mcopy -i "$work/efi.img" -s -m "$work/EFI" ::/
touch -d "@$SOURCE_DATE_EPOCH" "$work/efi.img"

say_if_failed xorriso -as mkisofs -r -V HUSK -o "$iso" \
	--grub2-mbr "$grub/i386-pc/boot_hybrid.img" -partition_offset 16 \
	-b boot/grub/bios.img -no-emul-boot -boot-load-size 4 -boot-info-table --grub2-boot-info \
	-eltorito-alt-boot -e --interval:appended_partition_2:all:: -no-emul-boot \
	-append_partition 2 0xef "$work/efi.img" \
	"$root"
