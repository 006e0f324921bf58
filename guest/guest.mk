# The bundled L1 images: one small library (guest/lib), points that are written once for 32 and
# 64 bits (guest/points), and one file for each image. A new image is one more word below.

GUEST_32 := pae
GUEST_64 := long

GUEST_IMAGES := $(GUEST_32:%=$(O)/guest/%.elf) $(GUEST_64:%=$(O)/guest/%.elf)

# hv's text and serial functions are pure: the images have them compiled for themselves.
GUEST_C   := $(sort $(wildcard guest/lib/*.c guest/points/*.c)) hv/string.c hv/print.c hv/serial.c
GUEST_ASM := $(sort $(wildcard guest/lib/*.asm))

# L1 leaves the FPU alone, too: what L2 has in it is none of L1's business.
GUEST_CFLAGS := $(CSTD) $(WARN) -O2 -g -mgeneral-regs-only -fno-pic -fno-pie -fno-stack-protector \
	-fno-asynchronous-unwind-tables -fcf-protection=none -fno-strict-aliasing -MMD -MP
GUEST_CFLAGS_32 := $(GUEST_CFLAGS) -m32 -march=i686
GUEST_CFLAGS_64 := $(GUEST_CFLAGS) -m64 -mno-red-zone
GUEST_LDFLAGS   := -nostdlib -static -z noexecstack -z max-page-size=4096 --build-id=none \
	--no-warn-rwx-segments

GUEST_LIB_32 := $(GUEST_C:%.c=$(O)/guest/32/%.o) $(GUEST_ASM:%.asm=$(O)/guest/32/%.asm.o)
GUEST_LIB_64 := $(GUEST_C:%.c=$(O)/guest/64/%.o) $(GUEST_ASM:%.asm=$(O)/guest/64/%.asm.o)

.PHONY: guest
all: $(GUEST_IMAGES)
guest: $(GUEST_IMAGES) ## build the bundled L1 images only

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

$(GUEST_32:%=$(O)/guest/%.elf): $(O)/guest/%.elf: $(O)/guest/32/guest/%.o $(GUEST_LIB_32) guest/guest.ld
	$(LD) -m elf_i386 $(GUEST_LDFLAGS) -T guest/guest.ld -o $(O)/guest/32/$*.debug $(filter %.o,$^)
	$(OBJCOPY) -S $(O)/guest/32/$*.debug $@

# Multiboot1 takes 32-bit files only, whatever is in them.
$(GUEST_64:%=$(O)/guest/%.elf): $(O)/guest/%.elf: $(O)/guest/64/guest/%.o $(GUEST_LIB_64) guest/guest.ld
	$(LD) -m elf_x86_64 $(GUEST_LDFLAGS) -T guest/guest.ld -o $(O)/guest/64/$*.debug $(filter %.o,$^)
	$(OBJCOPY) -S -O elf32-i386 $(O)/guest/64/$*.debug $@

# nasm's -MD does not name included files.
$(O)/guest/32/guest/lib/l2_code.asm.o $(O)/guest/64/guest/lib/l2_code.asm.o: guest/lib/l2_code.inc

-include $(GUEST_LIB_32:.o=.d) $(GUEST_LIB_64:.o=.d)
-include $(GUEST_32:%=$(O)/guest/32/guest/%.d) $(GUEST_64:%=$(O)/guest/64/guest/%.d)
