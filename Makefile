# Nestling's front door: `make help` lists what there is.
# The parts are in boot/boot.mk, guest/guest.mk and tests/tests.mk.

# i386: L0 as a 32-bit program, in a folder of its own. Of the environment ARCH is something else's.
ifneq ($(origin ARCH),command line)
ARCH   := x86_64
endif
ifeq ($(ARCH),x86_64)
BUILD  ?= build
BITS   := 64
IMAGE_BASE := 0xffffffff80000000
else ifeq ($(ARCH),i386)
BUILD  ?= build/i386
BITS   := 32
IMAGE_BASE := 0x00800000
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
ARCH_CFLAGS_x86_64 := -m64 -mcmodel=kernel -mno-red-zone $(KEPT:%=-ffixed-%)
ARCH_CFLAGS_i386   := -m32 -march=i686
CORE_CFLAGS := $(CSTD) $(WARN) -O2 -g $(ARCH_CFLAGS_$(ARCH)) -mgeneral-regs-only \
	-fno-pic -fno-pie -fno-stack-protector -fno-asynchronous-unwind-tables -fcf-protection=none \
	-fno-strict-aliasing -DSTRICT=$(STRICT) -MMD -MP
# 64 bits are counted and divided by GCC's own library there.
CORE_LIBS_i386 := -lgcc
# The linker's compiler sees all of L0 at once: what an exit calls in other files needs no call.
LTO := -flto -flto-partition=one

.DEFAULT_GOAL := all
.PHONY: all core help deps run check lint format image bench coverage fuzz clean

# X_i386.c stands for X.c in a 32-bit L0, if there is an X.c.
ALL_C    := $(sort $(wildcard hv/*.c mmu/*.c svm/*.c svm/*/*.c boot/*.c))
ALL_ASM  := $(sort $(wildcard hv/*.asm svm/*.asm svm/*/*.asm boot/*.asm))
ifeq ($(ARCH),i386)
CORE_C   := $(filter-out $(patsubst %_i386.c,%.c,$(filter %_i386.c,$(ALL_C))),$(ALL_C))
CORE_ASM := $(filter-out $(patsubst %_i386.asm,%.asm,$(filter %_i386.asm,$(ALL_ASM))),$(ALL_ASM))
else
CORE_C   := $(filter-out %_i386.c,$(ALL_C))
CORE_ASM := $(filter-out %_i386.asm,$(ALL_ASM))
endif
CORE_OBJ := $(CORE_C:%.c=$(O)/%.o) $(CORE_ASM:%.asm=$(O)/%.asm.o)
CORE     := $(O)/nestling.bin

all: core ## build L0, the EFI program and the L1 images
core: $(CORE)

# With other flags it is another object: those of two builds must not meet in one link.
$(O)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CORE_CFLAGS) $(LTO) -c $< -o $@

# What the compiler may call on its own, however late.
$(O)/hv/string.o $(O)/hv/atomic_i386.o: LTO :=

$(O)/%.asm.o: %.asm
	@mkdir -p $(@D)
	$(NASM) -f elf$(BITS) -g -F dwarf -DIMAGE_BASE=$(IMAGE_BASE) -MD $(O)/$*.asm.d -o $@ $<

$(O)/nestling.elf: $(CORE_OBJ) linker.ld
	$(CC) $(filter-out -M%,$(CORE_CFLAGS)) $(LTO) -nostdlib -static -Wl,-z,noexecstack \
		-Wl,-z,max-page-size=4096 -Wl,--build-id=none -Wl,--defsym=image_base=$(IMAGE_BASE) \
		-T linker.ld -o $@ $(CORE_OBJ) $(CORE_LIBS_$(ARCH))

$(CORE): $(O)/nestling.elf
	$(OBJCOPY) -O binary $< $@

-include $(CORE_OBJ:.o=.d)
-include boot/boot.mk
-include guest/guest.mk
-include tests/tests.mk

# What a 32-bit L0 has not is said, not tried.
ifeq ($(ARCH),i386)
NOT_I386_GOALS := $(filter-out all core guest run check-unit clean help $(BUILD)/%,$(MAKECMDGOALS))
ifneq ($(NOT_I386_GOALS),)
$(error ARCH=i386 has all, core, guest, run, check-unit and clean, not $(NOT_I386_GOALS): docs/i386.md)
endif
endif

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST) | sort

clean: ## remove what was built
	rm -rf $(BUILD)
