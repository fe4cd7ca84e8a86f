# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_UART_NS16550) += uart-ns16550
objs-uart-ns16550 := features/uart-ns16550/uart_ns16550.o
# Serial lines are slow: small code serves.
cflags-uart-ns16550 := -Os
