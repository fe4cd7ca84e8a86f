/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A code generator: writes a function, calls it, and writes another in its place. The function adds and exclusive-ors
 * constants to its argument, in turns.
 */
#include <string.h>
#include <sys/mman.h>
#ifdef __mips__
#include <sys/cachectl.h>
#endif

#include "bench.h"

#define OPERATIONS 16u
#define VERSIONS   64u
#define CODE_SIZE  4096u

typedef uint32_t function(uint32_t argument);

static unsigned char *code;

#ifdef __mips__

static uint32_t *emit(uint32_t *at, uint32_t instruction)
{
	*at = instruction;
	return at + 1;
}

/* n64: the argument is in $4, the result in $2. */
static void generate(const uint16_t *constants)
{
	uint32_t *at = emit((uint32_t *)(void *)code, 0x00801025); /* move $2, $4 */

	for (unsigned i = 0; i < OPERATIONS; i += 2) {
		at = emit(at, 0x24420000u | constants[i]);     /* addiu $2, $2, constant, sign-extended */
		at = emit(at, 0x38420000u | constants[i + 1]); /* xori $2, $2, constant */
	}
	at = emit(at, 0x03e00008); /* jr $31 */
	at = emit(at, 0);
	if (cacheflush(code, (int)((unsigned char *)at - code), BCACHE) < 0)
		bench_fail("cacheflush");
}

#else

static unsigned char *emit(unsigned char *at, unsigned char opcode, uint32_t operand)
{
	*at = opcode;
	memcpy(at + 1, &operand, sizeof(operand));
	return at + 1 + sizeof(operand);
}

/* System V: the argument is in edi, the result in eax. */
static void generate(const uint16_t *constants)
{
	unsigned char *at = code;

	*at++ = 0x89; /* mov eax, edi */
	*at++ = 0xf8;
	for (unsigned i = 0; i < OPERATIONS; i += 2) {
		at = emit(at, 0x05, (uint32_t)(int16_t)constants[i]); /* add eax, constant, sign-extended */
		at = emit(at, 0x35, constants[i + 1]);                /* xor eax, constant */
	}
	*at = 0xc3; /* ret */
}

#endif

static void codegen_begin(void)
{
	code = mmap(NULL, CODE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (code == MAP_FAILED)
		bench_fail("mmap");
}

static uint64_t codegen(void)
{
	uint64_t seed = 5, sum = 0;

	for (unsigned version = 0; version < VERSIONS; version++) {
		uint64_t number = bench_random(&seed);
		uint16_t constants[OPERATIONS];
		function *generated;

		for (unsigned i = 0; i < OPERATIONS; i++)
			constants[i] = (uint16_t)(number >> i);
		generate(constants);
		memcpy(&generated, &code, sizeof(generated));
		sum = bench_mix(sum, generated((uint32_t)sum));
	}
	return sum;
}

static void codegen_end(void)
{
	munmap(code, CODE_SIZE);
}

const struct bench_item bench_codegen[] = {
	{ "codegen", BENCH_NS, VERSIONS, codegen_begin, codegen, codegen_end, UINT64_C(11057534467382265086) },
	{ 0 },
};
