/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: arch/x86_64/hvm/emulate.c */
/* The instruction emulator on bytes made by a fuzzer: it reads no byte beyond, and its answer is consistent. */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86_64/hvm/emulate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
	if (!condition)
		abort();
}

static uint64_t operand;

static uint64_t read_operand(void *ctx, unsigned size)
{
	(void)ctx;
	check(size == 1 || size == 2 || size == 4 || size == 8);
	return operand; /* with bits above the size, as a careless device has them */
}

static void write_operand(void *ctx, unsigned size, uint64_t value)
{
	(void)ctx;
	check(size == 8 || value >> 8 * size == 0);
	operand = value;
}

/* A copy of just these bytes, so that the sanitizer sees a read beyond them. */
static int decode(const uint8_t *data, unsigned n, enum x86_code code, struct x86_insn *out)
{
	uint8_t *bytes = malloc(n != 0 ? n : 1);
	int result;

	memcpy(bytes, data, n);
	result = x86_decode(bytes, n, code, out);
	check(x86_prefixed_length(bytes, n, 2, code == X86_CODE64) <= 15);
	free(bytes);
	return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct x86_operand memory = { read_operand, write_operand, NULL };
	uint64_t gpr[16], rflags = 2;
	struct x86_insn insn, again;
	enum x86_code code;
	unsigned n;
	int result;

	if (size < 1)
		return 0;
	code = data[0] % 3;
	n = size - 1 < 15 ? (unsigned)size - 1 : 15;
	result = decode(data + 1, n, code, &insn);
	check(result == 0 || result == -ENOTSUP || result == -EAGAIN);
	check(result != -EAGAIN || n < 15);
	if (result != 0)
		return 0;
	check(insn.length > 0 && insn.length <= n);
	/* It is the same without what follows, and not there with less. */
	check(decode(data + 1, insn.length, code, &again) == 0 && again.length == insn.length);
	check(decode(data + 1, insn.length - 1u, code, &again) == -EAGAIN);
	for (unsigned i = 0; i < 16; i++)
		gpr[i] = 0x0101010101010101ull * i;
	operand = 0xfedcba9876543210ull;
	x86_execute(&insn, gpr, &rflags, &memory);
	check((rflags & ~0x8d5ull) == 2);
	return 0;
}
