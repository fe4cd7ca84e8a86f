# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_ENGINE_HVM) += engine-hvm
objs-engine-hvm := features/engine-hvm/hvm.o $(addprefix arch/x86_64/hvm/, access.o cpuid.o emulate.o exits.o fpu.o \
	msr.o nested.o print.o registers.o run.o walk.o)
# The guest's FPU registers stay loaded while exits are handled; only what calls the C library gives them up.
cflags-engine-hvm := -mgeneral-regs-only -Os

features-$(CONFIG_HVM_SVM) += hvm-svm
objs-hvm-svm := $(addprefix arch/x86_64/hvm/svm/, entry.o svm.o)
cflags-hvm-svm := -mgeneral-regs-only -Os

features-$(CONFIG_HVM_VMX) += hvm-vmx
objs-hvm-vmx := $(addprefix arch/x86_64/hvm/vmx/, $(if $(CONFIG_LOCAL_APIC_VIRTUAL),apic.o,no_apic.o) capabilities.o \
	diagnose.o entry.o explain.o registers.o run.o state.o vmx.o)
cflags-hvm-vmx := -mgeneral-regs-only -Os
