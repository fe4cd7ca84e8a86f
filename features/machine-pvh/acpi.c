/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ACPI tables of a hardware-reduced machine: RSDP, XSDT, FADT, MADT, DSDT. Section and table numbers are of the ACPI
 * specification 6.4.
 */
#include <errno.h>
#include <string.h>

#include <husk/log.h>

#include "features/io-apic/io_apic.h"
#include "features/local-apic/local_apic.h"
#include "features/machine-pvh/aml.h"
#include "features/machine-pvh/pvh.h"

/* Table 5.28: System Description Table header. */
struct header {
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum;
	char oem[6], table[8];
	uint32_t oem_revision;
	char creator[4];
	uint32_t creator_revision;
} __attribute__((packed));

/* Table 5.27 */
struct rsdp {
	char signature[8];
	uint8_t checksum;
	char oem[6];
	uint8_t revision;
	uint32_t rsdt, length;
	uint64_t xsdt;
	uint8_t extended_checksum, reserved[3];
} __attribute__((packed));

/* Table 5.1: Generic Address Structure */
struct gas {
	uint8_t space, bits, offset, access;
	uint64_t address;
} __attribute__((packed));

/* Table 5.33, up to and with the hypervisor's id; reserved parts have no meaning on reduced hardware. */
struct fadt {
	struct header header;
	uint8_t reserved0[8 + 1];
	uint8_t profile;
	uint8_t reserved1[109 - 46];
	uint16_t boot_flags;
	uint8_t reserved2;
	uint32_t flags;
	struct gas reset;
	uint8_t reset_value;
	uint16_t arm_flags;
	uint8_t minor;
	uint64_t facs, dsdt;
	uint8_t reserved3[244 - 148];
	struct gas sleep_control, sleep_status;
	char hypervisor[8];
} __attribute__((packed));
_Static_assert(sizeof(struct fadt) == 276, "table 5.33");

#define FADT_WBINVD       (1u << 0) /* table 5.35 */
#define FADT_NO_POWER_KEY (1u << 4)
#define FADT_NO_SLEEP_KEY (1u << 5)
#define FADT_RESET        (1u << 10)
#define FADT_REDUCED      (1u << 20)
#define BOOT_NO_VGA       (1u << 2) /* table 5.36 */
#define BOOT_NO_CMOS      (1u << 5)
#define SPACE_IO          1u
#define ACCESS_BYTE       1u

#define MADT_LAPIC  0u /* tables 5.46 to 5.48 */
#define MADT_IOAPIC 1u

#define RSDP_ROOM   64u
#define TABLE_ALIGN 16u

static uint8_t checksum(const void *data, size_t size)
{
	const uint8_t *p = data;
	uint8_t sum = 0;

	for (size_t i = 0; i < size; i++)
		sum += p[i];
	return (uint8_t)-sum;
}

static void begin_table(struct aml *a, const char *signature, uint8_t revision)
{
	struct header h = { .revision = revision, .oem = "HUSK", .table = "PVH", .oem_revision = 1, .creator = "HUSK" };

	memcpy(h.signature, signature, sizeof(h.signature));
	aml_bytes(a, &h, sizeof(h));
}

/* Ends the table that fills `a`: length and checksum. */
static void end_table(struct aml *a)
{
	struct header *h = (struct header *)a->data;

	h->length = (uint32_t)a->used;
	h->checksum = 0;
	h->checksum = checksum(a->data, a->used);
}

/* --- DSDT */

/* 19.3.4: an EISA id is three letters and four hexadecimal digits. Others are strings. */
static bool is_eisa_id(const char *hid)
{
	return strlen(hid) == 7;
}

static unsigned digit(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : c - 'A' + 10) & 15;
}

static uint32_t eisa_id(const char *hid)
{
	uint32_t letters = (hid[0] & 31u) << 10 | (hid[1] & 31u) << 5 | (hid[2] & 31u);
	uint32_t digits = digit(hid[3]) << 12 | digit(hid[4]) << 8 | digit(hid[5]) << 4 | digit(hid[6]);

	return __builtin_bswap32(letters << 16 | digits);
}

/* 6.4.2.5, 6.4.3.4, 6.4.3.6, 6.4.2.9 */
static void write_resources(struct aml *a, const struct pvh_acpi_device *d)
{
	if (d->port_size != 0) {
		aml_number(a, 0x47, 1);
		aml_number(a, 1, 1); /* decodes 16 bits */
		aml_number(a, d->port, 2);
		aml_number(a, d->port, 2);
		aml_number(a, 1, 1);
		aml_number(a, d->port_size, 1);
	}
	if (d->memory_size != 0) {
		aml_number(a, 0x86, 1);
		aml_number(a, 9, 2);
		aml_number(a, 1, 1); /* read and write */
		aml_number(a, d->memory, 4);
		aml_number(a, d->memory_size, 4);
	}
	if (d->gsi >= 0) {
		aml_number(a, 0x89, 1);
		aml_number(a, 6, 2);
		aml_number(a, d->level ? 1 : 3, 1); /* consumer; edge; active high */
		aml_number(a, 1, 1);
		aml_number(a, (uint32_t)d->gsi, 4);
	}
	aml_number(a, 0x0079, 2); /* end; no checksum */
}

/* 19.6.19: Buffer (length) { bytes }, which is what a resource template is. */
static void write_crs(struct aml *a, const struct pvh_acpi_device *d)
{
	size_t buffer, size, start;

	aml_name(a, "_CRS");
	aml_number(a, 0x11, 1);
	buffer = aml_begin(a);
	aml_number(a, 0x0b, 1);
	size = a->used;
	aml_number(a, 0, 2);
	start = a->used;
	write_resources(a, d);
	if (!a->full) {
		a->data[size] = (uint8_t)(a->used - start);
		a->data[size + 1] = (uint8_t)((a->used - start) >> 8);
	}
	aml_end(a, buffer);
}

static void write_device(struct aml *a, const struct pvh_acpi_device *d)
{
	size_t device;

	aml_number(a, 0x825b, 2); /* 20.2.5.2: DefDevice */
	device = aml_begin(a);
	aml_bytes(a, d->name, 4);
	aml_name(a, "_HID");
	if (is_eisa_id(d->hid))
		aml_integer(a, eisa_id(d->hid));
	else
		aml_string(a, d->hid);
	aml_name(a, "_UID");
	aml_integer(a, d->uid);
	write_crs(a, d);
	aml_end(a, device);
}

/* 7.4.2.6: Name (_S5, Package { 5, 0, 0, 0 }), the sleep type to write. */
static void write_s5(struct aml *a)
{
	static const uint8_t package[] = { 0x12, 0x07, 0x04, 0x0a, 0x05, 0x00, 0x00, 0x00 };

	aml_name(a, "_S5_");
	aml_bytes(a, package, sizeof(package));
}

static void write_dsdt(const struct pvh *board, struct aml *a)
{
	size_t scope;

	begin_table(a, "DSDT", 2);
	write_s5(a);
	aml_number(a, 0x10, 1); /* 20.2.5.1: DefScope */
	scope = aml_begin(a);
	aml_bytes(a, "\\_SB_", 5);
	for (unsigned i = 0; i < board->nr_devices; i++)
		write_device(a, board->devices[i]);
	aml_end(a, scope);
	end_table(a);
}

/* --- the others */

static struct gas port(uint16_t address)
{
	return (struct gas){ .space = SPACE_IO, .bits = 8, .access = ACCESS_BYTE, .address = address };
}

static void write_fadt(struct aml *a, uint64_t dsdt)
{
	struct fadt f = { .boot_flags = BOOT_NO_VGA | BOOT_NO_CMOS,
			  .flags = FADT_WBINVD | FADT_NO_POWER_KEY | FADT_NO_SLEEP_KEY | FADT_RESET | FADT_REDUCED,
			  .reset = port(PVH_POWER_PORT + 2),
			  .reset_value = 1,
			  .minor = 4,
			  .dsdt = dsdt,
			  .sleep_control = port(PVH_POWER_PORT),
			  .sleep_status = port(PVH_POWER_PORT + 1),
			  .hypervisor = "husk" };

	begin_table(a, "FACP", 6);
	aml_bytes(a, (const uint8_t *)&f + sizeof(f.header), sizeof(f) - sizeof(f.header));
	end_table(a);
}

static void write_madt(const struct pvh *board, struct aml *a)
{
	begin_table(a, "APIC", 5);
	aml_number(a, LOCAL_APIC_BASE, 4);
	aml_number(a, 0, 4); /* there are no 8259s */
	for (unsigned i = 0; i < board->vm->nr_vcpus; i++) {
		const uint8_t entry[] = { MADT_LAPIC, 8, (uint8_t)i, (uint8_t)i, 1, 0, 0, 0 };

		aml_bytes(a, entry, sizeof(entry));
	}
	if (board->gsi_input != NULL) {
		const uint8_t entry[] = { MADT_IOAPIC, 12, 0, 0 };

		aml_bytes(a, entry, sizeof(entry));
		aml_number(a, IO_APIC_BASE, 4);
		aml_number(a, 0, 4); /* first GSI */
	}
	end_table(a);
}

static void write_xsdt(struct aml *a, uint64_t fadt, uint64_t madt)
{
	begin_table(a, "XSDT", 1);
	aml_number(a, fadt, 8);
	aml_number(a, madt, 8);
	end_table(a);
}

static void write_rsdp(struct rsdp *r, uint64_t xsdt)
{
	*r = (struct rsdp){ .oem = "HUSK", .revision = 2, .length = sizeof(*r), .xsdt = xsdt };
	memcpy(r->signature, "RSD PTR ", sizeof(r->signature));
	r->checksum = checksum(r, 20);
	r->extended_checksum = checksum(r, sizeof(*r));
}

/* The rest of the room behind a finished table. */
static struct aml behind(const struct aml *a)
{
	size_t used = (a->used + TABLE_ALIGN - 1) & ~(size_t)(TABLE_ALIGN - 1);

	return (struct aml){ .data = a->data + used, .size = a->size - used, .full = a->full };
}

int pvh_write_acpi(struct pvh *board)
{
	uint8_t *room = memory_borrow(&board->vm->memory, PVH_TABLES, PVH_TABLES_SIZE);
	struct aml dsdt = { .data = room + RSDP_ROOM, .size = PVH_TABLES_SIZE - RSDP_ROOM - TABLE_ALIGN }, fadt, madt,
		   xsdt;

	memset(room, 0, PVH_TABLES_SIZE);
	write_dsdt(board, &dsdt);
	fadt = behind(&dsdt);
	write_fadt(&fadt, PVH_TABLES + (uint64_t)(dsdt.data - room));
	madt = behind(&fadt);
	write_madt(board, &madt);
	xsdt = behind(&madt);
	write_xsdt(&xsdt, PVH_TABLES + (uint64_t)(fadt.data - room), PVH_TABLES + (uint64_t)(madt.data - room));
	if (xsdt.full) {
		log_error("machine pvh: too many devices for the ACPI tables");
		return -ENOSPC;
	}
	write_rsdp((struct rsdp *)room, PVH_TABLES + (uint64_t)(xsdt.data - room));
	return 0;
}

int pvh_add_device(struct vm *vm, const struct pvh_acpi_device *d)
{
	struct pvh *board = pvh_board(vm);

	if (board->nr_devices == PVH_MAX_PARTS) {
		log_error("machine pvh: no room for device %s", d->name);
		return -ENOSPC;
	}
	board->devices[board->nr_devices++] = d;
	return 0;
}
