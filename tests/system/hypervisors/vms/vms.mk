# The runner of KVM's guests (docs/hypervisors.md): a static program for 32 and 64 bits, in which the guest's
# code is, linked for 16, 32 and 64 bits.

KVM_SRC  := tests/system/hypervisors/vms
KVM_OUT  := $(BUILD)/hypervisors/vms
RUN_VMS  := $(KVM_OUT)/run-vms-i386 $(KVM_OUT)/run-vms-amd64
KVM_MAIN := $(addprefix $(KVM_SRC)/,main.c vm.c modes.c devices.c slots.c under.c)

$(KVM_OUT)/guest-16.bin $(KVM_OUT)/images-32.o $(KVM_OUT)/guest-32.bin: KVM_ELF := elf32
$(KVM_OUT)/guest-64.bin $(KVM_OUT)/images-64.o: KVM_ELF := elf64

$(KVM_OUT)/guest-%.bin: $(KVM_SRC)/guest.c $(KVM_SRC)/guest.asm $(KVM_SRC)/guest.h $(KVM_SRC)/guest.ld
	@mkdir -p $(@D)
	$(CC) -m$* -std=c11 $(WARN) -O2 -ffreestanding -fno-pic -fno-stack-protector -fcf-protection=none \
		-fno-asynchronous-unwind-tables -mgeneral-regs-only -mno-red-zone -c $(KVM_SRC)/guest.c -o $(@:.bin=.o)
	$(NASM) -f $(KVM_ELF) -DBITS=$* -o $(@:.bin=-asm.o) $(KVM_SRC)/guest.asm
	$(LD) -m $(if $(filter 64,$*),elf_x86_64,elf_i386) -T $(KVM_SRC)/guest.ld --oformat binary -o $@ \
		$(@:.bin=-asm.o) $(@:.bin=.o)

$(KVM_OUT)/images-%.o: $(KVM_SRC)/images.asm $(KVM_OUT)/guest-16.bin $(KVM_OUT)/guest-32.bin $(KVM_OUT)/guest-64.bin
	$(NASM) -f $(KVM_ELF) $(foreach b,16 32 64,-DIMAGE$b='"$(KVM_OUT)/guest-$b.bin"') -o $@ $<

$(KVM_OUT)/run-vms-i386: $(KVM_OUT)/images-32.o
$(KVM_OUT)/run-vms-amd64: $(KVM_OUT)/images-64.o
$(RUN_VMS): $(KVM_MAIN) $(KVM_SRC)/vm.h $(KVM_SRC)/guest.h
	$(CC) -m$(if $(filter %-i386,$@),32,64) -std=gnu11 -D_GNU_SOURCE $(WARN) -O2 -static -s -pthread -o $@ $(KVM_MAIN) $(filter %.o,$^)

check-hypervisors soak-hypervisors: $(RUN_VMS)
