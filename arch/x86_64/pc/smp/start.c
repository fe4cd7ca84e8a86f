/* SPDX-License-Identifier: BSD-2-Clause */
/* Starts the CPUs that ACPI names. Section numbers are of the Intel SDM, volume 3A. */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include <husk/feature.h>
#include <husk/log.h>
#include <husk/params.h>
#include <husk/platform.h>

#include "arch/x86_64/pc/apic.h"
#include "arch/x86_64/pc/boot.h"
#include "arch/x86_64/pc/clock.h"
#include "arch/x86_64/pc/memory.h"
#include "arch/x86_64/pc/ranges.h"
#include "arch/x86_64/pc/smp/cpus.h"
#include "arch/x86_64/pc/x86.h"

#define PAGE    BOOT_PAGE
#define LOW_END 0xa0000u /* above is the ISA hole */

#define NS_PER_US 1000u
/* 8.4.4.1 */
#define INIT_NS     (10000u * NS_PER_US)
#define START_UP_NS (200u * NS_PER_US)
/* A virtual computer on a busy one may not give a CPU its turn at once. */
#define ONLINE_NS (1000000u * NS_PER_US)

/* What a CPU that starts takes, see trampoline.S. */
extern const uint8_t smp_trampoline[], smp_trampoline_end[];
extern struct pc_processor *smp_start_cpu;
extern uint64_t smp_start_tables, smp_start_stack;
struct pc_processor *smp_start_cpu;
uint64_t smp_start_tables, smp_start_stack;

static void wait_ns(uint64_t ns)
{
	for (uint64_t start = plat_time_ns(); plat_time_ns() - start < ns;)
		cpu_relax();
}

/* --- on the new CPU */

_Noreturn void smp_cpu_main(struct pc_processor *p);
_Noreturn void smp_cpu_main(struct pc_processor *p)
{
	cpu_init(&p->cpu);
	trap_init_cpu(p->trap);
	apic_init_cpu();
	clock_init_cpu();
	p->tsc = rdtsc();
	__atomic_store_n(&p->online, true, __ATOMIC_RELEASE);
	pc_wait_for_work(p);
}

/* --- on the boot CPU */

/* A page that a CPU can start at: RAM below 1 MiB that nobody claims, and not the first. Returns its address or 0. */
static uint64_t place_trampoline(const struct boot_info *boot)
{
	static struct ranges low;
	uint64_t page;

	ranges_of_ram(&low, boot);
	ranges_remove(&low, 0, PAGE);
	page = ranges_take(&low, PAGE, PAGE, LOW_END);
	if (page == 0 || memory_map_page(page) != 0)
		return 0;
	memcpy((void *)page, smp_trampoline, (size_t)(smp_trampoline_end - smp_trampoline));
	return page;
}

/* Stacks and tables of a CPU, with unmapped pages around the stacks. */
static int make_trap_cpu(struct pc_processor *p)
{
	struct guarded_stack stacks[TRAP_STACKS];
	int err = 0;

	p->trap = plat_pages_alloc(trap_cpu_size, PAGE);
	if (p->trap == NULL)
		return -ENOMEM;
	trap_cpu_stacks(p->trap, stacks);
	for (unsigned i = 0; i < TRAP_STACKS && err == 0; i++)
		err = memory_unmap(stacks[i].base - PAGE, PAGE);
	if (err == 0)
		err = memory_unmap(stacks[TRAP_STACKS - 1].base + stacks[TRAP_STACKS - 1].size, PAGE);
	smp_start_stack = stacks[0].base + stacks[0].size;
	return err;
}

static bool comes_online(const struct pc_processor *p, uint64_t patience)
{
	for (uint64_t start = plat_time_ns(); !__atomic_load_n(&p->online, __ATOMIC_ACQUIRE); cpu_relax())
		if (plat_time_ns() - start > patience)
			return false;
	return true;
}

/* 8.4.4.1: INIT, and twice the start-up message, of which the second is ignored if the first has arrived. */
static bool wake(struct pc_processor *p, uint64_t page)
{
	__atomic_store_n(&smp_start_cpu, p, __ATOMIC_SEQ_CST);
	apic_send(p->cpu.apic_id, APIC_INIT);
	wait_ns(INIT_NS);
	for (unsigned i = 0; i < 2; i++) {
		apic_send(p->cpu.apic_id, APIC_START_UP | (unsigned)(page / PAGE));
		if (comes_online(p, i == 0 ? START_UP_NS : ONLINE_NS))
			return true;
	}
	/* One that comes later finds that it is not wanted; one that has just begun is waited for. */
	return __atomic_exchange_n(&smp_start_cpu, NULL, __ATOMIC_SEQ_CST) == NULL && comes_online(p, ONLINE_NS);
}

/* All CPUs have to tell the same time: what the other one reads lies between what this one reads before and after. */
static const char *start(struct pc_processor *p, uint64_t page)
{
	uint64_t before = rdtsc();

	if (make_trap_cpu(p) != 0)
		return "has no memory for its stacks";
	if (!wake(p, page))
		return "does not start";
	return p->tsc >= before && p->tsc <= rdtsc() ? NULL : "has another time (TSC)";
}

static bool is_known(uint32_t id)
{
	for (unsigned i = 0; i < pc_nr_processors; i++)
		if (pc_processors[i].cpu.apic_id == id)
			return true;
	return false;
}

static void try(uint32_t id, uint64_t page)
{
	struct pc_processor *p = &pc_processors[pc_nr_processors];
	const char *problem;

	*p = (struct pc_processor){ .cpu = { .apic_id = id } };
	problem = start(p, page);
	if (problem == NULL) {
		pc_nr_processors++;
		return;
	}
	log_warn("the CPU with APIC id %u %s; going on without it", (unsigned)id, problem);
	/* If it came, it stops until somebody starts it again (8.4.1). */
	apic_send(id, APIC_INIT);
}

/* More than there are vCPUs have nothing to do. */
static unsigned wanted(void)
{
	return husk_params.vcpus < PC_CPUS ? husk_params.vcpus : PC_CPUS;
}

void cpu_start_others(const struct boot_info *boot, const struct acpi_info *acpi)
{
	unsigned listed = acpi->nr_cpus < ACPI_MAX_CPUS ? acpi->nr_cpus : ACPI_MAX_CPUS;
	uint64_t page;

	if (listed < 2 || wanted() < 2)
		return;
	page = place_trampoline(boot);
	if (page == 0) {
		log_warn("there is no page below 1 MiB to start other CPUs at; going on with one");
		return;
	}
	smp_start_tables = read_cr3();
	for (unsigned i = 0; i < listed && pc_nr_processors < wanted(); i++)
		if (!is_known(acpi->cpu_ids[i]))
			try(acpi->cpu_ids[i], page);
}

/* --- what others ask */

/* Called when something is wrong, by one CPU at a time. */
const struct guarded_stack *cpu_stacks(size_t *count)
{
	static struct guarded_stack stacks[TRAP_STACKS];
	const struct pc_processor *p = pc_processor();

	if (p->trap == NULL)
		return trap_stacks(count);
	trap_cpu_stacks(p->trap, stacks);
	*count = TRAP_STACKS;
	return stacks;
}

static int attach(struct vm *vm)
{
	(void)vm;
	log_debug("pc: %u CPU%s in use", pc_nr_processors, pc_nr_processors == 1 ? "" : "s");
	return 0;
}

HUSK_FEATURE(pc_smp) = {
	.name = "pc-smp",
	.purpose = "uses other CPUs of the computer",
	.level = FEATURE_HOST,
	.attach = attach,
};
