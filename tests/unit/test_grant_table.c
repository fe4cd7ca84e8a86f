/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c features/grant-table/grant_table.c features/xen-abi/domain.c features/xen-abi/memory_op.c */
/* sources: core/hypercall.c core/io.c core/memory.c core/bus.c core/console.c core/feature.c core/log.c core/timer.c */
/* sources: core/payload.c core/elf.c core/vm.c tests/unit/fake_platform.c tests/unit/xen_fixture.c */
/* sources: features/timer-on-demand/on_demand.c */
/* The pages of the grant table and the calls about it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "features/grant-table/grant_table.h"
#include "tests/unit/fake_platform.h"
#include "tests/unit/xen_fixture.h"

#include <xen/memory.h>

static int setup(void **state)
{
	(void)state;
	xen_start(1);
	return 0;
}

static int64_t map_frame(uint64_t index, uint64_t gfn)
{
	struct xen_add_to_physmap add = {
		.domid = DOMID_SELF, .space = XENMAPSPACE_grant_table, .idx = index, .gpfn = gfn
	};

	return xen_op(0, __HYPERVISOR_memory_op, XENMEM_add_to_physmap, &add, sizeof(add));
}

static void test_frames(void **state)
{
	const struct xen_domain *d = xen_domain(&xen_vm);
	struct grant_entry_v1 *entry = grant_table_entry(d, 513);

	(void)state;
	assert_non_null(entry);
	entry->frame = 42;
	/* In RAM, where it takes over what it holds, and in a hole. */
	assert_int_equal(map_frame(1, 5), 0);
	assert_ptr_equal(grant_table_entry(d, 513), (uint8_t *)xen_ram(5 << 12) + 8);
	assert_int_equal(grant_table_entry(d, 513)->frame, 42);
	assert_int_equal(map_frame(0, 0x80000), 0);
	assert_ptr_equal(grant_table_entry(d, 0), xen_ram(0x80000ull << 12));
	assert_int_equal(map_frame(GRANT_TABLE_FRAMES, 6), -XEN_EINVAL);
	assert_int_equal(map_frame(XENMAPIDX_grant_table_status, 6), -XEN_EINVAL);
	assert_int_equal(map_frame(UINT64_MAX, 6), -XEN_EINVAL);
	assert_int_equal(map_frame(0, UINT64_MAX >> 12), -XEN_EINVAL);
	assert_null(grant_table_entry(d, GRANT_TABLE_ENTRIES));
	assert_non_null(grant_table_entry(d, GRANT_TABLE_ENTRIES - 1));
	/* Empty for the next guest. */
	xen_restart();
	assert_int_equal(grant_table_entry(d, 513)->frame, 0);
}

static void test_query_size(void **state)
{
	struct gnttab_query_size arg = { .dom = DOMID_SELF, .status = 99 };

	(void)state;
	assert_int_equal(xen_call(0, __HYPERVISOR_grant_table_op, GNTTABOP_query_size, xen_put(&arg, sizeof(arg)), 1),
			 0);
	xen_get(&arg, sizeof(arg));
	assert_int_equal(arg.status, GNTST_okay);
	assert_int_equal(arg.nr_frames, 4);
	assert_int_equal(arg.max_nr_frames, 4);
	arg.dom = 0;
	assert_int_equal(xen_call(0, __HYPERVISOR_grant_table_op, GNTTABOP_query_size, xen_put(&arg, sizeof(arg)), 1),
			 0);
	xen_get(&arg, sizeof(arg));
	assert_int_equal(arg.status, GNTST_bad_domain);
	assert_int_equal(xen_call(0, __HYPERVISOR_grant_table_op, GNTTABOP_query_size, xen_put(&arg, 8), 2),
			 -XEN_EINVAL);
	assert_int_equal(xen_call(0, __HYPERVISOR_grant_table_op, GNTTABOP_query_size, 0, 1), -XEN_EFAULT);
}

static void test_version(void **state)
{
	struct gnttab_get_version get = { .dom = DOMID_SELF };
	struct gnttab_set_version set = { .version = 1 };

	(void)state;
	assert_int_equal(xen_op(0, __HYPERVISOR_grant_table_op, GNTTABOP_get_version, &get, sizeof(get)), 0);
	assert_int_equal(get.version, 1);
	assert_int_equal(xen_op(0, __HYPERVISOR_grant_table_op, GNTTABOP_set_version, &set, sizeof(set)), 0);
	set.version = 2;
	assert_int_equal(xen_op(0, __HYPERVISOR_grant_table_op, GNTTABOP_set_version, &set, sizeof(set)), -XEN_EINVAL);
	assert_int_equal(set.version, 1);
	get.dom = 9;
	assert_int_equal(xen_op(0, __HYPERVISOR_grant_table_op, GNTTABOP_get_version, &get, sizeof(get)), -XEN_ESRCH);
	assert_int_equal(xen_op(0, __HYPERVISOR_grant_table_op, GNTTABOP_copy, &get, sizeof(get)), -XEN_ENOSYS);
	assert_int_equal(xen_call(0, __HYPERVISOR_grant_table_op, GNTTABOP_set_version, 0), -XEN_EFAULT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_frames, setup),
		cmocka_unit_test_setup(test_query_size, setup),
		cmocka_unit_test_setup(test_version, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
