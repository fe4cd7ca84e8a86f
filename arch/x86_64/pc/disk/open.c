/* SPDX-License-Identifier: BSD-2-Clause */
/* Specs of real disks. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <husk/log.h>

#include "arch/x86_64/pc/disk/disk.h"

#define MAX_OPEN 16u

static pci_address in_use[MAX_OPEN];
static unsigned nr_in_use;

static bool parse_number(const char *text, unsigned *out)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || n > 255)
		return false;
	*out = (unsigned)n;
	return true;
}

static bool parse_word(const char *word, struct disk_spec *out)
{
	if (strcmp(word, "readonly") == 0) {
		out->read_only = true;
		return true;
	}
	return strncmp(word, "part=", 5) == 0 && parse_number(word + 5, &out->partition) && out->partition != 0;
}

int disk_parse(const char *spec, const char *arguments, struct disk_spec *out)
{
	const char *at = arguments;
	char word[16];
	bool good;

	*out = (struct disk_spec){ .number = 0 };
	good = io_next_word(&at, word, sizeof(word)) > 0 && parse_number(word, &out->number);
	while (good && *at != '\0')
		good = io_next_word(&at, word, sizeof(word)) > 0 && parse_word(word, out);
	if (good)
		return 0;
	log_error("disk '%s': write the number of the device, from 0 on, and then ',part=P' from 1 on or ',readonly' "
		  "or both",
		  spec);
	return -EINVAL;
}

int disk_find(const char *spec, const struct disk_spec *wish, pci_match *match, const char *what, pci_address *out)
{
	if (pci_find(match, wish->number, out) != 0) {
		log_error("disk '%s': this computer has no such PCI device (%s number %u, from 0 on); add one, or name "
			  "another",
			  spec, what, wish->number);
		return -ENODEV;
	}
	for (unsigned i = 0; i < nr_in_use; i++) {
		if (in_use[i] == *out) {
			log_error("disk '%s': the device is in use by another disk of this guest; name another", spec);
			return -EBUSY;
		}
	}
	if (nr_in_use < MAX_OPEN)
		in_use[nr_in_use++] = *out;
	return 0;
}

static int read_disk(void *ctx, uint64_t offset, void *buf, uint32_t size)
{
	return disk_read(ctx, offset, buf, size);
}

static int take_partition(struct disk *d, unsigned number)
{
	struct partition p;
	int rc = partition_find(read_disk, d, d->block.size, d->block.granularity, number, &p);

	if (rc == -ENOENT)
		log_error("disk '%s': it has no partition %u; name another", d->block.name, number);
	else if (rc == -EINVAL)
		log_error("disk '%s': it has no partition table (GPT or MBR), or a damaged one; make one, or leave out "
			  "',part='",
			  d->block.name);
	else if (rc != 0)
		log_error("disk '%s': its partition table cannot be read", d->block.name);
	if (rc == 0) {
		d->start = p.start;
		d->block.size = p.size;
	}
	return rc;
}

int disk_open(struct disk *d, const char *spec, const struct disk_spec *wish)
{
	d->block.ops = &disk_block_ops;
	d->block.name = spec;
	d->block.read_only |= wish->read_only;
	if (d->block.size == 0) {
		log_error("disk '%s': it has a wrong size, 0 bytes", spec);
		return -EINVAL;
	}
	return wish->partition != 0 ? take_partition(d, wish->partition) : 0;
}
