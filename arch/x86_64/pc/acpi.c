/* SPDX-License-Identifier: BSD-2-Clause */
/* Section numbers are of the ACPI Specification 6.4. */
#include "arch/x86_64/pc/acpi.h"

#include <string.h>

#include <husk/log.h>

#define HEADER_SIZE 36u
#define MAX_TABLES  128u
/* Real tables are far smaller; a larger one is taken as damaged. */
#define MAX_TABLE_SIZE (4u << 20)

/* A table, checked: length is at least HEADER_SIZE and all of it can be read. */
struct table {
	const uint8_t *bytes;
	uint32_t length;
};

/* A field that the table is too short for reads as 0. */
static uint64_t field(const struct table *t, uint32_t offset, uint32_t size)
{
	uint64_t v = 0;

	if (offset <= t->length && t->length - offset >= size)
		memcpy(&v, t->bytes + offset, size);
	return v;
}

static bool sum_is_zero(const uint8_t *p, size_t size)
{
	uint8_t sum = 0;

	while (size-- > 0)
		sum = (uint8_t)(sum + *p++);
	return sum == 0;
}

static bool table_open(phys_view *view, uint64_t pa, struct table *t)
{
	uint32_t length;

	t->bytes = view(pa, HEADER_SIZE);
	if (t->bytes == NULL) {
		log_warn("ACPI: a table at 0x%llx is out of reach", (unsigned long long)pa);
		return false;
	}
	t->length = HEADER_SIZE;
	length = (uint32_t)field(t, 4, 4);
	t->bytes = length >= HEADER_SIZE && length <= MAX_TABLE_SIZE ? view(pa, length) : NULL;
	t->length = length;
	if (t->bytes == NULL) {
		log_warn("ACPI: the table at 0x%llx has a bad length, %u", (unsigned long long)pa, (unsigned)length);
		return false;
	}
	if (!sum_is_zero(t->bytes, t->length)) {
		log_warn("ACPI: the table at 0x%llx has a wrong checksum", (unsigned long long)pa);
		return false;
	}
	return true;
}

static bool table_is(const struct table *t, const char *signature)
{
	return memcmp(t->bytes, signature, 4) == 0;
}

/* --- S5: 7.4.2, encoding 20.2 */

#define AML_ZERO    0x00u
#define AML_ONE     0x01u
#define AML_BYTE    0x0au
#define AML_WORD    0x0bu
#define AML_NAME    0x08u
#define AML_PACKAGE 0x12u

/* A small integer at *at, at most `end`; false if it is anything else. */
static bool aml_integer(const uint8_t *aml, size_t *at, size_t end, uint8_t *value)
{
	size_t left = end - *at;

	if (left >= 1 && (aml[*at] == AML_ZERO || aml[*at] == AML_ONE)) {
		*value = aml[(*at)++];
		return true;
	}
	if (left >= 2 && aml[*at] == AML_BYTE) {
		*value = aml[*at + 1];
		*at += 2;
		return true;
	}
	if (left >= 3 && aml[*at] == AML_WORD) {
		*value = aml[*at + 1];
		*at += 3;
		return true;
	}
	return false;
}

/* The bytes after the name: PackageOp, PkgLength (1 to 4 bytes), number of elements, elements. */
static bool aml_s5_package(const uint8_t *aml, size_t size, uint8_t *type_a, uint8_t *type_b)
{
	size_t at;

	if (size < 2 || aml[0] != AML_PACKAGE)
		return false;
	at = 2 + (aml[1] >> 6) + 1;
	if (at > size || aml[at - 1] < 2)
		return false;
	return aml_integer(aml, &at, size, type_a) && (*type_a & ~7u) == 0 && aml_integer(aml, &at, size, type_b);
}

bool acpi_find_s5(const uint8_t *aml, size_t size, uint8_t *type_a, uint8_t *type_b)
{
	for (size_t i = 1; i + 4 <= size; i++) {
		bool named = aml[i - 1] == AML_NAME || (aml[i - 1] == '\\' && i >= 2 && aml[i - 2] == AML_NAME);

		if (named && memcmp(aml + i, "_S5_", 4) == 0 &&
		    aml_s5_package(aml + i + 4, size - i - 4, type_a, type_b))
			return true;
	}
	return false;
}

static void read_s5(const struct table *t, struct acpi_info *out)
{
	if (!out->has_s5)
		out->has_s5 = acpi_find_s5(t->bytes + HEADER_SIZE, t->length - HEADER_SIZE, &out->sleep_type_a,
					   &out->sleep_type_b);
}

/* --- FADT: 5.2.9 */

#define FADT_DSDT          40u
#define FADT_SMI_CMD       48u
#define FADT_ACPI_ENABLE   52u
#define FADT_PM1A_CNT      64u
#define FADT_PM1B_CNT      68u
#define FADT_PM_TMR        76u
#define FADT_CENTURY       108u
#define FADT_FLAGS         112u
#define FADT_X_DSDT        140u
#define FADT_X_PM1A_CNT    172u
#define FADT_X_PM1B_CNT    184u
#define FADT_X_PM_TMR      208u
#define FADT_SLEEP_CONTROL 244u

#define FLAG_TMR_VAL_EXT     (1u << 8)
#define FLAG_HW_REDUCED_ACPI (1u << 20)

/* A register given as a generic address, or by the older field that holds a port. */
static struct acpi_register fadt_register(const struct table *t, uint32_t generic, uint32_t port)
{
	struct acpi_register r = { .space = (uint8_t)field(t, generic, 1), .address = field(t, generic + 4, 8) };

	if (r.address != 0 && (r.space == ACPI_SPACE_MEMORY || (r.space == ACPI_SPACE_IO && r.address < 0xffff)))
		return r;
	r = (struct acpi_register){ .space = ACPI_SPACE_IO };
	if (port != 0 && field(t, port, 4) < 0xffff)
		r.address = field(t, port, 4);
	return r;
}

static void read_fadt(phys_view *view, const struct table *t, struct acpi_info *out)
{
	uint64_t flags = field(t, FADT_FLAGS, 4);
	uint64_t pa = field(t, FADT_X_DSDT, 8);
	struct table dsdt;

	out->hardware_reduced = (flags & FLAG_HW_REDUCED_ACPI) != 0;
	out->century = (uint8_t)field(t, FADT_CENTURY, 1);
	out->sleep_control = fadt_register(t, FADT_SLEEP_CONTROL, 0);
	if (!out->hardware_reduced) {
		out->smi_command = (uint16_t)field(t, FADT_SMI_CMD, 2);
		out->acpi_enable = (uint8_t)field(t, FADT_ACPI_ENABLE, 1);
		out->pm1a_control = fadt_register(t, FADT_X_PM1A_CNT, FADT_PM1A_CNT);
		out->pm1b_control = fadt_register(t, FADT_X_PM1B_CNT, FADT_PM1B_CNT);
		out->pm_timer = fadt_register(t, FADT_X_PM_TMR, FADT_PM_TMR);
		out->pm_timer_32 = (flags & FLAG_TMR_VAL_EXT) != 0;
	}
	if (pa == 0)
		pa = field(t, FADT_DSDT, 4);
	if (pa != 0 && table_open(view, pa, &dsdt) && table_is(&dsdt, "DSDT"))
		read_s5(&dsdt, out);
}

/* --- MADT: 5.2.12 */

#define MADT_ENTRIES  44u
#define MADT_LAPIC    0u
#define MADT_IOAPIC   1u
#define MADT_OVERRIDE 2u
#define MADT_X2APIC   9u
#define MADT_ENABLED  1u
#define ISA_COM1      4u

/* 5.2.12.2, 5.2.12.12 */
static void read_cpu(const struct table *e, bool x2, struct acpi_info *out)
{
	if ((field(e, x2 ? 8 : 4, 4) & MADT_ENABLED) == 0)
		return;
	if (out->nr_cpus < ACPI_MAX_CPUS)
		out->cpu_ids[out->nr_cpus] = (uint32_t)field(e, x2 ? 4 : 3, x2 ? 4 : 1);
	out->nr_cpus++;
}

static void read_madt_entry(const struct table *e, struct acpi_info *out)
{
	switch (e->bytes[0]) {
	case MADT_LAPIC:
	case MADT_X2APIC: read_cpu(e, e->bytes[0] == MADT_X2APIC, out); break;
	case MADT_IOAPIC:
		if (e->length >= 12 && out->nr_ioapics < ACPI_MAX_IOAPICS)
			out->ioapics[out->nr_ioapics++] =
				(struct acpi_ioapic){ .address = field(e, 4, 4), .gsi_base = (uint32_t)field(e, 8, 4) };
		break;
	case MADT_OVERRIDE:
		if (e->length < 10 || field(e, 3, 1) != ISA_COM1)
			break;
		out->com1_overridden = true;
		out->com1_gsi = (uint32_t)field(e, 4, 4);
		out->com1_flags = (uint16_t)field(e, 8, 2);
		break;
	default: break;
	}
}

static void read_madt(const struct table *t, struct acpi_info *out)
{
	uint32_t at = MADT_ENTRIES;

	while (at <= t->length && t->length - at >= 2) {
		struct table entry = { .bytes = t->bytes + at, .length = t->bytes[at + 1] };

		if (entry.length < 2 || entry.length > t->length - at) {
			log_warn("ACPI: the interrupt table is damaged at byte %u", (unsigned)at);
			return;
		}
		read_madt_entry(&entry, out);
		at += entry.length;
	}
}

/* --- root: 5.2.5, 5.2.7, 5.2.8 */

static void read_root(phys_view *view, const struct table *root, uint32_t width, struct acpi_info *out)
{
	unsigned count = 0;

	for (uint32_t at = HEADER_SIZE; root->length - at >= width && count < MAX_TABLES; at += width, count++) {
		uint64_t pa = field(root, at, width);
		struct table t;

		if (pa == 0 || !table_open(view, pa, &t))
			continue;
		if (table_is(&t, "FACP"))
			read_fadt(view, &t, out);
		else if (table_is(&t, "APIC"))
			read_madt(&t, out);
		else if (table_is(&t, "SSDT"))
			read_s5(&t, out);
	}
}

static bool rsdp_is_valid(const uint8_t *rsdp, size_t size)
{
	return size >= 20 && memcmp(rsdp, "RSD PTR ", 8) == 0 && sum_is_zero(rsdp, 20);
}

void acpi_parse(phys_view *view, const uint8_t *rsdp, size_t size, struct acpi_info *out)
{
	const struct table pointer = { .bytes = rsdp, .length = (uint32_t)size };
	uint64_t xsdt = 0, rsdt;
	struct table root;

	if (size == 0)
		return;
	if (!rsdp_is_valid(rsdp, size)) {
		log_warn("ACPI: the root pointer is damaged; going on without ACPI");
		return;
	}
	rsdt = field(&pointer, 16, 4);
	if (rsdp[15] >= 2 && size >= BOOT_RSDP && sum_is_zero(rsdp, BOOT_RSDP))
		xsdt = field(&pointer, 24, 8);
	if (xsdt != 0 && table_open(view, xsdt, &root) && table_is(&root, "XSDT"))
		read_root(view, &root, 8, out);
	else if (rsdt != 0 && table_open(view, rsdt, &root) && table_is(&root, "RSDT"))
		read_root(view, &root, 4, out);
	else
		log_warn("ACPI: there is no usable root table; going on without ACPI");
}

size_t acpi_find_rsdp(phys_view *view, uint8_t rsdp[BOOT_RSDP])
{
	for (uint64_t pa = 0xe0000; pa < 0x100000; pa += 16) {
		const uint8_t *p = view(pa, BOOT_RSDP);

		if (p == NULL || !rsdp_is_valid(p, BOOT_RSDP))
			continue;
		memcpy(rsdp, p, BOOT_RSDP);
		return BOOT_RSDP;
	}
	return 0;
}
