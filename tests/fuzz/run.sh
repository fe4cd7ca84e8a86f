#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Builds the fuzzers with clang and runs each for a while:
#	sh tests/fuzz/run.sh OUT [RUNS [NAME...]]
# NAME is that of fuzz_NAME.c; all by default. What a fuzzer found stays in
# OUT/NAME, so that the next run goes on from there; an input that breaks
# something is OUT/crash-NAME-... and can be given to OUT/fuzz_NAME again.
set -eu

out=${1:?usage: run.sh OUT [RUNS [NAME...]]}
runs=${2:-100000}
shift
[ $# -eq 0 ] || shift
cd "$(dirname "$0")/../.."

command -v clang >/dev/null || {
	echo "clang is missing: install the package clang"
	exit 77
}

# Small caches, so that they overflow, and little that makes code hot.
mkdir -p "$out/gen/config"
echo "#define CONFIG_INTERP_PAGES 2" >"$out/gen/config/INTERP_PAGES.h"
echo "#define CONFIG_CODE_CACHE_MB 1" >"$out/gen/config/CODE_CACHE_MB.h"
echo "#define CONFIG_SUPERBLOCKS_HOT_AFTER 3" >"$out/gen/config/SUPERBLOCKS_HOT_AFTER.h"
echo "#define CONFIG_SOFT_TLB_BITS 6" >"$out/gen/config/SOFT_TLB_BITS.h"
echo "#define CONFIG_VIRTIO_RNG_RATE 4096" >"$out/gen/config/VIRTIO_RNG_RATE.h"

if [ $# -eq 0 ]; then
	for file in tests/fuzz/fuzz_*.c; do
		name=${file##*/fuzz_}
		set -- "$@" "${name%.c}"
	done
fi

# Each line of tests/fuzz/seeds_NAME is an input to begin with: its name, and its bytes as printf writes them.
write_seeds() {
	mkdir -p "$out/seeds_$1"
	[ -f "tests/fuzz/seeds_$1" ] || return 0
	grep -v '^#' "tests/fuzz/seeds_$1" | while read -r seed bytes; do
		# shellcheck disable=SC2059 # the bytes are a format
		printf "$bytes" >"$out/seeds_$1/$seed"
	done
}

for name in "$@"; do
	file=tests/fuzz/fuzz_$name.c
	sources=$(sed -n 's,^.*/\* sources: \(.*\)\*/.*$,\1,p' "$file")
	mkdir -p "$out/$name"
	write_seeds "$name"
	# shellcheck disable=SC2086 # a list of sources
	clang -std=gnu11 -O1 -g -Wall -Wextra -Werror -Icore/include -I. -I"$out/gen" \
		-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
		"$file" $sources -o "$out/fuzz_$name"
	share=$(sed -n 's,^/\* runs: 1/\([0-9]*\) \*/$,\1,p' "$file") # of one whose runs take long
	echo "fuzz_$name: $((runs / ${share:-1})) runs"
	# A finding ends with 77 else, which says "skipped" to make check.
	"$out/fuzz_$name" -error_exitcode=1 -runs="$((runs / ${share:-1}))" -max_len=1200 -len_control=0 -timeout=10 -print_final_stats=1 \
		-artifact_prefix="$out/crash-$name-" "$out/$name" "$out/seeds_$name"
done
