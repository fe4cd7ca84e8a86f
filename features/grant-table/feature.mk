# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_GRANT_TABLE) += grant-table
objs-grant-table := features/grant-table/grant_table.o
cflags-grant-table := -idirafter /usr/include
