/* SPDX-License-Identifier: BSD-2-Clause */
/* The board under the test guest: console, device tree, reset. One of board_*.c implements it. */
#ifndef GUEST_BOARD_H
#define GUEST_BOARD_H

#include <stdbool.h>
#include <stdint.h>

/** Address of the device tree by the board's boot protocol, of whose arguments these are a0 to a3; 0 if there is none. */
uint64_t board_tree(const uint64_t *args);

/** Reads register n of the UART. */
uint8_t board_uart_read(unsigned n);

/** Writes register n of the UART. */
void board_uart_write(unsigned n, uint8_t value);

/** Starts the board again. */
void board_reset(void);

/** Reads a register that the board does not have. */
uint64_t board_read_unknown(void);

/** Loads and stores need not be aligned. */
extern const bool board_unaligned;

#endif
