# Nestling's front door: `make help` lists what there is.
# The parts are in boot/boot.mk, guest/guest.mk and tests/tests.mk.

# i386: L0 as a 32-bit program, in a folder of its own. Of the environment ARCH is something else's.
ifneq ($(origin ARCH),command line)
ARCH   := x86_64
endif
ifeq ($(ARCH),x86_64)
BUILD  ?= build
BITS   := 64
else ifeq ($(ARCH),i386)
BUILD  ?= build/i386
BITS   := 32
else
$(error ARCH=$(ARCH): x86_64 or i386)
endif
STRICT ?= 0
ifeq ($(STRICT),1)
O := $(BUILD)/strict
else
O := $(BUILD)/release
endif

CC      := gcc
LD      := ld
OBJCOPY := objcopy
NASM    := nasm

WARN   := -Wall -Wextra -Werror
CSTD   := -std=c11 -ffreestanding -I.
# L0 keeps the guest's FPU state in the registers while it runs, and R12 to R15: it must not use them
# itself.
KEPT        := r12 r13 r14 r15
CORE_CFLAGS := $(CSTD) $(WARN) -O2 -g -m64 -mcmodel=kernel -mno-red-zone -mgeneral-regs-only \
	-fno-pic -fno-pie -fno-stack-protector -fno-asynchronous-unwind-tables -fcf-protection=none \
	-fno-strict-aliasing $(KEPT:%=-ffixed-%) -DSTRICT=$(STRICT) -MMD -MP
# The linker's compiler sees all of L0 at once: what an exit calls in other files needs no call.
LTO := -flto -flto-partition=one

.DEFAULT_GOAL := all
.PHONY: all help deps run check lint format image bench coverage fuzz clean

CORE_C   := $(sort $(wildcard hv/*.c mmu/*.c svm/*.c svm/*/*.c boot/*.c))
CORE_ASM := $(sort $(wildcard hv/*.asm svm/*.asm svm/*/*.asm boot/*.asm))
CORE_OBJ := $(CORE_C:%.c=$(O)/%.o) $(CORE_ASM:%.asm=$(O)/%.asm.o)
CORE     := $(O)/nestling.bin

all: $(CORE) ## build L0, the EFI program and the L1 images

# With other flags it is another object: those of two builds must not meet in one link.
$(O)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CORE_CFLAGS) $(LTO) -c $< -o $@

# What the compiler may call on its own, however late.
$(O)/hv/string.o: LTO :=

$(O)/%.asm.o: %.asm
	@mkdir -p $(@D)
	$(NASM) -f elf64 -g -F dwarf -MD $(O)/$*.asm.d -o $@ $<

$(O)/nestling.elf: $(CORE_OBJ) linker.ld
	$(CC) $(filter-out -M%,$(CORE_CFLAGS)) $(LTO) -nostdlib -static -Wl,-z,noexecstack \
		-Wl,-z,max-page-size=4096 -Wl,--build-id=none -T linker.ld -o $@ $(CORE_OBJ)

$(CORE): $(O)/nestling.elf
	$(OBJCOPY) -O binary $< $@

-include $(CORE_OBJ:.o=.d)
-include boot/boot.mk
-include guest/guest.mk
-include tests/tests.mk

# What is not there yet is said, not tried.
ifeq ($(ARCH),i386)
ifneq ($(filter-out check-unit clean help $(BUILD)/unit/%,$(or $(MAKECMDGOALS),all)),)
$(error ARCH=i386: there is no 32-bit L0 yet; check-unit runs the tests of mmu/ and svm/ as 32-bit programs)
endif
endif

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST) | sort

clean: ## remove what was built
	rm -rf $(BUILD)
