/* SPDX-License-Identifier: BSD-2-Clause */
/* Dispatch of hypercalls, and their way to the memory of who calls. */
#include <stddef.h>

#include <husk/hypercall.h>
#include <husk/vm.h>

/* Set by the linker around the section; weak, because an image may have no handler. */
extern const struct hypercall_handler *const __start_husk_hypercalls[] __attribute__((weak));
extern const struct hypercall_handler *const __stop_husk_hypercalls[] __attribute__((weak));

int64_t hypercall_dispatch(struct hypercall *h)
{
	for (const struct hypercall_handler *const *i = __start_husk_hypercalls; i < __stop_husk_hypercalls; i++) {
		const struct hypercall_handler *handler = *i;

		if (handler->nr == h->nr && (handler->op == HYPERCALL_ANY_OP || handler->op == (uint32_t)h->args[0]))
			return handler->call(h);
	}
	return -HYPERCALL_ENOSYS;
}

/** Guest physical address of a virtual one, and in *size the bytes up to the end of its page, if fewer. */
static int translate(const struct hypercall *h, uint64_t gva, uint64_t *gpa, uint64_t *size)
{
	uint64_t left = GUEST_PAGE_SIZE - (gva & ~GUEST_PAGE_MASK);

	if (h->word == sizeof(uint32_t))
		gva &= UINT32_MAX;
	if (left < *size)
		*size = left;
	return h->vcpu->vm->engine->translate(h->vcpu, gva, gpa);
}

int hypercall_read(const struct hypercall *h, uint64_t gva, void *buf, uint64_t size)
{
	uint8_t *to = buf;

	while (size != 0) {
		uint64_t gpa, n = size;

		if (translate(h, gva, &gpa, &n) != 0 || memory_read(&h->vcpu->vm->memory, gpa, to, n) != 0)
			return -HYPERCALL_EFAULT;
		to += n;
		gva += n;
		size -= n;
	}
	return 0;
}

int hypercall_write(const struct hypercall *h, uint64_t gva, const void *buf, uint64_t size)
{
	const uint8_t *from = buf;

	while (size != 0) {
		uint64_t gpa, n = size;

		if (translate(h, gva, &gpa, &n) != 0 || memory_write(&h->vcpu->vm->memory, gpa, from, n) != 0)
			return -HYPERCALL_EFAULT;
		from += n;
		gva += n;
		size -= n;
	}
	return 0;
}
