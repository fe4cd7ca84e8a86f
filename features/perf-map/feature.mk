# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_PERF_MAP) += perf-map
objs-perf-map := $(addprefix features/perf-map/, perf_map.o jitdump.o symbols.o file.o)

# The kernel's interface, for files in /tmp.
cflags-perf-map := -idirafter /usr/include/x86_64-linux-gnu -idirafter /usr/include
