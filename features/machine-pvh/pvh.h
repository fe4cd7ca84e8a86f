/* SPDX-License-Identifier: BSD-2-Clause */
/* The board: its memory map, its state, and how other features add devices to it. */
#ifndef MACHINE_PVH_PVH_H
#define MACHINE_PVH_PVH_H

#include <stdbool.h>
#include <stdint.h>

#include <husk/device.h>
#include <husk/irq.h>
#include <husk/machine.h>
#include <husk/payload.h>
#include <husk/vm.h>

/* Guest physical addresses. What husk puts there below 1 MiB is not given to the guest as RAM. */
#define PVH_LOW_END      0x000a0000ull
#define PVH_TABLES       0x000e0000ull /* ACPI: the RSDP first, where firmware has it */
#define PVH_TABLES_SIZE  0x00008000ull
#define PVH_BOOT         0x000e8000ull /* what the boot protocols want */
#define PVH_BOOT_SIZE    0x00017000ull
#define PVH_ROM          0x000ff000ull /* what there is in place of firmware */
#define PVH_RESET_VECTOR 0x000ffff0ull /* where a CPU, and a kernel that gives up, starts firmware */
#define PVH_MAIN         0x00100000ull
#define PVH_LOW_RAM_MAX  0xc0000000ull
#define PVH_SPECIAL      0xfeff8000ull /* pages that the guest shares with paravirtual devices */
#define PVH_SPECIAL_SIZE 0x00008000ull
#define PVH_HIGH         0x100000000ull

/* I/O ports */
#define PVH_POWER_PORT 0x600u

/** Types of lines of the memory map, the same in PVH, E820 and Xen's. */
enum { PVH_MAP_RAM = 1, PVH_MAP_RESERVED = 2 };

/** A line of the memory map, packed as E820 has it. */
struct pvh_map_line {
	uint64_t address, size;
	uint32_t type;
} __attribute__((packed));

#define PVH_MAP_LINES   6u
#define PVH_MAX_PARTS   16u
#define PVH_CMDLINE_MAX 4096u

/** A device that ACPI's namespace describes. The owner keeps it for the life of the VM. */
struct pvh_acpi_device {
	const char *name; /**< four characters, such as "COM1" */
	const char *hid;  /**< hardware id, such as "PNP0501" or "LNRO0005" */
	unsigned uid;
	uint16_t port, port_size;     /**< I/O ports; size 0: none */
	uint32_t memory, memory_size; /**< memory window below 4 GiB; size 0: none */
	int gsi;                      /**< global system interrupt, -1: none */
	bool level;                   /**< level-triggered; both are active high */
};

/** A slot for a device of another feature. */
struct pvh_slot {
	struct pvh_acpi_device acpi;
	char name[5];
};

/** State of the board. */
struct pvh {
	struct vm *vm;
	struct device power, no_timer;
	struct pvh_map_line map[PVH_MAP_LINES];
	unsigned nr_map;
	const struct pvh_acpi_device *devices[PVH_MAX_PARTS];
	unsigned nr_devices;
	struct pvh_slot slots[MACHINE_SLOTS];
	irq_input *gsi_input; /**< of the I/O APIC, NULL if the image has none */
	void *gsi_controller;
	char cmdline[PVH_CMDLINE_MAX]; /**< as the guest gets it */
};

/** The board of a VM whose machine is pvh. */
static inline struct pvh *pvh_board(struct vm *vm)
{
	return vm->board;
}

/** Has ACPI describe a device; at attach time of a feature. Returns 0 or -ENOSPC after logging one line. */
int pvh_add_device(struct vm *vm, const struct pvh_acpi_device *d);

/** Connects a line to a global system interrupt; without an I/O APIC in the image it goes nowhere. */
static inline void pvh_connect(struct vm *vm, struct irq_line *line, unsigned gsi)
{
	irq_connect(line, pvh_board(vm)->gsi_input, pvh_board(vm)->gsi_controller, gsi);
}

/* --- parts of the board */

/** Writes the ACPI tables into guest RAM. Returns 0 or -ENOSPC after logging one line. */
int pvh_write_acpi(struct pvh *board);

/** The machine's plug(): a device into a slot, and its description into ACPI. */
int pvh_plug(struct vm *vm, unsigned slot, struct device *dev, struct irq_line *irq);

/** Puts the board's own ports there: sleep, reset. Returns what bus_attach() says. */
int pvh_power_init(struct pvh *board);

/** Writes code to the BIOS's entry that resets the machine. */
void pvh_write_reset_vector(struct pvh *board);

/** The payload's parts, and the command line as the guest gets it. */
struct pvh_payload {
	const struct payload_part *kernel, *initrd;
	const char *cmdline;
};

/** Loads an ELF kernel with a PVH note and sets vCPU 0 to its entry. Returns 0 or a negative errno after one line. */
int pvh_start_elf(struct pvh *board, const struct pvh_payload *p);

/** True if the part is a Linux bzImage. */
bool pvh_is_bzimage(const struct payload_part *kernel);

/** Loads a bzImage and sets vCPU 0 to its 64-bit entry. Returns 0 or a negative errno after one line. */
int pvh_start_bzimage(struct pvh *board, const struct pvh_payload *p);

#endif
