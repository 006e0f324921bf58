# What starts the core: the EFI program and the image for sticks and CDs.

EFI_PROGRAM := $(O)/nestling.efi

# GNU-EFI: position independent, 16-bit characters, the firmware's calling convention for EFIAPI.
EFI_CFLAGS := $(CSTD) $(WARN) -O2 -g -m64 -I/usr/include/efi -I/usr/include/efi/x86_64 \
	-DGNU_EFI_USE_MS_ABI -fpic -fshort-wchar -mno-red-zone -mgeneral-regs-only \
	-fno-stack-protector -fno-asynchronous-unwind-tables -fcf-protection=none \
	-fno-strict-aliasing -DPHYS_WINDOW=0ull -MMD -MP
EFI_C   := $(sort $(wildcard boot/efi/*.c)) boot/acpi.c boot/config.c boot/check_svm.c boot/efi_map.c \
	boot/efi_table.c boot/ids.c boot/l1_ranges.c boot/memmap.c hv/lapic.c hv/print.c hv/string.c
EFI_OBJ := $(EFI_C:%.c=$(O)/efi/%.o) $(patsubst %,$(O)/efi/boot/efi/%.asm.o,switch resident become_l1)

# What images end with where firmware clears memory: a program of its own, in one piece.
RESIDENT     := $(O)/resident.bin
RESIDENT_OBJ := $(O)/resident/boot/efi/resident/entry.asm.o $(patsubst %,$(O)/resident/%.o, \
	boot/efi/resident/main boot/efi/brief boot/efi/report boot/efi/tap_read boot/efi/out hv/print hv/string)

$(O)/efi/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(EFI_CFLAGS) -c $< -o $@

# libgnuefi defines memcpy and memset, too: ours give way.
$(O)/efi/hv/string.o: hv/string.c
	@mkdir -p $(@D)
	$(CC) $(EFI_CFLAGS) -c $< -o $@
	$(OBJCOPY) --weaken $@

$(O)/efi/boot/efi/switch.asm.o: boot/efi/switch.asm $(CORE)
	@mkdir -p $(@D)
	$(NASM) -f elf64 -DCORE='"$(CORE)"' -o $@ $<

$(O)/efi/boot/efi/become_l1.asm.o: boot/efi/become_l1.asm
	@mkdir -p $(@D)
	$(NASM) -f elf64 -o $@ $<

$(O)/resident/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(EFI_CFLAGS) -fvisibility=hidden -ffunction-sections -fdata-sections -c $< -o $@

$(O)/resident/%.asm.o: %.asm
	@mkdir -p $(@D)
	$(NASM) -f elf64 -o $@ $<

$(O)/resident.elf: $(RESIDENT_OBJ) boot/efi/resident/resident.ld
	$(LD) -m elf_x86_64 -nostdlib -pie --no-dynamic-linker --gc-sections -znoexecstack --build-id=none \
		--no-warn-rwx-segments -T boot/efi/resident/resident.ld -o $@ $(RESIDENT_OBJ)

$(RESIDENT): $(O)/resident.elf
	$(OBJCOPY) -O binary -j .text $< $@

$(O)/efi/boot/efi/resident.asm.o: boot/efi/resident.asm $(RESIDENT)
	@mkdir -p $(@D)
	$(NASM) -f elf64 -DRESIDENT='"$(RESIDENT)"' -o $@ $<

# For tests of chain=: another program of the firmware's.
CHAINED     := $(O)/chained.efi
CHAINED_OBJ := $(patsubst %,$(O)/efi/%.o,boot/efi/chained/chained boot/efi/chained/prepare hv/print hv/string)
ifeq ($(ARCH),x86_64)
all: $(EFI_PROGRAM) $(CHAINED)
endif

$(EFI_PROGRAM).so: $(EFI_OBJ)
$(CHAINED).so: $(CHAINED_OBJ)
$(EFI_PROGRAM).so $(CHAINED).so:
	$(LD) -m elf_x86_64 -nostdlib -znocombreloc -znoexecstack -shared -Bsymbolic --build-id=none \
		-T /usr/lib/elf_x86_64_efi.lds -o $@ /usr/lib/crt0-efi-x86_64.o $^ -L/usr/lib -lgnuefi
	@! nm -u $@ | grep . || { echo "undefined symbols in $@"; rm -f $@; exit 1; }

$(EFI_PROGRAM) $(CHAINED): %: %.so
	$(OBJCOPY) -j .text -j .sdata -j .data -j .dynamic -j .dynsym -j .rel -j .rela -j '.rel.*' \
		-j '.rela.*' -j .reloc --target=efi-app-x86_64 $< $@

-include $(EFI_OBJ:.o=.d) $(CHAINED_OBJ:.o=.d) $(RESIDENT_OBJ:.o=.d)

IMAGE := $(O)/nestling.iso

.PHONY: image
image: $(IMAGE) ## build one file for sticks and CDs, BIOS and UEFI: build/release/nestling.iso

# guest.mk, which is read later, knows the images.
.SECONDEXPANSION:
$(IMAGE): boot/grub/make-image boot/grub/grub.cfg $(CORE) $(EFI_PROGRAM) $$(GUEST_IMAGES)
	boot/grub/make-image $@ $(CORE) $(EFI_PROGRAM) $(GUEST_IMAGES)
