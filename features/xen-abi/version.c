/* SPDX-License-Identifier: BSD-2-Clause */
/* xen_version (Xen's public version.h): who we are and what we can. */
#include <stdio.h>
#include <string.h>

#include "features/xen-abi/xen.h"

#include <xen/version.h>

#define VERSION_MAJOR 4u
#define VERSION_MINOR 17u

/* What Xen answers to guests that may not know. */
#define DENIED "<denied>"

static int64_t version(struct hypercall *h)
{
	(void)h;
	return VERSION_MAJOR << 16 | VERSION_MINOR;
}
HYPERCALL(version) = { __HYPERVISOR_xen_version, XENVER_version, version };

/** Answers with a text in an array of `size` bytes, at most 1024. */
static int64_t answer_text(struct hypercall *h, const char *text, size_t size)
{
	char buf[1024] = "";

	snprintf(buf, size, "%s", text);
	return xen_write_arg(h, 1, buf, size);
}

static int64_t extraversion(struct hypercall *h)
{
	return answer_text(h, "-husk", XEN_EXTRAVERSION_LEN);
}
HYPERCALL(extraversion) = { __HYPERVISOR_xen_version, XENVER_extraversion, extraversion };

static int64_t compile_info(struct hypercall *h)
{
	struct xen_compile_info info = { .compile_by = "husk", .compile_domain = "", .compile_date = "" };

	snprintf(info.compiler, sizeof(info.compiler), "husk %s (%s)", h->vcpu->vm->params->version,
		 h->vcpu->vm->params->config);
	return xen_write_arg(h, 1, &info, sizeof(info));
}
HYPERCALL(compile_info) = { __HYPERVISOR_xen_version, XENVER_compile_info, compile_info };

static int64_t capabilities(struct hypercall *h)
{
	return answer_text(h, xen_arch.capabilities, XEN_CAPABILITIES_INFO_LEN);
}
HYPERCALL(capabilities) = { __HYPERVISOR_xen_version, XENVER_capabilities, capabilities };

/* The digest of the core is what names the source here. */
static int64_t changeset(struct hypercall *h)
{
	return answer_text(h, h->vcpu->vm->params->core_digest, XEN_CHANGESET_INFO_LEN);
}
HYPERCALL(changeset) = { __HYPERVISOR_xen_version, XENVER_changeset, changeset };

/* The start of a hole for the hypervisor in the virtual address space; hardware-assisted guests have none. */
static int64_t platform_parameters(struct hypercall *h)
{
	uint64_t virt_start = 0;

	return xen_write_arg(h, 1, &virt_start, h->word);
}
HYPERCALL(platform_parameters) = { __HYPERVISOR_xen_version, XENVER_platform_parameters, platform_parameters };

static int64_t get_features(struct hypercall *h)
{
	struct xen_feature_info info;

	if (xen_read_arg(h, 1, &info, sizeof(info)) != 0)
		return -XEN_EFAULT;
	if (info.submap_idx != 0)
		return -XEN_EINVAL;
	info.submap = xen_caller(h)->features;
	return xen_write_arg(h, 1, &info, sizeof(info));
}
HYPERCALL(get_features) = { __HYPERVISOR_xen_version, XENVER_get_features, get_features };

static int64_t pagesize(struct hypercall *h)
{
	(void)h;
	return (int64_t)GUEST_PAGE_SIZE;
}
HYPERCALL(pagesize) = { __HYPERVISOR_xen_version, XENVER_pagesize, pagesize };

/* A UUID that the control domain gives; nobody does. */
static int64_t guest_handle(struct hypercall *h)
{
	static const xen_domain_handle_t handle;

	return xen_write_arg(h, 1, handle, sizeof(handle));
}
HYPERCALL(guest_handle) = { __HYPERVISOR_xen_version, XENVER_guest_handle, guest_handle };

static int64_t commandline(struct hypercall *h)
{
	return answer_text(h, DENIED, sizeof(xen_commandline_t));
}
HYPERCALL(commandline) = { __HYPERVISOR_xen_version, XENVER_commandline, commandline };

static int64_t build_id(struct hypercall *h)
{
	(void)h;
	return -XEN_EPERM;
}
HYPERCALL(build_id) = { __HYPERVISOR_xen_version, XENVER_build_id, build_id };
