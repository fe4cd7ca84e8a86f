/* SPDX-License-Identifier: BSD-2-Clause */
#include "board.h"

#define KSEG0  0xffffffff80000000ull
#define XKPHYS 0x9000000000000000ull
#define UART   (XKPHYS | 0x1180000000800ull)
#define CIU    (XKPHYS | 0x1070000000000ull)

#define DESC_CVMX_VADDR 0x188
#define INFO_FDT        0x098
#define CIU_SOFT_RST    0x740

const bool board_unaligned = true;

static volatile uint64_t *csr(uint64_t address)
{
	return (volatile uint64_t *)address;
}

uint64_t board_tree(const uint64_t *args)
{
	uint64_t info = *csr(args[3] + DESC_CVMX_VADDR);

	return args[2] == 1 ? KSEG0 | *csr((KSEG0 | info) + INFO_FDT) : 0;
}

uint8_t board_uart_read(unsigned n)
{
	return (uint8_t)*csr(UART + 8 * n);
}

void board_uart_write(unsigned n, uint8_t value)
{
	*csr(UART + 8 * n) = value;
}

void board_reset(void)
{
	*csr(CIU + CIU_SOFT_RST) = 1;
}

uint64_t board_read_unknown(void)
{
	return *csr(XKPHYS | 0x1180000001ff8ull);
}
