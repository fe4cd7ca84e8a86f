/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Symbol lookup in the vDSO. Kernels link it with a System V hash table, a GNU one, or
 * both; versions are not looked at, since a name has only ever had one.
 */
#include "arch/x86_64/linux/vdso.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <linux/elf.h>

/* Dynamic tag that linux/elf.h does not name (LSB 5.0, "Additional Dynamic Tags"). */
#define TAG_GNU_HASH 0x6ffffef5

/** The tables of one image. */
struct vdso {
	uintptr_t bias; /**< what to add to addresses in the file */
	const Elf64_Sym *symbols;
	const char *strings;
	const uint32_t *hash;     /**< System V table or NULL */
	const uint32_t *gnu_hash; /**< GNU table or NULL */
};

/* Finds the load bias and the dynamic section in the program headers. */
static const Elf64_Dyn *find_dynamic(const Elf64_Ehdr *ehdr, uintptr_t *bias)
{
	const Elf64_Phdr *ph = (const Elf64_Phdr *)((uintptr_t)ehdr + ehdr->e_phoff);
	const Elf64_Phdr *dynamic = NULL;
	const Elf64_Phdr *load = NULL;

	for (unsigned i = 0; i < ehdr->e_phnum; i++) {
		if (ph[i].p_type == PT_LOAD && load == NULL)
			load = &ph[i];
		else if (ph[i].p_type == PT_DYNAMIC)
			dynamic = &ph[i];
	}
	if (load == NULL || dynamic == NULL)
		return NULL;
	*bias = (uintptr_t)ehdr + load->p_offset - load->p_vaddr;
	return (const Elf64_Dyn *)(*bias + dynamic->p_vaddr);
}

static void read_dynamic(struct vdso *v, const Elf64_Dyn *dynamic)
{
	for (; dynamic->d_tag != DT_NULL; dynamic++) {
		uintptr_t address = v->bias + dynamic->d_un.d_ptr;

		switch (dynamic->d_tag) {
		case DT_SYMTAB: v->symbols = (const Elf64_Sym *)address; break;
		case DT_STRTAB: v->strings = (const char *)address; break;
		case DT_HASH: v->hash = (const uint32_t *)address; break;
		case TAG_GNU_HASH: v->gnu_hash = (const uint32_t *)address; break;
		default: break;
		}
	}
}

/* Address of symbol i if it is the function `name`. */
static const void *match(const struct vdso *v, uint32_t i, const char *name)
{
	const Elf64_Sym *symbol = &v->symbols[i];

	if (symbol->st_shndx == SHN_UNDEF || ELF_ST_TYPE(symbol->st_info) != STT_FUNC)
		return NULL;
	if (strcmp(v->strings + symbol->st_name, name) != 0)
		return NULL;
	return (const void *)(v->bias + symbol->st_value);
}

static uint32_t gnu_hash_of(const char *name)
{
	uint32_t h = 5381;

	for (; *name != '\0'; name++)
		h = h * 33 + (unsigned char)*name;
	return h;
}

/* Walks the one chain that can hold the name. Header: buckets, first symbol, Bloom words of 64 bits, shift. */
static const void *find_by_gnu_hash(const struct vdso *v, const char *name)
{
	uint32_t buckets = v->gnu_hash[0];
	uint32_t first = v->gnu_hash[1];
	const uint32_t *bucket = v->gnu_hash + 4 + 2 * v->gnu_hash[2];
	const uint32_t *chain = bucket + buckets;

	if (buckets == 0)
		return NULL;
	for (uint32_t i = bucket[gnu_hash_of(name) % buckets]; i >= first; i++) {
		const void *found = match(v, i, name);

		if (found != NULL || (chain[i - first] & 1) != 0)
			return found;
	}
	return NULL;
}

/* The System V table's second word is the number of symbols; a handful, so look at all. */
static const void *find_by_count(const struct vdso *v, const char *name)
{
	for (uint32_t i = 1; i < v->hash[1]; i++) {
		const void *found = match(v, i, name);

		if (found != NULL)
			return found;
	}
	return NULL;
}

const void *vdso_find(const void *image, const char *name)
{
	const Elf64_Ehdr *ehdr = image;
	const Elf64_Dyn *dynamic;
	struct vdso v = { 0 };

	if (ehdr == NULL || memcmp(ehdr->e_ident, ELFMAG, SELFMAG) != 0 || ehdr->e_ident[EI_CLASS] != ELFCLASS64)
		return NULL;
	dynamic = find_dynamic(ehdr, &v.bias);
	if (dynamic == NULL)
		return NULL;
	read_dynamic(&v, dynamic);
	if (v.symbols == NULL || v.strings == NULL)
		return NULL;
	if (v.gnu_hash != NULL)
		return find_by_gnu_hash(&v, name);
	return v.hash != NULL ? find_by_count(&v, name) : NULL;
}
