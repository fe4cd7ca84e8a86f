/* SPDX-License-Identifier: BSD-2-Clause */
/* What disks and networks share: clients of the run loop, specs, vectors. */
#include <errno.h>
#include <string.h>

#include <husk/io.h>
#include <husk/vm.h>

void io_attach(struct vm *vm, struct io_client *client)
{
	struct io_client **end = &vm->io_clients;

	while (*end != NULL)
		end = &(*end)->next;
	client->next = NULL;
	*end = client;
}

void io_poll(struct vm *vm)
{
	for (struct io_client *c = vm->io_clients; c != NULL; c = c->next)
		c->poll(c);
}

void io_kick(struct vm *vm)
{
	vcpu_kick(vm->vcpus[0], ATTN_IO);
}

int io_next_word(const char **at, char *word, size_t size)
{
	const char *start = *at;
	size_t length;

	if (*start == '\0')
		return -ENOENT;
	length = strcspn(start, ",");
	if (length >= size)
		return -EINVAL;
	memcpy(word, start, length);
	word[length] = '\0';
	*at = start + length + (start[length] == ',');
	return (int)length;
}

uint64_t io_vectors_size(const struct io_vector *v, unsigned nr)
{
	uint64_t size = 0;

	while (nr-- > 0)
		size += v++->size;
	return size;
}

/** The next piece of the vectors, `skip` bytes into them; moves on. Returns its size, at most `size`; 0 at the end. */
static size_t next_piece(const struct io_vector **v, unsigned *nr, uint64_t *skip, size_t size, uint8_t **piece)
{
	size_t n;

	while (*nr > 0 && *skip >= (*v)->size) {
		*skip -= (*v)++->size;
		(*nr)--;
	}
	if (*nr == 0)
		return 0;
	*piece = (uint8_t *)(*v)->base + *skip;
	n = (*v)->size - (size_t)*skip;
	n = n < size ? n : size;
	*skip += n;
	return n;
}

size_t io_vectors_read(const struct io_vector *v, unsigned nr, uint64_t skip, void *buf, size_t size)
{
	uint8_t *piece, *to = buf;
	size_t done = 0, n;

	while (done < size && (n = next_piece(&v, &nr, &skip, size - done, &piece)) != 0) {
		memcpy(to + done, piece, n);
		done += n;
	}
	return done;
}

size_t io_vectors_write(const struct io_vector *v, unsigned nr, uint64_t skip, const void *buf, size_t size)
{
	const uint8_t *from = buf;
	uint8_t *piece;
	size_t done = 0, n;

	while (done < size && (n = next_piece(&v, &nr, &skip, size - done, &piece)) != 0) {
		memcpy(piece, from + done, n);
		done += n;
	}
	return done;
}
