/* SPDX-License-Identifier: BSD-2-Clause */
/* Section numbers are of the ACPI specification 6.4. */
#include "features/machine-pvh/aml.h"

#include <string.h>

#define OP_NAME        0x08u /* 20.2.5.1 */
#define OP_DWORD       0x0cu /* 20.2.3 */
#define OP_STRING      0x0du
#define LENGTH_2_BYTES 0x40u /* 20.2.4: bits 7:6 are how many bytes follow, 3:0 the lowest bits */
#define LENGTH_MAX     0xfffu

void aml_bytes(struct aml *a, const void *bytes, size_t n)
{
	if (n > a->size - a->used) {
		a->full = true;
		return;
	}
	memcpy(a->data + a->used, bytes, n);
	a->used += n;
}

void aml_number(struct aml *a, uint64_t value, unsigned n)
{
	aml_bytes(a, &value, n);
}

size_t aml_begin(struct aml *a)
{
	size_t begin = a->used;

	aml_number(a, 0, 2);
	return begin;
}

void aml_end(struct aml *a, size_t begin)
{
	size_t length = a->used - begin;

	if (a->full || length > LENGTH_MAX) {
		a->full = true;
		return;
	}
	a->data[begin] = (uint8_t)(LENGTH_2_BYTES | (length & 15));
	a->data[begin + 1] = (uint8_t)(length >> 4);
}

void aml_name(struct aml *a, const char *name)
{
	aml_number(a, OP_NAME, 1);
	aml_bytes(a, name, 4);
}

void aml_integer(struct aml *a, uint32_t value)
{
	aml_number(a, OP_DWORD, 1);
	aml_number(a, value, 4);
}

void aml_string(struct aml *a, const char *text)
{
	aml_number(a, OP_STRING, 1);
	aml_bytes(a, text, strlen(text) + 1);
}
