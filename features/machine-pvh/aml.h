/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes ACPI Machine Language: the few terms that describe devices (ACPI specification 6.4, chapter 20). */
#ifndef MACHINE_PVH_AML_H
#define MACHINE_PVH_AML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** A buffer to write to. What does not fit is dropped and remembered. */
struct aml {
	uint8_t *data;
	size_t size, used;
	bool full;
};

/** Appends bytes. */
void aml_bytes(struct aml *a, const void *bytes, size_t n);

/** Appends a little-endian number of n bytes. */
void aml_number(struct aml *a, uint64_t value, unsigned n);

/** Begins something with a package length (20.2.4), which is written as 2 bytes; returns its place for aml_end(). */
size_t aml_begin(struct aml *a);

/** Ends what aml_begin() began: fills in its length. */
void aml_end(struct aml *a, size_t begin);

/** Name (four characters) of what follows: an integer, a string or a package. */
void aml_name(struct aml *a, const char *name);

/** An integer constant. */
void aml_integer(struct aml *a, uint32_t value);

/** A string constant. */
void aml_string(struct aml *a, const char *text);

#endif
