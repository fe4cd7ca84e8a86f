# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_DIAGNOSE) += diagnose
objs-diagnose := features/diagnose/diagnose.o features/diagnose/report.o
