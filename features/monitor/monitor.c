/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The monitor's end of the console: a line editor that hands whole lines to the
 * commands. The guest keeps running while the monitor is shown.
 */
#include <errno.h>
#include <string.h>

#include <husk/feature.h>
#include <husk/log.h>
#include <husk/vm.h>

#include "features/monitor/monitor.h"

#define PROMPT "(husk) "

/* Keys. */
enum {
	KEY_CTRL_C = 0x03,
	KEY_BACKSPACE = 0x08,
	KEY_CTRL_U = 0x15,
	KEY_ESCAPE = 0x1b,
	KEY_DELETE = 0x7f,
};

static struct monitor *of_port(struct console_port *port)
{
	return (struct monitor *)((char *)port - offsetof(struct monitor, port));
}

static void start_line(struct monitor *m)
{
	m->length = 0;
	m->line[0] = '\0';
	m->recalled = 0;
	log_text(PROMPT);
}

static void redraw(struct monitor *m)
{
	/* CR, then erase to the end of the line (ECMA-48, EL). */
	log_text("\r\x1b[K" PROMPT "%s", m->line);
}

static void remember(struct monitor *m)
{
	const char *newest = m->history[(m->lines + MONITOR_HISTORY - 1) % MONITOR_HISTORY];

	if (m->length == 0 || (m->lines > 0 && strcmp(newest, m->line) == 0))
		return;
	memcpy(m->history[m->lines % MONITOR_HISTORY], m->line, m->length + 1);
	m->lines++;
}

/* Shows the line `back` lines ago; 0 is an empty one. */
static void recall(struct monitor *m, unsigned back)
{
	unsigned kept = m->lines < MONITOR_HISTORY ? m->lines : MONITOR_HISTORY;

	if (back > kept)
		return;
	m->recalled = back;
	m->line[0] = '\0';
	if (back > 0)
		memcpy(m->line, m->history[(m->lines - back) % MONITOR_HISTORY], MONITOR_LINE);
	m->length = strlen(m->line);
	redraw(m);
}

static void finish_line(struct monitor *m)
{
	log_text("\n");
	remember(m);
	monitor_execute(m->vm, m->line);
	start_line(m);
}

static void erase_one(struct monitor *m)
{
	if (m->length == 0)
		return;
	m->line[--m->length] = '\0';
	log_text("\b \b");
}

static void insert(struct monitor *m, char c)
{
	if (c < ' ' || c > '~' || m->length + 1 >= sizeof(m->line))
		return;
	m->line[m->length++] = c;
	m->line[m->length] = '\0';
	log_text("%c", c);
}

static void cancel(struct monitor *m)
{
	log_text("^C\n");
	start_line(m);
}

static void erase_line(struct monitor *m)
{
	m->length = 0;
	m->line[0] = '\0';
	redraw(m);
}

static void plain_key(struct monitor *m, uint8_t key)
{
	bool after_return = m->after_return;

	m->after_return = key == '\r';
	switch (key) {
	case '\n':
		if (!after_return)
			finish_line(m);
		break;
	case '\r': finish_line(m); break;
	case KEY_BACKSPACE:
	case KEY_DELETE: erase_one(m); break;
	case KEY_CTRL_C: cancel(m); break;
	case KEY_CTRL_U: erase_line(m); break;
	case KEY_ESCAPE: m->input = MONITOR_ESCAPE; break;
	default: insert(m, (char)key); break;
	}
}

/* The cursor keys send ESC [ A to D, or ESC O A to D; parameters before the last byte are skipped. */
static void key(struct monitor *m, uint8_t byte)
{
	if (m->input == MONITOR_TEXT) {
		plain_key(m, byte);
		return;
	}
	if (m->input == MONITOR_ESCAPE) {
		m->input = byte == '[' || byte == 'O' ? MONITOR_SEQUENCE : MONITOR_TEXT;
		return;
	}
	if (byte < 0x40)
		return;
	m->input = MONITOR_TEXT;
	if (byte == 'A')
		recall(m, m->recalled + 1);
	else if (byte == 'B' && m->recalled > 0)
		recall(m, m->recalled - 1);
}

static size_t port_room(struct console_port *port)
{
	(void)port;
	return CONSOLE_QUEUE;
}

static void port_input(struct console_port *port, const uint8_t *data, size_t size)
{
	struct monitor *m = of_port(port);

	for (size_t i = 0; i < size; i++)
		key(m, data[i]);
}

static void port_focused(struct console_port *port)
{
	struct monitor *m = of_port(port);

	m->input = MONITOR_TEXT;
	start_line(m);
}

void monitor_init(struct monitor *m, struct vm *vm)
{
	*m = (struct monitor){ .vm = vm };
	m->port.name = "monitor";
	m->port.room = port_room;
	m->port.input = port_input;
	m->port.focused = port_focused;
	console_attach_monitor(&vm->console, &m->port);
}

static int monitor_attach(struct vm *vm)
{
	struct monitor *m = plat_pages_alloc(sizeof(*m), 4096);

	if (m == NULL)
		return -ENOMEM;
	monitor_init(m, vm);
	return 0;
}

HUSK_FEATURE(monitor) = {
	.name = "monitor",
	.purpose = "commands that show and control the guest, behind Ctrl-A c",
	.level = FEATURE_TOOL,
	.attach = monitor_attach,
};
