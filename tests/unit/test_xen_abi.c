/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c features/xen-abi/domain.c features/xen-abi/hvm_op.c features/xen-abi/memory_op.c */
/* sources: features/xen-abi/multicall.c features/xen-abi/sched_op.c features/xen-abi/vcpu_one.c features/xen-abi/vcpu_op.c */
/* sources: features/xen-abi/version.c core/hypercall.c core/io.c core/memory.c core/bus.c core/console.c core/feature.c */
/* sources: core/log.c core/timer.c core/payload.c core/elf.c core/vm.c tests/unit/fake_platform.c */
/* sources: tests/unit/xen_fixture.c features/timer-on-demand/on_demand.c */
/* The basic hypercalls, as guests use and misuse them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "features/xen-abi/layout.h"
#include "features/xen-abi/xen.h"
#include "tests/unit/fake_platform.h"
#include "tests/unit/xen_fixture.h"

#include <xen/features.h>
#include <xen/hvm/hvm_op.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>

static int setup(void **state)
{
	(void)state;
	xen_start(2);
	return 0;
}

static struct xen_domain *domain(void)
{
	return xen_domain(&xen_vm);
}

/* Version */

static int64_t version_op(uint64_t op, void *arg, size_t size)
{
	return xen_op(0, __HYPERVISOR_xen_version, op, arg, size);
}

static void test_version(void **state)
{
	char text[1025] = "";
	struct xen_compile_info info;
	uint64_t start = 1;

	(void)state;
	assert_int_equal(xen_call(0, __HYPERVISOR_xen_version, XENVER_version), 4 << 16 | 17);
	assert_int_equal(xen_call(0, __HYPERVISOR_xen_version, XENVER_pagesize), 4096);
	assert_int_equal(version_op(XENVER_extraversion, text, XEN_EXTRAVERSION_LEN), 0);
	assert_string_equal(text, "-husk");
	assert_int_equal(version_op(XENVER_capabilities, text, XEN_CAPABILITIES_INFO_LEN), 0);
	assert_string_equal(text, "xen-3.0-x86_64 hvm-3.0-x86_64");
	assert_int_equal(version_op(XENVER_changeset, text, XEN_CHANGESET_INFO_LEN), 0);
	assert_string_equal(text, "0123456789abcdef");
	assert_int_equal(version_op(XENVER_compile_info, &info, sizeof(info)), 0);
	assert_string_equal(info.compiler, "husk 1.2 (test)");
	assert_int_equal(version_op(XENVER_platform_parameters, &start, 8), 0);
	assert_int_equal(start, 0);
	/* As Xen answers who may not know. */
	assert_int_equal(version_op(XENVER_commandline, text, sizeof(xen_commandline_t)), 0);
	assert_string_equal(text, "<denied>");
	assert_int_equal(version_op(XENVER_build_id, text, 16), -XEN_EPERM);
	assert_int_equal(version_op(XENVER_guest_handle, text, 16), 0);
	assert_int_equal(version_op(99, text, 16), -XEN_ENOSYS);
}

static void test_features(void **state)
{
	struct xen_feature_info info = { .submap_idx = 0 };

	(void)state;
	assert_int_equal(version_op(XENVER_get_features, &info, sizeof(info)), 0);
	assert_true(info.submap & 1u << XENFEAT_auto_translated_physmap);
	assert_true(info.submap & 1u << XENFEAT_hvm_callback_vector);
	/* Offered by the feature that does it, which this image has not. */
	assert_false(info.submap & 1u << XENFEAT_hvm_safe_pvclock);
	info.submap_idx = 1;
	assert_int_equal(version_op(XENVER_get_features, &info, sizeof(info)), -XEN_EINVAL);
	assert_int_equal(xen_call(0, __HYPERVISOR_xen_version, XENVER_get_features, 0), -XEN_EFAULT);
}

/* Memory */

static int64_t map_shared(uint64_t gfn)
{
	struct xen_add_to_physmap add = { .domid = DOMID_SELF, .space = XENMAPSPACE_shared_info, .gpfn = gfn };

	return xen_op(0, __HYPERVISOR_memory_op, XENMEM_add_to_physmap, &add, sizeof(add));
}

static void test_map_shared_info(void **state)
{
	struct shared_info *shared;

	(void)state;
	xen_upcall(&domain()->vcpus[1]);
	assert_int_equal(map_shared(5), 0);
	shared = xen_ram(5 << 12);
	assert_int_equal(shared->vcpu_info[1].evtchn_upcall_pending, 1);
	assert_ptr_equal(domain()->vcpus[0].info, &shared->vcpu_info[0]);
	/* It may move, and takes what it holds along. */
	assert_int_equal(map_shared(6), 0);
	shared = xen_ram(6 << 12);
	assert_int_equal(shared->vcpu_info[1].evtchn_upcall_pending, 1);
	assert_ptr_equal(domain()->shared, shared);
	assert_int_equal(map_shared(6), 0);
	assert_int_equal(shared->vcpu_info[1].evtchn_upcall_pending, 1);
}

static void test_map_shared_info_in_hole(void **state)
{
	static const struct device_ops ops = { 0 };
	static struct device dev = { .name = "dev", .ops = &ops };

	(void)state;
	assert_null(xen_ram(XEN_RAM));
	assert_int_equal(map_shared(XEN_RAM >> 12), 0);
	assert_non_null(xen_ram(XEN_RAM));
	xen_restart();
	assert_int_equal(map_shared(XEN_RAM >> 12), 0);
	/* Not where a device is, however small, and not where nothing can be. */
	assert_int_equal(bus_attach(&xen_vm.mmio, &dev, 0x50000ff8, 8), 0);
	assert_int_equal(map_shared(0x50000), -XEN_EINVAL);
	assert_int_equal(map_shared(UINT64_MAX >> 12), -XEN_EINVAL);
	assert_int_equal(map_shared(UINT64_MAX), -XEN_EINVAL);
	/* As many holes as there are regions, and no more. */
	for (uint64_t gfn = 0x60000;; gfn += 2) {
		int64_t rc = map_shared(gfn);

		if (rc != 0) {
			assert_int_equal(rc, -XEN_EINVAL);
			break;
		}
		assert_true(gfn < 0x60000 + 2 * MEMORY_MAX_RAM);
	}
}

static void test_add_to_physmap_refuses(void **state)
{
	struct xen_add_to_physmap add = { .domid = 7, .space = XENMAPSPACE_shared_info, .gpfn = 5 };

	(void)state;
	assert_int_equal(xen_op(0, __HYPERVISOR_memory_op, XENMEM_add_to_physmap, &add, sizeof(add)), -XEN_ESRCH);
	add.domid = XEN_DOMID;
	add.idx = 1;
	assert_int_equal(xen_op(0, __HYPERVISOR_memory_op, XENMEM_add_to_physmap, &add, sizeof(add)), -XEN_EINVAL);
	add.idx = 0;
	add.space = XENMAPSPACE_grant_table;
	assert_int_equal(xen_op(0, __HYPERVISOR_memory_op, XENMEM_add_to_physmap, &add, sizeof(add)), -XEN_EINVAL);
	assert_int_equal(xen_call(0, __HYPERVISOR_memory_op, XENMEM_add_to_physmap, 0), -XEN_EFAULT);
}

static void test_memory_map(void **state)
{
	struct xen_memory_entry entries[3];
	struct {
		uint64_t nr_entries, buffer;
	} map = { 3, xen_gva(0x8000) };

	(void)state;
	assert_int_equal(xen_op(0, __HYPERVISOR_memory_op, XENMEM_memory_map, &map, sizeof(map)), 0);
	assert_int_equal(map.nr_entries, 2);
	memcpy(entries, xen_ram(0x8000), sizeof(entries));
	assert_int_equal(entries[0].size, XEN_RAM);
	assert_int_equal(entries[1].address, XEN_SPECIAL_GPA);
	assert_int_equal(entries[1].type, 2);
	assert_int_equal(entries[2].size, 0);
	/* No more than there is room for. */
	map.nr_entries = 1;
	assert_int_equal(xen_op(0, __HYPERVISOR_memory_op, XENMEM_memory_map, &map, sizeof(map)), 0);
	assert_int_equal(map.nr_entries, 1);
	map.buffer = 0;
	assert_int_equal(xen_op(0, __HYPERVISOR_memory_op, XENMEM_memory_map, &map, sizeof(map)), -XEN_EFAULT);
}

static void test_set_memory_map(void **state)
{
	struct xen_memory_entry entry = { 0x1000, 0x2000, 1 };
	struct {
		uint64_t domid, nr_entries, buffer;
	} set = { DOMID_SELF, 1, xen_gva(0x8000) };
	struct {
		uint64_t nr_entries, buffer;
	} map = { 8, xen_gva(0x9000) };

	(void)state;
	memcpy(xen_ram(0x8000), &entry, sizeof(entry));
	assert_int_equal(xen_op(0, __HYPERVISOR_memory_op, XENMEM_set_memory_map, &set, sizeof(set)), 0);
	assert_int_equal(xen_op(0, __HYPERVISOR_memory_op, XENMEM_memory_map, &map, sizeof(map)), 0);
	assert_int_equal(map.nr_entries, 1);
	assert_memory_equal((uint8_t *)xen_ram(0x9000), &entry, sizeof(entry));
	set.nr_entries = XEN_MAX_MAP + 1;
	assert_int_equal(xen_op(0, __HYPERVISOR_memory_op, XENMEM_set_memory_map, &set, sizeof(set)), -XEN_EINVAL);
	set.domid = 3;
	assert_int_equal(xen_op(0, __HYPERVISOR_memory_op, XENMEM_set_memory_map, &set, sizeof(set)), -XEN_ESRCH);
	/* The board's own again. */
	xen_restart();
	map.nr_entries = 8;
	assert_int_equal(xen_op(0, __HYPERVISOR_memory_op, XENMEM_memory_map, &map, sizeof(map)), 0);
	assert_int_equal(map.nr_entries, 2);
}

static void test_memory_sizes(void **state)
{
	uint16_t domid = DOMID_SELF;
	const int64_t pages = (int64_t)(XEN_RAM >> 12) + XEN_SPECIAL_PAGES;

	(void)state;
	assert_int_equal(xen_op(0, __HYPERVISOR_memory_op, XENMEM_current_reservation, &domid, 2), pages);
	assert_int_equal(xen_op(0, __HYPERVISOR_memory_op, XENMEM_maximum_reservation, &domid, 2), pages);
	assert_int_equal(xen_op(0, __HYPERVISOR_memory_op, XENMEM_maximum_gpfn, &domid, 2), 0xfefff);
	domid = 5;
	assert_int_equal(xen_op(0, __HYPERVISOR_memory_op, XENMEM_maximum_gpfn, &domid, 2), -XEN_ESRCH);
	assert_int_equal(xen_op(0, __HYPERVISOR_memory_op, XENMEM_populate_physmap, &domid, 2), -XEN_ENOSYS);
}

/* Parameters */

static int64_t set_param(uint32_t index, uint64_t value)
{
	struct xen_hvm_param param = { .domid = DOMID_SELF, .index = index, .value = value };

	return xen_op(0, __HYPERVISOR_hvm_op, HVMOP_set_param, &param, sizeof(param));
}

static int64_t get_param(uint32_t index, uint64_t *value)
{
	struct xen_hvm_param param = { .domid = DOMID_SELF, .index = index };
	int64_t rc = xen_op(0, __HYPERVISOR_hvm_op, HVMOP_get_param, &param, sizeof(param));

	*value = param.value;
	return rc;
}

static void test_params(void **state)
{
	const uint64_t via = (uint64_t)HVM_PARAM_CALLBACK_TYPE_VECTOR << 56 | 0xf3;
	uint64_t value;

	(void)state;
	assert_int_equal(set_param(HVM_PARAM_CALLBACK_IRQ, via), 0);
	assert_int_equal(xen_callback, via);
	assert_int_equal(get_param(HVM_PARAM_CALLBACK_IRQ, &value), 0);
	assert_int_equal(value, via);
	/* What the glue refuses is not kept. */
	assert_int_equal(set_param(HVM_PARAM_CALLBACK_IRQ, 0xbad), -XEN_EINVAL);
	assert_int_equal(get_param(HVM_PARAM_CALLBACK_IRQ, &value), 0);
	assert_int_equal(value, via);
	/* There is no store: 0, no error. */
	assert_int_equal(get_param(HVM_PARAM_STORE_PFN, &value), 0);
	assert_int_equal(value, 0);
	assert_int_equal(set_param(HVM_PARAM_STORE_PFN, 5), -XEN_EPERM);
	assert_int_equal(get_param(HVM_PARAM_IOREQ_PFN, &value), -XEN_EPERM);
	assert_int_equal(get_param(HVM_NR_PARAMS, &value), -XEN_EINVAL);
	assert_int_equal(set_param(UINT32_MAX, 0), -XEN_EINVAL);
	/* One that is set stays. */
	assert_int_equal(set_param(HVM_PARAM_STORE_EVTCHN, 5), 0);
	assert_int_equal(set_param(HVM_PARAM_STORE_EVTCHN, 5), 0);
	assert_int_equal(set_param(HVM_PARAM_STORE_EVTCHN, 6), -XEN_EEXIST);
	xen_restart();
	assert_int_equal(get_param(HVM_PARAM_CALLBACK_IRQ, &value), 0);
	assert_int_equal(value, 0);
}

static void test_param_of_others(void **state)
{
	struct xen_hvm_param param = { .domid = 2, .index = HVM_PARAM_STORE_PFN };

	(void)state;
	assert_int_equal(xen_op(0, __HYPERVISOR_hvm_op, HVMOP_get_param, &param, sizeof(param)), -XEN_ESRCH);
	assert_int_equal(xen_call(0, __HYPERVISOR_hvm_op, HVMOP_get_param, 0), -XEN_EFAULT);
}

/* An upcall that came before there was a way to take it is told again. */
static void test_upcall_vector(void **state)
{
	struct xen_hvm_evtchn_upcall_vector arg = { .vcpu = 1, .vector = 0xf3 };

	(void)state;
	xen_upcall(&domain()->vcpus[1]);
	assert_int_equal(xen_upcalls[1], 1);
	assert_int_equal(xen_op(0, __HYPERVISOR_hvm_op, HVMOP_set_evtchn_upcall_vector, &arg, sizeof(arg)), 0);
	assert_int_equal(xen_vectors[1], 0xf3);
	assert_int_equal(xen_upcalls[1], 2);
	assert_int_equal(set_param(HVM_PARAM_CALLBACK_IRQ, 0xf3), 0);
	assert_int_equal(xen_upcalls[1], 3);
	assert_int_equal(xen_upcalls[0], 0);
	arg.vector = 15;
	assert_int_equal(xen_op(0, __HYPERVISOR_hvm_op, HVMOP_set_evtchn_upcall_vector, &arg, sizeof(arg)),
			 -XEN_EINVAL);
	arg = (struct xen_hvm_evtchn_upcall_vector){ .vcpu = 2, .vector = 16 };
	assert_int_equal(xen_op(0, __HYPERVISOR_hvm_op, HVMOP_set_evtchn_upcall_vector, &arg, sizeof(arg)),
			 -XEN_ENOENT);
}

static void test_other_hvm_ops(void **state)
{
	struct xen_hvm_get_time now = { 0 };
	struct xen_hvm_pagetable_dying dying = { .domid = DOMID_SELF };

	(void)state;
	assert_int_equal(xen_op(0, __HYPERVISOR_hvm_op, HVMOP_get_time, &now, sizeof(now)), 0);
	assert_int_equal(now.now, fake_now);
	assert_true(xen_op(0, __HYPERVISOR_hvm_op, HVMOP_pagetable_dying, &dying, sizeof(dying)) < 0);
	assert_int_equal(xen_op(0, __HYPERVISOR_hvm_op, 99, &dying, sizeof(dying)), -XEN_ENOSYS);
}

/* vCPUs */

static void test_vcpu_is_up(void **state)
{
	(void)state;
	assert_int_equal(xen_vcpu_op(0, VCPUOP_is_up, 1, NULL, 0), 1);
	assert_int_equal(xen_vcpu_op(0, VCPUOP_is_up, 2, NULL, 0), -XEN_ENOENT);
	assert_int_equal(xen_vcpu_op(0, VCPUOP_is_up, UINT64_MAX, NULL, 0), -XEN_ENOENT);
	assert_int_equal(xen_vcpu_op(0, 77, 1, NULL, 0), -XEN_ENOSYS);
}

static void test_register_vcpu_info(void **state)
{
	struct vcpu_register_vcpu_info arg = { .mfn = 9, .offset = 4096 - 64 };
	struct vcpu_info *info = (struct vcpu_info *)((uint8_t *)xen_ram(9 << 12) + 4096 - 64);

	(void)state;
	domain()->vcpus[1].info->arch.cr2 = 0x1234;
	assert_int_equal(xen_vcpu_op(0, VCPUOP_register_vcpu_info, 1, &arg, sizeof(arg)), 0);
	assert_ptr_equal(domain()->vcpus[1].info, info);
	/* It takes over what was there, and all looks pending. */
	assert_int_equal(info->arch.cr2, 0x1234);
	assert_int_equal(info->evtchn_upcall_pending, 1);
	assert_int_equal(info->evtchn_pending_sel, UINT64_MAX);
	assert_int_equal(xen_upcalls[1], 1);
	assert_int_equal(xen_upcalls[0], 0);
	/* Once. shared_info may move without it. */
	assert_int_equal(xen_vcpu_op(0, VCPUOP_register_vcpu_info, 1, &arg, sizeof(arg)), -XEN_EINVAL);
	assert_int_equal(map_shared(5), 0);
	assert_ptr_equal(domain()->vcpus[1].info, info);
	xen_restart();
	assert_int_equal(xen_vcpu_op(0, VCPUOP_register_vcpu_info, 1, &arg, sizeof(arg)), 0);
}

static void test_register_vcpu_info_refuses(void **state)
{
	struct vcpu_register_vcpu_info arg = { .mfn = 9, .offset = 4096 - 63 };

	(void)state;
	assert_int_equal(xen_vcpu_op(0, VCPUOP_register_vcpu_info, 0, &arg, sizeof(arg)), -XEN_ENXIO);
	arg.offset = 4;
	assert_int_equal(xen_vcpu_op(0, VCPUOP_register_vcpu_info, 0, &arg, sizeof(arg)), -XEN_ENXIO);
	arg.offset = UINT32_MAX & ~7u;
	assert_int_equal(xen_vcpu_op(0, VCPUOP_register_vcpu_info, 0, &arg, sizeof(arg)), -XEN_ENXIO);
	arg = (struct vcpu_register_vcpu_info){ .mfn = 0x10000 };
	assert_int_equal(xen_vcpu_op(0, VCPUOP_register_vcpu_info, 0, &arg, sizeof(arg)), -XEN_EINVAL);
	arg.mfn = UINT64_MAX;
	assert_int_equal(xen_vcpu_op(0, VCPUOP_register_vcpu_info, 0, &arg, sizeof(arg)), -XEN_EINVAL);
	/* A page number whose address wraps to RAM. */
	arg.mfn = (1ull << 52) + 9;
	assert_int_equal(xen_vcpu_op(0, VCPUOP_register_vcpu_info, 0, &arg, sizeof(arg)), -XEN_EINVAL);
	arg.mfn = 9;
	assert_int_equal(xen_vcpu_op(0, VCPUOP_register_vcpu_info, 2, &arg, sizeof(arg)), -XEN_ENOENT);
	assert_int_equal(xen_call(0, __HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info, 0, 0), -XEN_EFAULT);
}

/* Scheduling */

static int64_t shut_down(uint32_t reason)
{
	struct sched_shutdown arg = { .reason = reason };

	xen_vm.request = VM_KEEP_RUNNING;
	return xen_op(0, __HYPERVISOR_sched_op, SCHEDOP_shutdown, &arg, sizeof(arg));
}

static void test_shutdown(void **state)
{
	(void)state;
	assert_int_equal(shut_down(SHUTDOWN_poweroff), 0);
	assert_int_equal(xen_vm.request, VM_POWER_OFF);
	assert_int_equal(shut_down(SHUTDOWN_reboot), 0);
	assert_int_equal(xen_vm.request, VM_RESET);
	assert_int_equal(shut_down(SHUTDOWN_crash), 0);
	assert_int_equal(xen_vm.request, VM_CRASH);
	assert_non_null(strstr(fake_log, "the guest says that it has crashed"));
	assert_int_equal(shut_down(SHUTDOWN_watchdog), 0);
	assert_int_equal(xen_vm.request, VM_RESET);
	assert_int_equal(shut_down(SHUTDOWN_suspend), -XEN_EINVAL);
	assert_int_equal(xen_vm.request, VM_KEEP_RUNNING);
	assert_non_null(strstr(fake_log, "asks for shutdown 2, which husk cannot do"));
	assert_int_equal(xen_call(0, __HYPERVISOR_sched_op, SCHEDOP_shutdown, 0), -XEN_EFAULT);
}

static void test_shutdown_code(void **state)
{
	struct sched_shutdown arg = { .reason = SHUTDOWN_crash };

	(void)state;
	assert_int_equal(xen_op(0, __HYPERVISOR_sched_op, SCHEDOP_shutdown_code, &arg, sizeof(arg)), 0);
	assert_int_equal(shut_down(SHUTDOWN_poweroff), 0);
	assert_int_equal(xen_vm.request, VM_CRASH);
	arg.reason = 6;
	assert_int_equal(xen_op(0, __HYPERVISOR_sched_op, SCHEDOP_shutdown_code, &arg, sizeof(arg)), -XEN_EINVAL);
	xen_restart();
	assert_int_equal(shut_down(SHUTDOWN_poweroff), 0);
	assert_int_equal(xen_vm.request, VM_POWER_OFF);
}

static void test_block(void **state)
{
	(void)state;
	assert_int_equal(xen_call(0, __HYPERVISOR_sched_op, SCHEDOP_yield), 0);
	assert_false(xen_last.idle);
	assert_int_equal(xen_call(0, __HYPERVISOR_sched_op, SCHEDOP_block), 0);
	assert_true(xen_last.idle);
	xen_upcall(&domain()->vcpus[0]);
	assert_int_equal(xen_call(0, __HYPERVISOR_sched_op, SCHEDOP_block), 0);
	assert_false(xen_last.idle);
	assert_int_equal(xen_call(0, __HYPERVISOR_sched_op, 42), -XEN_ENOSYS);
}

/* Multicalls */

struct entry {
	uint64_t op, result, args[6];
};

static void test_multicall(void **state)
{
	struct entry list[] = {
		{ .op = __HYPERVISOR_xen_version, .args = { XENVER_version } },
		{ .op = 55, .args = { 1 } },
		{ .op = __HYPERVISOR_multicall, .args = { 0, 0 } },
		{ .op = __HYPERVISOR_sched_op, .args = { SCHEDOP_block } },
		{ .op = __HYPERVISOR_xen_version, .args = { XENVER_pagesize } },
	};
	uint64_t at = xen_put(list, sizeof(list));

	(void)state;
	assert_int_equal(xen_call(0, __HYPERVISOR_multicall, at, 4), 0);
	assert_true(xen_last.idle);
	xen_get(list, sizeof(list));
	assert_int_equal(list[0].result, 4 << 16 | 17);
	assert_int_equal((int64_t)list[1].result, -XEN_ENOSYS);
	assert_int_equal((int64_t)list[2].result, -XEN_EINVAL);
	assert_int_equal(list[3].result, 0);
	assert_int_equal(list[4].result, 0);
	assert_int_equal(xen_call(0, __HYPERVISOR_multicall, 0, 0), 0);
	assert_int_equal(xen_call(0, __HYPERVISOR_multicall, 0, 1), -XEN_EFAULT);
}

/* With something pending, one call at a time. */
static void test_multicall_goes_on(void **state)
{
	struct entry list[3];
	uint64_t at;
	unsigned times = 1;

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		list[i] = (struct entry){ .op = __HYPERVISOR_xen_version, .args = { XENVER_pagesize } };
	at = xen_put(list, sizeof(list));
	xen_vcpus[0].attention = ATTN_IRQ;
	assert_int_equal(xen_call(0, __HYPERVISOR_multicall, at, 3), 0);
	for (; xen_last.again; times++)
		xen_call(0, __HYPERVISOR_multicall, xen_last.args[0], xen_last.args[1]);
	assert_int_equal(times, 3);
	xen_get(list, sizeof(list));
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(list[i].result, 4096);
}

/* A list that ends in a page that is not there. */
static void test_multicall_fault(void **state)
{
	uint64_t at = xen_gva(XEN_UNMAPPED_GPA ^ 0x1000) + 0x1000 - sizeof(struct entry);

	(void)state;
	assert_int_equal(xen_call(0, __HYPERVISOR_multicall, at, UINT32_MAX), -XEN_EFAULT);
}

static void test_assist(void **state)
{
	(void)state;
	domain()->assists_offered = 1u << 5;
	assert_int_equal(xen_call(0, __HYPERVISOR_vm_assist, VMASST_CMD_enable, 5), 0);
	assert_int_equal(domain()->assists, 1u << 5);
	assert_int_equal(xen_call(0, __HYPERVISOR_vm_assist, VMASST_CMD_disable, 5), 0);
	assert_int_equal(domain()->assists, 0);
	assert_int_equal(xen_call(0, __HYPERVISOR_vm_assist, VMASST_CMD_enable, 4), -XEN_EINVAL);
	assert_int_equal(xen_call(0, __HYPERVISOR_vm_assist, VMASST_CMD_enable, 1ull << 40), -XEN_EINVAL);
	assert_int_equal(xen_call(0, __HYPERVISOR_vm_assist, 2, 5), -XEN_ENOSYS);
}

/* A caller with 32-bit words, such as GRUB. */
static void test_short_word(void **state)
{
	struct {
		uint16_t domid, size;
		uint32_t space, idx, gpfn;
	} add = { DOMID_SELF, 0, XENMAPSPACE_shared_info, 0, 5 };
	struct {
		uint32_t nr_entries, buffer;
	} map;
	struct {
		uint32_t op, result, args[6];
	} list[2] = { { .op = __HYPERVISOR_xen_version, .args = { XENVER_pagesize } }, { .op = 55, .args = { 1 } } };
	struct xen_memory_entry entry;

	(void)state;
	xen_word = 4;
	assert_int_equal(xen_op(0, __HYPERVISOR_memory_op, XENMEM_add_to_physmap, &add, sizeof(add)), 0);
	assert_ptr_equal(domain()->shared, xen_ram(5 << 12));
	assert_int_equal(domain()->word, 4);
	map.nr_entries = 1;
	map.buffer = (uint32_t)xen_gva(0x8000);
	assert_int_equal(xen_op(0, __HYPERVISOR_memory_op, XENMEM_memory_map, &map, sizeof(map)), 0);
	assert_int_equal(map.nr_entries, 1);
	memcpy(&entry, xen_ram(0x8000), sizeof(entry));
	assert_int_equal(entry.size, XEN_RAM);
	assert_int_equal(xen_call(0, __HYPERVISOR_multicall, xen_put(list, sizeof(list)), 2), 0);
	xen_get(list, sizeof(list));
	assert_int_equal(list[0].result, 4096);
	assert_int_equal((int32_t)list[1].result, -XEN_ENOSYS);
	assert_int_equal(list[1].args[0], 1);
}

/* Structures of shared_info as Xen's headers for the other words have them. */
static void test_layout(void **state)
{
	(void)state;
	assert_int_equal(xen_pending_offset(), 2048);
	assert_int_equal(xen_mask_offset(8), offsetof(struct shared_info, evtchn_mask));
	assert_int_equal(xen_wallclock_offset(8), offsetof(struct shared_info, wc_version));
	assert_int_equal(xen_wallclock_high_offset(8), offsetof(struct shared_info, wc_sec_hi));
	/* 32 words of 32 bits, twice; version, seconds, nanoseconds; six words of arch_shared_info. */
	assert_int_equal(xen_mask_offset(4), 2048 + 128);
	assert_int_equal(xen_wallclock_offset(4), 2048 + 256);
	assert_int_equal(xen_wallclock_high_offset(4), 2048 + 256 + 12 + 24);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_version, setup),
		cmocka_unit_test_setup(test_features, setup),
		cmocka_unit_test_setup(test_map_shared_info, setup),
		cmocka_unit_test_setup(test_map_shared_info_in_hole, setup),
		cmocka_unit_test_setup(test_add_to_physmap_refuses, setup),
		cmocka_unit_test_setup(test_memory_map, setup),
		cmocka_unit_test_setup(test_set_memory_map, setup),
		cmocka_unit_test_setup(test_memory_sizes, setup),
		cmocka_unit_test_setup(test_params, setup),
		cmocka_unit_test_setup(test_param_of_others, setup),
		cmocka_unit_test_setup(test_upcall_vector, setup),
		cmocka_unit_test_setup(test_other_hvm_ops, setup),
		cmocka_unit_test_setup(test_vcpu_is_up, setup),
		cmocka_unit_test_setup(test_register_vcpu_info, setup),
		cmocka_unit_test_setup(test_register_vcpu_info_refuses, setup),
		cmocka_unit_test_setup(test_shutdown, setup),
		cmocka_unit_test_setup(test_shutdown_code, setup),
		cmocka_unit_test_setup(test_block, setup),
		cmocka_unit_test_setup(test_multicall, setup),
		cmocka_unit_test_setup(test_multicall_goes_on, setup),
		cmocka_unit_test_setup(test_multicall_fault, setup),
		cmocka_unit_test_setup(test_assist, setup),
		cmocka_unit_test_setup(test_short_word, setup),
		cmocka_unit_test_setup(test_layout, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
