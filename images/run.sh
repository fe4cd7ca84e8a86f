#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Run the image $1 of host $2 (pc or linux) with $3 MiB of guest RAM. Further
# arguments go to the image as its command line. Ends with the status of the run.
# GDB=PORT in the environment gives host pc a second serial port, which is that TCP
# port of 127.0.0.1, for the debugger. NEEDS_HVM: the image virtualizes its guest with
# what this names, amd (SVM) or intel (VMX) or both.
# CPUS=N: the image has as many vCPUs; the computer has as many CPUs, as far as we have.
set -u

image=$1 host=$2 ram_mb=$3
shift 3

[ "$host" = pc ] || exec "$image" "$@"

# KVM only where the CPU really has hardware virtualization.
accel=tcg
if grep -qwE 'vmx|svm' /proc/cpuinfo && [ -r /dev/kvm ] && [ -w /dev/kvm ]; then
	accel=kvm
fi
# An image that uses virtualization itself needs a KVM that passes it on; QEMU's emulated CPU has AMD's always.
if [ -n "${NEEDS_HVM:-}" ]; then
	nested=tcg
	for vendor in $NEEDS_HVM; do
		grep -qE '^(1|Y)' "/sys/module/kvm_$vendor/parameters/nested" 2>/dev/null && nested=$accel
	done
	accel=$nested
	# QEMU's CPUs clear a flag of the first one whenever they load x87 state, without a lock, in the word that also says
	# whether that one runs a guest (7.2, cpu_clear_ignne): in threads, a guest would lose its state now and then.
	[ $accel = tcg ] && accel=tcg,thread=single
fi
cpu=max
[ $accel = kvm ] && cpu=host

cpus=$(nproc)
[ "${CPUS:-1}" -gt "$cpus" ] || cpus=${CPUS:-1}

# The loader's copy of the image, its place at run time, and the hypervisor's own needs: mostly the code cache.
image_mb=$(($(stat -L -c %s "$image") / 1048576))
memory_mb=$((ram_mb + 2 * image_mb + 96 + ${CPUS:-1}))

# Every key reaches husk, Ctrl-C and Ctrl-A too, and the terminal is as before in the end.
if [ -t 0 ]; then
	saved=$(stty -g)
	trap 'stty "$saved"' EXIT
	trap 'exit 1' HUP TERM
	trap '' INT QUIT
	stty raw -echo
fi

qemu-system-x86_64 -machine q35 -accel $accel -cpu $cpu -smp "$cpus" -m "${memory_mb}M" -nodefaults -no-reboot \
	-display none -monitor none -serial stdio \
	-netdev user,id=net -device virtio-net-pci,netdev=net,romfile= \
	${GDB:+-serial "tcp:127.0.0.1:$GDB,server=on,wait=off"} \
	-device isa-debug-exit,iobase=0xf4,iosize=0x04 -kernel "$image" -append "$*"
status=$?
# A power-off ends QEMU with 0, isa-debug-exit with (code << 1) | 1 where code is
# never 0, and its own errors with 1.
[ $status -le 1 ] || status=$((status >> 1))
exit $status
