/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A small x86 guest of our own, booted by PVH. What it does says the letter after "husk guest mode:", which the tests
 * change in finished images:
 *   h  tries every port, MSR, CPUID leaf, device address, virtualization instruction and hypercall with bad arguments
 *   c  measures what exits cost, in ticks of the TSC (with QEMU's -icount: instructions)
 *   t  triple fault; x  executes where there is no RAM; m  an instruction for devices that husk does not know
 *   s  spins with interrupts off
 *   f  checks that FPU registers survive exits and that NMIs do not nest
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COM1        0x3f8u
#define POWER       0x600u
#define LAPIC       0xfee00000ull
#define UNMAPPED    0x1000ull /* a hole in the page tables */
#define NOT_RAM     0xd0000000ull
#define CONSOLE_IO  18u
#define XEN_VERSION 17u
#define SCHED_OP    29u

/** What the stubs and the CPU push. */
struct frame {
	uint64_t vector, error, rip, cs, rflags, rsp, ss;
};

/** 64-bit gate (SDM 3A, 6.14.1). */
struct gate {
	uint16_t offset0, selector;
	uint8_t ist, type;
	uint16_t offset1;
	uint32_t offset2, reserved;
};

extern const uint8_t stubs[256][16];
static struct gate idt[256];
static volatile uint64_t faults, interrupts, nmis, nmi_depth, nmi_nested;
static volatile const uint8_t *resume; /* where to go on after a fault; NULL: none is expected */
static bool has_xen, has_com1;
static bool is_intel; /* hypercalls are VMCALL */
/* The text before it is how tests find it. */
static volatile struct {
	char label[16];
	char mode;
} choice = { "husk guest mode:", 'h' };

static void out8(uint16_t port, uint8_t v)
{
	__asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}
static uint8_t in8(uint16_t port)
{
	uint8_t v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static uint64_t rdtsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

static void cpuid(uint32_t leaf, uint32_t subleaf, uint32_t r[4])
{
	__asm__ volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "a"(leaf), "c"(subleaf));
}

static int64_t hypercall(uint64_t nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	register uint64_t r10 __asm__("r10") = d;
	int64_t result;

	__asm__ volatile("cmpb $0, %[intel]\n\tjne 1f\n\tvmmcall\n\tjmp 2f\n1:\tvmcall\n2:"
			 : "=a"(result), "+D"(a), "+S"(b), "+d"(c), "+r"(r10)
			 : "a"(nr), [intel] "m"(is_intel)
			 : "memory", "cc", "r8", "r9");
	return result;
}

/* --- output */

static void print(const char *text)
{
	size_t n = 0;

	while (text[n] != '\0')
		n++;
	if (has_xen && !has_com1)
		hypercall(CONSOLE_IO, 0, n, (uint64_t)text, 0);
	for (size_t i = 0; has_com1 && i < n; i++)
		out8(COM1, (uint8_t)text[i]);
}

static void print_number(const char *what, uint64_t value)
{
	char digits[24];
	unsigned n = sizeof(digits);

	digits[--n] = '\0';
	digits[--n] = '\n';
	do
		digits[--n] = (char)('0' + value % 10);
	while ((value /= 10) != 0);
	print(what);
	print(digits + n);
}

static _Noreturn void power_off(void)
{
	out8(POWER, 5u << 2 | 1u << 5);
	for (;;)
		__asm__ volatile("cli; hlt");
}

/* --- exceptions */

void guest_exception(struct frame *f)
{
	if (f->vector == 2) {
		nmis++;
		nmi_depth++;
		if (nmi_depth > 1)
			nmi_nested++;
		/* One more, from inside: it has to wait for the IRET. */
		if (nmis < 3)
			*(volatile uint32_t *)(LAPIC + 0x300) = 1u << 18 | 4u << 8;
		for (volatile unsigned i = 0; i < 1000; i++)
			continue;
		nmi_depth--;
		return;
	}
	if (f->vector >= 32) {
		interrupts++;
		*(volatile uint32_t *)(LAPIC + 0xb0) = 0;
		return;
	}
	if (resume == NULL) {
		print_number("unexpected exception ", f->vector);
		print_number("at ", f->rip);
		power_off();
	}
	faults++;
	f->rip = (uint64_t)resume;
}

static void set_up_exceptions(void)
{
	const struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) pointer = { sizeof(idt) - 1, (uint64_t)idt };

	for (unsigned i = 0; i < 256; i++) {
		uint64_t at = (uint64_t)stubs[i];

		idt[i] = (struct gate){ (uint16_t)at, 8, 0, 0x8e, (uint16_t)(at >> 16), (uint32_t)(at >> 32), 0 };
	}
	__asm__ volatile("lidt %0" : : "m"(pointer));
}

/* --- hostile */

static void try_msr(uint32_t msr)
{
	static const uint64_t values[] = { 0, 1, UINT64_MAX, 0x8000000000000000ull, 0x0123456789abcdefull };
	uint32_t low, high;

	__asm__ volatile("leaq 1f(%%rip), %%rbx; movq %%rbx, %0" : "=m"(resume) : : "rbx");
	__asm__ volatile("rdmsr\n1:" : "=a"(low), "=d"(high) : "c"(msr) : "memory");
	resume = NULL;
	/* Those that change how the guest itself runs: it may do that to itself. */
	if (msr == 0xc0000080u)
		return;
	for (unsigned i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		__asm__ volatile("leaq 2f(%%rip), %%rbx; movq %%rbx, %0" : "=m"(resume) : : "rbx");
		__asm__ volatile("wrmsr\n2:"
				 :
				 : "c"(msr), "a"((uint32_t)values[i]), "d"((uint32_t)(values[i] >> 32))
				 : "memory");
		resume = NULL;
	}
}

static void try_msrs(void)
{
	static const struct {
		uint32_t from, to;
	} ranges[] = { { 0, 0x2000 },
		       { 0x40000000, 0x40000100 },
		       { 0xc0000000, 0xc0000200 },
		       { 0xc0010000, 0xc0010300 },
		       { 0xc0011000, 0xc0011040 },
		       { 0xfffffff0, 0xffffffff } };

	for (unsigned i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		for (uint32_t msr = ranges[i].from; msr < ranges[i].to; msr++)
			try_msr(msr);
	}
}

static void try_ports(void)
{
	for (uint32_t port = 0; port < 0x10000; port += port < 0x800 ? 1 : 7) {
		uint32_t v;

		if (port + 4 > POWER && port < POWER + 4)
			continue;
		if (port + 4 > COM1 && port < COM1 + 8)
			continue;
		__asm__ volatile("inb %%dx, %%al; inw %%dx, %%ax; inl %%dx, %%eax" : "=a"(v) : "d"((uint16_t)port));
		__asm__ volatile("outb %%al, %%dx; outw %%ax, %%dx; outl %%eax, %%dx"
				 :
				 : "a"(0xffffffff), "d"((uint16_t)port));
	}
	/* String forms, from and to where nothing is mapped. */
	__asm__ volatile("leaq 3f(%%rip), %%rbx; movq %%rbx, %0" : "=m"(resume) : : "rbx");
	__asm__ volatile("rep outsb\n3:" : : "d"((uint16_t)0x500), "S"(UNMAPPED - 2), "c"(8) : "memory");
	__asm__ volatile("leaq 4f(%%rip), %%rbx; movq %%rbx, %0" : "=m"(resume) : : "rbx");
	__asm__ volatile("rep insl\n4:" : : "d"((uint16_t)0x500), "D"(NOT_RAM), "c"(3) : "memory");
	resume = NULL;
}

static void try_cpuid(void)
{
	static const uint32_t bases[] = { 0, 0x40000000, 0x40000100, 0x80000000, 0xc0000000, 0xfffffff0 };
	uint32_t r[4];

	for (unsigned i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
		for (uint32_t n = 0; n < 0x24 && bases[i] + n >= bases[i]; n++) {
			for (uint32_t subleaf = 0; subleaf < 4; subleaf++)
				cpuid(bases[i] + n, subleaf, r);
			cpuid(bases[i] + n, 0xffffffff, r);
		}
	}
}

static void try_address(uint64_t at)
{
	volatile uint8_t *p8 = (volatile uint8_t *)at;
	volatile uint16_t *p16 = (volatile uint16_t *)at;
	volatile uint32_t *p32 = (volatile uint32_t *)at;
	volatile uint64_t *p64 = (volatile uint64_t *)at;

	(void)*p8;
	(void)*p16;
	(void)*p32;
	(void)*p64;
	*p8 = 0xff;
	*p16 = 0xffff;
	*p64 = UINT64_MAX;
	__asm__ volatile("orl %%eax, %0; addb $7, %0; xchgl %%eax, %0; testw $9, %0; cmpl %0, %%eax; movzbl %0, %%eax"
			 :
			 : "m"(*p32)
			 : "eax", "memory", "cc");
}

static void try_memory(void)
{
	static const uint64_t places[] = { NOT_RAM, 0xfec00000, 0xfec00010, 0xfed00000, 0xfff00000, 0xfffffff8 };

	for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		try_address(places[i]);
	for (uint32_t offset = 0; offset < 0x1000; offset += 4) {
		if (offset == 0x300 || offset == 0x310) /* messages: to oneself that is an NMI or worse */
			continue;
		try_address(LAPIC + offset);
	}
}

static void try_instructions(void)
{
#define EXPECT_FAULT(text, ...)                                                                     \
	do {                                                                                        \
		uint64_t before = faults;                                                           \
		__asm__ volatile("leaq 5f(%%rip), %%rbx; movq %%rbx, %0" : "=m"(resume) : : "rbx"); \
		__asm__ volatile(text "\n5:" : : __VA_ARGS__ : "memory");                           \
		resume = NULL;                                                                      \
		if (faults == before)                                                               \
			print("no fault: " text "\n");                                              \
	} while (0)
	EXPECT_FAULT("vmrun %%rax", "a"(0));
	EXPECT_FAULT("vmload %%rax", "a"(0));
	EXPECT_FAULT("vmsave %%rax", "a"(0));
	EXPECT_FAULT("stgi", "a"(0));
	EXPECT_FAULT("clgi", "a"(0));
	EXPECT_FAULT("skinit %%eax", "a"(0));
	EXPECT_FAULT("invlpga %%rax, %%ecx", "a"(0), "c"(0));
	EXPECT_FAULT("rdpmc", "c"(0));
	EXPECT_FAULT("monitor", "a"(0), "c"(0), "d"(0));
	EXPECT_FAULT("mwait", "a"(0), "c"(0));
	EXPECT_FAULT("vmcall; ud2", "a"(~0ull));
	EXPECT_FAULT("rsm", "a"(0));
	__asm__ volatile("wbinvd");
	__asm__ volatile("invd");
}

static void try_hypercalls(void)
{
	static uint8_t buffer[16384] __attribute__((aligned(4096)));
	const uint64_t values[] = { 0,
				    1,
				    UINT64_MAX,
				    UNMAPPED,
				    UNMAPPED - 4,
				    NOT_RAM,
				    0x800000000000ull,
				    (uint64_t)buffer,
				    (uint64_t)buffer + 4090,
				    0x7fffffff };
	const unsigned n = sizeof(values) / sizeof(values[0]);

	for (uint64_t nr = 0; nr < 64; nr++) {
		if (nr == SCHED_OP || nr == 6 /* sched_op_compat */ || nr == CONSOLE_IO)
			continue;
		for (uint64_t op = 0; op < 48; op++) {
			if (nr == 24 && (op == 3 || op == 2)) /* VCPUOP_down: nobody could wake it */
				continue;
			for (unsigned i = 0; i < n; i++) {
				for (size_t b = 0; b < sizeof(buffer); b++)
					buffer[b] = 0xff;
				hypercall(nr, op, values[i], values[(i + op) % n], values[(i + 3) % n]);
			}
		}
	}
	hypercall(CONSOLE_IO, 0, UINT64_MAX, (uint64_t)buffer, 0);
	hypercall(CONSOLE_IO, 0, 100, UNMAPPED, 0);
	hypercall(CONSOLE_IO, 7, 1, 2, 3);
	hypercall(UINT64_MAX, 1, 2, 3, 4);
	hypercall(SCHED_OP, UINT64_MAX, 2, 3, 4);
	hypercall(SCHED_OP, 3, UNMAPPED, 0, 0);
}

static void hostile(void)
{
	print("cpuid\n");
	try_cpuid();
	print("instructions\n");
	try_instructions();
	print("memory\n");
	try_memory();
	print("msrs\n");
	try_msrs();
	if (has_xen) {
		print("hypercalls\n");
		try_hypercalls();
	}
	print("ports\n");
	try_ports();
	print_number("faults taken: ", faults);
	print("hostile guest is done\n");
}

/* --- costs */

#define ROUNDS 1000u

static uint64_t cost(void (*what)(void))
{
	uint64_t start;

	what();
	start = rdtsc();
	for (unsigned i = 0; i < ROUNDS; i++)
		what();
	return (rdtsc() - start) / ROUNDS;
}

static void nothing(void)
{
	__asm__ volatile("");
}

static void one_cpuid(void)
{
	uint32_t r[4];

	cpuid(0, 0, r);
}

static void null_hypercall(void)
{
	hypercall(XEN_VERSION, 0, 0, 0, 0);
}

static uint32_t port_a;

/* EVTCHNOP_alloc_unbound with ourselves, then EVTCHNOP_bind_interdomain to that. */
static bool make_channel(void)
{
	struct {
		uint16_t dom, remote_dom;
		uint32_t port;
	} alloc = { 0x7ff0, 0x7ff0, 0 };
	struct {
		uint16_t remote_dom;
		uint32_t remote_port, local_port;
	} bind = { 0x7ff0, 0, 0 };

	if (hypercall(32, 6, (uint64_t)&alloc, 0, 0) != 0)
		return false;
	bind.remote_port = alloc.port;
	if (hypercall(32, 0, (uint64_t)&bind, 0, 0) != 0)
		return false;
	port_a = bind.local_port;
	return true;
}

static void send_event(void)
{
	uint32_t port = port_a;

	hypercall(32, 4, (uint64_t)&port, 0, 0);
}

#define VECTOR 0x40u

/* One shot of the local APIC's timer, a microsecond, and its interrupt. */
static void apic_timer(void)
{
	uint64_t before = interrupts;

	*(volatile uint32_t *)(LAPIC + 0x380) = 1000;
	while (interrupts == before)
		__asm__ volatile("sti; hlt; cli");
}

static void set_up_apic(void)
{
	*(volatile uint32_t *)(LAPIC + 0xf0) = 0x1ff;
	*(volatile uint32_t *)(LAPIC + 0x3e0) = 0xb;
	*(volatile uint32_t *)(LAPIC + 0x320) = VECTOR;
}

static void costs(void)
{
	uint64_t loop = cost(nothing);

	print_number("cpuid ", cost(one_cpuid) - loop);
	if (has_xen)
		print_number("hypercall ", cost(null_hypercall) - loop);
	if (has_xen && make_channel())
		print_number("event ", cost(send_event) - loop);
	set_up_apic();
	print_number("timer ", cost(apic_timer) - loop);
	print("costs are told\n");
}

/* --- registers */

static void check_registers(void)
{
	static uint8_t pattern[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };
	uint8_t seen[16];
	bool good = true;

	for (unsigned i = 0; i < 100; i++) {
		uint32_t leaf = 0;

		__asm__ volatile("movdqu %1, %%xmm7; cpuid; outb %%al, $0x51; movdqu %%xmm7, %0"
				 : "=m"(seen), "+m"(pattern), "+a"(leaf)
				 :
				 : "rbx", "rcx", "rdx");
		print(i % 10 == 0 ? "." : "");
		for (unsigned b = 0; b < 16; b++)
			good &= seen[b] == pattern[b];
	}
	print(good ? "\nFPU registers are kept\n" : "\nFPU registers are lost\n");
	set_up_apic();
	*(volatile uint32_t *)(LAPIC + 0x300) = 1u << 18 | 4u << 8;
	for (volatile unsigned i = 0; i < 100000; i++)
		continue;
	print_number("NMIs ", nmis);
	print_number("nested ", nmi_nested);
}

void guest_main(void);
void guest_main(void)
{
	uint32_t r[4];

	set_up_exceptions();
	cpuid(0, 0, r);
	is_intel = r[1] == 0x756e6547; /* "Genu" */
	cpuid(0x40000000, 0, r);
	has_xen = r[1] == 0x566e6558;
	has_com1 = in8(COM1 + 5) != 0xff;
	print("test guest\n");
	switch (choice.mode) {
	case 'h': hostile(); break;
	case 'c': costs(); break;
	case 'f': check_registers(); break;
	case 't': __asm__ volatile("lidt %0; ud2" : : "m"(*(const uint8_t(*)[10]) "\0\0\0\0\0\0\0\0\0\0")); break;
	case 'x': ((void (*)(void))NOT_RAM)(); break;
	case 'm': __asm__ volatile("movaps %%xmm0, (%0)" : : "r"(NOT_RAM)); break;
	case 's':
		print("spinning\n");
		for (;;)
			__asm__ volatile("cli");
	default: print("no such mode\n"); break;
	}
	power_off();
}
