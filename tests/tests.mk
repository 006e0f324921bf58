# How to run and test what is built. tests/run is the machine; tests/system/*.t are the tests of
# the whole, one process each; tests/unit/unit.mk has those of the parts.

-include tests/unit/unit.mk
-include tests/bench/*.mk
-include tests/system/hypervisors/*/*.mk

# What a recipe passes on: make gives the variables of its command line to its commands itself.
PASS := BUILD='$(BUILD)' STRICT='$(STRICT)' L0ARCH='$(ARCH)'
PROVE_JOBS ?= 2

# Packages first, whatever -j says.
ifneq ($(filter deps deps-linux deps-hypervisors,$(MAKECMDGOALS)),)
.NOTPARALLEL:
endif

.PHONY: deps-linux deps-hypervisors check-system check-linux soak-linux check-hypervisors soak-hypervisors check-unit check-proof prove build-all

deps: ## install what building and testing need from Debian's packages (root or sudo)
	@tests/deps

deps-linux: ## fetch Debian's kernels and busybox for check-linux (adds apt's i386 architecture)
	@BUILD='$(BUILD)' tests/deps linux

deps-hypervisors: ## fetch Debian's QEMU and Xen for check-hypervisors (after deps-linux)
	@BUILD='$(BUILD)' tests/deps hypervisors

run: all $(if $(filter stick% cd%,$(BOOT)),image) ## boot L1 on Nestling in an emulator; see the variables above
	@$(PASS) tests/run

# Both builds, whatever STRICT is: every system test runs both. And L0 as a 32-bit program: i386.t.
build-all:
	@$(MAKE) --no-print-directory STRICT=0 all image
	@$(MAKE) --no-print-directory STRICT=1 all
	@$(MAKE) --no-print-directory ARCH=i386 BUILD='$(BUILD)/i386' STRICT=0 core
	@$(MAKE) --no-print-directory ARCH=i386 BUILD='$(BUILD)/i386' STRICT=1 core

# What looks over L0's memory after a run; it reads L0's structures, so each build has its own.
ifeq ($(ARCH),x86_64)
all: $(O)/canary
endif
$(O)/canary: tests/system/canary.c
	@mkdir -p $(@D)
	$(CC) -std=c11 -D_GNU_SOURCE -DSTRICT=$(STRICT) -I. $(WARN) -O1 -g -MMD -MP $< -o $@

-include $(O)/canary.d

# An L1 that tells what it was given (given.t), by both versions of multiboot.
all: $(O)/given1.elf $(O)/given2.elf
$(O)/given1.elf $(O)/given2.elf: $(O)/given%.elf: tests/system/given.asm $(O)/guest/32/tests/system/given.o \
                                 $(O)/guest/32/boot/memmap.o $(O)/guest/library32.a
	@mkdir -p $(@D)
	$(NASM) -f elf32 -DVERSION=$* -o $(O)/given$*.o $<
	$(LD) -m elf_i386 $(GUEST_LDFLAGS) -Ttext-segment=0x400000 -e entry -o $@ $(O)/given$*.o \
		$(filter %.o %.a,$^)

-include $(O)/guest/32/tests/system/given.d

# What reads text from QEMU's pictures of the screen; one for both builds.
READ_SCREEN := $(BUILD)/read-screen
all: $(READ_SCREEN)
$(READ_SCREEN): tests/system/read-screen.c hv/font.c hv/framebuffer.c hv/font.h hv/framebuffer.h
	@mkdir -p $(@D)
	$(CC) -std=c11 -I. $(WARN) -O1 -g -o $@ $(filter %.c,$^)

# What looks into the variables that OVMF keeps in its flash; one for both builds.
VARS_TOOL := $(BUILD)/vars
all: $(VARS_TOOL)
$(VARS_TOOL): tests/system/vars.c
	@mkdir -p $(@D)
	$(CC) -std=c11 $(WARN) -O1 -g -o $@ $<

format: ## put the sources into the style of .clang-format
	find boot hv mmu svm guest tests -name '*.[ch]' -print0 | xargs -0 clang-format -i

lint: ## clang-format, clang-tidy, cppcheck, shellcheck
	@tests/lint

# The longest first, so that no processor waits for it alone at the end.
SYSTEM_LONG  := $(wildcard tests/system/stress.t)
SYSTEM_TESTS := $(SYSTEM_LONG) $(filter-out $(SYSTEM_LONG),$(sort $(wildcard tests/system/*.t)))

check-system: build-all
	@rm -rf '$(BUILD)/test-logs'
	BUILD='$(BUILD)' prove -j$(PROVE_JOBS) --timer $(SYSTEM_TESTS)

check-proof:
	PROVE_JOBS=$(PROVE_JOBS) prove --timer tests/proof/run

prove: ## prove the protocols between processors by spin, in larger sizes than check does (docs/proof.md)
	PROVE_JOBS=$(PROVE_JOBS) prove --timer -v tests/proof/run :: large

CMOCKA_I386 := /usr/lib/i386-linux-gnu/libcmocka.so

# One after the other, so that prove's summary comes last.
check: ## every test: unit, lint, proofs, system; ends with the runner's summary
	@$(MAKE) --no-print-directory build-all
	@$(MAKE) --no-print-directory check-unit
	@if [ -e $(CMOCKA_I386) ]; then \
		NESTLING_SECONDS=2 $(MAKE) --no-print-directory ARCH=i386 BUILD='$(BUILD)/i386' check-unit; \
	else \
		echo "SKIPPED: host tests as 32-bit programs: libcmocka-dev:i386 is not installed (make deps)"; \
	fi
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory check-proof
	@$(MAKE) --no-print-directory check-system

# Before the random scripts of tests/unit/mmu.mk; images run on each configuration in turn.
.PHONY: soak-images
soak: soak-images
soak-images: build-all
	@BUILD='$(BUILD)' SOAK_SECONDS='$(SOAK_SECONDS)' tests/soak-images

LINUX_KERNELS := i386 686 amd64
INITRDS       := $(LINUX_KERNELS:%=$(BUILD)/linux/initrd-%)

# The 686 kernel's programs are those for i386.
.SECONDEXPANSION:
$(INITRDS): $(BUILD)/linux/initrd-%: $(BUILD)/linux/modules-% tests/system/linux/make-initrd \
            $(wildcard tests/system/linux/initrd/*) \
            $(BUILD)/linux/busybox-$$(subst 686,i386,$$*) $(BUILD)/linux/kvm-$$(subst 686,i386,$$*) \
            $(O)/guest/nestling-stat-$$(subst 686,i386,$$*)
	tests/system/linux/make-initrd $(BUILD)/linux/busybox-$(subst 686,i386,$*) $< \
		$(BUILD)/linux/kvm-$(subst 686,i386,$*) $(O)/guest/nestling-stat-$(subst 686,i386,$*) $@

$(BUILD)/linux/kvm-i386: BITS := 32
$(BUILD)/linux/kvm-amd64: BITS := 64
$(BUILD)/linux/kvm-%: tests/system/linux/kvm.c
	gcc -m$(BITS) -std=c11 -Wall -Wextra -Werror -O2 -static -s -o $@ $<

$(BUILD)/linux/busybox-% $(BUILD)/linux/modules-%:
	@echo "$@ is missing: run make deps-linux first" >&2; false

check-linux: build-all $(INITRDS) ## boot Debian's i386 (PAE or not) and amd64 kernels as L1 (after deps-linux)
	BUILD='$(BUILD)' prove -j$(PROVE_JOBS) --timer tests/system/linux/*.t

soak-linux: build-all $(INITRDS) ## the same kernels with 1, 2 and 4 processors, by all paging, long under load
	BUILD='$(BUILD)' prove -j$(PROVE_JOBS) --timer tests/system/linux/soak/*.t

# Debian's QEMU, as an archive to append to an initrd (tests/system/hypervisors/runs.sh).
HYPERVISORS := $(BUILD)/hypervisors
QEMUS       := $(HYPERVISORS)/qemu-amd64.cpio $(HYPERVISORS)/qemu-i386.cpio
$(QEMUS): $(HYPERVISORS)/qemu-%.cpio: $(HYPERVISORS)/qemu-%.packages tests/system/hypervisors/pack
	tests/system/hypervisors/pack $(BUILD)/linux/busybox-amd64 $(HYPERVISORS)/qemu-$* $@ \
		usr/bin/qemu-system-x86_64 'usr/share/qemu/*.bin' 'usr/share/seabios/*.bin'

# Xen's tools and its QEMU; they end their threads by a library that nothing names.
XEN := $(HYPERVISORS)/xen.cpio
$(XEN): $(HYPERVISORS)/xen.packages tests/system/hypervisors/pack
	tests/system/hypervisors/pack $(BUILD)/linux/busybox-amd64 $(HYPERVISORS)/xen $@ \
		$(addprefix usr/lib/xen-4.17/bin/,xl xenstored xenconsoled xenconsole xen-init-dom0) \
		usr/lib/xen-4.17/bin/libxl-save-helper usr/lib/xen-4.17/boot/hvmloader \
		'*/x86_64-linux-gnu/libgcc_s.so.1' usr/libexec/xen-qemu-system-i386 \
		'usr/share/qemu/linuxboot*.bin'

$(HYPERVISORS)/%.packages:
	@echo "$@ is missing: run make deps-linux deps-hypervisors first" >&2; false

check-hypervisors: build-all $(INITRDS) $(QEMUS) $(XEN) ## KVM, Xen and Nestling as L1, and KVM as L0 (after deps-linux deps-hypervisors)
	BUILD='$(BUILD)' prove -j$(PROVE_JOBS) --timer tests/system/hypervisors/*.t

# KVM=emulated needs what check-hypervisors needs.
.PHONY: check-kvm
check-kvm: build-all $(if $(filter emulated,$(KVM)),$(BUILD)/linux/initrd-amd64 $(HYPERVISORS)/qemu-amd64.cpio)
check-kvm: ## the images as L1s of this machine's KVM; KVM=emulated: Debian's, or of KERNEL=bzImage
	@BUILD='$(BUILD)' tests/check-kvm

soak-hypervisors: build-all $(INITRDS) $(QEMUS) $(XEN) ## the same in every combination, for hours
	BUILD='$(BUILD)' prove -j$(PROVE_JOBS) --timer tests/system/hypervisors/soak/*.t

# As many VMRUNs as wanted, in each of the ways of chaos.t, from a new seed.
.PHONY: soak-chaos
SOAK_RUNS ?= 200000
soak: soak-chaos
soak-chaos: build-all ## a hostile L1 as in chaos.t, SOAK_RUNS (200000) VMRUNs in each way, from a new seed
	CHAOS_RUNS=$(SOAK_RUNS) CHAOS_SEED=$${CHAOS_SEED:-$$(date +%s)} RUN_TIMEOUT=3600 BUILD='$(BUILD)' \
		prove -v tests/system/chaos.t

.PHONY: soak-everything
soak-everything: build-all ## "Everything" from the stick's menu: each image bare and on Nestling, for half an hour
	BUILD='$(BUILD)' prove -v --timer tests/system/soak/everything.t

define VARIABLES
Variables of make run, and their defaults:
  L1=pae              an image's name (ls guest/, README), or the path of any image that
                      QEMU's -kernel takes
  CMDLINE= INITRD=    L1's command line and initrd (its first module; more with commas between)
  MODULES=            L1's modules, "FILE WORDS,FILE WORDS" (two commas are one of a word)
  L0CMDLINE=          Nestling's own words: la57=, npt=auto|on|off, log=, pool=, hotkey=, svm=
  BOOT=uefi           uefi, grub, grub-efi, direct; stick, stick-efi, cd, cd-efi: make image's file
  BARE=0              1: the image on the same machine without Nestling
  STRICT=0            1: the build that checks itself
  EMU=qemu            or bochs, by BOOT=grub
  CPU=max SMP=1 MEM=256M ACCEL=tcg (kvm: CPU=host)
  QEMUFLAGS= GDB=0    more of QEMU's options; 1: wait for gdb on port 1234
  TIMEOUT= LOG=       seconds after which the machine is stopped; a file for COM1's output
Targets:
endef
export VARIABLES

.PHONY: help-variables
help: help-variables
help-variables:
	@echo "$$VARIABLES"
