/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets to commands, and replies back. */
#include "features/gdb-stub/server.h"

#include <string.h>

void gdb_init(struct gdb *g, struct vm *vm, const struct gdb_target *target, bool big_endian)
{
	g->vm = vm;
	g->signal = GDB_SIGNAL_TRAP;
	gdb_registers_init(&g->registers, target, vm->engine, big_endian);
}

void gdb_send_packet(struct gdb *g)
{
	g->frame_size = gdb_frame(&g->out, g->frame);
	gdb_packet_clear(&g->out);
	g->send(g, g->frame, g->frame_size);
}

void gdb_put_ok(struct gdb *g)
{
	gdb_put_text(&g->out, "OK");
}

struct vcpu *gdb_vcpu(const struct gdb *g)
{
	return g->vm->vcpus[g->vcpu];
}

bool gdb_scan_thread(const struct gdb *g, struct gdb_scan *s, unsigned *vcpu)
{
	uint64_t n;

	if (gdb_scan_text(s, "-1")) {
		*vcpu = 0;
		return true;
	}
	if (!gdb_scan_number(s, &n) || n > g->vm->nr_vcpus)
		return false;
	*vcpu = n == 0 ? 0 : (unsigned)n - 1;
	return true;
}

static void put_thread(struct gdb *g)
{
	gdb_put_text(&g->out, "thread:");
	gdb_put_number(&g->out, g->vcpu + 1);
	gdb_put_text(&g->out, ";");
}

void gdb_put_stop(struct gdb *g)
{
	static const char *const names[GDB_POINT_KINDS] = {
		[GDB_WATCH_WRITE] = "watch:",
		[GDB_WATCH_READ] = "rwatch:",
		[GDB_WATCH_ACCESS] = "awatch:",
	};
	const uint8_t signal = (uint8_t)g->signal;

	gdb_put_text(&g->out, "T");
	gdb_put_bytes(&g->out, &signal, 1);
	put_thread(g);
	if (!g->at_watchpoint)
		return;
	gdb_put_text(&g->out, names[g->kind]);
	gdb_put_number(&g->out, g->address);
	gdb_put_text(&g->out, ";");
}

/* H: g chooses the thread of registers, c that of c and s, which run all anyway. */
static void choose_thread(struct gdb *g, struct gdb_scan *s)
{
	bool general = gdb_scan_text(s, "g");
	unsigned vcpu;

	if ((!general && !gdb_scan_text(s, "c")) || !gdb_scan_thread(g, s, &vcpu)) {
		gdb_put_text(&g->out, GDB_EINVAL);
		return;
	}
	if (general)
		g->vcpu = vcpu;
	gdb_put_ok(g);
}

static void is_alive(struct gdb *g, struct gdb_scan *s)
{
	unsigned vcpu;

	if (gdb_scan_thread(g, s, &vcpu))
		gdb_put_ok(g);
	else
		gdb_put_text(&g->out, GDB_EINVAL);
}

/* The debugger is done. On a serial line the next one begins with acknowledgements again. */
static void detach(struct gdb *g)
{
	gdb_put_ok(g);
	gdb_send_packet(g);
	gdb_peer(g, false);
}

static void kill(struct gdb *g)
{
	gdb_peer(g, false);
	vm_request(g->vm, VM_QUIT);
}

static bool kill_with_reply(struct gdb *g)
{
	gdb_put_ok(g);
	gdb_send_packet(g);
	kill(g);
	return false;
}

/* v commands. Returns false if there is no reply to be sent. An unknown one gets an empty reply. */
static bool multi_letter(struct gdb *g, struct gdb_scan *s)
{
	if (gdb_scan_text(s, "Cont?"))
		gdb_put_text(&g->out, "vCont;c;C;s;S");
	else if (gdb_scan_text(s, "Cont;"))
		gdb_resume_by_thread(g, s);
	else if (gdb_scan_text(s, "Kill;"))
		return kill_with_reply(g);
	return !g->waiting;
}

/* Returns false if there is no reply to be sent (now). */
static bool dispatch(struct gdb *g, struct gdb_scan *s)
{
	uint8_t command = *s->at++;

	switch (command) {
	case '?': gdb_put_stop(g); break;
	case 'g': gdb_read_registers(g); break;
	case 'G': gdb_write_registers(g, s); break;
	case 'p': gdb_read_register(g, s); break;
	case 'P': gdb_write_register(g, s); break;
	case 'm': gdb_read_memory(g, s); break;
	case 'M': gdb_write_memory(g, s, false); break;
	case 'X': gdb_write_memory(g, s, true); break;
	case 'Z': gdb_point(g, s, true); break;
	case 'z': gdb_point(g, s, false); break;
	case 'H': choose_thread(g, s); break;
	case 'T': is_alive(g, s); break;
	case 'q': gdb_query(g, s); break;
	case 'Q': gdb_set(g, s); break;
	case 'v': return multi_letter(g, s);
	case 'c':
	case 's': gdb_resume(g, s, command == 's', false); return !g->waiting;
	case 'C':
	case 'S': gdb_resume(g, s, command == 'S', true); return !g->waiting;
	case 'D': detach(g); return false;
	case 'k': kill(g); return false;
	default: break; /* the reply to what is unknown is empty */
	}
	return true;
}

static void acknowledge(struct gdb *g, const char *how)
{
	if (!g->no_ack)
		g->send(g, how, 1);
}

static void take_packet(struct gdb *g)
{
	struct gdb_scan s = { .at = g->in.data, .end = g->in.data + g->in.length };

	/* The first packet of a debugger, on a line that does not tell when one comes or leaves. */
	if (gdb_scan_left(&s) > 10 && memcmp(s.at, "qSupported", 10) == 0)
		g->no_ack = false;
	acknowledge(g, "+");
	if (!g->stopped) {
		g->waiting = false;
		gdb_stop(g, GDB_SIGNAL_TRAP);
	}
	if (gdb_scan_left(&s) == 0 || dispatch(g, &s))
		gdb_send_packet(g);
}

void gdb_input(struct gdb *g, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		switch (gdb_receive(&g->in, data[i])) {
		case GDB_NOTHING: break;
		case GDB_PACKET: take_packet(g); break;
		case GDB_BROKEN: acknowledge(g, "-"); break;
		case GDB_INTERRUPT: gdb_stop(g, GDB_SIGNAL_INT); break;
		case GDB_RESEND:
			if (!g->no_ack && g->frame_size != 0)
				g->send(g, g->frame, g->frame_size);
			break;
		}
	}
}

void gdb_peer(struct gdb *g, bool present)
{
	g->no_ack = g->waiting = false;
	g->in.state = GDB_IDLE;
	g->frame_size = 0;
	g->vcpu = 0;
	if (present) {
		gdb_stop(g, GDB_SIGNAL_TRAP);
		return;
	}
	gdb_forget_points(g);
	if (g->stopped)
		gdb_go(g, false);
}
