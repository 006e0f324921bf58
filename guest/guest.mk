# The bundled L1 images: one small library (guest/lib), points that are written once for 32 and
# 64 bits (guest/points), and a file or a directory for each image. A new image is one more word
# below; one of GUEST_BOTH becomes two files, for 32 and for 64 bits.

GUEST_32   := pae pse nopse
GUEST_64   := long
GUEST_BOTH := bench hardware stress startup counters smp hostile svm chaos

GUEST_NAMES  := $(GUEST_32) $(GUEST_64) $(GUEST_BOTH:%=%32) $(GUEST_BOTH:%=%64)
GUEST_IMAGES := $(GUEST_NAMES:%=$(O)/guest/%.elf)

# hv's text, serial, drawing and waiting functions are pure: the images have them compiled for themselves.
GUEST_C   := $(sort $(wildcard guest/lib/*.c guest/points/*.c)) hv/string.c hv/print.c hv/serial.c \
	hv/framebuffer.c hv/font.c hv/vga_text.c hv/delay.c
GUEST_ASM := $(sort $(wildcard guest/lib/*.asm))

# L1 leaves the FPU alone, too: what L2 has in it is none of L1's business.
GUEST_CFLAGS := $(CSTD) $(WARN) -O2 -g -mgeneral-regs-only -fno-pic -fno-pie -fno-stack-protector \
	-fno-asynchronous-unwind-tables -fcf-protection=none -fno-strict-aliasing -DPHYS_WINDOW=0ull -MMD -MP
GUEST_CFLAGS_32 := $(GUEST_CFLAGS) -m32 -march=i686
GUEST_CFLAGS_64 := $(GUEST_CFLAGS) -m64 -mno-red-zone
GUEST_LDFLAGS   := -nostdlib -static -z noexecstack -z max-page-size=4096 --build-id=none \
	--no-warn-rwx-segments

GUEST_LIB_32 := $(GUEST_C:%.c=$(O)/guest/32/%.o) $(GUEST_ASM:%.asm=$(O)/guest/32/%.asm.o)
GUEST_LIB_64 := $(GUEST_C:%.c=$(O)/guest/64/%.o) $(GUEST_ASM:%.asm=$(O)/guest/64/%.asm.o)

# Libraries: an image has what it uses only, and stays small.
$(O)/guest/library32.a: $(GUEST_LIB_32)
$(O)/guest/library64.a: $(GUEST_LIB_64)
$(O)/guest/library32.a $(O)/guest/library64.a:
	@rm -f $@
	$(AR) rcs $@ $^

.PHONY: guest
all: $(GUEST_IMAGES)
guest: $(GUEST_IMAGES) ## build the bundled L1 images only

# What git calls the sources; the file changes, and what has it is built again, if that does.
VERSION := $(shell git describe --always --dirty --abbrev=10 2>/dev/null || echo unknown)
.PHONY: version
$(BUILD)/version: version
	@mkdir -p $(@D)
	@echo '$(VERSION)' | cmp -s - $@ || echo '$(VERSION)' >$@
$(O)/guest/32/guest/lib/version.o $(O)/guest/64/guest/lib/version.o: $(BUILD)/version
$(O)/guest/32/guest/lib/version.o: GUEST_CFLAGS_32 += -DNESTLING_VERSION='"$(VERSION)"'
$(O)/guest/64/guest/lib/version.o: GUEST_CFLAGS_64 += -DNESTLING_VERSION='"$(VERSION)"'

$(O)/guest/32/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(GUEST_CFLAGS_32) -c $< -o $@

$(O)/guest/64/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(GUEST_CFLAGS_64) -c $< -o $@

$(O)/guest/32/%.asm.o: %.asm
	@mkdir -p $(@D)
	$(NASM) -f elf32 -I guest/lib/ -MD $(O)/guest/32/$*.asm.d -o $@ $<

$(O)/guest/64/%.asm.o: %.asm
	@mkdir -p $(@D)
	$(NASM) -f elf64 -DL1_64 -I guest/lib/ -MD $(O)/guest/64/$*.asm.d -o $@ $<

# The rows of bench once more, with fences around what they time.
$(O)/guest/32/fenced/%.o: guest/bench/%.c
	@mkdir -p $(@D)
	$(CC) $(GUEST_CFLAGS_32) -DBENCH_CYCLES -c $< -o $@

$(O)/guest/64/fenced/%.o: guest/bench/%.c
	@mkdir -p $(@D)
	$(CC) $(GUEST_CFLAGS_64) -DBENCH_CYCLES -c $< -o $@

# What an image takes from others.
GUEST_MORE_hardware := $(patsubst guest/bench/%.c,fenced/%.o,$(sort $(wildcard guest/bench/*.c))) \
	guest/svm/code.o

# guest_image NAME WIDTH SOURCE: the image's own files are guest/SOURCE.c, guest/SOURCE/*.c and *.asm.
define guest_image
GUEST_OBJ_$(1) := $(patsubst %.c,$(O)/guest/$(2)/%.o,guest/$(3).c $(sort $(wildcard guest/$(3)/*.c))) \
	$(patsubst %,$(O)/guest/$(2)/%.o,$(sort $(wildcard guest/$(3)/*.asm))) \
	$(GUEST_MORE_$(3):%=$(O)/guest/$(2)/%)

$(O)/guest/$(1).elf: $$(GUEST_OBJ_$(1)) $(O)/guest/library$(2).a guest/guest.ld
	$(LD) $(GUEST_LD_$(2)) $(GUEST_LDFLAGS) -T guest/guest.ld -o $(O)/guest/$(2)/$(1).debug \
		$$(filter %.o %.a,$$^)
	$(OBJCOPY) -S $(GUEST_OBJCOPY_$(2)) $(O)/guest/$(2)/$(1).debug $$@

-include $$(GUEST_OBJ_$(1):.o=.d)
endef

GUEST_LD_32 := -m elf_i386
GUEST_LD_64 := -m elf_x86_64
# Multiboot1 takes 32-bit files only, whatever is in them.
GUEST_OBJCOPY_64 := -O elf32-i386

$(foreach name,$(GUEST_32),$(eval $(call guest_image,$(name),32,$(name))))
$(foreach name,$(GUEST_64),$(eval $(call guest_image,$(name),64,$(name))))
$(foreach name,$(GUEST_BOTH),$(eval $(call guest_image,$(name)32,32,$(name))))
$(foreach name,$(GUEST_BOTH),$(eval $(call guest_image,$(name)64,64,$(name))))

# nasm's -MD does not name included files.
$(filter %.asm.o,$(GUEST_LIB_32) $(GUEST_LIB_64)): $(wildcard guest/lib/*.inc)

-include $(GUEST_LIB_32:.o=.d) $(GUEST_LIB_64:.o=.d)

# Programs for a Linux that is L1: static, so that they run on any.
LINUX_PROGRAMS := $(O)/guest/nestling-stat-amd64 $(O)/guest/nestling-stat-i386
LINUX_CFLAGS   := -std=c11 -I. $(WARN) -O2 -static

all: $(LINUX_PROGRAMS)

$(O)/guest/nestling-stat-amd64: LINUX_CFLAGS += -m64
$(O)/guest/nestling-stat-i386: LINUX_CFLAGS += -m32 -D_FILE_OFFSET_BITS=64
$(LINUX_PROGRAMS): guest/linux/nestling-stat.c svm/look/exit_name.c svm/look/counters.h svm/look/interface.h mmu/counters.h
	@mkdir -p $(@D)
	$(CC) $(LINUX_CFLAGS) -s -o $@ $(filter %.c,$^)
